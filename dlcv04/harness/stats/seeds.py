"""Learning over seeds: the typical seed against a margin, by counting seeds; and units that are judged once.

A seed beats the margin or falls short of it. If the median seed lies at the margin, each does either with a chance of
one half at most, whatever the law of the seeds: the error rates are those of a fair coin, and nothing is assumed of
skewness, tails or spread. No rule for the *mean* of few seeds keeps such a promise (Bahadur, Savage 1956).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from statistics import NormalDist, median
from typing import NamedTuple

from dlcv04.harness.stats.basics import StatisticsError
from dlcv04.harness.stats.results import ClaimVerdict, SequentialResult

#: Numbers of seeds at which a claim may be decided.
LOOKS = (5, 8, 12)
#: HOLDS: of the first so many seeds at least so many beat the margin. Together .0434 for a fair coin.
HOLDS_BY = {5: 5, 12: 10}
#: VIOLATED: of the first so many at least so many fall short of it. Together .0059.
VIOLATED_BY = {8: 8, 12: 11}
#: A seed that is worse than its arm's median by more than so many median absolute deviations failed.
FAILED_DEVIATIONS = 10
#: Fewer units than these are never judged.
LEAST_UNITS = 5

Bounds = Callable[[int], tuple[float, float]]


class Effects(NamedTuple):
    """What is known of each seed's effect, in the direction of the claim and in order of the seeds.

    Attributes:
        low: each effect is at least this; -inf for a seed that failed, and where nothing is known.
        high: each effect is at most this; -inf for a seed that failed, inf where nothing is known.
        failed: whether the treatment failed with the seed.
    """

    low: Sequence[float]
    high: Sequence[float]
    failed: Sequence[bool]

    @property
    def known(self) -> list[float]:
        """One figure a seed: the effect, or the finite bound where only one is known; unknown seeds are left out."""
        pairs = zip(self.low, self.high, strict=True)
        return [low if low > -math.inf or high == -math.inf else high for low, high in pairs if (low, high) != _UNKNOWN]


#: Of two verdicts on the two sides of an equivalence, the first is that of both.
_WORST_FIRST: tuple[ClaimVerdict, ...] = ("VIOLATED", "CONTINUE", "INCONCLUSIVE", "HOLDS")
_UNKNOWN = (-math.inf, math.inf)
UNKNOWN_SEED = (*_UNKNOWN, False)
FAILED_SEED = (-math.inf, -math.inf, True)


def failed_seeds(values: Sequence[float], *, higher_is_better: bool = True, step: float = 0.0) -> list[bool]:
    """Which seeds of one arm failed: not finite, or worse than the median by ten median absolute deviations.

    Args:
        values: the figure by seed, NaN where training diverged.
        higher_is_better: False for a loss.
        step: the smallest difference that the figure can show; the deviation is never taken as smaller, since a few
            equal values would make it zero.
    """
    sign = 1.0 if higher_is_better else -1.0
    finite = [sign * value for value in values if math.isfinite(value)]
    if not finite:
        return [True] * len(values)
    middle = median(finite)
    deviation = max(median(abs(value - middle) for value in finite), step)
    # One of two seeds is never far from their median, and a deviation of zero says nothing of the others.
    least = middle - FAILED_DEVIATIONS * deviation if deviation else -math.inf
    return [not math.isfinite(value) or sign * value < least for value in values]


def by_seed(seeds: Iterable[tuple[float, float, bool]]) -> Effects:
    """Low, high and failed of each seed, as three sequences."""
    low, high, failed = zip(*found, strict=True) if (found := list(seeds)) else ((), (), ())
    return Effects(low, high, failed)


def paired_effects(
    treatment: Sequence[float],
    reference: Sequence[float],
    *,
    step: float = 0.0,
    higher_is_better: bool = True,
    sign: float = 1.0,
    alike: bool = False,
) -> Effects:
    """Treatment less reference by seed, times `sign`, positive where the treatment is better.

    A failed seed of the treatment falls short whatever the sign; one of the reference leaves the effect unknown, or
    falls short too where the claim is that both are `alike`.
    """
    sign *= 1.0 if higher_is_better else -1.0
    lost, no_reference = (
        failed_seeds(values, higher_is_better=higher_is_better, step=step) for values in (treatment, reference)
    )
    found = []
    for new, old, failed, unknown in zip(treatment, reference, lost, no_reference, strict=True):
        effect = sign * (new - old)
        known = (effect, effect, False)
        found.append(FAILED_SEED if failed or (unknown and alike) else UNKNOWN_SEED if unknown else known)
    return by_seed(found)


def count_test(
    effects: Effects,
    margin: float,
    *,
    step: float = 0.0,
    allowed: int = 0,
    cap: int = LOOKS[-1],
    also: Bounds | None = None,
    control: bool = False,
) -> SequentialResult:
    """Does the effect of the typical (median) seed exceed `margin`?

    HOLDS when all of the first 5 seeds, or at least 10 of 12, beat the margin by more than half a step of the figure;
    VIOLATED when all of the first 8, or at least 11 of 12, fall short of it by more than that. Else it goes on, and is
    INCONCLUSIVE after 12, or as soon as no further seed could decide. For a median at the margin HOLDS has a chance of
    .0434 and VIOLATED of .0059, exact for every continuous law and never more for others.

    Args:
        effects: by seed; those after the twelfth are not looked at.
        margin: the smallest effect that matters.
        step: the smallest difference that the figure can show, as 1 / pictures. Rounding to it hides on which side of
            the margin an effect lies that is within half of it.
        allowed: seeds that may fail and the claim still hold; they count as falling short all the same.
        cap: no more seeds than these will come.
        also: bounds of another error at a number of seeds, such as that of the pictures: they must say the same. Asked
            only where the effect of one of these seeds is known.
        control: the far bound shown is at the level of the near one, so that a control of five seeds has one.

    Raises:
        StatisticsError: the lists are of different lengths.
    """
    if not len(effects.low) == len(effects.high) == len(effects.failed):
        raise StatisticsError("count_test: give low, high and failed of every seed.")
    effects = Effects(effects.low[: LOOKS[-1]], effects.high[: LOOKS[-1]], effects.failed[: LOOKS[-1]])
    n, half, failed = len(effects.low), step / 2, sum(effects.failed)
    verdict: ClaimVerdict = "CONTINUE"
    near, far = -math.inf, math.inf

    def other(seeds: int) -> tuple[float, float]:
        # Where nothing is known of any seed, or all failed, the seeds say all there is to say.
        return also(seeds) if also and any(map(math.isfinite, effects.low[:seeds])) else (math.inf, -math.inf)

    for look in (look for look in LOOKS if look <= n):
        other_low, other_high = other(look)
        if beating := HOLDS_BY.get(look):
            near = min(sorted(effects.low[:look], reverse=True)[beating - 1], other_low)
        if short := VIOLATED_BY.get(look):
            far = max(sorted(effects.high[:look])[short - 1], other_high)
        if near > margin + half and failed <= allowed:
            verdict = "HOLDS"
        elif far < margin - half:
            verdict = "VIOLATED"
        if verdict != "CONTINUE":
            break
    if verdict == "CONTINUE" and not _can_decide(effects, margin, half, cap):
        verdict = "INCONCLUSIVE"
    if control:
        far = max(-_near_bound([-high for high in effects.high]), other(n)[1])
    known = effects.known
    effect = median(known) if known else math.nan
    return SequentialResult(verdict, effect, near, far, margin, n, f"count at {n} of {', '.join(map(str, LOOKS))}")


def _near_bound(low: Sequence[float]) -> float:
    """The bound of HOLDS at the last look there was: the smallest of the first 5, the third smallest of 12."""
    looks = [look for look in HOLDS_BY if look <= len(low)]
    return sorted(low[: looks[-1]], reverse=True)[HOLDS_BY[looks[-1]] - 1] if looks else -math.inf


def count_exactly(
    effects: Effects, margin: float, *, step: float = 0.0, also: Bounds | None = None
) -> SequentialResult:
    """The one figure of an arm that no seed changes against a margin; within half a step of it nothing is known.

    Args:
        effects: of one seed. Where it is not known (a target that neither arm reached), neither is the verdict.
        margin: the smallest effect that matters.
        step: the smallest difference that the figure can show.
        also: bounds of another error at one seed, such as that of the pictures: they must say the same.
    """
    low, high = effects.low[0], effects.high[0]
    if also and math.isfinite(low):
        least, most = also(1)
        low, high = min(low, least), max(high, most)
    verdict: ClaimVerdict = "INCONCLUSIVE"
    if low > margin + step / 2:
        verdict = "HOLDS"
    elif high < margin - step / 2:
        verdict = "VIOLATED"
    effect = next(iter(effects.known), math.nan)
    return SequentialResult(verdict, effect, low, high, margin, 1, "one deterministic figure")


def _can_decide(effects: Effects, margin: float, half: float, cap: int) -> bool:
    """Whether further seeds, up to `cap`, could still make the claim hold or violate it."""
    n = len(effects.low)
    not_beating = sum(low <= margin + half for low in effects.low)
    not_short = sum(high >= margin - half for high in effects.high)
    looks = [look for look in LOOKS if n < look <= cap]
    holds = any(look - not_beating >= HOLDS_BY[look] for look in looks if look in HOLDS_BY)
    return holds or any(look - not_short >= VIOLATED_BY[look] for look in looks if look in VIOLATED_BY)


def equivalence_test(
    effects: Effects, margin: float, *, step: float = 0.0, allowed: int = 0, cap: int = LOOKS[-1], control: bool = False
) -> SequentialResult:
    """Does the effect of the typical seed lie within +-`margin`? The count on each side (as Schuirmann's two tests).

    HOLDS when both sides hold, VIOLATED when one is violated. `low` and `high` are the near bounds of both sides
    (each as that of HOLDS in `count_test`), so that HOLDS is an interval within the margins.
    """
    other_way = mirrored(effects)
    options = {"step": step, "allowed": allowed, "cap": cap, "control": control}
    above = count_test(effects, -margin, **options)  # type: ignore[arg-type]
    below = count_test(other_way, -margin, **options)  # type: ignore[arg-type]
    verdicts = {above.verdict, below.verdict}
    verdict: ClaimVerdict = next(word for word in _WORST_FIRST if word in verdicts)
    if verdict == "CONTINUE" and "INCONCLUSIVE" in verdicts and not _may_violate(effects, other_way, margin, step, cap):
        verdict = "INCONCLUSIVE"
    return SequentialResult(verdict, above.effect, above.low, -below.low, margin, above.n, above.decided_by)


def _may_violate(effects: Effects, other_way: Effects, margin: float, step: float, cap: int) -> bool:
    """Whether one side may still be violated: all that is left where the other can no longer hold."""
    looks = [look for look in LOOKS if len(effects.low) < look <= cap and look in VIOLATED_BY]
    inside = min(sum(high >= -margin - step / 2 for high in side.high) for side in (effects, other_way))
    return any(look - inside >= VIOLATED_BY[look] for look in looks)


def mirrored(effects: Effects) -> Effects:
    """The effects seen from the other side: what failed falls short there too."""
    seeds = zip(*effects, strict=True)
    return by_seed(FAILED_SEED if failed else (-high, -low, False) for low, high, failed in seeds)


def sign_count_test(
    differences: Sequence[float],
    margin: float,
    *,
    step: float = 0.0,
    alpha_holds: float = 0.05,
    alpha_violated: float = 0.01,
    control: bool = False,
) -> SequentialResult:
    """Does the difference of the typical (median) unit exceed `margin`? One look at all units, by the exact sign count.

    HOLDS when so many units beat the margin by more than half a step that a fair coin would show it with a chance of
    `alpha_holds` at most; VIOLATED the same for units that fall short, at `alpha_violated`. Fewer than five are never
    judged; seven are needed to violate at .01. Bounds are order statistics at the same levels.

    Args:
        differences: one a unit; NaN falls short.
        margin: the smallest difference that matters.
        step: the smallest difference that a unit can show.
        alpha_holds: chance of HOLDS at a median of `margin`.
        alpha_violated: chance of VIOLATED there.
        control: the far bound shown is at the level of the near one.
    """
    values = sorted(-math.inf if math.isnan(value) else float(value) for value in differences)
    n = len(values)
    beating, short = (least_count(n, alpha) for alpha in (alpha_holds, alpha_violated))
    near = values[n - beating] if n >= max(LEAST_UNITS, beating) else -math.inf
    far = values[short - 1] if n >= max(LEAST_UNITS, short) else math.inf
    verdict: ClaimVerdict = "INCONCLUSIVE"
    if near > margin + step / 2:
        verdict = "HOLDS"
    elif far < margin - step / 2:
        verdict = "VIOLATED"
    if control:
        far = values[beating - 1] if n >= max(LEAST_UNITS, beating) else math.inf
    effect = median(values) if values else math.nan
    return SequentialResult(verdict, effect, near, far, margin, n, f"exact sign count, n = {n}")


@cache
def least_count(n: int, alpha: float) -> int:
    """The fewest heads in n throws that a fair coin reaches with a chance of `alpha` at most; n + 1 if none."""
    return next((k for k in range(n + 1) if tail(n, k, 0.5) <= alpha), n + 1)


def tail(n: int, k: int, p: float) -> float:
    """The chance of k successes or more in n throws of chance p."""
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


def smallest_rate(n: int) -> float:
    """The smallest rate of failures that no failure in `n` seeds excludes at 95 %: 45 % at 5, 22 % at 12."""
    return float(1 - 0.05 ** (1 / n)) if n else 1.0


@cache
def detectable_shift(cap: int, units: int = 0) -> float:
    """How far beyond the margin a normal median must lie, in standard deviations, to HOLD in four of five runs.

    Args:
        cap: the most seeds that are trained.
        units: judge so many units at once instead, by `sign_count_test`.
    """

    def power(p: float) -> float:
        if units:
            return tail(units, least_count(units, 0.05), p)
        by_five = p**5 if cap >= LOOKS[0] else 0.0
        return by_five + (tail(12, 10, p) - by_five * tail(7, 5, p) if cap >= LOOKS[-1] else 0.0)

    low, high = 0.5, 1.0
    if power(high) < 1 or units in range(1, LEAST_UNITS):
        return math.inf
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle) < 0.8 else (low, middle)
    return NormalDist().inv_cdf(high)
