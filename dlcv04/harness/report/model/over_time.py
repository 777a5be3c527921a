"""Trends: every figure of many saved runs, accepted or not, in order of time, and where its level changed.

Nothing here judges. Runs of other machine classes, backends, sizes or kinds of data stand apart, since their figures
lie on other levels.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from dlcv04.harness.judging import figures
from dlcv04.harness.judging.differences import EXACT_FIGURES, environment_changes
from dlcv04.harness.judging.stored_times import level
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model import history
from dlcv04.harness.report.model.claims import real_claims
from dlcv04.harness.report.model.trends import Change, PastRun, Point, Trend, size_text
from dlcv04.harness.store.schema import NETWORK, SECONDS, Arm, Claim, Run

#: A figure of one run alone has no course.
LEAST_RUNS = 2


@dataclass(frozen=True)
class Setting:
    """What must be the same for figures to lie on one level."""

    machine: str
    backend: str
    profile: str
    data: str


@dataclass(frozen=True)
class Group:
    """The trends of one setting: those whose level changed, and the others in the suite's order.

    Changes for the worse come first, and among them the largest in proportion to the figure.
    `steady` counts the networks whose parameters, MACs and bytes never changed.
    """

    setting: Setting
    runs: tuple[PastRun, ...]
    changed: tuple[Trend, ...]
    level: tuple[Trend, ...]
    steady: int


@dataclass(frozen=True)
class OverTime:
    """Trends by setting, that of the newest run first, and every run, newest first."""

    groups: tuple[Group, ...]
    runs: tuple[PastRun, ...]

    @property
    def sentence(self) -> str:
        """What there is to see, in one sentence."""
        found = [trend for group in self.groups for trend in (*group.changed, *group.level)]
        if not found:
            return f"{fmt.plural(len(self.runs), 'run')}, and no figure that at least {LEAST_RUNS} of them share."
        changed = [trend for group in self.groups for trend in group.changed]
        worse = sum(any(change.worse for change in trend.changes) for trend in changed)
        text = f"{len(changed)} of {fmt.plural(len(found), 'figure')} changed level over "
        text += fmt.plural(len(self.runs), "run")
        text += f", {'all' if worse == len(changed) > 1 else worse} for the worse" if worse else ""
        places = Counter(place for trend in changed for place in {c.place for c in trend.changes if c.place})
        if not places:
            return f"{text}."
        place, count = places.most_common(1)[0]
        return f"{text}; {'all' if count == len(changed) else count} {place}."


def build(runs: Sequence[Run]) -> OverTime:
    """The trends of runs in whatever order they come; parts of one run count as one."""
    ordered = sorted(runs, key=lambda run: (history.moment(run), run.id))
    shown = [history.past_run(run, label) for run, label in zip(ordered, history.labels(ordered), strict=True)]
    found: dict[Setting, dict[_Name, _Course]] = {}
    claims = {claim.test: claim for run in ordered for claim in real_claims(run)}
    for run, past in zip(ordered, shown, strict=True):
        for setting, name, reading in _readings(run, claims):
            courses = found.setdefault(setting, {})
            course = courses.get(name)
            if course is None:
                course = courses[name] = _Course(name, reading.figure, [])
            # A run that was stored in two parts has each figure in one of them.
            if not course.seen or course.seen[-1][0].id != past.id:
                course.seen.append((past, run, reading))
    groups = [_group(setting, courses, shown) for setting, courses in found.items()]
    groups = [group for group in groups if group.changed or group.level]
    newest_first = tuple({past.id: past for past in reversed(shown)}.values())
    order = {past.id: place for place, past in enumerate(newest_first)}
    return OverTime(tuple(sorted(groups, key=lambda group: (order[group.runs[-1].id], -len(group.runs)))), newest_first)


# --- what a run says ---

_Name = tuple[str, str, str, str]


class _Reading(NamedTuple):
    """A figure of one run: on the scale of a trend, the same with the calibrator's part left in, and its plain number.

    Of a network, whose `unit` is "exact", they are its parameters, and `counts` has all of `EXACT_FIGURES`.
    """

    figure: figures.Figure
    value: float
    bare: float
    number: float
    unit: str
    counts: tuple[int | None, ...] = ()


@dataclass
class _Course:
    name: _Name
    figure: figures.Figure
    seen: list[tuple[PastRun, Run, _Reading]]


def _readings(run: Run, claims: Mapping[str, Claim]) -> Iterable[tuple[Setting, _Name, _Reading]]:
    """Every figure of a run; a baseline of times may have lost its claims, so those of other runs say what it has."""
    kinds = {record.fingerprint: record.kind for record in run.data}
    settings = {kind: _setting(run, kind) for kind in ("", *kinds.values())}
    by_test: dict[str, dict[str, Arm]] = {}
    for arm in run.arms:
        by_test.setdefault(arm.test, {})[arm.name] = arm
    for test, arms in by_test.items():
        claim = claims.get(test)
        if claim is None:  # of a control
            continue
        keys = {name: repr(sorted(arm.key.items())) for name, arm in arms.items()}
        first = next(iter(arms))
        for figure in figures.of_claim(claim, list(arms.values())):
            name = figure.arm or first
            setting = settings[kinds.get(arms[name].key.get("data", ""), "")]
            for what, reading in _of_figure(figure, arms):
                yield setting, (test, figure.arm, what, keys[name]), reading


def _setting(run: Run, kind: str) -> Setting:
    key = dict(run.key)
    profile, backend = key.pop("profile", run.profile), key.pop("backend", "unknown")
    others = "".join(f", {name.replace('_', ' ')} {value}" for name, value in sorted(key.items()))
    data = f"{kind} data" if kind else "no data set"
    return Setting(run.environment.machine_class, backend + others, profile, data)


def _of_figure(figure: figures.Figure, arms: Mapping[str, Arm]) -> Iterable[tuple[str, _Reading]]:
    if figure.name == NETWORK:
        arm = arms[figure.arm]
        parameters = arm.parameters or 0
        counts = tuple(getattr(arm, what) for what in EXACT_FIGURES)
        yield NETWORK, _Reading(figure, parameters, parameters, parameters, "exact", counts)
    elif figure.name == SECONDS:
        yield from _seconds(figure, arms[figure.arm])
    else:
        values = [value for value in figure.values(arms) if math.isfinite(value)]
        if values:
            yield figure.name, _other(figure, values)


def _seconds(figure: figures.Figure, arm: Arm) -> Iterable[tuple[str, _Reading]]:
    """A process's time as the gate reads it; none where a round is no duration."""
    seconds = arm.epoch_seconds
    if seconds and all(0 < value < math.inf for value in (*seconds, *arm.calibrator_seconds)):
        found = level(arm)
        calibrated = found.calibrated if arm.calibrator_seconds else math.nan
        yield SECONDS, _Reading(figure, calibrated, found.seconds, statistics.median(seconds), "ratio")


