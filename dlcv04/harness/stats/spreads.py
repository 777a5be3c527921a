"""Standard deviations pooled over groups, combined with a prior, and their upper limits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlcv04.harness.stats import basics
from dlcv04.harness.stats.basics import Floats, StatisticsError
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import scipy
else:
    scipy = LazyModule("scipy")


class PooledSd(NamedTuple):
    """A standard deviation pooled over groups, with its degrees of freedom."""

    sd: float
    df: float


def pooled_sd(groups: Iterable[Floats]) -> PooledSd:
    """Standard deviation pooled over groups, each about its own mean; groups of one value add nothing.

    Raises:
        StatisticsError: no group has two values.
    """
    square_sum, df = 0.0, 0
    for group in groups:
        values = basics.finite_array(group, "pooled_sd")
        square_sum += float(((values - values.mean()) ** 2).sum())
        df += len(values) - 1
    if df == 0:
        raise StatisticsError("pooled_sd: no group has two values, so there is no spread to pool; store more runs.")
    return PooledSd(math.sqrt(square_sum / df), float(df))


def successive_sd(groups: Iterable[Floats]) -> PooledSd:
    """Standard deviation from differences of neighbours in time, pooled: a slow drift hardly enters it.

    Mean square successive difference / 2 (von Neumann 1941); its variance is that of a chi-square with 2/3 of the
    differences as degrees of freedom, since neighbouring differences share a value.

    Raises:
        StatisticsError: no group has two values.
    """
    square_sum, count = 0.0, 0
    for group in groups:
        steps = np.diff(basics.finite_array(group, "successive_sd"))
        square_sum, count = square_sum + float((steps**2).sum()) / 2, count + len(steps)
    if count == 0:
        raise StatisticsError("successive_sd: no group has two values, so there is no spread to pool; store more runs.")
    return PooledSd(math.sqrt(square_sum / count), count * 2 / 3)


def combined_sd(prior: PooledSd, own: PooledSd) -> PooledSd:
    """Two estimates of one standard deviation as one: variances weighted by degrees of freedom, which add up.

    This is the mean of the scaled inverse chi-square posterior with `prior` as its prior (Gelman et al., Bayesian Data
    Analysis, 2.6; the same shrinkage as in limma, Smyth 2004). Where the true spread exceeds the prior, few own degrees
    of freedom understate it; the error rates of such classes are in tests/harness/test_statistics_error_rates.py.
    """
    df = prior.df + own.df
    return PooledSd(math.sqrt((prior.df * prior.sd**2 + own.df * own.sd**2) / df), df)


def upper_sd(own: PooledSd, level: float = 0.8) -> float:
    """Upper limit of a standard deviation at a one-sided level, by chi-square; 1.27 x the estimate at 10 df."""
    return own.sd * math.sqrt(own.df / (2 * float(scipy.special.gammaincinv(own.df / 2, 1 - level))))
