"""Figures: all that is compared with stored runs, drawn from an arm's record by one function each.

A figure has values by round, by seed or by unit, a direction and a kind. Comparing loops over them, so that a further
one (memory, energy, a test's own metric) needs no rule of its own: it is stored as a `schema.Figure` of its arm.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dlcv04.harness.judging import metrics
from dlcv04.harness.judging.assertions.memory import PEAK_MEMORY
from dlcv04.harness.judging.assertions.seeds import ANSWERS
from dlcv04.harness.judging.differences import EXACT_FIGURES
from dlcv04.harness.judging.metrics import Metric, Series
from dlcv04.harness.store.schema import (
    ENERGY,
    LEARNING,
    NETWORK,
    SECONDS,
    Arm,
    Assertion,
    Claim,
    Direction,
    Kind,
    SeedCurve,
)
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")

#: What an arm computed, one value a unit.
VALUES = "values"
#: Learning curves that are compared with stored ones whatever a claim asserts of them.
ALWAYS = (
    metrics.MEAN_VAL_ACCURACY,
    metrics.MEAN_TRAIN_ACCURACY,
    metrics.FINAL_VAL_LOSS,
    metrics.FINAL_TRAIN_LOSS,
    metrics.LATE_LOSS_GAP,
)

Values = dict[int, float]


@dataclass(frozen=True)
class Figure:
    """What is compared of an arm, or of all arms of a claim (an effect).

    Attributes:
        name: as reports and stored rows call it.
        kind: "times" has a clock in it and belongs to a machine class, "learning" has chance in it, "exact" has none.
        unit: "points", "ratio", "loss", "epochs" ...
        direction: which way is better; "none" where any change is one.
        of: its values in a record of arms by name: by seed, round or unit; empty where that lacks it.
        arm: the arm it belongs to; empty for an effect.
        asserted: whether a claim asserts something of it. These share four fifths of the run's error rate.
        by_unit: its values are of the same units in every run, not of seeds or rounds.
    """

    name: str
    kind: Kind
    unit: str
    direction: Direction
    of: Callable[[Mapping[str, Arm]], Values]
    arm: str = ""
    asserted: bool = False
    by_unit: bool = False

    @property
    def share(self) -> str:
        """Which share of the run's error rate it has: "times", "learning", or "rest" where no claim asserts it.

        Exact figures need none.
        """
        return self.kind if self.asserted or self.kind == "exact" else "rest"

    def values(self, arms: Mapping[str, Arm]) -> list[float]:
        """Its values in a record of arms, NaN of a seed that failed; empty where that lacks one of its arms."""
        try:
            return list(self.of(arms).values())
        except KeyError:
            return []

    def middle(self, values: Sequence[float]) -> float:
        """One number for finite values: the median of rounds, the mean of seeds and units."""
        return statistics.median(values) if self.kind == "times" else statistics.fmean(values)


def of_claim(claim: Claim, arms: Sequence[Arm]) -> Iterator[Figure]:
    """Every figure of a claim's arms, and the effects that it asserts."""
    for arm in arms:
        yield from _of_arm(claim, arm)
    yield from _effects(claim, {arm.name: arm for arm in arms})


def _of_arm(claim: Claim, arm: Arm) -> Iterator[Figure]:
    about = [a for a in claim.assertions if arm.name in (a.treatment, a.reference)]
    if arm.parameters is not None:
        yield Figure(NETWORK, "exact", "parameters", "none", partial(_network, arm.name), arm.name, True, True)
    # Arms that no assertion names are figures beside the claim, timed too briefly to be gated.
    if arm.round_seconds and any(a.metric != PEAK_MEMORY for a in about):
        yield Figure(SECONDS, "times", "ratio", "lower", partial(_seconds, arm.name), arm.name, True)
    if arm.curves:
        yield from _learnt(arm, about)
    if arm.values:
        yield Figure(VALUES, "learning", "", "none", partial(_computed, arm.name), arm.name, bool(about), True)
    for own in (each for each in arm.figures if each.name != ENERGY):
        asserted = any(a.metric == own.name for a in about)
        unit = "ratio" if own.kind == "times" else own.unit  # of clocks and memory effects are ratios
        yield Figure(own.name, own.kind, unit, own.direction, partial(_own, arm.name, own.name), arm.name, asserted)


