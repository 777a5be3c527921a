"""The effect of each assertion with its interval, its margin and where the claim holds, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model import tone
from dlcv04.harness.report.plots.svg import BAD, GOOD, INK, MUTED, SMALL, UNSURE, WIDTH, Canvas, Scale
from dlcv04.harness.store.schema import Assertion

_ROW, _FOOT, _EDGE = 44, 46, 12
_BAR_WIDTH, _BAR_HEIGHT = 150, 20
#: Kinds whose effect means something of its own: they share an axis only among themselves.
_OWN_AXIS = {"LEVEL", "REACH", "IDENTITY"}
_COLOURS = {tone.GOOD: GOOD, tone.RED: BAD, tone.UNDECIDED: UNSURE}


def forest(assertions: Sequence[Assertion]) -> list[str]:
    """One picture for each unit; what was not measured, and exact counts, have nothing to draw."""
    groups: dict[tuple[str, str], list[Assertion]] = {}
    for a in assertions:
        counted = a.kind == "EXACT" and a.unit != "ratio"
        if fmt.is_number(a.effect) and fmt.is_number(a.margin) and not counted:
            groups.setdefault((a.unit, a.kind if a.kind in _OWN_AXIS else ""), []).append(a)
    return [_draw(group) for group in groups.values()]


def bar(a: Assertion) -> str:
    """One assertion's interval on a line's height, with its margin and where the claim holds; "" where it has none."""
    counted = a.kind == "EXACT" and a.unit != "ratio"
    if counted or not fmt.is_number(a.effect) or not fmt.is_number(a.margin):
        return ""
    canvas = Canvas(_BAR_HEIGHT, _BAR_WIDTH)
    _draw_row(canvas, Scale(*_range([a]), 6, _BAR_WIDTH - 6), 1, _BAR_HEIGHT - 1, a)
    return canvas.element(_sentence(a))


def _draw(group: list[Assertion]) -> str:
    canvas = Canvas(len(group) * _ROW + _FOOT)
    scale = Scale(*_range(group), _EDGE, WIDTH - _EDGE)
    for row, assertion in enumerate(group):
        _draw_interval(canvas, scale, row * _ROW + 2, assertion)
    bottom = len(group) * _ROW + 4
    canvas.axis(scale, bottom, lambda value: _tick(value, group[0]))
    canvas.text(WIDTH / 2, bottom + 33, _caption(group[0]), MUTED, SMALL, anchor="middle")
    return canvas.element(f"Effects with their intervals. {'; '.join(map(_sentence, group))}.")


def _sentence(a: Assertion) -> str:
    against = f" against {a.reference}" if a.reference else ""
    return f"{a.treatment}{against}: {fmt.assertion_effect(a)}, {fmt.assertion_limit(a)}, {a.verdict}"


def _draw_interval(canvas: Canvas, scale: Scale, top: float, a: Assertion) -> None:
    against = f" against {fmt.shorten(a.reference, 24)}" if a.reference else ""
    canvas.text(_EDGE, top + 14, fmt.shorten(a.treatment, 26) + against, INK)
    _draw_row(canvas, scale, top + 20, top + 38, a)


def _draw_row(canvas: Canvas, scale: Scale, top: float, bottom: float, a: Assertion) -> None:
    start, end = (scale(value) for value in holding_range(a, scale.low, scale.high))
    canvas.box(start, top, end, bottom, GOOD, 0.13)
    neutral = _neutral(a)
    if neutral is not None and scale.low < neutral < scale.high:
        canvas.line(scale(neutral), top, scale(neutral), bottom, MUTED)
    for margin in margins_of(a):
        canvas.line(scale(margin), top, scale(margin), bottom, INK, 1.4, "3 2")
    _draw_effect(canvas, scale, (top + bottom) / 2, a)


def _draw_effect(canvas: Canvas, scale: Scale, y: float, a: Assertion) -> None:
    colour = interval_colour(a)
    # Counts and largest deviations are known: they have no interval that an arrow could leave open.
    if a.kind not in {"EXACT", "IDENTITY"}:
        left, right = _bound(a.low, scale, scale.start), _bound(a.high, scale, scale.end)
        canvas.line(left, y, right, y, colour, 3)
        for end, bound, arrow in ((left, a.low, "left"), (right, a.high, "right")):
            if fmt.is_number(bound):
                canvas.line(end, y - 5, end, y + 5, colour, 2)
            else:
                canvas.markers(arrow, [(end, y)], 10, colour)
    canvas.markers("circle", [(scale(a.effect or 0.0), y)], 9, colour)


def _bound(bound: float | None, scale: Scale, end: float) -> float:
    """The place of a bound; where there is none, the end of the axis."""
    return end if bound is None or not math.isfinite(bound) else scale(bound)


def _range(group: list[Assertion]) -> tuple[float, float]:
    values = [v for a in group for v in (a.effect, a.low, a.high, *margins_of(a)) if v is not None and math.isfinite(v)]
    # Of a level only the neighbourhood is of interest, of everything else also the way to "no difference".
    values += [neutral for a in group if (neutral := _neutral(a)) is not None]
    low, high = min(values), max(values)
    pad = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return (low, high + pad) if group[0].kind == "IDENTITY" else (low - pad, high + pad)


def _neutral(a: Assertion) -> float | None:
    """The value that means no difference; none for a level."""
    return None if a.kind == "LEVEL" else 1.0 if a.unit == "ratio" else 0.0


def interval_colour(a: Assertion) -> str:
    """The colour of an assertion's interval."""
    return _COLOURS[tone.of_interval(a.verdict)]


def margins_of(a: Assertion) -> tuple[float, ...]:
    """The margin, or both sides of an equivalence margin."""
    if a.kind != "EQUIVALENT":
        return (a.margin,)
    if a.unit == "ratio" and a.margin > 0:
        return tuple(sorted((a.margin, 1 / a.margin)))
    return (-abs(a.margin), abs(a.margin)) if a.margin else (0.0,)


def holding_range(a: Assertion, low: float, high: float) -> tuple[float, float]:
    """The stretch of an axis from `low` to `high` in which the claim holds."""
    both = margins_of(a)
    if len(both) == 2:
        return both[0], both[1]
    above = a.relation not in {"<", "<="}
    if not a.relation and a.effect is not None and a.verdict != "INCONCLUSIVE":
        above = (a.effect >= a.margin) == (a.verdict == "HOLDS")
    return (a.margin, high) if above and a.kind != "IDENTITY" else (low, a.margin)


def _tick(value: float, a: Assertion) -> str:
    if a.unit == "points" and a.kind != "LEVEL":
        return f"{value * 100:+.3g}" if value else "0"
    return fmt.data_size(value) if a.unit == "bytes" else fmt.number(round(value, 12))


def _caption(a: Assertion) -> str:
    unit = {"ratio": "ratio, 1 = equal", "points": "points, 0 = equal", "deviation": "largest deviation"}
    shown = unit.get(a.unit, a.unit)
    if a.kind == "LEVEL":
        shown = "level"
    elif a.kind == "REACH":
        shown = "ratio of epochs, 1 = equal"
    return f"{shown}; dashed: {'tolerance' if a.kind == 'IDENTITY' else 'margin'}, shaded: claim holds"
