"""The history of each gated figure: its stored runs in order of time, this run last, and where the level changed.

Nothing here judges. A time is drawn as the gate reads it (`stored_times.Level.calibrated`), a learning curve as its
mean over epochs and seeds; only runs that the gate may compare are drawn: the same key and data, and for times the
same machine class.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dlcv04.harness.judging.metrics import MEAN_VAL_ACCURACY
from dlcv04.harness.judging.stored_times import level
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model import tone
from dlcv04.harness.report.model.arms import arm_key
from dlcv04.harness.report.model.badges import Badge
from dlcv04.harness.report.model.trends import Change, PastRun, Point, Trend, size_text
from dlcv04.harness.store.schema import LEARNING, SECONDS, Arm, Run
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")

#: Learning of one stored run alone is a comparison, not a history.
LEAST_STORED = {SECONDS: 1, LEARNING: 2}
#: Runs from which a history is asked for changes of level: of mere noise 1 history in 100 shows one, however long.
LEAST_FOR_CHANGES = 5


@dataclass(frozen=True)
class History:
    """Every trend of a run, those that regressed or changed their level first, and the stored runs they draw on.

    `later` counts stored runs that began after this one: they are no part of its history.
    """

    trends: tuple[Trend, ...] = ()
    runs: tuple[PastRun, ...] = ()
    later: int = 0

    @property
    def moved(self) -> int:
        """How many figures regressed or changed their level."""
        return sum(1 for trend in self.trends if trend.changes or (trend.badge and tone.is_red(trend.badge)))


def build(run: Run, baselines: Sequence[Run]) -> History:
    """The history of every gated figure of `run` among the stored runs `baselines`, in whatever order they come."""
    others = [b for b in baselines if b.id != run.id and b.key == run.key]
    earlier = sorted((b for b in others if moment(b) <= moment(run)), key=lambda b: (moment(b), b.id))
    shown = [past_run(b, label) for b, label in zip(earlier, labels(earlier), strict=True)]
    found = [*_times(run, earlier, shown), *_learning(run, earlier, shown)]
    used = {point.run.id for trend in found for point in trend.stored if point.run is not None}
    runs = tuple({past.id: past for past in shown if past.id in used}.values())
    return History(tuple(sorted(found, key=_order)), runs, len({b.id for b in others}) - len({b.id for b in earlier}))


def _order(trend: Trend) -> tuple[bool, bool]:
    return not (trend.badge and tone.is_regression(trend.badge.word)), not trend.changes


# --- which runs and arms ---


def moment(run: Run) -> datetime:
    """When a run began; one that doesn't say is taken as the oldest."""
    try:
        when = datetime.fromisoformat(run.started)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def day(run: Run) -> str:
    """The day on which a run began, its id where that is not known."""
    return run.started[:10] if moment(run).year > 1 else run.id


def labels(runs: Sequence[Run]) -> list[str]:
    """The day of each run; with the minute where several of one day would read the same."""
    days = [day(run) for run in runs]
    if len(set(days)) == len({run.id for run in runs}):
        return days
    minutes = [run.started[:16].replace("T", " ") for run in runs]
    return [day if day == run.id else minute for run, day, minute in zip(runs, days, minutes, strict=True)]


def past_run(run: Run, when: str) -> PastRun:
    """A stored run as the list below the histories has it; `when` is its label."""
    acceptance = run.acceptance
    return PastRun(
        id=run.id,
        when=when,
        commit=run.commit.id[:10] + (" (uncommitted changes)" if run.commit.id and run.commit.dirty else ""),
        accepted=acceptance is not None,
        pins=acceptance is not None and acceptance.pins,
        forced=acceptance is not None and acceptance.forced,
        reason=acceptance.reason if acceptance is not None else "",
    )


_StoredArms = Mapping[tuple[str, str, str], list[tuple[PastRun, Arm]]]


def _arms(runs: Sequence[Run], shown: Sequence[PastRun], has: Callable[[Arm], object]) -> _StoredArms:
    """The stored arms that have a figure, by what makes them comparable; a run that was given twice counts once."""
    found: dict[tuple[str, str, str], dict[str, tuple[PastRun, Arm]]] = {}
    for run, label in zip(runs, shown, strict=True):
        for arm in filter(has, run.arms):
            found.setdefault(arm_key(arm), {})[run.id] = (label, arm)
    return {key: list(by_run.values()) for key, by_run in found.items()}