def _learnt(arm: Arm, about: Sequence[Assertion]) -> Iterator[Figure]:
    # Runs of schema 1 did not say which metric a claim was about; it was the mean validation accuracy.
    named = {a.metric or LEARNING for a in about}
    for metric in dict.fromkeys((*ALWAYS, *(m for m in metrics.METRICS if m.name in named))):
        direction: Direction = "higher" if metric.higher else "lower"
        of = partial(_by_seed, arm.name, metric.value)
        yield Figure(metric.name, "learning", metric.unit, direction, of, arm.name, metric.name in named)
    if any(curve.answers for curve in arm.curves):
        of = partial(_by_seed, arm.name, _share_right)
        yield Figure(ANSWERS, "learning", "points", "higher", of, arm.name, ANSWERS in named)
    for assertion in about:
        series = next((s for s in metrics.SERIES if s.name == assertion.metric), None)
        if assertion.kind == "REACH" and series is not None and assertion.target is not None:
            name = f"epochs to a {series.name} of {assertion.target:g}"
            of = partial(_by_seed, arm.name, partial(_epochs, series, assertion.target))
            yield Figure(name, "learning", "epochs", "lower", of, arm.name, True)


def _effects(claim: Claim, arms: Mapping[str, Arm]) -> Iterator[Figure]:
    """What a claim asserts between two arms: any change of it is one, since either arm may have moved."""
    for a in claim.assertions:
        if a.treatment not in arms or a.reference not in arms:
            continue
        if a.kind == "ORDER" and not a.metric:
            of = partial(_log_ratio, a.treatment, a.reference)
            yield Figure(f"effect: {a.sentence}", "times", "ratio", "none", of)
        metric = next((m for m in metrics.METRICS if m.name == (a.metric or LEARNING)), None)
        if a.kind in {"PAIRED", "EQUIVALENT"} and a.n_unit == "seeds" and metric is not None:
            of = partial(_differences, a.treatment, a.reference, metric)
            yield Figure(f"effect: {a.sentence}", "learning", metric.unit, "none", of)


# -- the values in a record -------------------------------------------------------------------------------------------


def _network(name: str, arms: Mapping[str, Arm]) -> Values:
    found = enumerate(getattr(arms[name], what) for what in EXACT_FIGURES)
    return {place: float(value) for place, value in found if value is not None}


def _seconds(name: str, arms: Mapping[str, Arm]) -> Values:
    return dict(enumerate(arms[name].epoch_seconds))


def _computed(name: str, arms: Mapping[str, Arm]) -> Values:
    return dict(enumerate(arms[name].values))


def _own(name: str, figure: str, arms: Mapping[str, Arm]) -> Values:
    found = next((own for own in arms[name].figures if own.name == figure), None)
    if found is None:
        return {}
    values = (math.nan if value is None else value for value in found.values)
    return dict(zip(found.index or range(len(found.values)), values, strict=False))


def _by_seed(name: str, of: Callable[[SeedCurve], float], arms: Mapping[str, Arm]) -> Values:
    """NaN where training diverged; seeds whose curve has no such figure (no loss was kept) are left out."""
    values = ((curve, of(curve)) for curve in arms[name].curves)
    return {curve.seed: value for curve, value in values if curve.status != "ok" or not math.isnan(value)}


def _differences(treatment: str, reference: str, metric: Metric, arms: Mapping[str, Arm]) -> Values:
    new, old = (_by_seed(name, metric.value, arms) for name in (treatment, reference))
    return {seed: new[seed] - old[seed] for seed in new if seed in old}


def _log_ratio(treatment: str, reference: str, arms: Mapping[str, Arm]) -> Values:
    """One figure a process: the median log ratio of the rounds that both arms were timed in."""
    sides = [
        dict(zip(arms[name].round_index, arms[name].epoch_seconds, strict=False)) for name in (treatment, reference)
    ]
    return {number: math.log(sides[0][number] / sides[1][number]) for number in sides[0] if number in sides[1]}


def _share_right(curve: SeedCurve) -> float:
    return curve.answers.count("1") / len(curve.answers) if curve.answers else math.nan


def _epochs(series: Series, target: float, curve: SeedCurve) -> float:
    """Epochs to the target; the epochs that were trained and one more where it was missed, so that a miss is worse."""
    if curve.status != "ok" or not curve.epochs:
        return math.nan
    found = stats.epochs_to_target(series.of_curve(curve), target, len(curve.epochs), higher_is_better=series.higher)
    return found.epochs + (1.0 if found.missed else 0.0)
