"""Assertions judged from what was measured: pure functions, one a kind, for a live claim and a stored run alike.

Where more data may come (rounds, seeds), the caller measures up to the next look and asks again while `undecided`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING, Any

import msgspec

from dlcv04.harness.policy import Policy
from dlcv04.harness.schema import Assertion, ClaimVerdict, SeedCurve, finite
from dlcv04.harness.seeds import Metric, Series
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dlcv04.harness import statistics
else:
    np = LazyModule("numpy")
    statistics = LazyModule("dlcv04.harness.statistics")

UNDECIDED = "CONTINUE"


@dataclass(frozen=True)
class Side:
    """One arm of an assertion over seeds: its name, its curves in order of seed, its validation pictures."""

    name: str
    curves: Sequence[SeedCurve]
    images: int = 0

    def values(self, metric: Metric) -> list[float]:
        """The metric of each seed, NaN where it diverged or lacks the figure."""
        return [metric.value(curve) for curve in self.curves]


@dataclass(frozen=True)
class Judged:
    """An assertion, and whether further seeds could change its verdict."""

    assertion: Assertion
    undecided: bool


def final(verdict: str) -> ClaimVerdict:
    """A sequential rule's verdict when no more data come: undecided is INCONCLUSIVE."""
    return "INCONCLUSIVE" if verdict == UNDECIDED else verdict  # type: ignore[return-value]


def _levels(policy: Policy, looks: Sequence[int]) -> tuple[float, float]:
    """Share of either error rate that one look has."""
    return policy.alpha_holds / len(looks), policy.alpha_violated / len(looks)


def _finish(sides: Sequence[Side], verdict: str, **figures: Any) -> Judged:
    """The assertion; a diverged seed on any side violates it, and its epoch is named."""
    diverged = [f"{c.reason} (arm {side.name})" for side in sides for c in side.curves if c.status == "diverged"]
    made = Assertion(
        n_unit="seeds",
        verdict="VIOLATED" if diverged else final(verdict),
        reason="; ".join(diverged),
        **figures,
    )
    return Judged(made, verdict == UNDECIDED and not diverged)


def _looked(looks: Sequence[int]) -> str:
    return f"looks {', '.join(map(str, looks))}, near bound 95 %, far bound 99 %"


def detectable(differences: Sequence[float], alpha: float) -> float | None:
    """Smallest mean difference that so many values of this spread show in four of five runs, None if unknown."""
    n = len(differences)
    if n < 2 or not all(map(math.isfinite, differences)):
        return None
    return finite(statistics.minimum_detectable_effect(stdev(differences) / math.sqrt(n), n - 1, alpha))


# -- over seeds ------------------------------------------------------------------------------------------------


def _differences(treatment: Side, reference: Side, metric: Metric) -> list[float]:
    sign = 1.0 if metric.higher else -1.0
    pairs = zip(treatment.values(metric), reference.values(metric), strict=True)
    return [sign * (new - old) for new, old in pairs]


def paired(sides: Sequence[Side], metric: Metric, by: float, looks: Sequence[int], policy: Policy) -> Judged:
    """PAIRED: the metric of `treatment` exceeds that of `reference` by `by` or more, paired by seed."""
    treatment, reference = sides
    differences = _differences(treatment, reference, metric)
    result = statistics.group_sequential_t(
        differences[: looks[-1]],
        by,
        looks=looks,
        alpha_holds=policy.alpha_holds,
        alpha_violated=policy.alpha_violated,
    )
    return _finish(
        (treatment, reference),
        result.verdict,
        kind="PAIRED",
        sentence=f"{metric.name} of {treatment.name} {metric.beats} that of {reference.name} by {by:g} or more",
        treatment=treatment.name,
        reference=reference.name,
        unit=metric.unit,
        margin=by,
        effect=finite(result.effect),
        low=finite(result.low),
        high=finite(result.high),
        n=result.n,
        minimum_detectable_effect=detectable(differences, policy.alpha_holds),
        method=f"group-sequential paired t over seeds, {_looked(looks)}",
        relation=">",
        looks=list(looks),
        metric=metric.name,
    )


def not_better(sides: Sequence[Side], metric: Metric, by: float, looks: Sequence[int], policy: Policy) -> Judged:
    """PAIRED, the other way: `treatment` does not exceed `reference` by `by`; the claim is about an upper bound."""
    treatment, reference = sides
    differences = _differences(treatment, reference, metric)
    result = statistics.group_sequential_t(
        [-difference for difference in differences[: looks[-1]]],
        -by,
        looks=looks,
        alpha_holds=policy.alpha_holds,
        alpha_violated=policy.alpha_violated,
    )
    return _finish(
        (treatment, reference),
        result.verdict,
        kind="PAIRED",
        sentence=f"{metric.name} of {treatment.name} {metric.beats} that of {reference.name} by less than {by:g}",
        treatment=treatment.name,
        reference=reference.name,
        unit=metric.unit,
        margin=by,
        effect=finite(-result.effect),
        low=finite(-result.high),
        high=finite(-result.low),
        n=result.n,
        minimum_detectable_effect=detectable(differences, policy.alpha_holds),
        method=f"group-sequential paired t over seeds, {_looked(looks)}",
        relation="<",
        looks=list(looks),
        metric=metric.name,
    )