def _other(figure: figures.Figure, values: Sequence[float]) -> _Reading:
    middle = figure.middle(values)
    if figure.kind == "times" and not figure.arm:  # an effect of times, whose values are logarithms already
        return _Reading(figure, middle, middle, math.exp(middle), "ratio")
    if figure.kind == "times" and middle > 0:
        return _Reading(figure, math.log(middle), math.log(middle), middle, "ratio")
    return _Reading(figure, middle, middle, middle, figure.unit if figure.unit != "ratio" else "")


def _shown(name: str, reading: _Reading) -> str:
    """A figure as people read it."""
    if reading.unit == "exact":
        return fmt.count(name, reading.number)
    if name.startswith("effect: "):
        return fmt.in_unit(reading.number, reading.figure.unit)
    return fmt.metric_value(name, reading.figure.unit, reading.number)


# --- a course of readings ---


def _group(setting: Setting, courses: Mapping[_Name, _Course], shown: Sequence[PastRun]) -> Group:
    trends, steady = [], 0
    for course in courses.values():
        if len(course.seen) < LEAST_RUNS:
            continue
        if course.figure.name != NETWORK:
            trends.append(_trend(course))
        elif len({reading.counts for _, _, reading in course.seen}) == 1:
            steady += 1
        else:
            trends += [_trend(counted) for counted in _counted(course)]
    used = {past.id for course in courses.values() for past, _, _ in course.seen}
    changed = [trend for trend in trends if trend.changes]
    return Group(
        setting,
        tuple({past.id: past for past in shown if past.id in used}.values()),
        tuple(sorted(changed, key=_prominence)),
        tuple(trend for trend in trends if not trend.changes),
        steady,
    )


