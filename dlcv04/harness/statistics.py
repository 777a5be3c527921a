"""The harness's statistics: pure functions from numbers to an effect, an interval and a verdict.

Times enter as natural logarithms, so an effect of a time is the log of a ratio: 0.0953 is 10 % slower. Learning metrics
enter in their own units. Nothing here reads a file, a clock or an option, and randomness is never drawn.

Three families, by what they may assume:

* arms of one process, interleaved (ORDER): `order_test`, exact under optional stopping because the random order of
  the two arms makes the log ratio of equal arms symmetric, whatever its distribution;
* seeds (PAIRED, REACH, EQUIVALENT, LEVEL): `group_sequential_t`, `tost`, `crossed_test`, `clopper_pearson`;
* a new run against others (REGRESSION): `stored_run_test`, `process_pair_gate`, `level_shift_test`, `detect_steps`,
  each with a between-process variance that the rounds of one process cannot show.

References:
    Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric, nonasymptotic confidence sequences. Ann. Stat. 2021.
    Ramdas, Ruf, Larsson, Koolen: Admissible anytime-valid sequential inference must rely on nonnegative
        martingales. 2020.
    Yuen: The two-sample trimmed t for unequal population variances. Biometrika 61, 1974.
    Jennison, Turnbull: Group Sequential Methods with Applications to Clinical Trials. 1999.
    Schuirmann: A comparison of the two one-sided tests procedure and the power approach. 1987.
    Satterthwaite: An approximate distribution of estimates of variance components. Biometrics Bulletin 2, 1946.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlcv04.lazy import LazyModule

scipy = LazyModule("scipy")

Floats: TypeAlias = Sequence[float] | NDArray[np.float64]
ClaimVerdict: TypeAlias = Literal["HOLDS", "VIOLATED", "INCONCLUSIVE", "CONTINUE"]
ComparisonVerdict: TypeAlias = Literal["PASS", "REGRESSED", "IMPROVED", "INCONCLUSIVE", "CONTINUE"]

#: sd of a process's calibrated trimmed mean of log seconds, its degrees of freedom, and the slope of log time on the
#: log calibrator: used until a machine class has its own history, and then named in the report.
PRIOR_SD = 0.04
PRIOR_DF = 10.0
PRIOR_SLOPE = 0.86
#: sd of the log ratio of two identical fresh processes, before `selftest` has measured it.
PRIOR_PROCESS_SD = 0.025
PRIOR_PROCESS_DF = 10.0
#: no machine is trusted to repeat a process better than this (log units).
FLOOR_PROCESS_SD = 0.005

_BETS = (0.5, 1.0, 2.0, 4.0)
_BET_LIMIT = 6.0
_MARGIN_STEPS = np.geomspace(1e-3, 20.0, 34)


class StatisticsError(ValueError):
    """The numbers given cannot be judged: empty, not finite where they must be, or an impossible setting."""


@dataclass(frozen=True)
class SequentialResult:
    """Verdict on a claim, with the evidence at the moment it was decided.

    Attributes:
        verdict: HOLDS, VIOLATED, INCONCLUSIVE, or CONTINUE while more observations may still decide.
        effect: Estimate from the first `n` observations, on the scale of the observations (log ratio for times).
        low: Lower confidence bound at one-sided level `1 - alpha_holds`; -inf while there is none.
        high: Upper confidence bound at one-sided level `1 - alpha_violated`; inf while there is none.
        margin: The claim's margin on the scale of the observations. HOLDS iff low > margin, VIOLATED iff high < margin.
        n: How many observations the verdict and the interval rest on.
        decided_by: The rule that spoke, in words.
        sign_flip_p: Exact one-sided sign-flip p value from five observations on; robustness line, never decides.
    """

    verdict: ClaimVerdict
    effect: float
    low: float
    high: float
    margin: float
    n: int
    decided_by: str
    sign_flip_p: float | None = None


@dataclass(frozen=True)
class ComparisonResult:
    """Verdict on a new run against other runs.

    Attributes:
        verdict: PASS, REGRESSED, IMPROVED, INCONCLUSIVE, or CONTINUE while a further look is planned.
        effect: new - old: a log ratio for times, the metric's own units for learning.
        low: Lower confidence bound of the effect.
        high: Upper confidence bound of the effect. The bound on the side of a regression's size is at 95 %, the bound
            that a REGRESSED needs to clear zero is at `1 - alpha`.
        minimum_detectable: The true worsening (positive, same scale) seen with 80 % power; from the design.
        se: Standard error of the effect.
        df: Degrees of freedom of `se`.
        reason: Why this verdict, in words.
    """

    verdict: ComparisonVerdict
    effect: float
    low: float
    high: float
    minimum_detectable: float
    se: float
    df: float
    reason: str


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


class PooledSd(NamedTuple):
    """A standard deviation pooled over groups, with its degrees of freedom."""

    sd: float
    df: float


@dataclass(frozen=True)
class ProcessSpread:
    """Between-process sd of the log ratio of two identical fresh processes.

    Attributes:
        sd: The value a gate uses (`s0`): the upper 80 % limit, at least `FLOOR_PROCESS_SD`.
        df: Degrees of freedom (`d0`).
        point: Point estimate; 0 where the rounds alone explain the spread.
        upper95: Upper end of the two-sided 95 % interval.
        within: Expected sd of a pair's trimmed mean from its rounds alone.
    """

    sd: float
    df: float
    point: float
    upper95: float
    within: float


@dataclass(frozen=True)
class EpochsToTarget:
    """Epochs until a curve first reaches its target; `censored` if it never did within the budget."""

    epochs: float
    censored: bool


@dataclass(frozen=True)
class Step:
    """A change of level: history[index] is the first value of the new level; levels are segment medians."""

    index: int
    before: float
    after: float


# ---------------------------------------------------------------------------------------------------- building blocks


def _finite(values: Floats, what: str, at_least: int = 1) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < at_least:
        raise StatisticsError(f"{what}: needs a flat list of at least {at_least} numbers, got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise StatisticsError(
            f"{what}: holds {int((~np.isfinite(array)).sum())} value(s) that are not finite; "
            "find the round that failed, it cannot be averaged."
        )
    return array


def _check_alpha(**levels: float) -> None:
    for name, value in levels.items():
        if not 0.0 < value < 0.5:
            raise StatisticsError(f"{name} = {value} is not an error rate: give a number between 0 and 0.5.")


def upper_t(alpha: float, df: float) -> float:
    """Upper `alpha` quantile of Student's t, t[1 - alpha; df]; infinite without degrees of freedom."""
    if df <= 0:
        return math.inf
    if math.isinf(df):
        return -float(scipy.special.ndtri(alpha))
    return -float(scipy.special.stdtrit(df, alpha))


