"""Assertions judged from what was measured: pure functions, one a kind, for a live claim and a stored run alike.

Where more data may come (rounds, seeds), the caller measures up to the next look and asks again while `undecided`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dlcv04.harness.policy import Policy
from dlcv04.harness.schema import Assertion, ClaimVerdict, SeedCurve, finite
from dlcv04.harness.seeds import Metric, Series
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dlcv04.harness import statistics

    Values = TypeVar("Values", Sequence[float], npt.NDArray[np.float64])
else:
    np = LazyModule("numpy")
    statistics = LazyModule("dlcv04.harness.statistics")

UNDECIDED: Final = "CONTINUE"
#: What `right_more_often` judges, as stored runs name it.
ANSWERS: Final = "share of validation pictures classed rightly"


@dataclass(frozen=True)
class Side:
    """One arm of an assertion over seeds: its name, its curves in order of seed, its validation pictures."""

    name: str
    curves: Sequence[SeedCurve]
    images: int = 0

    def values(self, metric: Metric) -> list[float]:
        """The metric of each seed, NaN where it diverged or lacks the figure."""
        return [metric.value(curve) for curve in self.curves]

    def answers(self, pictures: int) -> npt.NDArray[np.float64]:
        """1 or 0 a seed and validation picture, shape (seeds, pictures); NaN all along for a seed that diverged."""
        rows = [[float(sign) for sign in curve.answers] or [math.nan] * pictures for curve in self.curves]
        return np.array(rows, dtype=np.float64).reshape(len(rows), pictures)


@dataclass(frozen=True)
class Judged:
    """An assertion, and whether further rounds or seeds could change its verdict."""

    assertion: Assertion
    undecided: bool


def final(verdict: str) -> ClaimVerdict:
    """A sequential rule's verdict when no more data come: undecided is INCONCLUSIVE."""
    return "INCONCLUSIVE" if verdict == UNDECIDED else verdict  # type: ignore[return-value]


def _exp(value: float) -> float | None:
    """A bound on the log scale as a ratio, None where it is unbounded."""
    return finite(math.exp(value)) if math.isfinite(value) else None


def detectable(differences: Sequence[float], alpha: float) -> float | None:
    """Smallest mean difference that so many values of this spread show in four of five runs, None if unknown."""
    n = len(differences)
    if n < 2 or not all(map(math.isfinite, differences)):
        return None
    return finite(statistics.minimum_detectable_effect(stdev(differences) / math.sqrt(n), n - 1, alpha))


# -- over rounds -----------------------------------------------------------------------------------------------


def order(
    log_ratios: Sequence[float], names: tuple[str, str], by: float, policy: Policy, *, min_pairs: int, reason: str = ""
) -> Judged:
    """ORDER: a round of the first arm takes at least `by` times as long as one of the second.

    Args:
        log_ratios: of the rounds that both arms were timed in, in order.
        names: treatment and reference.
        by: the margin, a ratio above 1.
        policy: error rates and the cap.
        min_pairs: no verdict before so many, stored as the assertion's one look; a control is judged once, at its n.
        reason: what a reader should know of the arms.
    """
    result = statistics.order_test(
        log_ratios,
        by,
        alpha_holds=policy.alpha_holds,
        alpha_violated=policy.alpha_violated,
        min_pairs=min_pairs,
        cap=policy.max_pairs,
    )
    _, standard_error, degrees = statistics.trimmed_mean(log_ratios)
    smallest = statistics.minimum_detectable_effect(standard_error, degrees, policy.alpha_holds)
    made = Assertion(
        kind="ORDER",
        sentence=f"an epoch of {names[0]} takes at least {by:g} times as long as one of {names[1]}",
        treatment=names[0],
        reference=names[1],
        unit="ratio",
        margin=by,
        effect=_exp(result.effect),
        low=_exp(result.low),
        high=_exp(result.high),
        n=result.n,
        n_unit="pairs",
        minimum_detectable_effect=finite(math.exp(smallest)),
        verdict=final(result.verdict),
        method="symmetric e-process over interleaved pairs, near bound 95 %, far bound 99 %, "
        "valid at any stopping time",
        reason=reason,
        looks=[min_pairs],
    )
    return Judged(made, result.verdict == UNDECIDED)


