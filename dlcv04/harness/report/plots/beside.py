"""What several runs say of one thing, in one picture each: intervals on a common scale, and learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.plots.curves import finite, frame, last_of, median_of, places_of
from dlcv04.harness.report.plots.forest import interval_colour, margins_of
from dlcv04.harness.report.plots.svg import ARM_COLOURS, GRID, INK, MARKERS, MUTED, SMALL, WIDTH, Canvas, Scale
from dlcv04.harness.store.schema import Arm, Assertion

#: Drawn large, since the page shows these bars at a third of their size.
_BAR, _BAR_EDGE = 56, 26
_LEFT, _TOP, _PLOT = 46, 26, 170
#: Points of one curve that are drawn: more can't be told apart at this width.
MAX_POINTS = 60
_DASH = "4 2"
#: What is drawn of an arm's curves: its name, and what Keras calls it on validation and on training pictures.
_SERIES = (("accuracy", "val_accuracy", "accuracy"), ("loss", "val_loss", "loss"))


# --- intervals ---


def bars(assertions: Sequence[Assertion | None]) -> list[str]:
    """The interval of each run's assertion, all on one scale; "" where a run has none to draw."""
    drawn = [a if a and fmt.is_number(a.effect) and _has_interval(a) else None for a in assertions]
    known = [a for a in drawn if a is not None]
    if not known:
        return [""] * len(assertions)
    ends = [v for a in known for v in (a.effect, a.low, a.high, a.margin) if v is not None and math.isfinite(v)]
    air = 0.06 * (max(ends) - min(ends)) or 0.05 * abs(ends[0]) or 1.0
    scale = Scale(min(ends) - air, max(ends) + air, _BAR_EDGE, WIDTH - _BAR_EDGE)
    return [_bar(a, scale) if a else "" for a in drawn]


def _has_interval(a: Assertion) -> bool:
    return a.kind not in {"EXACT", "IDENTITY"} and fmt.is_number(a.margin)


def _bar(a: Assertion, scale: Scale) -> str:
    canvas, middle, colour = Canvas(_BAR), _BAR / 2, interval_colour(a)
    canvas.line(_BAR_EDGE, middle, WIDTH - _BAR_EDGE, middle, GRID, 2)
    for margin in margins_of(a):
        if scale.low <= margin <= scale.high:
            canvas.line(scale(margin), 4, scale(margin), _BAR - 4, INK, 3, "8 5")
    for bound, end, arrow in ((a.low, scale.start, "left"), (a.high, scale.end, "right")):
        place = scale(bound) if bound is not None and math.isfinite(bound) else end
        canvas.line(scale(a.effect or 0.0), middle, place, middle, colour, 8)
        if place == end:
            canvas.markers(arrow, [(end, middle)], 28, colour)
    canvas.markers("circle", [(scale(a.effect or 0.0), middle)], 24, colour)
    return canvas.element(f"{fmt.assertion_effect(a)}, {fmt.assertion_limit(a)}, {a.verdict}")


# --- curves ---


def curves(arms: Sequence[tuple[str, Arm | None]]) -> list[str]:
    """The learning of one arm in several runs, one colour a run: accuracy, loss, or another figure of validation.

    Each seed's validation thin, their median thick, the median of training dashed.

    Args:
        arms: the letter of each run with its arm, None where it has none.
    """
    names = [_SERIES[0], _SERIES[1]] if _has(arms, _SERIES[0]) or _has(arms, _SERIES[1]) else []
    if not _has(arms, _SERIES[0]):
        names += [(other, f"val_{other}", other) for other in _others(arms)[:1]]
    return [_draw(arms, series) for series in names if _has(arms, series)]


def _others(arms: Sequence[tuple[str, Arm | None]]) -> list[str]:
    rows = [row for _, arm in arms if arm for curve in arm.curves for row in curve.epochs]
    return sorted({name.removeprefix("val_") for row in rows for name in row.metrics if name.startswith("val_")})


def _has(arms: Sequence[tuple[str, Arm | None]], series: tuple[str, str, str]) -> bool:
    return any(finite(curve) for _, arm in arms if arm for curve in _by_seed(arm, series[1]))


def _by_seed(arm: Arm, name: str) -> list[list[float | None]]:
    return [[row.named(name) for row in curve.epochs] for curve in arm.curves]


def _draw(arms: Sequence[tuple[str, Arm | None]], series: tuple[str, str, str]) -> str:
    what, val, train = series
    lines = [
        (place, letter, _by_seed(arm, val), _by_seed(arm, train)) for place, (letter, arm) in enumerate(arms) if arm
    ]
    canvas = Canvas(_TOP + _PLOT + 60)
    every = [curve for _, _, vals, trains in lines for curve in (*vals, *trains)]
    across, up = frame(canvas, every, what, (_LEFT, _TOP, _TOP + _PLOT))
    for place, _, vals, trains in lines:
        colour = ARM_COLOURS[place % len(ARM_COLOURS)]
        canvas.curve(places_of(median_of(trains), across, up, MAX_POINTS), colour, 1.6, dash=_DASH)
        if len(vals) > 1:
            canvas.curve(
                [p for c in vals for p in (*places_of(c, across, up, MAX_POINTS), None)], colour, 0.8, opacity=0.4
            )
        marked = places_of(median_of(vals), across, up, MAX_POINTS)
        canvas.curve(marked, colour, 2.2)
        canvas.markers(MARKERS[place], [p for p in marked[:: max(len(marked) // 10, 1)] if p], 5.5, colour)
    _legend(canvas, [(place, letter) for place, letter, *_ in lines])
    ends = "; ".join(f"{letter} ends at {fmt.number(last_of(median_of(vals))[1])}" for _, letter, vals, _ in lines)
    return canvas.element(f"Validation {what} by epoch, the median of seeds: {ends}.")


def _legend(canvas: Canvas, runs: Sequence[tuple[int, str]]) -> None:
    x, y = float(_LEFT), _TOP + _PLOT + 48
    for place, letter in runs:
        canvas.line(x, y - 4, x + 26, y - 4, ARM_COLOURS[place], 2.2)
        canvas.markers(MARKERS[place], [(x + 13, y - 4)], 6, ARM_COLOURS[place])
        canvas.text(x + 32, y, letter, INK, SMALL)
        x += 58
    canvas.line(x, y - 4, x + 26, y - 4, MUTED, 1.6, _DASH)
    canvas.text(x + 32, y, "training", INK, SMALL)
