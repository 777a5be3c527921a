"""Every figure of a run as one number with its interval: what programs that follow figures over commits read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlcv04.harness.judging import figures, metrics
from dlcv04.harness.judging.differences import EXACT_FIGURES
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.store.frames import EXACT_UNITS
from dlcv04.harness.store.schema import SECONDS, Arm, Claim, Direction, Run
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")

#: Chance that an interval misses the mean on either side.
_ALPHA = 0.025
#: Beyond it a number has no exponential.
_MOST_LOG = 700.0
#: What `unit="points"` means here: a share of one.
FRACTION = "fraction"


@dataclass(frozen=True)
class Measure:
    """One figure of one arm.

    Attributes:
        test: node id.
        arm: its name.
        name: of the figure, as in a comparison's row.
        unit: of `value`, `low` and `high`: "s", "bytes", "fraction", "parameters" ...; "" where it has none.
        direction: which way is better.
        value: the mean; of times that of their logarithms without outliers, as comparisons have it. None where every
            seed failed.
        low: the 95 % interval of the mean, None where one value gives none.
        high: its upper end.
        of: what was averaged: "12 seeds, 1 of them failed", "9 rounds of one process"; "" of a count.
    """

    test: str
    arm: str
    name: str
    unit: str
    direction: Direction
    value: float | None
    low: float | None = None
    high: float | None = None
    of: str = ""


def of_run(run: Run) -> Iterator[Measure]:
    """Every figure of every arm, controls left out: an arm's counts, its times, what it learnt, its own figures."""
    claims = {claim.test: claim for claim in run.claims}
    for arm in run.arms:
        claim = claims.get(arm.test) or Claim(test=arm.test, sentence="")
        if not claim.is_control:
            # A training's own figure is stored once more where a claim is about it, which knows its direction.
            found: dict[str, Measure] = {}
            for measure in _of_arm(claim, arm):
                found.setdefault(measure.name, measure)
            yield from found.values()


def _of_arm(claim: Claim, arm: Arm) -> Iterator[Measure]:
    for name in EXACT_FIGURES:
        if (count := getattr(arm, name)) is not None:
            yield Measure(arm.test, arm.name, fmt.count_name(name), EXACT_UNITS[name], "lower", float(count))
    if arm.round_seconds:
        seconds = arm.epoch_seconds if arm.images_per_epoch and arm.images_per_round else arm.round_seconds
        yield _time(arm, SECONDS if seconds is not arm.round_seconds else "seconds a round", seconds)
    if arm.compile_seconds is not None:
        yield Measure(arm.test, arm.name, "seconds to compile", "s", "lower", arm.compile_seconds, of="1 process")
    for own in arm.figures:
        known = [None if value is None or not math.isfinite(value) else value for value in own.values]
        what = "process" if own.kind == "times" else "seed" if own.kind == "learning" else "unit"
        yield _mean(arm, own.name, own.unit, own.direction, known, what)
    if arm.values:
        yield _mean(arm, "mean of values", "", "none", list(arm.values), "unit")
    yield from _learnt(arm)
    for figure in figures.of_claim(claim, [arm]):
        if figure.unit == "epochs":
            values = list(figure.of({arm.name: arm}).values())
            yield _mean(arm, figure.name, "epochs", "lower", values, "seed")


def _learnt(arm: Arm) -> Iterator[Measure]:
    """The figures of its curves: the ready-made ones that any seed has, and after the last epoch a training's own."""
    own = dict.fromkeys(name for curve in arm.curves for epoch in curve.epochs for name in epoch.metrics)
    all_failed = bool(arm.curves) and all(curve.status != "ok" for curve in arm.curves)
    for metric in (*metrics.METRICS, *(_own_metric(name) for name in own)):
        values = [metric.value(curve) for curve in arm.curves]
        if not all(map(math.isnan, values)) or (all_failed and metric is metrics.FINAL_VAL_ACCURACY):
            direction: Direction = "higher" if metric.higher else "lower"
            yield _mean(arm, metric.name, metric.unit, direction, values, "seed")


def _own_metric(name: str) -> metrics.Metric:
    try:
        return metrics.series_of(name).last()
    except ValueError:  # its name does not say which way is better: as a loss, which is what a training has else
        return metrics.series_of(name, higher=False).last()


def _time(arm: Arm, name: str, seconds: Sequence[float]) -> Measure:
    of = f"{fmt.plural(len(seconds), 'round')} of one process"
    made = Measure(arm.test, arm.name, name, "s", "lower", None, of=of)
    if min(seconds) <= 0:
        return replace(made, of=f"{of}, one of no duration")
    found = stats.trimmed_mean([math.log(each) for each in seconds])
    half = stats.upper_t(_ALPHA, found.df) * found.se if found.df > 0 else math.inf
    low, high = (_exponential(found.mean + side) for side in (-half, half))
    return _with_interval(replace(made, value=_exponential(found.mean)), low, high)


def _exponential(log: float) -> float:
    return math.exp(log) if log < _MOST_LOG else math.inf


def _mean(arm: Arm, name: str, unit: str, direction: Direction, values: Sequence[float | None], what: str) -> Measure:
    """The mean of what there is of `values`, with Student's interval where there are two; a share stays within [0, 1].

    Units (filters, pictures) are no sample of anything: their mean has no interval.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    of = (
        fmt.plural(len(values), what, "processes" if what == "process" else "")
        if what != "unit" or len(values) > 1
        else ""
    )
    if len(known) < len(values):
        of += f", {len(values) - len(known)} of them failed"
    made = Measure(arm.test, arm.name, name, FRACTION if unit == "points" else unit, direction, None, of=of)
    mean = sum(value / len(known) for value in known) if known else math.inf
    if not math.isfinite(mean):
        return made
    if len(known) < 2 or what == "unit":
        return replace(made, value=mean)
    error = math.hypot(*(value - mean for value in known)) / math.sqrt(len(known) * (len(known) - 1))
    half = stats.upper_t(_ALPHA, len(known) - 1) * error
    low, high = mean - half, mean + half
    if unit == "points" and all(0 <= value <= 1 for value in known):
        low, high = max(0.0, low), min(1.0, high)
    return _with_interval(replace(made, value=mean), low, high)


def _with_interval(made: Measure, low: float, high: float) -> Measure:
    """With both ends, or neither where numbers that differ by hundreds of orders of magnitude leave none."""
    return replace(made, low=low, high=high) if math.isfinite(low) and math.isfinite(high) else made