# -- over seeds ------------------------------------------------------------------------------------------------


def _differences(sides: Sequence[Side], metric: Metric) -> list[float]:
    """Treatment less reference by seed, positive where the treatment is better."""
    sign = 1.0 if metric.higher else -1.0
    treatment, reference = (side.values(metric) for side in sides)
    return [sign * (new - old) for new, old in zip(treatment, reference, strict=True)]


def _sequential(
    differences: Sequence[float], margin: float, looks: Sequence[int], policy: Policy
) -> statistics.SequentialResult:
    """The group-sequential t test at this policy's error rates."""
    return statistics.group_sequential_t(
        differences[: looks[-1]],
        margin,
        looks=looks,
        alpha_holds=policy.alpha_holds,
        alpha_violated=policy.alpha_violated,
    )


def _at_looks(
    values: Values,
    looks: Sequence[int],
    policy: Policy,
    rule: Callable[[Values, float, float], statistics.SequentialResult],
) -> statistics.SequentialResult:
    """A rule for one look, asked at each with its share of both error rates; undecided while a look is to come."""
    shares = policy.alpha_holds / len(looks), policy.alpha_violated / len(looks)
    for look in [look for look in looks if look <= len(values)] or [len(values)]:
        result = rule(values[:look], *shares)
        if result.verdict in {"HOLDS", "VIOLATED"}:
            return result
    return dataclasses.replace(result, verdict=UNDECIDED) if len(values) < looks[-1] else result


def _over_seeds(
    sides: Sequence[Side],
    result: statistics.SequentialResult,
    looks: Sequence[int],
    *,
    method: str,
    shown: Callable[[float], float | None] = finite,
    reason: str = "",
    **figures: Any,
) -> Judged:
    """The assertion; a diverged seed on any side violates it, and its epoch is named."""
    diverged = [f"{c.reason} (arm {side.name})" for side in sides for c in side.curves if c.status == "diverged"]
    made = Assertion(
        treatment=sides[0].name,
        reference=sides[1].name if len(sides) > 1 else "",
        effect=shown(result.effect),
        low=shown(result.low),
        high=shown(result.high),
        n=result.n,
        n_unit="seeds",
        verdict="VIOLATED" if diverged else final(result.verdict),
        method=f"{method}looks {', '.join(map(str, looks))}, near bound 95 %, far bound 99 %",
        reason="; ".join(diverged) or reason,
        looks=list(looks),
        **figures,
    )
    return Judged(made, result.verdict == UNDECIDED and not diverged)


def paired(sides: Sequence[Side], metric: Metric, by: float, looks: Sequence[int], policy: Policy) -> Judged:
    """PAIRED: the metric of the first arm exceeds that of the second by `by` or more, paired by seed."""
    differences = _differences(sides, metric)
    return _over_seeds(
        sides,
        _sequential(differences, by, looks, policy),
        looks,
        kind="PAIRED",
        sentence=f"{metric.name} of {sides[0].name} {metric.beats} that of {sides[1].name} by {by:g} or more",
        unit=metric.unit,
        margin=by,
        minimum_detectable_effect=detectable(differences, policy.alpha_holds),
        method="group-sequential paired t over seeds, ",
        relation=">",
        metric=metric.name,
    )


def right_more_often(sides: Sequence[Side], by: float, looks: Sequence[int], policy: Policy) -> Judged:
    """PAIRED by seed and by picture: the first arm classes a share of `by` more of the validation pictures rightly.

    Both errors are in the interval: other seeds, and other pictures.
    """
    pictures = max(len(curve.answers) for side in sides for curve in side.curves)
    treatment, reference = (side.answers(pictures) for side in sides)
    differences = treatment - reference

    def rule(seen: npt.NDArray[np.float64], holds: float, violated: float) -> statistics.SequentialResult:
        return statistics.crossed_test(seen, by, alpha_holds=holds, alpha_violated=violated)

    result = _at_looks(differences, looks, policy, rule)
    smallest = None
    if np.isfinite(differences).all():
        known = statistics.crossed_interval(differences)
        smallest = finite(statistics.minimum_detectable_effect(known.se, known.df, policy.alpha_holds))
    return _over_seeds(
        sides,
        result,
        looks,
        kind="PAIRED",
        sentence=f"{ANSWERS} of {sides[0].name} exceeds that of {sides[1].name} by {by:g} or more",
        unit="points",
        margin=by,
        minimum_detectable_effect=smallest,
        method=f"crossed t over seeds and {pictures} pictures that all arms share, ",
        relation=">",
        metric=ANSWERS,
    )


