"""The error of a finite number of pictures, which all seeds share."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlcv04.harness.stats import basics
from dlcv04.harness.stats.basics import Floats, Interval, StatisticsError
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import scipy
else:
    scipy = LazyModule("scipy")


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """Exact two-sided interval of a proportion of `k` in `n` (Clopper, Pearson 1934); covers at least `level`."""
    if not 0 <= k <= n or n < 1:
        raise StatisticsError(f"clopper_pearson: {k} of {n} is not a proportion.")
    tail = (1 - level) / 2
    basics.check_alpha(half_of_the_rest=tail)
    return Interval(k / n, _share_bound(k / n, n, tail), 1 - _share_bound(1 - k / n, n, tail), level)


def share_bounds(share: float, pictures: int, alpha_low: float, alpha_high: float) -> tuple[float, float]:
    """One-sided Clopper-Pearson bounds of a share of so many pictures; between counts the beta quantile interpolates.

    Raises:
        StatisticsError: the share lies outside 0..1.
    """
    if not 0 <= share <= 1:
        raise StatisticsError(f"share_bounds: {share} is no share of {pictures} pictures.")
    return _share_bound(share, pictures, alpha_low), 1 - _share_bound(1 - share, pictures, alpha_high)


def clustered_interval(
    values: Floats, clusters: Sequence[Hashable], alpha_low: float, alpha_high: float
) -> tuple[float, float]:
    """One-sided bounds of the mean of values that come in clusters, such as pictures of one class.

    Linearised variance between clusters, se^2 = C / (C - 1) sum_c (sum of the deviations in c)^2 / N^2, and Student's
    t with C - 1 degrees of freedom (Cameron, Miller 2015). One cluster gives no bounds.

    Args:
        values: one a picture, shape (N,).
        clusters: the label of each.
        alpha_low: one-sided error rate of the lower bound.
        alpha_high: the same of the upper bound.

    Raises:
        StatisticsError: values that are not finite, or not one label for each.
    """
    x = basics.finite_array(values, "clustered_interval")
    if len(clusters) != len(x):
        raise StatisticsError(f"clustered_interval: {len(x)} values and {len(clusters)} labels.")
    sums: dict[Hashable, float] = {}
    mean = float(x.mean())
    for label, deviation in zip(clusters, (x - mean).tolist(), strict=True):
        sums[label] = sums.get(label, 0.0) + deviation
    count = len(sums)
    if count < 2:
        return -math.inf, math.inf
    error = math.sqrt(count / (count - 1) * float(np.square(list(sums.values())).sum())) / len(x)
    return tuple(  # type: ignore[return-value]
        mean + sign * basics.half_width(alpha, count - 1, error) for sign, alpha in ((-1, alpha_low), (1, alpha_high))
    )


def _share_bound(share: float, n: int, alpha: float) -> float:
    """Lower Clopper-Pearson bound of a share of `n`, one-sided."""
    return float(scipy.special.betaincinv(share * n, n - share * n + 1, alpha)) if share > 0 else 0.0
