"""Learning as SVG text: accuracy, loss and named metrics by epoch for each seed, and the 2016 curves."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.plots.svg import (
    ARM_COLOURS,
    BAD,
    GRID,
    INK,
    MARKERS,
    MUTED,
    SMALL,
    WIDTH,
    Canvas,
    Scale,
    ticks,
)
from dlcv04.harness.store.schema import Arm, Assertion, Published

#: Points of one curve that are drawn: more can't be told apart at this width.
MAX_POINTS, MAX_ARMS = 120, 8
_LEFT, _RIGHT, _TOP, _PLOT = 42, 10, 28, 212
_DASH = "4 2"
#: Kinds of assertions that name a level.
_ASKS = {"REACH", "LEVEL"}

Curve = Sequence[float | None]


#: What the marks of a picture mean.
CAPTION = (
    "Each seed thin, the median thick; validation solid, training dashed; dotted: a claim's target; "
    "diamond: where the median validation loss is least, if that is before the end."
)


@dataclass(frozen=True)
class _Lines:
    """One arm: each seed's validation and training figure, their medians, where seeds diverged, and the turn."""

    name: str
    index: int
    val: Sequence[Curve]
    train: Sequence[Curve]
    val_middle: Curve
    train_middle: Curve
    lost: Sequence[tuple[int, float]] = ()
    turn: int = 0


def learning_curves(arms: Sequence[Arm], assertions: Sequence[Assertion] = ()) -> list[str]:
    """A picture of each figure after each epoch, those first that the assertions are about."""
    learned = [arm for arm in arms if arm.curves][:MAX_ARMS]
    named = (m.removeprefix("val_") for arm in learned for c in arm.curves for e in c.epochs for m in e.metrics)
    found = dict.fromkeys(["accuracy", "loss", *named])
    asked = " ".join(a.metric for a in assertions)
    drawn = [_picture(name, learned, assertions) for name in sorted(found, key=lambda name: name not in asked)]
    return [svg for svg in drawn if svg]


def _picture(figure: str, arms: Sequence[Arm], assertions: Sequence[Assertion]) -> str:
    # An arm keeps its colour in every picture.
    every = [(_arm_lines(arm, index, figure), arm) for index, arm in enumerate(arms)]
    drawn = [(line, arm) for line, arm in every if any(map(finite, (*line.val, *line.train)))]
    if not drawn:
        return ""
    lines, shown = [line for line, _ in drawn], [arm for _, arm in drawn]
    diverged = sum(c.status == "diverged" for arm in shown for c in arm.curves)
    title = f"{figure[:1].upper()}{figure[1:]}: {_title(shown)}"
    return _draw(lines, title, diverged, _label(figure, title, lines, shown), _targets(figure, assertions))


def _targets(figure: str, assertions: Sequence[Assertion]) -> list[float]:
    """The levels of this figure that claims ask for."""
    levels = (a.target if a.kind == "REACH" else a.margin for a in assertions if a.kind in _ASKS and figure in a.metric)
    return sorted({level for level in levels if level is not None and math.isfinite(level)})


def published_curves(published: Published, arms: Sequence[Arm] = ()) -> str:
    """The accuracy curves of 2016 in the colours of the same arms in `learning_curves`."""
    ours = [arm.name for arm in arms if arm.curves][:MAX_ARMS]
    names = dict.fromkeys([*published.val_accuracy, *published.train_accuracy])
    ordered = [n for n in ours if n in names] + [n for n in names if n not in ours]
    lines: list[_Lines] = []
    for name in ordered[:MAX_ARMS]:
        val, train = published.val_accuracy.get(name, []), published.train_accuracy.get(name, [])
        if finite(val) or finite(train):
            index = ours.index(name) if name in ours else len(ours) + len(lines)
            lines.append(_Lines(name, index, [val], [train], val, train))
    if not lines:
        return ""
    title = "2016" + (f": {published.size}" if published.size else "")
    ends = "; ".join(
        f"{x.name} ends at {fmt.fraction(last_of(x.val_middle)[1])}" for x in lines if finite(x.val_middle)
    )
    return _draw(lines, title, 0, f"Accuracy by epoch as published, {title}. Validation: {ends}.")