def not_better(sides: Sequence[Side], metric: Metric, by: float, looks: Sequence[int], policy: Policy) -> Judged:
    """PAIRED, the other way: the first arm does not exceed the second by `by`; the claim is about an upper bound."""
    differences = _differences(sides, metric)
    mirrored = _sequential([-difference for difference in differences], -by, looks, policy)
    return _over_seeds(
        sides,
        dataclasses.replace(mirrored, effect=-mirrored.effect, low=-mirrored.high, high=-mirrored.low),
        looks,
        kind="PAIRED",
        sentence=f"{metric.name} of {sides[0].name} {metric.beats} that of {sides[1].name} by less than {by:g}",
        unit=metric.unit,
        margin=by,
        minimum_detectable_effect=detectable(differences, policy.alpha_holds),
        method="group-sequential paired t over seeds, ",
        relation="<",
        metric=metric.name,
    )


def equivalent(sides: Sequence[Side], metric: Metric, within: float, looks: Sequence[int], policy: Policy) -> Judged:
    """EQUIVALENT: two one-sided t tests at each look (Schuirmann 1987), paired by seed."""
    differences = _differences(sides, metric)

    def rule(seen: Sequence[float], holds: float, violated: float) -> statistics.SequentialResult:
        return statistics.tost(seen, within, holds, violated)

    return _over_seeds(
        sides,
        _at_looks(differences, looks, policy, rule),
        looks,
        kind="EQUIVALENT",
        sentence=f"{metric.name} of {sides[0].name} and of {sides[1].name} differ by less than {within:g}",
        unit=metric.unit,
        margin=within,
        minimum_detectable_effect=detectable(differences, policy.alpha_holds),
        method="two one-sided paired t tests over seeds, ",
        metric=metric.name,
    )


def level(sides: Sequence[Side], metric: Metric, least: float, looks: Sequence[int], policy: Policy) -> Judged:
    """LEVEL: the metric is at least `least`, for new seeds and, where it is a proportion, for new pictures."""
    (arm,) = sides
    images = arm.images if metric.proportion else 0

    def rule(seen: Sequence[float], holds: float, violated: float) -> statistics.SequentialResult:
        return statistics.level_test(seen, least, images=images, alpha_holds=holds, alpha_violated=violated)

    result = _at_looks(arm.values(metric), looks, policy, rule)
    known = f" and its error over {images:,} pictures" if images else ""
    return _over_seeds(
        sides,
        result,
        looks,
        kind="LEVEL",
        sentence=f"{metric.name} of {arm.name} is at least {least:g}",
        unit=metric.unit,
        margin=least,
        minimum_detectable_effect=finite(result.effect - result.low) if math.isfinite(result.low) else None,
        method=f"spread over seeds{known}, joined from both one-sided bounds; ",
        relation=">",
        metric=metric.name,
    )


def reach(
    sides: Sequence[Side], series: Series, target: float, by: float, looks: Sequence[int], policy: Policy
) -> Judged:
    """REACH: the second arm takes at least `by` times as many epochs as the first to reach `target`.

    A miss is censored at the budget, the epochs that were trained; both missed is a tie of exactly 1.
    """
    names = sides[0].name, sides[1].name
    budget = max((len(curve.epochs) for side in sides for curve in side.curves), default=1)
    epochs = [_epochs(side, series, target, budget) for side in sides]
    logs = [statistics.reach_log_ratio(old.epochs, new.epochs, budget) for new, old in zip(*epochs, strict=True)]
    smallest = detectable(logs, policy.alpha_holds)
    return _over_seeds(
        sides,
        _sequential(logs, math.log(by), looks, policy),
        looks,
        shown=_exp,
        kind="REACH",
        sentence=f"{names[1]} takes at least {by:g} times as many epochs as {names[0]} to reach a {series.name} of "
        f"{target:g}",
        unit="ratio",
        margin=by,
        minimum_detectable_effect=None if smallest is None else _exp(smallest),
        method=f"log ratio of epochs to the target, interpolated, misses censored at {budget} epochs; group-sequential "
        "paired t over seeds, ",
        reason=_missed(epochs, names),
        relation=">",
        metric=series.name,
        target=target,
    )