def _half_width(alpha: float, df: float, se: float) -> float:
    return 0.0 if se == 0 and df > 0 else upper_t(alpha, df) * se


def minimum_detectable_effect(se: float, df: float, alpha: float, power: float = 0.8) -> float:
    """The smallest true effect that a one-sided test at `alpha` sees with probability `power`.

    `(t[1 - alpha; df] + t[power; df]) * se`: a property of the design, so it never uses the observed effect.
    """
    _check_alpha(alpha=alpha)
    if not 0.5 <= power < 1:
        raise StatisticsError(f"power = {power} must be at least 0.5 and below 1.")
    return (upper_t(alpha, df) + upper_t(1 - power, df)) * se if df > 0 else math.inf


def split_alpha(total: float, m: int) -> float:
    """An equal share of a whole run's error rate for each of `m` comparisons (Bonferroni), `m` fixed at collection."""
    _check_alpha(total=total)
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
    values = np.sort(_finite(x, "trimmed_mean"))
    n = len(values)
    cut = math.floor(proportion * n + 1e-9)
    kept = n - 2 * cut
    mean = float(values[cut : n - cut].mean())
    if kept < 2:
        return TrimmedMean(mean, math.nan, 0.0)
    values[:cut], values[n - cut :] = values[cut], values[n - cut - 1]
    deviation = values - values.mean()
    square_sum = float(deviation @ deviation)
    return TrimmedMean(mean, math.sqrt(square_sum / (kept * (kept - 1))), float(kept - 1))


def trimmed_interval(x: Floats, level: float = 0.95, proportion: float = 0.2) -> Interval:
    """Two-sided interval of the trimmed mean at a number of observations fixed in advance (Tukey, McLaughlin 1963).

    Not valid when the number of observations was chosen by looking at them: `order_test` is. Simulated at 95 % it
    covers 94 % with 10 rounds and 95 % with 30 (normal, Student t3, log-normal rounds), 96 % with 15 recorded ones;
    not the mean of five skewed values (83 % for log-normal ones, untrimmed).
    """
    _check_alpha(half_of_the_rest=(1 - level) / 2)
    mean, se, df = trimmed_mean(x, proportion)
    width = math.inf if df == 0 else _half_width((1 - level) / 2, df, se)
    return Interval(mean, mean - width, mean + width, level, se, df)


def pooled_sd(groups: Iterable[Floats]) -> PooledSd:
    """Standard deviation pooled over groups, each about its own mean; groups of one value add nothing.

    Raises:
        StatisticsError: no group has two values.
    """
    square_sum, df = 0.0, 0
    for group in groups:
        values = _finite(group, "pooled_sd")
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
        steps = np.diff(_finite(group, "successive_sd"))
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


# --------------------------------------------------------------------------------------------------------- ORDER: times