def _prominence(trend: Trend) -> tuple[int, float]:
    """A place in the order of changed figures: worse before better before neutral, large before small."""
    kind = min(0 if change.worse else 2 if change.neutral else 1 for change in trend.changes)
    scale = 1.0 if trend.unit == "ratio" else abs(trend.points[0].value) or 1.0
    return kind, -max(abs(change.size) for change in trend.changes) / scale


def _counted(course: _Course) -> Iterable[_Course]:
    """A course for each count of a network that changed."""
    test, arm, _, key = course.name
    for place, what in enumerate(EXACT_FIGURES):
        seen = [
            (past, run, reading._replace(value=count, bare=count, number=count))
            for past, run, reading in course.seen
            if (count := reading.counts[place]) is not None
        ]
        if len({reading.value for _, _, reading in seen}) > 1:
            yield _Course((test, arm, what, key), course.figure, seen)


def _trend(course: _Course) -> Trend:
    readings = [reading for _, _, reading in course.seen]
    # Where one process had no calibrator, a figure over it would be on another scale than the rest.
    calibrated = all(math.isfinite(reading.value) for reading in readings)
    unit, figure = readings[-1].unit, course.figure
    points = tuple(
        Point(reading.value if calibrated else reading.bare, past.when, past) for past, _, reading in course.seen
    )
    pins = [index for index, point in enumerate(points[:-1]) if point.run and point.run.pins]
    test, arm, name, _ = course.name
    changes = (
        _exact_changes(points)
        if unit == "exact"
        else history.level_changes(points, unit, higher=figure.direction == "higher")
    )
    neutral = unit == "exact" or figure.direction == "none"
    return Trend(
        test,
        arm,
        fmt.count_name(name) if unit == "exact" else name,
        points,
        tuple(
            _told(replace(change, worse=change.worse and not neutral, neutral=neutral), course) for change in changes
        ),
        statistics.median(point.value for point in points[pins[-1] if pins else 0 : -1]),
        calibrated and figure.name == SECONDS,
        _shown(name, readings[-1]),
        None,
        unit,
        "newest run",
        _shown(name, readings[0]),
    )


def _exact_changes(points: Sequence[Point]) -> tuple[Change, ...]:
    """Every run whose count is not that of the run before it: counts have no noise."""
    return tuple(
        Change(index, after.value - before.value, False, f"{size_text(after.value - before.value, 'count')}")
        for index, (before, after) in enumerate(pairwise(points), start=1)
        if after.value != before.value
    )


def _told(change: Change, course: _Course) -> Change:
    """The change with the commits that it lies between, and the versions that changed there."""
    (before, old, _), (after, new, _) = course.seen[change.index - 1 : change.index + 1]
    size = change.text.partition(" since ")[0]
    about = list(environment_changes(new.environment.software, old.environment.software).values())
    if old.commit.id and old.commit.id == new.commit.id:
        about.insert(0, "the same commit before and after")
    elif old.commit.id and new.commit.id:
        place = f"between {before.commit} and {after.commit}"
        return replace(change, text=f"{size} {place} ({after.when})", about=tuple(about), place=place)
    return replace(change, text=f"{size} since the run of {after.when}", about=tuple(about))
