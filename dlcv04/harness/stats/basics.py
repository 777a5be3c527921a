"""What several methods share: intervals, trimmed means, quantiles of t, the smallest effect a design can detect."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import scipy
else:
    scipy = LazyModule("scipy")


Floats: TypeAlias = Sequence[float] | NDArray[np.float64]


class StatisticsError(ValueError):
    """The numbers given cannot be judged: empty, not finite where they must be, or an impossible setting."""


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval: estimate, bounds, level, and the standard error behind it where there is one."""

    estimate: float
    low: float
    high: float
    level: float
    se: float = math.nan
    df: float = math.nan


class TrimmedMean(NamedTuple):
    """Trimmed mean with its Yuen standard error and degrees of freedom."""

    mean: float
    se: float
    df: float


def finite_array(values: Floats, what: str, at_least: int = 1) -> NDArray[np.float64]:
    """The values as a vector of float64.

    Raises:
        StatisticsError: they are no vector, fewer than `at_least`, or not finite; `what` names them.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < at_least:
        raise StatisticsError(f"{what}: needs a flat list of at least {at_least} numbers, got shape {array.shape}.")
    if not np.logical_and.reduce(np.isfinite(array)):  # `all` takes thrice as long for a few values
        raise StatisticsError(
            f"{what}: holds {int((~np.isfinite(array)).sum())} value(s) that are not finite; "
            "find the round that failed, it cannot be averaged."
        )
    return array


def mean(array: NDArray[np.float64]) -> float:
    """The mean of a vector, to the last bit as `array.mean()` gives it, in a third of the time for a few values."""
    return float(np.add.reduce(array)) / len(array)


def check_alpha(**levels: float) -> None:
    """Refuse error rates outside (0, 0.5).

    Raises:
        StatisticsError: one is; its name is said.
    """
    for name, value in levels.items():
        if not 0.0 < value < 0.5:
            raise StatisticsError(f"{name} = {value} is not an error rate: give a number between 0 and 0.5.")


@functools.lru_cache(maxsize=4096)
def upper_t(alpha: float, df: float) -> float:
    """Upper `alpha` quantile of Student's t, t[1 - alpha; df]; infinite without degrees of freedom."""
    if df <= 0:
        return math.inf
    if math.isinf(df):
        return -float(scipy.special.ndtri(alpha))
    return -float(scipy.special.stdtrit(df, alpha))


def half_width(alpha: float, df: float, se: float) -> float:
    """Half of an interval: the upper quantile of t times the standard error; 0 where that is known to be 0."""
    return 0.0 if se == 0 and df > 0 else upper_t(alpha, df) * se


def minimum_detectable_effect(se: float, df: float, alpha: float, power: float = 0.8) -> float:
    """The smallest true effect that a one-sided test at `alpha` sees with probability `power`.

    `(t[1 - alpha; df] + t[power; df]) * se`: a property of the design, so it never uses the observed effect.
    """
    check_alpha(alpha=alpha)
    if not 0.5 <= power < 1:
        raise StatisticsError(f"power = {power} must be at least 0.5 and below 1.")
    return (upper_t(alpha, df) + upper_t(1 - power, df)) * se if df > 0 else math.inf


def split_alpha(total: float, m: int) -> float:
    """An equal share of a whole run's error rate for each of `m` comparisons (Bonferroni), `m` fixed at collection."""
    check_alpha(total=total)
    if m < 1:
        raise StatisticsError(f"m = {m}: an error rate is split over at least one comparison.")
    return total / m


def trimmed_mean(x: Floats, proportion: float = 0.2) -> TrimmedMean:
    """Mean without the `proportion` smallest and largest values, and its winsorised standard error (Yuen 1974).

    With `c = floor(proportion * n)` and `h = n - 2c`: se^2 = winsorised sum of squares / (h (h - 1)), df = h - 1.
    One value left over gives se = nan, df = 0.

    Raises:
        StatisticsError: empty or not finite, or a proportion outside [0, 0.5).
    """
    if not 0 <= proportion < 0.5:
        raise StatisticsError(f"proportion = {proportion} must be at least 0 and below 0.5.")
    values = np.sort(finite_array(x, "trimmed_mean"))
    n = len(values)
    cut = math.floor(proportion * n + 1e-9)
    kept = n - 2 * cut
    middle = mean(values[cut : n - cut])
    if kept < 2:
        return TrimmedMean(middle, math.nan, 0.0)
    values[:cut], values[n - cut :] = values[cut], values[n - cut - 1]
    deviation = values - mean(values)
    square_sum = float(deviation @ deviation)
    return TrimmedMean(middle, math.sqrt(square_sum / (kept * (kept - 1))), float(kept - 1))


def detectable_above(se: float, df: float, alpha: float, smallest: float) -> float:
    """Minimum detectable effect of a rule that also asks the estimate to exceed `smallest`."""
    return max(minimum_detectable_effect(se, df, alpha), smallest + upper_t(0.2, df) * se if df > 0 else math.inf)