def _prefix_medians(size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of size[..., :i] at place i; the first two places are left at 0."""
    work, medians = size.copy(), np.zeros_like(size)
    for i in range(2, size.shape[-1]):
        prefix = work[..., :i]
        prefix.sort(axis=-1)
        medians[..., i] = 0.5 * (prefix[..., (i - 1) // 2] + prefix[..., i // 2])
    return medians


def sign_flip_e_process(x: Floats) -> NDArray[np.float64]:
    """E_1..E_n: evidence, after each observation, that `x` is not symmetric about (or below) zero.

    E_n = mean over d in {.5, 1, 2, 4} of prod_i 2 / (1 + exp(-z_i(d))), with z_i(d) = d sign(x_i) for i <= 2, else
    2 d x_i / median|x_1..x_{i-1}| clipped to +-6. Given |x_i| and the past, the two signs of a symmetric x_i
    average each factor to 1, so E is a nonnegative martingale and P(sup_n E_n >= 1/alpha) <= alpha at any stopping
    rule (Ville 1939; Ramdas et al. 2020, section on symmetric distributions). No variance is assumed; one
    observation at most doubles E.

    Args:
        x: Observations along the last axis, shape (..., n); leading axes are independent sequences.

    Returns:
        Array of x's shape.
    """
    return _both_e_processes(np.asarray(x, dtype=np.float64))[0]


def _both_e_processes(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The e-processes of x and of -x: they share their scales, and their factors add up to 2."""
    scale = _prefix_medians(np.abs(x))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit = np.where(scale > 0, 2 * x / scale, np.sign(x) * 2 * _BET_LIMIT)
    # The smallest bet is a half: beyond this every bet is at its limit.
    unit = np.clip(unit, -2 * _BET_LIMIT, 2 * _BET_LIMIT)
    unit[..., :2] = np.sign(x[..., :2])
    upper, lower = np.zeros_like(x), np.zeros_like(x)
    for bet in _BETS:
        factor = 2 / (1 + np.exp(-np.clip(bet * unit, -_BET_LIMIT, _BET_LIMIT)))
        upper += np.cumprod(factor, axis=-1)
        lower += np.cumprod(2 - factor, axis=-1)
    return upper / len(_BETS), lower / len(_BETS)


def sign_flip_e_value(x: Floats) -> float:
    """The evidence after all of `x` (see `sign_flip_e_process`); 1 for no observation."""
    values = np.asarray(x, dtype=np.float64)
    return float(sign_flip_e_process(values)[-1]) if len(values) else 1.0


def _first_crossing(e: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """For each row of e-processes, the first n that reaches 1/alpha; inf where none does."""
    crossed = e >= 1 / alpha
    return np.where(crossed.any(axis=-1), crossed.argmax(axis=-1) + 1.0, math.inf)


def _sharpen(x: NDArray[np.float64], rejected: float, kept: float, alpha: float) -> float:
    """Between a rejected and a kept centre: the last of the run of rejected ones that starts at the first."""
    direction = 1.0 if kept > rejected else -1.0
    for _ in range(2):
        between = np.linspace(rejected, kept, 14)
        held = (sign_flip_e_process(direction * (x - between[1:-1, None])) < 1 / alpha).all(axis=-1)
        first_kept = int(held.argmax()) + 1 if held.any() else 13
        rejected, kept = float(between[first_kept - 1]), float(between[first_kept])
    return rejected


@dataclass(frozen=True)
class OrderTest:
    """Sequential test of "the treatment takes more than `margin` times as long", valid at any stopping time.

    The sign-flip e-process runs on x - m for every candidate centre m, and on m - x. A centre is rejected from below
    once its e-process has ever reached 1/alpha_holds; `low` is the end of the run of rejected centres that starts at
    -inf (so every centre under it is rejected), `high` its mirror image at 1/alpha_violated. Both are confidence bounds
    that hold at all n at once.

    What it withstands: any law of the pairs that is symmetric about the true effect given the past, heavy tails and
    slow modes of single rounds included. What it does not: a component that sticks to the process for the whole
    run, which two arms of one process share and two processes do not.

    Attributes:
        margin: The ratio that matters, e.g. 1.05.
        alpha_holds: Chance of HOLDS where the true ratio is the margin or less.
        alpha_violated: Chance of VIOLATED where the true ratio is the margin or more.
        min_pairs: No verdict before this many pairs.
        cap: INCONCLUSIVE after this many; later pairs are not looked at.
    """

    margin: float
    alpha_holds: float = 0.05
    alpha_violated: float = 0.01
    min_pairs: int = 8
    cap: int = 60

    def __post_init__(self) -> None:
        """Refuses settings that no run could satisfy."""
        _check_alpha(alpha_holds=self.alpha_holds, alpha_violated=self.alpha_violated)
        if not (math.isfinite(self.margin) and self.margin > 0):
            raise StatisticsError(f"margin = {self.margin} must be a ratio above 0, e.g. 1.05 for 5 % slower.")
        if not 1 <= self.min_pairs <= self.cap:
            raise StatisticsError(f"min_pairs = {self.min_pairs} must lie between 1 and the cap of {self.cap} pairs.")

    def judge(self, log_ratios: Floats) -> SequentialResult:
        """The verdict at the first pair that decides, or after all of them.

        Calling it after every pair, or once with all of them, gives the same verdict.

        Args:
            log_ratios: log(treatment seconds / reference seconds) of each interleaved pair, in order, shape (n,).

        Raises:
            StatisticsError: a log ratio is not finite.
        """
        margin = math.log(self.margin)
        x = _finite(log_ratios, "order_test", at_least=0)[: self.cap]
        if not len(x):
            return SequentialResult("CONTINUE", math.nan, -math.inf, math.inf, margin, 0, "no pair yet")
        below, above = margin - _MARGIN_STEPS[::-1], margin + _MARGIN_STEPS
        grid = np.concatenate([below, [margin], above])
        above_centre, below_centre = _both_e_processes(x - grid[:, None])
        from_below = _first_crossing(above_centre, self.alpha_holds)
        from_above = _first_crossing(below_centre, self.alpha_violated)
        middle = len(below)
        holds_at = max(from_below[: middle + 1].max(), self.min_pairs)
        violated_at = max(from_above[middle:].max(), self.min_pairs)
        n = int(min(holds_at, violated_at, len(x)))
        low = self._bound(x[:n], grid, from_below <= n, self.alpha_holds)
        high = self._bound(x[:n], grid[::-1], (from_above <= n)[::-1], self.alpha_violated)
        effect = trimmed_mean(x[:n]).mean
        if violated_at <= n:
            high = min(high, math.nextafter(margin, -math.inf))
            return SequentialResult("VIOLATED", effect, low, high, margin, n, f"e-process crossed at pair {n}")
        if holds_at <= n:
            low = max(low, math.nextafter(margin, math.inf))
            return SequentialResult("HOLDS", effect, low, high, margin, n, f"e-process crossed at pair {n}")
        if n >= self.cap:
            return SequentialResult("INCONCLUSIVE", effect, low, high, margin, n, f"cap of {self.cap} pairs reached")
        return SequentialResult("CONTINUE", effect, low, high, margin, n, "e-process undecided")

    @staticmethod
    def _bound(x: NDArray[np.float64], grid: NDArray[np.float64], rejected: NDArray[np.bool_], alpha: float) -> float:
        outward = -math.inf if grid[0] < grid[-1] else math.inf
        if not rejected[0]:
            return outward
        if rejected.all():
            return float(grid[-1])
        last = int(rejected.argmin()) - 1
        return _sharpen(x, float(grid[last]), float(grid[last + 1]), alpha)


def order_test(
    log_ratios: Floats,
    margin: float,
    *,
    alpha_holds: float = 0.05,
    alpha_violated: float = 0.01,
    min_pairs: int = 8,
    cap: int = 60,
) -> SequentialResult:
    """Judge log ratios of randomised interleaved pairs against a ratio `margin`; see `OrderTest`.

    The effect is the 20 % trimmed mean log ratio; `low`, `high` and the result's `margin` are log ratios too.
    """
    return OrderTest(margin, alpha_holds, alpha_violated, min_pairs, cap).judge(log_ratios)


# -------------------------------------------------------------------------------------------------------------- seeds


def sign_flip_p(x: Floats, margin: float = 0.0) -> float:
    """Exact one-sided p value of "the mean exceeds `margin`" over all 2^n sign flips of x - margin (Fisher 1935).

    Its smallest value is 2^-n. n is at most 20.
    """
    centred = _finite(x, "sign_flip_p") - margin
    if len(centred) > 20:
        raise StatisticsError(f"sign_flip_p: {len(centred)} observations are too many to enumerate; give at most 20.")
    sums = np.zeros(1)
    for value in centred:
        sums = np.concatenate([sums + value, sums - value])
    tolerance = 1e-12 * float(np.abs(centred).sum())
    return float((sums >= centred.sum() - tolerance).mean())


def _t_bounds(x: NDArray[np.float64], alpha_low: float, alpha_high: float) -> tuple[float, float, float]:
    """Mean and its one-sided t bounds; bit-equal observations give an interval of length zero."""
    n = len(x)
    mean = float(x[0]) if (x == x[0]).all() else float(x.mean())
    if n < 2:
        return mean, -math.inf, math.inf
    se = 0.0 if (x == x[0]).all() else float(x.std(ddof=1)) / math.sqrt(n)
    return mean, mean - _half_width(alpha_low, n - 1, se), mean + _half_width(alpha_high, n - 1, se)


def _diverged(x: NDArray[np.float64], margin: float) -> SequentialResult | None:
    """Verdict for differences that are not finite: they can never be dropped, nor help the claim."""
    lost = int((np.isnan(x) | np.isneginf(x)).sum())
    if lost:
        reason = f"{lost} of {len(x)} seeds diverged, which counts against the claim"
        return SequentialResult("VIOLATED", -math.inf, -math.inf, -math.inf, margin, len(x), reason)
    endless = int(np.isposinf(x).sum())
    if endless:
        reason = f"the reference diverged in {endless} of {len(x)} seeds, so there is no difference to judge"
        return SequentialResult("INCONCLUSIVE", math.nan, -math.inf, math.inf, margin, len(x), reason)
    return None


def group_sequential_t(
    differences: Floats,
    margin: float,
    looks: Sequence[int] = (3, 5, 8),
    alpha_holds: float = 0.05,
    alpha_violated: float = 0.01,
) -> SequentialResult:
    """One-sided paired t at looks fixed in advance, each error rate split equally over them (Jennison, Turnbull 1999).

    The first look that decides, decides; seeds after it only count if one of them diverged. Between looks and
    before the first the verdict is CONTINUE, after the last INCONCLUSIVE. Bit-equal arms (all differences 0) are
    VIOLATED against any margin above 0. A difference that is NaN or -inf (the treatment diverged) is VIOLATED: the
    mean is -inf. A +inf (the reference diverged) can't be judged and is INCONCLUSIVE. Skewed to the left at the
    boundary it is anti-conservative: give logs or logits.

    Args:
        differences: treatment - reference by seed, positive in the direction of the claim, in seed order, shape (n,).
        margin: Smallest difference that matters, in the differences' units.
        looks: Numbers of seeds at which to judge, strictly increasing, at least 2 each.
        alpha_holds: Chance of HOLDS at a true difference of `margin`, over all looks.
        alpha_violated: Chance of VIOLATED at a true difference of `margin`, over all looks.

    Raises:
        StatisticsError: impossible looks or error rates.
    """
    _check_alpha(alpha_holds=alpha_holds, alpha_violated=alpha_violated)
    if not looks or looks[0] < 2 or any(a >= b for a, b in itertools.pairwise(looks)):
        raise StatisticsError(f"looks = {tuple(looks)} must be increasing numbers of seeds, at least 2 each.")
    x = np.asarray(differences, dtype=np.float64)[: looks[-1]]
    if (result := _diverged(x, margin)) is not None:
        return result
    reached = [look for look in looks if look <= len(x)]
    if not reached:
        effect = float(x.mean()) if len(x) else math.nan
        return SequentialResult("CONTINUE", effect, -math.inf, math.inf, margin, len(x), f"first look at {looks[0]}")
    for look in reached:
        seen = x[:look]
        effect, low, high = _t_bounds(seen, alpha_holds / len(looks), alpha_violated / len(looks))
        verdict: ClaimVerdict = "HOLDS" if low > margin else "VIOLATED" if high < margin else "CONTINUE"
        if verdict != "CONTINUE":
            break
    if verdict == "CONTINUE" and look == looks[-1]:
        verdict = "INCONCLUSIVE"
    flip_p = sign_flip_p(seen, margin) if 5 <= look <= 20 else None
    reason = f"t at look {look} of {', '.join(map(str, looks))}"
    return SequentialResult(verdict, effect, low, high, margin, look, reason, flip_p)


def tost(differences: Floats, margin: float, alpha: float = 0.05, alpha_violated: float = 0.01) -> SequentialResult:
    """Two one-sided t tests: is the mean difference within +-`margin`? (Schuirmann 1987), at n fixed in advance.

    HOLDS iff the interval of level 1 - 2 alpha lies inside (-margin, margin); VIOLATED iff the one-sided bound at
    `alpha_violated` lies outside on either side, or a difference is not finite. `low`, `high` are the former interval.
    To judge at several looks pass a share of the error rates.
    """
    _check_alpha(alpha=alpha, alpha_violated=alpha_violated)
    if not margin > 0:
        raise StatisticsError(f"margin = {margin}: two arms are equal only within a margin above 0.")
    x = np.asarray(differences, dtype=np.float64)
    if not len(x):
        return SequentialResult("CONTINUE", math.nan, -math.inf, math.inf, margin, 0, "no seed yet")
    if not np.isfinite(x).all():
        lost = int((~np.isfinite(x)).sum())
        return SequentialResult("VIOLATED", math.nan, -math.inf, math.inf, margin, len(x), f"{lost} seeds diverged")
    effect, low, high = _t_bounds(x, alpha, alpha)
    _, far_low, far_high = _t_bounds(x, alpha_violated / 2, alpha_violated / 2)
    verdict: ClaimVerdict = "INCONCLUSIVE"
    if -margin < low and high < margin:
        verdict = "HOLDS"
    elif far_low > margin or far_high < -margin:
        verdict = "VIOLATED"
    flip_p = max(sign_flip_p(x, -margin), sign_flip_p(-x, -margin)) if 5 <= len(x) <= 20 else None
    return SequentialResult(verdict, effect, low, high, margin, len(x), f"two one-sided t tests, n = {len(x)}", flip_p)


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """Exact two-sided interval of a proportion of `k` in `n` (Clopper, Pearson 1934); covers at least `level`."""
    if not 0 <= k <= n or n < 1:
        raise StatisticsError(f"clopper_pearson: {k} of {n} is not a proportion.")
    tail = (1 - level) / 2
    _check_alpha(half_of_the_rest=tail)
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
    _check_alpha(alpha_holds=alpha_holds, alpha_violated=alpha_violated)
    x = np.asarray(values, dtype=np.float64)
    if not len(x) or (len(x) == 1 and not images):
        raise StatisticsError(f"level_test: {len(x)} values; needs two seeds, or one with its number of pictures.")
    if not np.isfinite(x).all():
        lost = int((~np.isfinite(x)).sum())
        return SequentialResult("VIOLATED", math.nan, -math.inf, math.inf, least, len(x), f"{lost} seeds diverged")
    if images and not ((x >= 0) & (x <= 1)).all():
        raise StatisticsError(f"level_test: values from {x.min()} to {x.max()} are no shares of {images} pictures.")
    mean, low, _ = _t_bounds(x, alpha_holds, alpha_holds) if len(x) > 1 else (float(x[0]), float(x[0]), 0.0)
    high = _t_bounds(x, alpha_violated, alpha_violated)[2] if len(x) > 1 else mean
    if images:
        near = _proportion_bound(mean, images, alpha_holds)
        far = 1 - _proportion_bound(1 - mean, images, alpha_violated)
        low, high = mean - math.hypot(mean - low, mean - near), mean + math.hypot(high - mean, far - mean)
    verdict: ClaimVerdict = "HOLDS" if low > least else "VIOLATED" if high < least else "INCONCLUSIVE"
    return SequentialResult(verdict, mean, low, high, least, len(x), f"{len(x)} seeds, {images} pictures")


def _proportion_bound(share: float, n: int, alpha: float) -> float:
    """Lower Clopper-Pearson bound of a share of `n`, one-sided; between counts the beta quantile interpolates."""
    return float(scipy.special.betaincinv(share * n, n - share * n + 1, alpha)) if share > 0 else 0.0


def crossed_interval(per_image_paired_differences: NDArray[np.float64], level: float = 0.95) -> Interval:
    """Interval of a mean over seeds *and* test images: variance s_seed^2/n + s_img^2/N, Satterthwaite's df.

    s_seed is the sd of the n seed means, s_img that of the N image means. Both contain the interaction, so the interval
    is a little wide rather than narrow.

    Args:
        per_image_paired_differences: treatment - reference per seed (rows) and image (columns), shape (n >= 2, N >= 2).
        level: Two-sided level.

    Raises:
        StatisticsError: fewer than two seeds or images, or a difference that is not finite.
    """
    _check_alpha(half_of_the_rest=(1 - level) / 2)
    d = np.asarray(per_image_paired_differences, dtype=np.float64)
    if d.ndim != 2 or min(d.shape) < 2 or not np.isfinite(d).all():
        raise StatisticsError(f"crossed_interval: needs finite values for at least 2 seeds x 2 images, got {d.shape}.")
    seeds, images = d.shape
    seed_part = float(d.mean(axis=1).var(ddof=1)) / seeds
    image_part = float(d.mean(axis=0).var(ddof=1)) / images
    variance = seed_part + image_part
    mean, se = float(d.mean()), math.sqrt(variance)
    if variance == 0:
        return Interval(mean, mean, mean, level, 0.0, float(seeds - 1))
    df = variance**2 / (seed_part**2 / (seeds - 1) + image_part**2 / (images - 1))
    width = _half_width((1 - level) / 2, df, se)
    return Interval(mean, mean - width, mean + width, level, se, df)


def crossed_test(
    per_image_paired_differences: NDArray[np.float64],
    margin: float,
    *,
    alpha_holds: float = 0.05,
    alpha_violated: float = 0.01,
) -> SequentialResult:
    """Does the mean over seeds *and* test images exceed `margin`? One look, at n fixed in advance.

    Bounds are those of `crossed_interval`, each one-sided at its own error rate. To judge at several looks pass a share
    of the rates.

    Args:
        per_image_paired_differences: as for `crossed_interval`; a seed (row) that is not finite diverged.
        margin: The smallest mean that matters.
        alpha_holds: Chance of HOLDS at a true mean of `margin`.
        alpha_violated: Chance of VIOLATED there.

    Raises:
        StatisticsError: fewer than two seeds or images.
    """
    d = np.asarray(per_image_paired_differences, dtype=np.float64)
    lost = int((~np.isfinite(d)).any(axis=-1).sum())
    if lost:
        return SequentialResult("VIOLATED", math.nan, -math.inf, math.inf, margin, len(d), f"{lost} seeds diverged")
    near = crossed_interval(d, 1 - 2 * alpha_holds)
    far = crossed_interval(d, 1 - 2 * alpha_violated)
    verdict: ClaimVerdict = "HOLDS" if near.low > margin else "VIOLATED" if far.high < margin else "INCONCLUSIVE"
    rule = f"crossed t, {d.shape[0]} seeds x {d.shape[1]} images"
    return SequentialResult(verdict, near.estimate, near.low, far.high, margin, len(d), rule)


def epochs_to_target(curve: Floats, target: float, budget: float, *, higher_is_better: bool = True) -> EpochsToTarget:
    """Epochs until `curve` first reaches `target`, interpolated within the epoch; a miss is censored at the budget.

    Args:
        curve: Metric after epoch 1, 2, ...; NaN never reaches a target. A curve that ends early (diverged) is a miss.
        target: Level to reach.
        budget: Epochs allowed; later ones are not looked at.
        higher_is_better: False for a loss.
    """
    if not budget > 0:
        raise StatisticsError(f"budget = {budget} epochs: needs a number above 0.")
    sign = 1.0 if higher_is_better else -1.0
    values, goal = sign * np.asarray(curve, dtype=np.float64), sign * target
    reached = np.flatnonzero(values >= goal)
    if not len(reached):
        return EpochsToTarget(float(budget), True)
    first = int(reached[0])
    epochs = first + 1.0
    if first and np.isfinite(values[first - 1]) and np.isfinite(values[first]):
        epochs = first + float((goal - values[first - 1]) / (values[first] - values[first - 1]))
    return EpochsToTarget(epochs, False) if epochs <= budget else EpochsToTarget(float(budget), True)


def reach_log_ratio(reference: float, treatment: float, budget: float) -> float:
    """log(min(T_ref, budget) / min(T_treatment, budget)): above 0 where the treatment reached its target sooner.

    A miss is inf, NaN or anything over the budget; it counts as the budget, so both missed is a tie of exactly 0.
    """
    if not budget > 0:
        raise StatisticsError(f"budget = {budget} epochs: needs a number above 0.")
    spent = [budget if math.isnan(t) else min(t, budget) for t in (reference, treatment)]
    if min(spent) <= 0:
        raise StatisticsError(f"epochs to target must be above 0, got {reference} and {treatment}.")
    return math.log(spent[0] / spent[1])


# ------------------------------------------------------------------------------------------- a new run against others


def _calibrated(y: Floats, calibrator: Floats | None, slope: float, what: str) -> NDArray[np.float64]:
    values = _finite(y, what)
    if calibrator is None:
        return values
    cal = _finite(calibrator, f"{what}'s calibrator")
    if len(cal) != len(values):
        raise StatisticsError(f"{what}: {len(values)} processes but {len(cal)} calibrator values; store one for each.")
    return values - slope * cal


def _two_sided_verdict(
    effect: float, low: float, high: float, smallest: float, pass_high: float, gate: float
) -> tuple[ComparisonVerdict, str]:
    """One rule for every comparison: `effect` above 0 is worse; `low`, `high` are at 1 - alpha, `pass_high` at 95 %."""
    if low > 0 and effect > smallest:
        return "REGRESSED", "worse beyond the noise and beyond the smallest change that matters"
    if high < 0 and effect < -smallest:
        return "IMPROVED", "better beyond the noise and beyond the smallest change that matters"
    if pass_high < gate:
        return "PASS", "a worsening as large as the gate is excluded"
    return "INCONCLUSIVE", "neither a worsening is shown nor one as large as the gate excluded"


def stored_run_test(
    new: Floats,
    old: Floats,
    *,
    alpha: float,
    new_calibrator: Floats | None = None,
    old_calibrator: Floats | None = None,
    slope: float = PRIOR_SLOPE,
    sd: float = PRIOR_SD,
    df: float = PRIOR_DF,
    smallest: float = 1.03,
    gate: float = 1.25,
) -> ComparisonResult:
    """Compare time with stored runs of the same machine class.

    Each process gives Y = y - slope * cal, with y and cal its trimmed means of log seconds. T = (mean new - mean
    old) / (sd sqrt(1/n_old + 1/n_new)) is held against Student's t with `df`. REGRESSED iff the lower bound at 1 -
    alpha is above 0 and the effect above log(smallest); PASS iff the upper 95 % bound is below log(gate); IMPROVED
    is REGRESSED mirrored.

    `sd` must come from many benchmarks or from A/A history (`pooled_sd`), never from this benchmark's few runs
    alone; the defaults are the shipped prior. If the true sd is larger than `sd`, the false-alarm rate is not kept.

    Args:
        new: Trimmed mean log seconds of each new process, shape (n_new,).
        old: The same of each stored process, shape (n_old,).
        alpha: This comparison's share of the run's false alarms (`split_alpha`).
        new_calibrator: Trimmed mean log seconds of the calibrator in each new process; None where times are absolute.
        old_calibrator: The same for the stored processes; given exactly if `new_calibrator` is.
        slope: Slope of log time on the log calibrator for this machine class.
        sd: Between-process sd of Y, log units.
        df: Degrees of freedom of `sd`.
        smallest: Ratio below which a slowdown is never an alarm.
        gate: Ratio that a PASS must exclude.

    Raises:
        StatisticsError: empty or unequal lists, or values that are not finite.
    """
    _check_alpha(alpha=alpha)
    if (new_calibrator is None) != (old_calibrator is None):
        raise StatisticsError("stored_run_test: only one side has a calibrator; compare runs that both have one.")
    if not sd > 0 or not df > 0:
        raise StatisticsError(f"stored_run_test: sd = {sd} with {df} degrees of freedom; both must be above 0.")
    fresh = _calibrated(new, new_calibrator, slope, "new run")
    stored = _calibrated(old, old_calibrator, slope, "stored run")
    effect = float(fresh.mean() - stored.mean())
    se = sd * math.sqrt(1 / len(fresh) + 1 / len(stored))
    strict, usual = upper_t(alpha, df) * se, upper_t(0.05, df) * se
    verdict, reason = _two_sided_verdict(
        effect, effect - strict, effect + strict, math.log(smallest), effect + usual, math.log(gate)
    )
    detectable = _detectable(se, df, alpha, math.log(smallest))
    return ComparisonResult(verdict, effect, effect - strict, effect + usual, detectable, se, df, reason)


def _detectable(se: float, df: float, alpha: float, smallest: float) -> float:
    """Minimum detectable effect of a rule that also asks the estimate to exceed `smallest`."""
    return max(minimum_detectable_effect(se, df, alpha), smallest + upper_t(0.2, df) * se if df > 0 else math.inf)


def level_shift_test(
    new: Floats,
    old: Floats,
    *,
    alpha: float,
    margin: float,
    gate: float | None = None,
    higher_is_better: bool = True,
    new_seeds: Sequence[int] | None = None,
    old_seeds: Sequence[int] | None = None,
    sd: float | None = None,
    df: float = 0.0,
) -> ComparisonResult:
    """Compare a learning metric of new seeds with that of stored seeds.

    Where every new seed is stored and has the bit-same value, nothing changed: effect exactly 0, PASS. Otherwise the
    new mean is predicted from the stored seeds, with the sd pooled over both (and `sd`, if given): REGRESSED iff it is
    worse at level 1 - alpha and by more than `margin`; PASS iff the 95 % bound of the worsening is below `gate`;
    IMPROVED is REGRESSED mirrored. A new value that is not finite is REGRESSED.

    Where all new seeds are stored, with other values (another processor or version rounds differently), the effect is
    the mean difference by seed, and its own spread decides PASS (paired t, n - 1 df). An alarm never rests on the
    spread of a few differences: for it new and stored values are taken as independent, which is the worst case.

    Args:
        new: Metric by new seed, shape (n_new,).
        old: Metric by stored seed, shape (n_old,).
        alpha: This comparison's share of the run's false alarms.
        margin: Smallest change that matters, in the metric's units, above 0.
        gate: The worsening that PASS excludes; the margin if not given.
        higher_is_better: False for a loss or for epochs to a target.
        new_seeds: Seeds of `new`; without them nothing can be bit-equal.
        old_seeds: Seeds of `old`.
        sd: Between-seed sd pooled over other benchmarks or history, if there is one.
        df: Degrees of freedom of `sd`.

    Returns:
        Effect, low and high are new - old in the metric's own direction; `minimum_detectable` is a size.

    Raises:
        StatisticsError: no values on one side, not one seed a value, or an impossible margin or error rate.
    """
    _check_alpha(alpha=alpha)
    if not margin > 0:
        raise StatisticsError(f"margin = {margin}: give the smallest change of the metric that matters, above 0.")
    fresh, stored = np.asarray(new, dtype=np.float64), np.asarray(old, dtype=np.float64)
    if not len(fresh) or not len(stored):
        raise StatisticsError(
            f"level_shift_test: {len(fresh)} new and {len(stored)} stored seeds; both need at least one."
        )
    sides: tuple[tuple[ComparisonVerdict, NDArray[np.float64], str], ...] = (
        ("REGRESSED", fresh, "new"),
        ("INCONCLUSIVE", stored, "stored"),
    )
    for verdict, values, what in sides:
        if lost := int((~np.isfinite(values)).sum()):
            return _unmeasured(verdict, f"{lost} of {len(values)} {what} seeds diverged")
    se, dof = _shift_error(fresh, stored, sd, df)
    detectable = _detectable(se, dof, alpha, margin)
    if _bit_equal(fresh, stored, new_seeds, old_seeds):
        return ComparisonResult("PASS", 0.0, 0.0, 0.0, detectable, se, dof, "bit-equal to the stored seeds")
    differences = _by_seed(fresh, stored, new_seeds, old_seeds)
    if differences is None:
        effect, widths = float(fresh.mean() - stored.mean()), (_width(alpha, dof, se), _width(0.05, dof, se))
    else:
        n = len(differences)
        # sd * sqrt(2 / n): the differences' standard error if equal seeds had nothing in common.
        se *= math.sqrt((2 / n) / (1 / n + 1 / len(stored)))
        own = float(differences.std(ddof=1)) / math.sqrt(n)
        effect, widths = float(differences.mean()), (_width(alpha, dof, se), _width(0.05, n - 1, own))
        detectable = _detectable(se, dof, alpha, margin)
    verdict, low, high, reason = _shift_verdict(
        effect, widths, margin, margin if gate is None else gate, higher_is_better
    )
    return ComparisonResult(verdict, effect, low, high, detectable, se, dof, reason)


def _bit_equal(
    fresh: NDArray[np.float64],
    stored: NDArray[np.float64],
    new_seeds: Sequence[int] | None,
    old_seeds: Sequence[int] | None,
) -> bool:
    if new_seeds is None or old_seeds is None:
        return False
    if len(new_seeds) != len(fresh) or len(old_seeds) != len(stored):
        raise StatisticsError("level_shift_test: give one seed for each value, or no seeds at all.")
    known = dict(zip(old_seeds, stored.tolist(), strict=True))
    return all(known.get(seed) == value for seed, value in zip(new_seeds, fresh.tolist(), strict=True))


def _unmeasured(verdict: ComparisonVerdict, reason: str) -> ComparisonResult:
    return ComparisonResult(verdict, math.nan, -math.inf, math.inf, math.inf, math.nan, 0.0, reason)


def _width(alpha: float, df: float, se: float) -> float:
    return _half_width(alpha, df, se) if df > 0 else math.inf


def _by_seed(
    fresh: NDArray[np.float64],
    stored: NDArray[np.float64],
    new_seeds: Sequence[int] | None,
    old_seeds: Sequence[int] | None,
) -> NDArray[np.float64] | None:
    """New less stored value by seed, or None where a new seed is not stored or there are fewer than two."""
    if new_seeds is None or old_seeds is None or len(fresh) < 2:
        return None
    known = dict(zip(old_seeds, stored.tolist(), strict=True))
    if not all(seed in known for seed in new_seeds):
        return None
    return fresh - np.array([known[seed] for seed in new_seeds])


def _shift_verdict(
    effect: float, widths: tuple[float, float], margin: float, gate: float, higher_is_better: bool
) -> tuple[ComparisonVerdict, float, float, str]:
    """Verdict, low and high in the metric's own direction, and the reason; `widths` are those of alarm and PASS."""
    strict, usual = widths
    worse = -effect if higher_is_better else effect
    verdict, reason = _two_sided_verdict(worse, worse - strict, worse + strict, margin, worse + usual, gate)
    low, high = (effect - usual, effect + strict) if higher_is_better else (effect - strict, effect + usual)
    return verdict, low, high, reason


def _shift_error(
    fresh: NDArray[np.float64], stored: NDArray[np.float64], sd: float | None, df: float
) -> tuple[float, float]:
    """Standard error of new mean - old mean, with its df: sd pooled over both groups and the one given."""
    square_sum = sum(float(((group - group.mean()) ** 2).sum()) for group in (fresh, stored))
    dof = float(len(fresh) + len(stored) - 2)
    if sd is not None:
        square_sum, dof = square_sum + sd**2 * df, dof + df
    if dof <= 0:
        return math.nan, 0.0
    return math.sqrt(square_sum / dof * (1 / len(fresh) + 1 / len(stored))), dof


def between_process_sd(groups: Iterable[Sequence[Floats]], *, df: float | None = None) -> ProcessSpread:
    """Between-process sd of the log ratio of identical processes, from A/A process pairs, pooled over benchmarks.

    A pair's rounds give its trimmed mean y_g and the variance q_g of that from the rounds. The spread of y_g about the
    benchmark's mean, less the mean q, is the process's own; its limits come from chi-square limits of the total.

    Args:
        groups: One entry a benchmark: its process pairs, each the log ratios x_gk of its rounds in order. At least two
            pairs a benchmark, 20 in all to be worth using.
        df: Degrees of freedom to count on, where benchmarks share their processes and so their luck: the number of
            process pairs less one. Without it all benchmarks' are added up.

    Returns:
        `ProcessSpread`; `sd` is the upper 80 % limit (1.17 x the point at 20 df and no round noise), at least 0.5 %.
    """
    square_sum, pooled, within = 0.0, 0, []
    for pairs in groups:
        parts = [trimmed_mean(pair) for pair in pairs]
        means = np.array([part.mean for part in parts])
        square_sum += float(((means - means.mean()) ** 2).sum())
        pooled += len(means) - 1
        within += [part.se**2 for part in parts]
    if pooled < 1 or not np.isfinite(within).all():
        raise StatisticsError("between_process_sd: needs at least two process pairs of at least two rounds each.")
    noise = float(np.mean(within))

    def net(total: float) -> float:
        return math.sqrt(max(0.0, total - noise))

    variance, df = square_sum / pooled, float(df or pooled)
    upper80, upper95 = (net(variance * df / (2 * float(scipy.special.gammaincinv(df / 2, p)))) for p in (0.2, 0.025))
    return ProcessSpread(max(upper80, FLOOR_PROCESS_SD), df, net(variance), upper95, math.sqrt(noise))


def process_pair_gate(
    pairs: Sequence[Floats],
    *,
    alpha: float,
    s0: float = PRIOR_PROCESS_SD,
    d0: float = PRIOR_PROCESS_DF,
    gate: float = 1.10,
    smallest: float = 1.03,
    looks: Sequence[int] = (2, 4),
    pass_levels: Sequence[float] = (0.995, 0.95),
) -> ComparisonResult:
    """Judge a change of code from fresh process pairs (old, new), rounds interleaved: the rule of `--dl-against`.

    With y_g the trimmed mean of pair g, q_g its variance from the rounds (Yuen 1974), at G pairs: V = max((s0^2 +
    mean q)/G, var(y)/G), nu by Satterthwaite. REGRESSED iff ybar > t[1 - alpha/looks; nu] sqrt(V), ybar >
    log(smallest) and every y_g > 0; IMPROVED mirrored; PASS iff ybar + t sqrt(V) < log(gate) at the look's pass
    level. The second look is the confirmation in fresh processes; the first look's data stay in. Early PASS spends
    no alpha.

    Safe with heavy tails and slow rounds; with a slow state that sticks to a process only if `s0` was measured where it
    occurs.

    Args:
        pairs: Log ratios log(new/old) of the rounds of each process pair, in the order the pairs ran.
        alpha: This comparison's share of the run's false alarms, over all looks (`split_alpha(.01, m)`).
        s0: Between-process sd from `between_process_sd`; the default is the shipped prior.
        d0: Degrees of freedom of `s0`.
        gate: Ratio that PASS must exclude: 1.10 on a shared CPU, 1.03 on an exclusive GPU.
        smallest: Ratio below which a slowdown is never an alarm.
        looks: Numbers of process pairs at which to judge.
        pass_levels: One-sided level of PASS at each look.

    Returns:
        At the first look that decides, else CONTINUE, or INCONCLUSIVE after the last look.
    """
    _check_alpha(alpha=alpha, **{f"1 - pass_levels[{i}]": 1 - level for i, level in enumerate(pass_levels)})
    if not s0 > 0 or not d0 > 0:
        raise StatisticsError(f"process_pair_gate: s0 = {s0} with d0 = {d0}; both must be above 0.")
    if len(looks) != len(pass_levels) or looks[0] < 2:
        raise StatisticsError(f"process_pair_gate: looks {tuple(looks)} need one pass level each and at least 2 pairs.")
    effect = trimmed_mean(pairs[0]).mean if len(pairs) else math.nan
    result = ComparisonResult(
        "CONTINUE", effect, -math.inf, math.inf, math.inf, math.nan, 0.0, f"first look at {looks[0]} process pairs"
    )
    for look, level in zip(looks, pass_levels, strict=True):
        if look > len(pairs):
            return result
        parts = [trimmed_mean(pair) for pair in pairs[:look]]
        if any(part.df < 1 for part in parts):
            raise StatisticsError("process_pair_gate: a process pair has fewer than two rounds left after trimming.")
        result = _gate_look(parts, alpha / len(looks), 1 - level, s0, d0, gate, smallest, look == looks[-1])
        if result.verdict != "CONTINUE":
            return result
    return result


def _gate_look(
    parts: list[TrimmedMean],
    alpha: float,
    pass_alpha: float,
    s0: float,
    d0: float,
    gate: float,
    smallest: float,
    final: bool,
) -> ComparisonResult:
    count = len(parts)
    y = np.array([part.mean for part in parts])
    rounds = float(np.mean([part.se**2 for part in parts]))
    effect, modelled = float(y.mean()), s0**2 + rounds
    df = modelled**2 / (s0**4 / d0 + rounds**2 / (count * min(part.df for part in parts)))
    se = math.sqrt(max(modelled, float(y.var(ddof=1))) / count)
    strict, usual = upper_t(alpha, df) * se, upper_t(pass_alpha, df) * se
    # A pair that points the other way takes the evidence away, on either side.
    low = effect - strict if (y > 0).all() else min(effect - strict, 0.0)
    high = effect + strict if (y < 0).all() else max(effect + strict, 0.0)
    verdict, reason = _two_sided_verdict(effect, low, high, math.log(smallest), effect + usual, math.log(gate))
    if verdict == "INCONCLUSIVE" and not final:
        verdict = "CONTINUE"
    detectable = _detectable(se, df, alpha, math.log(smallest))
    return ComparisonResult(
        verdict, effect, low, effect + usual, detectable, se, df, f"{reason} ({count} process pairs)"
    )


# ------------------------------------------------------------------------------------------------------------ history


def detect_steps(history: Floats, *, min_length: int = 3, penalty: float = 3.0) -> tuple[Step, ...]:
    """Where the level of a series of stored values changed: exact L1 segmentation with a BIC-like penalty.

    Minimises sum |x - median of its segment| / b + penalty * log(n) * (segments - 1) by dynamic programming, as
    asv's step_detect does; b is the noise's mean absolute deviation, from the median absolute successive
    difference, so that a step does not inflate it. L1 and segments of at least `min_length` make a single wild run
    no step.

    Args:
        history: Values in the order of their runs (log seconds, or a metric), shape (n,).
        min_length: Fewest runs at one level.
        penalty: Price of a step. At 3 white noise of 20 to 100 runs, normal or Student t3, shows a step in about 1 % of
            histories or fewer; slowly drifting noise shows more.

    Returns:
        Steps in order; empty for fewer than 2 * min_length values or a level that never changed.
    """
    x = _finite(history, "detect_steps", at_least=0)
    if min_length < 1 or len(x) < 2 * min_length:
        return ()
    differences = np.abs(np.diff(x))
    # Normal noise: median |difference| = .6745 sqrt(2) sd, mean |deviation| = sqrt(2 / pi) sd.
    scale = float(np.median(differences)) / (0.6745 * math.sqrt(2)) * math.sqrt(2 / math.pi)
    if scale == 0:
        scale = float(differences.mean()) or 1.0
    starts = _segment_starts((x / scale).tolist(), min_length, penalty * math.log(len(x)))
    levels = [float(np.median(part)) for part in np.split(x, starts)]
    return tuple(Step(at, a, b) for at, a, b in zip(starts, levels[:-1], levels[1:], strict=True))


def _segment_starts(x: list[float], min_length: int, price: float) -> list[int]:
    """Starts of all segments but the first in the cheapest segmentation."""
    n = len(x)
    best, previous = [-price] + [math.inf] * n, [0] * (n + 1)
    for start in range(n - min_length + 1):
        if math.isinf(best[start]):
            continue
        for length, cost in enumerate(_median_costs(x[start:]), start=1):
            total = best[start] + cost + price
            if length >= min_length and total < best[start + length]:
                best[start + length], previous[start + length] = total, start
    starts, end = [], n
    while previous[end]:
        end = previous[end]
        starts.append(end)
    return starts[::-1]


def _median_costs(x: list[float]) -> Iterable[float]:
    """Sum of |x_j - median(x_1..x_i)| over j <= i, for i = 1, 2, ...: two heaps about the median and their sums."""
    lower: list[float] = []
    upper: list[float] = []
    low_sum = high_sum = 0.0
    for value in x:
        shifted = heapq.heappushpop(upper, value)
        high_sum += value - shifted
        heapq.heappush(lower, -shifted)
        low_sum += shifted
        if len(lower) > len(upper) + 1:
            moved = -heapq.heappop(lower)
            heapq.heappush(upper, moved)
            low_sum, high_sum = low_sum - moved, high_sum + moved
        middle = -lower[0] if len(lower) > len(upper) else 0.0
        yield high_sum - low_sum + middle