def _gated(run: Run) -> Iterable[Arm]:
    """Arms that an assertion names: the others are figures beside a claim, too few rounds to be gated."""
    named = {
        (claim.test, name)
        for claim in run.claims
        if not claim.is_control
        for assertion in claim.assertions
        for name in (assertion.treatment, assertion.reference)
    }
    return (arm for arm in run.arms if (arm.test, arm.name) in named)


def _badges(run: Run, metric: str) -> dict[tuple[str, str], Badge]:
    return {(row.test, row.arm): tone.row_badge(row, run) for row in run.comparisons if row.metric == metric}


# --- times and learning ---


def _times(run: Run, runs: Sequence[Run], shown: Sequence[PastRun]) -> Iterable[Trend]:
    pairs = [(b, s) for b, s in zip(runs, shown, strict=True) if _same_machine(b, run)]
    found = _arms([b for b, _ in pairs], [s for _, s in pairs], _was_timed)
    badges = _badges(run, SECONDS)
    for arm in _gated(run):
        stored = found.get(arm_key(arm), [])
        if _was_timed(arm) and len(stored) >= LEAST_STORED[SECONDS]:
            yield _times_of(arm, stored, day(run), badges.get((arm.test, arm.name)))


def _was_timed(arm: Arm) -> bool:
    """Whether every round and calibrator round is a duration: the logarithm of anything else is no figure."""
    seconds = [*arm.epoch_seconds, *arm.calibrator_seconds]
    return bool(arm.epoch_seconds) and all(math.isfinite(value) and value > 0 for value in seconds)


def _same_machine(stored: Run, run: Run) -> bool:
    return stored.environment.machine_class == run.environment.machine_class


def _times_of(arm: Arm, stored: Sequence[tuple[PastRun, Arm]], today: str, badge: Badge | None) -> Trend:
    # Where one process had no calibrator, a figure over it would be on another scale than the rest.
    calibrated = all(process.calibrator_seconds for process in (arm, *(old for _, old in stored)))
    values = [found.calibrated if calibrated else found.seconds for found in map(level, [a for _, a in stored] + [arm])]
    return _trend(
        arm, SECONDS, stored, values, today, badge, calibrated, fmt.seconds(statistics.median(arm.epoch_seconds))
    )


def _learning(run: Run, runs: Sequence[Run], shown: Sequence[PastRun]) -> Iterable[Trend]:
    found = _arms(runs, shown, lambda arm: arm.curves and math.isfinite(_accuracy(arm)))
    badges = _badges(run, LEARNING)
    for arm in _gated(run):
        stored = found.get(arm_key(arm), [])
        if len(stored) >= LEAST_STORED[LEARNING] and arm.curves and math.isfinite(now := _accuracy(arm)):
            values = [*(_accuracy(old) for _, old in stored), now]
            badge = badges.get((arm.test, arm.name))
            yield _trend(arm, LEARNING, stored, values, day(run), badge, False, fmt.fraction(now))


def _accuracy(arm: Arm) -> float:
    """The mean over the seeds that have the figure, NaN where none has."""
    values = [value for curve in arm.curves if math.isfinite(value := MEAN_VAL_ACCURACY.value(curve))]
    return statistics.fmean(values) if values else math.nan


def _trend(
    arm: Arm,
    metric: str,
    stored: Sequence[tuple[PastRun, Arm]],
    values: Sequence[float],
    today: str,
    badge: Badge | None,
    calibrated: bool,
    now: str,
) -> Trend:
    labels = [label for label, _ in stored]
    points = [Point(value, label.when, label) for value, label in zip(values, labels, strict=False)]
    points.append(Point(values[-1], today))
    pins = [index for index, label in enumerate(labels) if label.pins]
    middle = statistics.median(values[pins[-1] if pins else 0 : -1])
    unit = "points" if metric == LEARNING else "ratio"
    changes = level_changes(points, unit, higher=metric == LEARNING)
    return Trend(arm.test, arm.name, metric, tuple(points), changes, middle, calibrated, now, badge, unit)


def level_changes(points: Sequence[Point], unit: str, *, higher: bool) -> tuple[Change, ...]:
    """Where the level of a whole history changed, said in words; none asked of fewer than `LEAST_FOR_CHANGES` runs."""
    if len(points) < LEAST_FOR_CHANGES:
        return ()
    found = []
    for step in stats.detect_steps([point.value for point in points]):
        size = step.after - step.before
        text = f"{size_text(size, unit)} since the run of {points[step.index].when}"
        found.append(Change(step.index, size, size < 0 if higher else size > 0, text))
    return tuple(found)
