"""PAIRED, EQUIVALENT, LEVEL and REACH: learning over seeds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dlcv04.harness.judging.assertions import common
from dlcv04.harness.judging.assertions.common import UNDECIDED, ArmSeeds, Judged
from dlcv04.harness.judging.metrics import Metric, Series
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Assertion, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dlcv04.harness import stats

    Values = TypeVar("Values", Sequence[float], npt.NDArray[np.float64])
else:
    np = LazyModule("numpy")
    stats = LazyModule("dlcv04.harness.stats")


#: What `right_more_often` judges, as stored runs name it.
ANSWERS: Final = "share of validation pictures classed rightly"


def _differences(sides: Sequence[ArmSeeds], metric: Metric) -> list[float]:
    """Treatment less reference by seed, positive where the treatment is better."""
    sign = 1.0 if metric.higher else -1.0
    treatment, reference = (side.values(metric) for side in sides)
    return [sign * (new - old) for new, old in zip(treatment, reference, strict=True)]


def sequential(
    differences: Sequence[float], margin: float, looks: Sequence[int], policy: Policy
) -> stats.SequentialResult:
    """The group-sequential t test at this policy's error rates."""
    return stats.group_sequential_t(
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
    rule: Callable[[Values, float, float], stats.SequentialResult],
) -> stats.SequentialResult:
    """A rule for one look, asked at each with its share of both error rates; undecided while a look is to come."""
    shares = policy.alpha_holds / len(looks), policy.alpha_violated / len(looks)
    for look in [look for look in looks if look <= len(values)] or [len(values)]:
        result = rule(values[:look], *shares)
        if result.verdict in {"HOLDS", "VIOLATED"}:
            return result
    return dataclasses.replace(result, verdict=UNDECIDED) if len(values) < looks[-1] else result


def _over_seeds(
    sides: Sequence[ArmSeeds],
    result: stats.SequentialResult,
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
        verdict="VIOLATED" if diverged else common.final(result.verdict),
        method=f"{method}looks {', '.join(map(str, looks))}, near bound 95 %, far bound 99 %",
        reason="; ".join(diverged) or reason,
        looks=list(looks),
        **figures,
    )
    return Judged(made, result.verdict == UNDECIDED and not diverged)


def paired(sides: Sequence[ArmSeeds], metric: Metric, by: float, looks: Sequence[int], policy: Policy) -> Judged:
    """PAIRED: the metric of the first arm exceeds that of the second by `by` or more, paired by seed."""
    differences = _differences(sides, metric)
    return _over_seeds(
        sides,
        sequential(differences, by, looks, policy),
        looks,
        kind="PAIRED",
        sentence=f"{metric.name} of {sides[0].name} {metric.beats} that of {sides[1].name} by {by:g} or more",
        unit=metric.unit,
        margin=by,
        minimum_detectable_effect=common.detectable(differences, policy.alpha_holds),
        method="group-sequential paired t over seeds, ",
        relation=">",
        metric=metric.name,
    )


def right_more_often(sides: Sequence[ArmSeeds], by: float, looks: Sequence[int], policy: Policy) -> Judged:
    """PAIRED by seed and by picture: the first arm classes a share of `by` more of the validation pictures rightly.

    Both errors are in the interval: other seeds, and other pictures.
    """
    pictures = max(len(curve.answers) for side in sides for curve in side.curves)
    treatment, reference = (side.answers(pictures) for side in sides)
    differences = treatment - reference

    def rule(seen: npt.NDArray[np.float64], holds: float, violated: float) -> stats.SequentialResult:
        return stats.crossed_test(seen, by, alpha_holds=holds, alpha_violated=violated)

    result = _at_looks(differences, looks, policy, rule)
    smallest = None
    if np.isfinite(differences).all():
        known = stats.crossed_interval(differences)
        smallest = finite(stats.minimum_detectable_effect(known.se, known.df, policy.alpha_holds))
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


