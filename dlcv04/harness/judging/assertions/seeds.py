"""PAIRED, EQUIVALENT, LEVEL and REACH: learning over seeds, judged by counting them (`stats.seeds`)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, stdev
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dlcv04.harness.judging.assertions import common
from dlcv04.harness.judging.assertions.common import UNDECIDED, ArmSeeds, Judged
from dlcv04.harness.judging.metrics import Metric, Series
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Assertion, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


#: What `right_more_often` judges, as stored runs name it.
ANSWERS: Final = "share of validation pictures classed rightly"

_COUNTED = (
    "seeds counted: HOLDS when all of the first 5 or 10 of 12 beat the margin{half}, VIOLATED when all of the first "
    "8 or 11 of 12 fall short of it{half}"
)
_ONE_FIGURE = "one deterministic figure: HOLDS when it beats the margin{half}, VIOLATED when it falls short of it{half}"

Value = TypeVar("Value")


@dataclass(frozen=True)
class Counting:
    """How seeds are counted: error rates, the cap, how many may fail, and whether a control is judged."""

    policy: Policy = field(default_factory=Policy)
    cap: int = 12
    allowed: int = 0
    control: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """What the rules of `stats.seeds` take of it."""
        return {"cap": self.cap, "allowed": self.allowed, "control": self.control}


@dataclass(frozen=True)
class Seen:
    """The figure of each seed, arm by arm: NaN where training diverged, one value where the arm is deterministic.

    Attributes:
        values: by arm, in order of seed.
        higher: which way is better.
        step: the smallest difference that the figure can show, 0 where it is continuous.
    """

    values: Sequence[list[float]]
    higher: bool = True
    step: float = 0.0

    def effects(self, *, sign: float = 1.0, alike: bool = False) -> stats.Effects:
        """Treatment less reference by seed (or the treatment alone), times `sign`: positive as the claim has it."""
        n = max(map(len, self.values))
        treatment, reference = [_for_all(values, n) for values in (*self.values, [0.0])][:2]
        return stats.paired_effects(
            treatment, reference, step=self.step, higher_is_better=self.higher, sign=sign, alike=alike
        )


def paired(sides: Sequence[ArmSeeds], metric: Metric, by: float, counting: Counting) -> Judged:
    """PAIRED: the metric of the first arm exceeds that of the second by `by` or more, for the typical seed."""
    seen = _seen(sides, metric)
    effects = seen.effects()
    return _over_seeds(
        sides,
        seen,
        effects,
        _counted(sides, effects, by, seen.step, counting),
        counting,
        metric=metric.name,
        kind="PAIRED",
        sentence=f"{metric.name} of {sides[0].name} {metric.beats} that of {sides[1].name} by {by:g} or more",
        unit=metric.unit,
        margin=by,
        method=_method(sides, seen.step),
        relation=">",
    )


def not_better(sides: Sequence[ArmSeeds], metric: Metric, by: float, counting: Counting) -> Judged:
    """PAIRED, the other way: the first arm does not exceed the second by `by`; the claim is about an upper bound."""
    seen = _seen(sides, metric)
    effects = seen.effects(sign=-1.0)
    mirrored = _counted(sides, effects, -by, seen.step, counting)
    return _over_seeds(
        sides,
        seen,
        effects,
        dataclasses.replace(mirrored, effect=-mirrored.effect, low=-mirrored.high, high=-mirrored.low),
        counting,
        metric=metric.name,
        kind="PAIRED",
        sentence=f"{metric.name} of {sides[0].name} {metric.beats} that of {sides[1].name} by less than {by:g}",
        unit=metric.unit,
        margin=by,
        method=_method(sides, seen.step),
        relation="<",
    )


def equivalent(sides: Sequence[ArmSeeds], metric: Metric, within: float, counting: Counting) -> Judged:
    """EQUIVALENT: both arms differ by less than `within`, for the typical seed; the count on each side."""
    seen = _seen(sides, metric)
    effects = seen.effects(alike=True)
    if _is_one_figure(sides):
        views = effects, stats.mirrored(effects)
        low, high = (stats.count_exactly(view, -within, step=seen.step) for view in views)
        worse = low if low.verdict != "HOLDS" else high
        result = dataclasses.replace(worse, effect=effects.low[0], low=effects.low[0], high=effects.low[0])
    else:
        result = stats.equivalence_test(effects, within, step=seen.step, **counting.options)
    return _over_seeds(
        sides,
        seen,
        effects,
        result,
        counting,
        metric=metric.name,
        kind="EQUIVALENT",
        sentence=f"{metric.name} of {sides[0].name} and of {sides[1].name} differ by less than {within:g}",
        unit=metric.unit,
        margin=within,
        method=f"{_method(sides, seen.step)}; on each side",
    )


def level(sides: Sequence[ArmSeeds], metric: Metric, least: float, counting: Counting) -> Judged:
    """LEVEL: the metric is at least `least`, for new seeds and, where it is a proportion, for new pictures."""
    (arm,) = sides
    images = arm.images if metric.proportion else 0
    seen = _seen(sides, metric)
    # A level is about the figure itself, whichever way is better.
    effects = seen.effects(sign=1.0 if metric.higher else -1.0)

    def pictures(seeds: int) -> tuple[float, float]:
        share = median(value for value in seen.values[0][:seeds] if math.isfinite(value))
        return stats.share_bounds(share, images, counting.policy.alpha_holds, counting.policy.alpha_violated)

    by_pictures = f"; and the same by Clopper-Pearson bounds over {images:,} pictures" if images else ""
    return _over_seeds(
        sides,
        seen,
        effects,
        _counted(sides, effects, least, seen.step, counting, also=pictures if images else None),
        counting,
        metric=metric.name,
        kind="LEVEL",
        sentence=f"{metric.name} of {arm.name} is at least {least:g}",
        unit=metric.unit,
        margin=least,
        method=_method(sides, seen.step) + by_pictures,
        relation=">",
    )


def right_more_often(sides: Sequence[ArmSeeds], by: float, counting: Counting) -> Judged:
    """PAIRED by seed and by picture: the first arm classes a share of `by` more of the validation pictures rightly.

    Both errors count: other seeds, and other pictures. Pictures of one class are alike, so classes are what is drawn.
    """
    pictures = max((len(curve.answers) for side in sides for curve in side.curves), default=0)
    rows = [list(side.answers(pictures)) for side in sides]
    seen = Seen([[float(row.mean()) for row in found] for found in rows], step=1 / max(1, pictures))
    effects = seen.effects()
    n = max(map(len, rows))
    differences = [new - old for new, old in zip(*(_for_all(found, n) for found in rows), strict=True)]
    classes: Sequence[Any] = sides[0].classes or range(pictures)

    def by_class(seeds: int) -> tuple[float, float]:
        known = [row for row in differences[:seeds] if math.isfinite(float(row.mean()))]
        mean = sum(known) / len(known)
        # Halved: each verdict may fall at two numbers of seeds, with the same pictures.
        rates = counting.policy.alpha_holds / 2, counting.policy.alpha_violated / 2
        return stats.clustered_interval(mean, classes, *rates)

    clusters = f"{len(set(classes))} classes of " if sides[0].classes else ""
    return _over_seeds(
        sides,
        seen,
        effects,
        _counted(sides, effects, by, seen.step, counting, also=by_class),
        counting,
        kind="PAIRED",
        sentence=f"{ANSWERS} of {sides[0].name} exceeds that of {sides[1].name} by {by:g} or more",
        unit="points",
        margin=by,
        method=f"{_method(sides, seen.step)}; and the same by t over {clusters}{pictures} pictures that all arms share",
        relation=">",
        metric=ANSWERS,
    )


def reach(sides: Sequence[ArmSeeds], series: Series, target: float, by: float, counting: Counting) -> Judged:
    """REACH: the second arm takes at least `by` times as many epochs as the first to reach `target`.

    A seed beats the margin where the ratio surely exceeds it: a reference that has not arrived after B epochs shows a
    ratio above B / T_treatment. It falls short where the reference arrived and the ratio is below, or the treatment
    did not arrive. All else is unknown and counts for neither.
    """
    names = sides[0].name, sides[1].name
    budget = max((len(curve.epochs) for side in sides for curve in side.curves), default=1) or 1
    lost = Seen([[0.0 if curve.status == "ok" else math.nan for curve in side.curves] for side in sides])
    n = max(len(side.curves) for side in sides)
    new, old = (_for_all([_epochs(curve, series, target, budget) for curve in side.curves], n) for side in sides)
    effects = stats.by_seed(
        _reached(math.isnan(treatment), math.isnan(reference), stats.reach_ratio(late, early))
        for treatment, reference, early, late in zip(
            *(_for_all(values, n) for values in lost.values), new, old, strict=True
        )
    )
    return _over_seeds(
        sides,
        lost,
        effects,
        _counted(sides, effects, by, 0.0, counting),
        counting,
        kind="REACH",
        sentence=f"{names[1]} takes at least {by:g} times as many epochs as {names[0]} to reach a {series.name} of "
        f"{target:g}",
        unit="ratio",
        margin=by,
        method=f"{_method(sides, 0.0)}; epochs to the target, interpolated, censored at {budget} epochs",
        reason=_missed(new, old, names, by, budget),
        relation=">",
        metric=series.name,
        target=target,
    )


# -- what is known of each seed --------------------------------------------------------------------------------------


def _seen(sides: Sequence[ArmSeeds], metric: Metric) -> Seen:
    """The metric of each seed; it moves in steps of one picture of the smallest split that it may be a share of."""
    pictures = [count for side in sides for count in (side.images, side.train_images) if count]
    step = 1 / min(pictures) if metric.unit == "points" and pictures else 0.0
    return Seen([side.values(metric) for side in sides], metric.higher, step)


def _reached(lost: bool, no_reference: bool, ratio: tuple[float, float]) -> tuple[float, float, bool]:
    if lost:
        return stats.FAILED_SEED
    return stats.UNKNOWN_SEED if no_reference else (*ratio, False)


def _epochs(curve: Any, series: Series, target: float, budget: float) -> stats.EpochsToTarget:
    return stats.epochs_to_target(series.of_curve(curve), target, budget, higher_is_better=series.higher)


def _is_one_figure(sides: Sequence[ArmSeeds]) -> bool:
    """Whether no seed changes anything: what is judged is one figure, without any chance."""
    return all(side.deterministic and side.curves for side in sides)


def _counted(
    sides: Sequence[ArmSeeds],
    effects: stats.Effects,
    margin: float,
    step: float,
    counting: Counting,
    also: Callable[[int], tuple[float, float]] | None = None,
) -> stats.SequentialResult:
    if _is_one_figure(sides):
        return stats.count_exactly(effects, margin, step=step, also=also)
    return stats.count_test(effects, margin, step=step, also=also, **counting.options)


def _for_all(values: list[Value], n: int) -> list[Value]:
    """The one figure of a deterministic arm for every seed of the other."""
    return values * n if len(values) == 1 else values


# -- the assertion ---------------------------------------------------------------------------------------------------


def _over_seeds(
    sides: Sequence[ArmSeeds],
    seen: Seen,
    effects: stats.Effects,
    result: stats.SequentialResult,
    counting: Counting,
    *,
    kind: Any,
    unit: str,
    reason: str = "",
    **figures: Any,
) -> Judged:
    """The assertion, with what failed in words.

    Raises:
        EqualSeedsError: an arm's seeds gave the same curve.
    """
    for side in sides:
        common.refuse_equal_seeds(side)
    verdict = common.final(result.verdict)
    if verdict == "HOLDS":
        reason = ""
    made = Assertion(
        kind=kind,
        treatment=sides[0].name,
        reference=sides[1].name if len(sides) > 1 else "",
        unit=unit,
        effect=finite(result.effect),
        low=finite(result.low),
        high=finite(result.high),
        n=result.n,
        n_unit="seeds",
        verdict=verdict,
        reason="; ".join(filter(None, (_failures(sides, seen, effects, counting), reason))),
        minimum_detectable_effect=_detectable(effects, unit, counting),
        failed=sum(effects.failed),
        failures_allowed=counting.allowed,
        **figures,
    )
    return Judged(made, result.verdict == UNDECIDED)


def _method(sides: Sequence[ArmSeeds], step: float) -> str:
    method = _ONE_FIGURE if _is_one_figure(sides) else _COUNTED
    return method.format(half=f" by more than half a step of {step:.2g}" if step else "")


def _failures(sides: Sequence[ArmSeeds], seen: Seen, effects: stats.Effects, counting: Counting) -> str:
    """Which seeds failed, and what follows; empty where none did."""
    found = []
    for side, values in zip(sides, seen.values, strict=True):
        lost = stats.failed_seeds(values, higher_is_better=seen.higher, step=seen.step)
        names = [
            curve.reason or f"seed {curve.seed}: {value:.4g}, far from the other seeds"
            for curve, value, failed in zip(side.curves, values, lost, strict=True)
            if failed
        ]
        if names:
            found.append(f"{len(names)} of {len(side.curves)} seeds of {side.name} failed ({'; '.join(names)})")
    failed = sum(effects.failed)
    if failed > counting.allowed:
        found.append(f"a claim with failed seeds holds only where it says failures={failed}")
    return "; ".join(found)


def _detectable(effects: stats.Effects, unit: str, counting: Counting) -> float | None:
    """How far beyond the margin the typical seed must lie for HOLDS in four of five runs; None if unknown."""
    ratio = unit == "ratio"
    known = [value for value in effects.known if math.isfinite(value) and (value > 0 or not ratio)]
    shift = stats.detectable_shift(counting.cap)
    if len(known) < 2 or not math.isfinite(shift):
        return None
    if ratio:
        return finite(math.exp(shift * stdev([math.log(value) for value in known])))
    return finite(shift * stdev(known))


def _missed(
    new: Sequence[stats.EpochsToTarget],
    old: Sequence[stats.EpochsToTarget],
    names: tuple[str, str],
    by: float,
    budget: int,
) -> str:
    """How often each arm missed its target, and the budget that would decide; empty where both always arrived."""
    pairs = list(zip(new, old, strict=True))
    counts = [sum(epochs.missed for epochs in found) for found in (new, old)]
    found = []
    if any(counts):
        parts = (f"{name} in {count} of {len(pairs)} seeds" for name, count in zip(names, counts, strict=True) if count)
        found.append(f"the target was missed by {', '.join(parts)}")
    needed = [by * early.high for early, late in pairs if late.missed and not early.missed and by * early.high > budget]
    if needed:
        found.append(f"{math.ceil(max(needed))} epochs instead of {budget} would decide them")
    if any(early.missed and late.missed for early, late in pairs):
        found.append(
            "where neither reached the target, nothing is known: train longer, or choose a target that is reached"
        )
    if any(early.low == 0 for early in new):
        found.append(
            f"{names[0]} reached the target within its first epoch, so the ratio has no upper bound: choose a later "
            "target"
        )
    return "; ".join(found)