# --- the plot ---


def _draw(lines: Sequence[_Lines], title: str, diverged: int, label: str, targets: Sequence[float] = ()) -> str:
    entries = len(lines) + 2 + bool(diverged)
    canvas = Canvas(_TOP + _PLOT + 44 + 18 * math.ceil(entries / 2))
    every = [curve for line in lines for curve in (*line.val, *line.train)]
    across, up = frame(canvas, every, fmt.shorten(title, 58), (_LEFT, _TOP, _TOP + _PLOT), targets)
    canvas.text((_LEFT + WIDTH - _RIGHT) / 2, _TOP + _PLOT + 31, "epoch", MUTED, SMALL, anchor="middle")
    for level in targets:
        canvas.line(_LEFT, up(level), WIDTH - _RIGHT, up(level), INK, 1.4, "1 3")
    for line in lines:
        _draw_arm(canvas, across, up, line)
    _draw_legend(canvas, lines, diverged)
    return canvas.element(label)


def frame(
    canvas: Canvas, curves: Sequence[Curve], title: str, place: tuple[float, float, float], marked: Sequence[float] = ()
) -> tuple[Scale, Scale]:
    """Title, grid and axes for curves over epochs, and the scales of both axes: all curves fit, with a little air.

    Args:
        canvas: is drawn on.
        curves: with at least one figure among them.
        title: stands above.
        place: left end, upper and lower end of the plot in pixels.
        marked: levels that must fit, too.
    """
    left, top, bottom = place
    longest, values = max(map(len, curves)), [*marked, *(v for curve in curves for v in finite(curve))]
    air = 0.05 * (max(values) - min(values)) or 0.02
    across = Scale(1 - 0.02 * longest, 1.02 * longest, left, WIDTH - _RIGHT)
    up = Scale(min(values) - air, max(values) + air, bottom, top)
    canvas.text(left, 14, title, INK)
    heights = ticks(up.low, up.high)
    canvas.curve([p for v in heights for p in ((left, up(v)), (WIDTH - _RIGHT, up(v)), None)], GRID, 0.6)
    canvas.labels([(left - 6, up(v) + 4, fmt.number(round(v, 6))) for v in heights], "end")
    canvas.axis(across, bottom, fmt.number, whole=True)
    return across, up