def not_better(sides: Sequence[ArmSeeds], metric: Metric, by: float, looks: Sequence[int], policy: Policy) -> Judged:
    """PAIRED, the other way: the first arm does not exceed the second by `by`; the claim is about an upper bound."""
    differences = _differences(sides, metric)
    mirrored = sequential([-difference for difference in differences], -by, looks, policy)
    return _over_seeds(
        sides,
        dataclasses.replace(mirrored, effect=-mirrored.effect, low=-mirrored.high, high=-mirrored.low),
        looks,
        kind="PAIRED",
        sentence=f"{metric.name} of {sides[0].name} {metric.beats} that of {sides[1].name} by less than {by:g}",
        unit=metric.unit,
        margin=by,
        minimum_detectable_effect=common.detectable(differences, policy.alpha_holds),
        method="group-sequential paired t over seeds, ",
        relation="<",
        metric=metric.name,
    )


def equivalent(
    sides: Sequence[ArmSeeds], metric: Metric, within: float, looks: Sequence[int], policy: Policy
) -> Judged:
    """EQUIVALENT: two one-sided t tests at each look (Schuirmann 1987), paired by seed."""
    differences = _differences(sides, metric)

    def rule(seen: Sequence[float], holds: float, violated: float) -> stats.SequentialResult:
        return stats.tost(seen, within, holds, violated)

    return _over_seeds(
        sides,
        _at_looks(differences, looks, policy, rule),
        looks,
        kind="EQUIVALENT",
        sentence=f"{metric.name} of {sides[0].name} and of {sides[1].name} differ by less than {within:g}",
        unit=metric.unit,
        margin=within,
        minimum_detectable_effect=common.detectable(differences, policy.alpha_holds),
        method="two one-sided paired t tests over seeds, ",
        metric=metric.name,
    )


def level(sides: Sequence[ArmSeeds], metric: Metric, least: float, looks: Sequence[int], policy: Policy) -> Judged:
    """LEVEL: the metric is at least `least`, for new seeds and, where it is a proportion, for new pictures."""
    (arm,) = sides
    images = arm.images if metric.proportion else 0

    def rule(seen: Sequence[float], holds: float, violated: float) -> stats.SequentialResult:
        return stats.level_test(seen, least, images=images, alpha_holds=holds, alpha_violated=violated)

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
    sides: Sequence[ArmSeeds], series: Series, target: float, by: float, looks: Sequence[int], policy: Policy
) -> Judged:
    """REACH: the second arm takes at least `by` times as many epochs as the first to reach `target`.

    A miss is censored at the budget, the epochs that were trained; both missed is a tie of exactly 1.
    """
    names = sides[0].name, sides[1].name
    budget = max((len(curve.epochs) for side in sides for curve in side.curves), default=1)
    epochs = [_epochs(side, series, target, budget) for side in sides]
    logs = [stats.reach_log_ratio(old.epochs, new.epochs, budget) for new, old in zip(*epochs, strict=True)]
    smallest = common.detectable(logs, policy.alpha_holds)
    return _over_seeds(
        sides,
        sequential(logs, math.log(by), looks, policy),
        looks,
        shown=common.exp,
        kind="REACH",
        sentence=f"{names[1]} takes at least {by:g} times as many epochs as {names[0]} to reach a {series.name} of "
        f"{target:g}",
        unit="ratio",
        margin=by,
        minimum_detectable_effect=None if smallest is None else common.exp(smallest),
        method=f"log ratio of epochs to the target, interpolated, misses censored at {budget} epochs; group-sequential "
        "paired t over seeds, ",
        reason=_missed(epochs, names),
        relation=">",
        metric=series.name,
        target=target,
    )


def _epochs(side: ArmSeeds, series: Series, target: float, budget: float) -> list[stats.EpochsToTarget]:
    return [
        stats.epochs_to_target(series.of_curve(curve), target, budget, higher_is_better=series.higher)
        for curve in side.curves
    ]


def _missed(epochs: Sequence[Sequence[stats.EpochsToTarget]], names: tuple[str, str]) -> str:
    """How often each arm missed its target, nothing where none did."""
    counts = [sum(reached.censored for reached in found) for found in epochs]
    if not any(counts):
        return ""
    parts = (f"{name} in {count} of {len(epochs[0])} seeds" for name, count in zip(names, counts, strict=True) if count)
    return f"the target was missed by {', '.join(parts)}"