def _epochs(side: Side, series: Series, target: float, budget: float) -> list[statistics.EpochsToTarget]:
    return [
        statistics.epochs_to_target(series.of_curve(curve), target, budget, higher_is_better=series.higher)
        for curve in side.curves
    ]


def _missed(epochs: Sequence[Sequence[statistics.EpochsToTarget]], names: tuple[str, str]) -> str:
    """How often each arm missed its target, nothing where none did."""
    counts = [sum(one.censored for one in found) for found in epochs]
    if not any(counts):
        return ""
    parts = (f"{name} in {count} of {len(epochs[0])} seeds" for name, count in zip(names, counts, strict=True) if count)
    return f"the target was missed by {', '.join(parts)}"


# -- over values -----------------------------------------------------------------------------------------------


def identity(
    fast: npt.NDArray[np.float64], slow: npt.NDArray[np.float64], names: tuple[str, str], within: float, what: str
) -> Assertion:
    """IDENTITY: no value of `fast` lies further than `within` from `slow`'s; NaN on one side alone violates it."""
    gone = np.isnan(fast) != np.isnan(slow)
    deviations = np.where(np.isnan(fast) & np.isnan(slow), 0.0, np.abs(fast - slow))
    worst = math.inf if gone.any() else float(np.nan_to_num(deviations, nan=0.0, posinf=math.inf).max(initial=0.0))
    verdict: ClaimVerdict = "HOLDS" if worst <= within else "VIOLATED"
    reason = f"{int(gone.sum())} values are NaN on one side" if gone.any() else ""
    if verdict == "VIOLATED" and not reason:
        place = np.unravel_index(int(np.argmax(deviations)), deviations.shape)
        reason = f"the largest deviation is at index {tuple(map(int, place))}"
    return Assertion(
        kind="IDENTITY",
        sentence=f"{what} of {names[0]} and of {names[1]} are the same within {within:g}",
        treatment=names[0],
        reference=names[1],
        unit="deviation",
        margin=within,
        effect=finite(worst),
        low=finite(worst),
        high=finite(worst),
        n=int(fast.size),
        n_unit="values",
        minimum_detectable_effect=None,
        verdict=verdict,
        method="largest absolute deviation of all values",
        reason=reason,
        relation="<=",
    )


def cluster_means(values: npt.NDArray[np.float64], clusters: Sequence[Any] | None) -> npt.NDArray[np.float64]:
    """The mean of each cluster's values, in order of first appearance; the values themselves without clusters."""
    if clusters is None:
        return values
    groups: dict[Any, list[float]] = {}
    for label, value in zip(clusters, values.tolist(), strict=True):
        groups.setdefault(label, []).append(value)
    return np.array([math.fsum(group) / len(group) for group in groups.values()])


def over_units(
    differences: npt.NDArray[np.float64], names: tuple[str, str], what: str, by: float, over: str, policy: Policy
) -> Assertion:
    """PAIRED over units (filters, pictures, or means of clusters of them): one look at all of them."""
    result = _sequential(differences.tolist(), by, (len(differences),), policy)
    flipped = "" if result.sign_flip_p is None else f"; sign-flip p {result.sign_flip_p:.2g}"
    return Assertion(
        kind="PAIRED",
        sentence=f"{what} of {names[0]} exceeds that of {names[1]} by {by:g} or more",
        treatment=names[0],
        reference=names[1],
        unit="difference",
        margin=by,
        effect=finite(result.effect),
        low=finite(result.low),
        high=finite(result.high),
        n=result.n,
        n_unit=over,
        minimum_detectable_effect=detectable(differences.tolist(), policy.alpha_holds),
        verdict=final(result.verdict),
        method=f"paired t over {over}, near bound 95 %, far bound 99 %{flipped}",
        reason=result.decided_by if result.verdict == "VIOLATED" and not math.isfinite(result.effect) else "",
        relation=">",
    )