def _draw_arm(canvas: Canvas, across: Scale, up: Scale, line: _Lines) -> None:
    colour, marker = ARM_COLOURS[line.index % len(ARM_COLOURS)], MARKERS[line.index % len(MARKERS)]
    for curves, middle, dash in ((line.train, line.train_middle, _DASH), (line.val, line.val_middle, "")):
        if len(curves) > 1:
            seeds = [place for curve in curves for place in (*places_of(curve, across, up), None)]
            canvas.curve(seeds, colour, 0.8, dash=dash, opacity=0.4)
        places = places_of(middle, across, up)
        canvas.curve(places, colour, 2.2, dash=dash)
        marked = places[:: max(len(places) // 12, 1)]
        canvas.markers(marker, [place for place in marked if place is not None], 5.5, colour)
    canvas.markers("cross", [(across(epoch), up(value)) for epoch, value in line.lost], 9, BAD)
    at_turn = line.val_middle[line.turn - 1] if line.turn else None
    if at_turn is not None:
        canvas.markers("diamond", [(across(line.turn), up(at_turn))], 13, colour, hollow=True)


def places_of(curve: Curve, across: Scale, up: Scale, most: int = MAX_POINTS) -> list[tuple[float, float] | None]:
    """Places from epoch 1 on, thinned to about `most`; None where there is no figure."""
    step = max(math.ceil(len(curve) / most), 1)
    keep = sorted({*range(0, len(curve), step), len(curve) - 1}) if curve else []
    found = [(i + 1, curve[i]) for i in keep]
    return [None if v is None or not math.isfinite(v) else (across(epoch), up(v)) for epoch, v in found]


def _draw_legend(canvas: Canvas, lines: Sequence[_Lines], diverged: int) -> None:
    entries = [(fmt.shorten(x.name, 24), ARM_COLOURS[x.index % 8], MARKERS[x.index % 8], "") for x in lines]
    entries += [("validation", MUTED, "", ""), ("training", MUTED, "", _DASH)]
    entries += [(f"diverged ({fmt.plural(diverged, 'seed')})", BAD, "cross", "none")] if diverged else []
    for i, (name, colour, marker, dash) in enumerate(entries):
        x, y = _LEFT + 192 * (i % 2), _TOP + _PLOT + 52 + 18 * (i // 2)
        if dash != "none":
            canvas.line(x, y - 4, x + 26, y - 4, colour, 2.2, dash)
        if marker:
            canvas.markers(marker, [(x + 13, y - 4)], 8 if dash == "none" else 6, colour)
        canvas.text(x + 34, y, name, INK, SMALL)


# --- one arm's curves ---


def _arm_lines(arm: Arm, index: int, figure: str) -> _Lines:
    val = [[e.named(f"val_{figure}") for e in c.epochs] for c in arm.curves]
    train = [[e.named(figure) for e in c.epochs] for c in arm.curves]
    ok = [i for i, c in enumerate(arm.curves) if c.status == "ok"]
    ends = [last_of(curve) for curve, c in zip(val, arm.curves, strict=True) if c.status == "diverged"]
    return _Lines(
        name=arm.name,
        index=index,
        val=val,
        train=train,
        val_middle=median_of([val[i] for i in ok]),
        train_middle=median_of([train[i] for i in ok]),
        lost=[end for end in ends if end[0]],
        turn=_turn(median_of([[e.val_loss for e in arm.curves[i].epochs] for i in ok])),
    )


def _turn(losses: Curve) -> int:
    """The epoch of the least loss where losses rise after it; 0 where they never do."""
    known = [(value, epoch) for epoch, value in enumerate(losses, start=1) if value is not None]
    least = min(known, default=(0.0, 0))[1]
    return least if known and least < known[-1][1] else 0


def median_of(curves: Sequence[Curve]) -> list[float | None]:
    """The median of the seeds that have a figure at an epoch."""
    length = max((len(c) for c in curves), default=0)
    rows = [finite([c[i] for c in curves if i < len(c)]) for i in range(length)]
    return [statistics.median(row) if row else None for row in rows]


def last_of(curve: Curve) -> tuple[int, float]:
    """The last epoch that has a figure, and the figure; epoch 0 where none has."""
    known = [(i, v) for i, v in enumerate(curve, start=1) if v is not None and math.isfinite(v)]
    return known[-1] if known else (0, math.nan)


def _title(arms: Sequence[Arm]) -> str:
    seeds = sorted({len(arm.curves) for arm in arms})
    sizes = sorted({arm.images_per_epoch for arm in arms if arm.images_per_epoch})
    images = " or ".join(f"{size:,}" for size in sizes[:3])
    checked = sorted({arm.val_images for arm in arms if arm.val_images})
    parts = [f"{images} images"] if images else []
    parts += [f"{' or '.join(f'{v:,}' for v in checked[:3])} to validate"] if checked else []
    parts.append(f"{seeds[0]}–{seeds[-1]} seeds" if len(seeds) > 1 else fmt.plural(seeds[0], "seed"))
    return ", ".join(parts)


def _label(figure: str, title: str, lines: Sequence[_Lines], arms: Sequence[Arm]) -> str:
    parts = []
    for line, arm in zip(lines, arms, strict=True):
        end = last_of(line.val_middle)
        text = f"{line.name}: median {fmt.number(end[1])} at the end" if end[0] else f"{line.name}: no end"
        diverged = sum(c.status == "diverged" for c in arm.curves)
        parts.append(text + (f", {fmt.plural(diverged, 'seed')} diverged" if diverged else ""))
    return f"{title}, by epoch. Validation {figure}, " + "; ".join(parts) + "."


def finite(values: Curve) -> list[float]:
    """The figures that there are."""
    return [float(v) for v in values if v is not None and math.isfinite(v)]
