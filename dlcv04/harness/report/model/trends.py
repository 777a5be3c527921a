"""One figure over the stored runs: its points, where its level changed, and how it reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model import tone
from dlcv04.harness.report.model.badges import Badge


@dataclass(frozen=True)
class PastRun:
    """One stored run of the list below the histories; `reason` is why it was accepted, empty where nobody did."""

    id: str
    when: str
    commit: str
    accepted: bool
    pins: bool
    forced: bool
    reason: str

    @property
    def status(self) -> str:
        """What it counts as: `accepted`, `accepted as it is: a new level (pinned)`, ..."""
        if not self.accepted:
            return "saved, not accepted"
        forced = ", by force" if self.forced else ""
        return f"accepted as the new level (pinned){forced}" if self.pins else f"accepted{forced}"


@dataclass(frozen=True)
class Point:
    """One run's figure: a logarithm, a share of one or a plain number; `run` is None for the run of this report."""

    value: float
    when: str
    run: PastRun | None = None


@dataclass(frozen=True)
class Change:
    """The level changed at `points[index]`; `size` is on the scale of its trend, `about` what else changed there.

    `place` says between which commits, where both are known and not the same. `neutral`: no direction is the worse.
    """

    index: int
    size: float
    worse: bool
    text: str
    about: tuple[str, ...] = ()
    place: str = ""
    neutral: bool = False

    @property
    def tone(self) -> str:
        """Red for the worse."""
        return tone.NONE if self.neutral else tone.of_change(self.worse)


@dataclass(frozen=True)
class Trend:
    """One figure over the stored runs, oldest first, this run last.

    `level` is the median of the stored values since the newest pin; `calibrated` says whether times are over the
    calibrator; `now` is the last run's plain figure; `badge` its comparison's, None where it was not compared. `unit`
    is the scale of the points: "ratio" for logarithms, "points" for shares of one, else the unit of plain numbers.
    `last` is what the last run is called, `oldest` the first run's plain figure.
    """

    test: str
    arm: str
    metric: str
    points: tuple[Point, ...]
    changes: tuple[Change, ...]
    level: float
    calibrated: bool
    now: str
    badge: Badge | None
    unit: str = "ratio"
    last: str = "this run"
    oldest: str = ""

    @property
    def stored(self) -> tuple[Point, ...]:
        """The points before this run's."""
        return self.points[:-1]

    @property
    def tone(self) -> str:
        """That of its comparison's verdict."""
        return self.badge.tone if self.badge else tone.NONE

    @property
    def shift(self) -> str:
        """This run against the level of the stored runs: `+3.2 %`, or points of accuracy."""
        return self.shown(self.points[-1].value - self.level)

    def shown(self, size: float) -> str:
        """A difference on this figure's scale as text."""
        return size_text(size, self.unit)

    @property
    def sentence(self) -> str:
        """The whole history in one sentence, for those who can't see it."""
        values = [point.value - self.level for point in self.stored]
        span = f"{fmt.plural(len(values), 'stored run')} from {self.points[0].when} to {self.stored[-1].when}, "
        span += f"between {self.shown(min(values))} and {self.shown(max(values))} of their median; "
        pins = sum(point.run is not None and point.run.pins for point in self.stored)
        changes = "; ".join(change.text for change in self.changes) or "no change of level"
        return span + f"{self.last} {self.shift}; {changes}" + (f"; {fmt.plural(pins, 'pinned run')}" if pins else "")


def size_text(size: float, unit: str) -> str:
    """A change as people read it: a log ratio as `+6.0 %`, a difference of accuracies as `-1.20 points`."""
    if unit == "points":
        return f"{size * 100:+.2f} points"
    if unit != "ratio":
        return f"{'+' if size > 0 else ''}{fmt.in_unit(size, unit)}"
    change = 100 * math.expm1(size)
    return f"{change:+.1f} %" if abs(change) < 9.95 else f"{change:+.0f} %"