def equivalent(sides: Sequence[Side], metric: Metric, within: float, looks: Sequence[int], policy: Policy) -> Judged:
    """EQUIVALENT: two one-sided t tests at each look (Schuirmann 1987), paired by seed."""
    one, other = sides
    differences = _differences(one, other, metric)
    holds, violated = _levels(policy, looks)
    for look in [look for look in looks if look <= len(differences)] or [len(differences)]:
        result = statistics.tost(differences[:look], within, holds, violated)
        if result.verdict in {"HOLDS", "VIOLATED"}:
            break
    open_ = result.verdict not in {"HOLDS", "VIOLATED"} and len(differences) < looks[-1]
    return _finish(
        (one, other),
        UNDECIDED if open_ else result.verdict,
        kind="EQUIVALENT",
        sentence=f"{metric.name} of {one.name} and of {other.name} differ by less than {within:g}",
        treatment=one.name,
        reference=other.name,
        unit=metric.unit,
        margin=within,
        effect=finite(result.effect),
        low=finite(result.low),
        high=finite(result.high),
        n=result.n,
        minimum_detectable_effect=detectable(differences, policy.alpha_holds),
        method=f"two one-sided paired t tests over seeds, {_looked(looks)}",
        looks=list(looks),
        metric=metric.name,
    )


def level(sides: Sequence[Side], metric: Metric, least: float, looks: Sequence[int], policy: Policy) -> Judged:
    """LEVEL: the metric is at least `least`, for new seeds and, where it is a proportion, for new pictures."""
    (arm,) = sides
    values = arm.values(metric)
    images = arm.images if metric.proportion else 0
    alphas = _levels(policy, looks)
    for look in [look for look in looks if look <= len(values)] or [len(values)]:
        result = statistics.level_test(
            values[:look], least, images=images, alpha_holds=alphas[0], alpha_violated=alphas[1]
        )
        if result.verdict in {"HOLDS", "VIOLATED"}:
            break
    open_ = result.verdict not in {"HOLDS", "VIOLATED"} and len(values) < looks[-1]
    known = f" and its error over {images:,} pictures" if images else ""
    return _finish(
        (arm,),
        UNDECIDED if open_ else result.verdict,
        kind="LEVEL",
        sentence=f"{metric.name} of {arm.name} is at least {least:g}",
        treatment=arm.name,
        reference="",
        unit=metric.unit,
        margin=least,
        effect=finite(result.effect),
        low=finite(result.low),
        high=finite(result.high),
        n=result.n,
        minimum_detectable_effect=finite(result.effect - result.low) if math.isfinite(result.low) else None,
        method=f"spread over seeds{known}, joined from both one-sided bounds; {_looked(looks)}",
        relation=">",
        looks=list(looks),
        metric=metric.name,
    )


def reach(
    sides: Sequence[Side], series: Series, target: float, by: float, looks: Sequence[int], policy: Policy
) -> Judged:
    """REACH: `reference` takes at least `by` times as many epochs as `treatment` to reach `target`.

    A miss is censored at the budget, the epochs that were trained; both missed is a tie of exactly 1.
    """
    treatment, reference = sides
    budget = max((len(curve.epochs) for side in (treatment, reference) for curve in side.curves), default=1)
    epochs = [_epochs(side, series, target, budget) for side in (treatment, reference)]
    logs = [statistics.reach_log_ratio(old.epochs, new.epochs, budget) for new, old in zip(*epochs, strict=True)]
    result = statistics.group_sequential_t(
        logs[: looks[-1]],
        math.log(by),
        looks=looks,
        alpha_holds=policy.alpha_holds,
        alpha_violated=policy.alpha_violated,
    )
    shown = detectable(logs, policy.alpha_holds)
    judged = _finish(
        (treatment, reference),
        result.verdict,
        kind="REACH",
        sentence=f"{reference.name} takes at least {by:g} times as many epochs as {treatment.name} to reach a "
        f"{series.name} of {target:g}",
        treatment=treatment.name,
        reference=reference.name,
        unit="ratio",
        margin=by,
        effect=finite(math.exp(result.effect)),
        low=_exp(result.low),
        high=_exp(result.high),
        n=result.n,
        minimum_detectable_effect=None if shown is None else finite(math.exp(shown)),
        method=f"log ratio of epochs to the target, interpolated, misses censored at {budget} epochs; group-sequential "
        f"paired t over seeds, {_looked(looks)}",
        relation=">",
        looks=list(looks),
        metric=series.name,
        target=target,
    )
    told = judged.assertion.reason or _missed(epochs, (treatment.name, reference.name))
    return Judged(msgspec.structs.replace(judged.assertion, reason=told), judged.undecided)


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
    result = statistics.group_sequential_t(
        differences, by, looks=(len(differences),), alpha_holds=policy.alpha_holds, alpha_violated=policy.alpha_violated
    )
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


def _exp(value: float) -> float | None:
    return finite(math.exp(value)) if math.isfinite(value) else None
