"""LEVEL: a share or a mean against a threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dlcv04.harness.stats import basics, seeds
from dlcv04.harness.stats.basics import Floats, Interval, StatisticsError
from dlcv04.harness.stats.results import ClaimVerdict, SequentialResult
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
    low = float(scipy.special.betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(scipy.special.betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return Interval(k / n, low, high, level)


def level_test(
    values: Floats, least: float, *, images: int = 0, alpha_holds: float = 0.05, alpha_violated: float = 0.01
) -> SequentialResult:
    """Is the mean over seeds at least `least`, for new seeds and new pictures? One look, at n fixed in advance.

    Two independent errors: of the seeds (one-sided t) and, for a proportion of `images` pictures that all seeds share,
    of the pictures (Clopper-Pearson at the mean). Each one-sided bound is the mean less the root of the sum of both
    squared distances (MOVER; Zou, Donner 2008). HOLDS iff the bound at `alpha_holds` lies above `least`, VIOLATED iff
    that at `alpha_violated` lies below. One seed alone says nothing of other seeds: only its pictures' error is known.

    Args:
        values: The figure by seed, shape (n,).
        least: The level.
        images: Pictures that each value is a share of; 0 where it is no proportion.
        alpha_holds: Chance of HOLDS at a true level of `least`.
        alpha_violated: Chance of VIOLATED there.

    Raises:
        StatisticsError: no value, one value that is no proportion, or a proportion outside 0..1.
    """
    basics.check_alpha(alpha_holds=alpha_holds, alpha_violated=alpha_violated)
    x = np.asarray(values, dtype=np.float64)
    if not len(x) or (len(x) == 1 and not images):
        raise StatisticsError(f"level_test: {len(x)} values; needs two seeds, or one with its number of pictures.")
    if not np.isfinite(x).all():
        lost = int((~np.isfinite(x)).sum())
        return SequentialResult("VIOLATED", math.nan, -math.inf, math.inf, least, len(x), f"{lost} seeds diverged")
    if images and not ((x >= 0) & (x <= 1)).all():
        raise StatisticsError(f"level_test: values from {x.min()} to {x.max()} are no shares of {images} pictures.")
    mean, low, _ = seeds.t_bounds(x, alpha_holds, alpha_holds) if len(x) > 1 else (float(x[0]), float(x[0]), 0.0)
    high = seeds.t_bounds(x, alpha_violated, alpha_violated)[2] if len(x) > 1 else mean
    if images:
        near = _proportion_bound(mean, images, alpha_holds)
        far = 1 - _proportion_bound(1 - mean, images, alpha_violated)
        low, high = mean - math.hypot(mean - low, mean - near), mean + math.hypot(high - mean, far - mean)
    verdict: ClaimVerdict = "HOLDS" if low > least else "VIOLATED" if high < least else "INCONCLUSIVE"
    return SequentialResult(verdict, mean, low, high, least, len(x), f"{len(x)} seeds, {images} pictures")


def _proportion_bound(share: float, n: int, alpha: float) -> float:
    """Lower Clopper-Pearson bound of a share of `n`, one-sided; between counts the beta quantile interpolates."""
    return float(scipy.special.betaincinv(share * n, n - share * n + 1, alpha)) if share > 0 else 0.0
