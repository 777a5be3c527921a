"""Where a history's points lie in its small picture: pure geometry, which the template draws as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from dlcv04.harness.report.model.trends import Trend

WIDTH, HEIGHT = 240, 44
_EDGE = 6
#: Half of the smallest span that fills a picture, by unit: less is noise and should look flat.
_LEAST = {"points": 0.005, "ratio": 0.05}


@dataclass(frozen=True)
class Mark:
    """A place in the picture, the text of a pointer resting on it, and the tone of a change."""

    x: float
    y: float
    title: str
    tone: str = ""


@dataclass(frozen=True)
class Sparkline:
    """Coordinates in pixels of a WIDTH x HEIGHT box; `line` and `levels` are path data.

    `base` is the height of the stored runs' level, `pins` the runs accepted as a new level, `changes` the first run of
    each changed level, `last` this run.
    """

    line: str
    levels: str
    base: float
    pins: tuple[Mark, ...]
    changes: tuple[Mark, ...]
    last: Mark


def sparkline(trend: Trend) -> Sparkline:
    """Lay a history out: runs at equal distances, the level of the stored runs drawn through."""
    values = [point.value for point in trend.points]
    places = list(zip(_across(len(values)), _down(trend, values), strict=True))
    pins = [
        Mark(*places[i], f"{point.run.when}, {point.run.status}: {point.run.reason}")
        for i, point in enumerate(trend.stored)
        if point.run is not None and point.run.pins
    ]
    return Sparkline(
        line="M" + "L".join(f"{x:g} {y:g}" for x, y in places),
        levels=_levels(trend, places) if trend.changes else "",
        base=_down(trend, [*values, trend.level])[-1],
        pins=tuple(pins),
        changes=tuple(Mark(*places[c.index], c.text, c.tone) for c in trend.changes),
        last=Mark(*places[-1], f"{trend.last}: {trend.shift}"),
    )


def _across(count: int) -> list[float]:
    """Places from left to right; this run's stands a little apart."""
    step = (WIDTH - 2 * _EDGE - 6) / max(count - 1, 1)
    return [round(_EDGE + i * step, 1) for i in range(count - 1)] + [float(WIDTH - _EDGE)]


def _down(trend: Trend, values: Sequence[float]) -> list[float]:
    drawn = [point.value for point in trend.points]
    least = _LEAST.get(trend.unit) or 0.05 * abs(trend.level) or 1e-9
    low, high = min(*drawn, trend.level - least), max(*drawn, trend.level + least)
    return [round(HEIGHT - _EDGE - (v - low) / (high - low) * (HEIGHT - 2 * _EDGE), 1) for v in values]


def _levels(trend: Trend, places: Sequence[tuple[float, float]]) -> str:
    """The median of each stretch between two changes as a level line."""
    bounds = [0, *(change.index for change in trend.changes), len(places)]
    parts = []
    for start, end in pairwise(bounds):
        middle = median(y for _, y in places[start:end])
        parts.append(f"M{places[start][0]:g} {middle:g}H{places[end - 1][0]:g}")
    return "".join(parts)
