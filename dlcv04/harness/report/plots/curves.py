"""Learning as SVG text: accuracy by epoch for each seed and the 2016 curves."""

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
from dlcv04.harness.store.schema import Arm, Published, SeedCurve

#: Points of one curve that are drawn: more can't be told apart at this width.
MAX_POINTS, MAX_ARMS = 120, 8
_LEFT, _RIGHT, _TOP, _PLOT = 42, 10, 28, 212
_DASH = "4 2"

_Curve = Sequence[float | None]


@dataclass(frozen=True)
class _Lines:
    """One arm: each seed's validation and training accuracy, their means, and where seeds diverged."""

    name: str
    index: int
    val: Sequence[_Curve]
    train: Sequence[_Curve]
    val_mean: _Curve
    train_mean: _Curve
    lost: Sequence[tuple[int, float]] = ()


def learning_curves(arms: Sequence[Arm]) -> str:
    """Accuracy after each epoch: every seed thin, their mean thick; validation solid, training dashed."""
    learned = [arm for arm in arms if any(_has_accuracy(c) for c in arm.curves)][:MAX_ARMS]
    if not learned:
        return ""
    lines = [_arm_lines(arm, index) for index, arm in enumerate(learned)]
    diverged = sum(c.status == "diverged" for arm in learned for c in arm.curves)
    return _draw(lines, _title(learned), diverged, _label(learned))


def published_curves(published: Published, arms: Sequence[Arm] = ()) -> str:
    """The accuracy curves of 2016 in the colours of the same arms in `learning_curves`."""
    ours = [arm.name for arm in arms if any(_has_accuracy(c) for c in arm.curves)][:MAX_ARMS]
    names = dict.fromkeys([*published.val_accuracy, *published.train_accuracy])
    ordered = [n for n in ours if n in names] + [n for n in names if n not in ours]
    lines: list[_Lines] = []
    for name in ordered[:MAX_ARMS]:
        val, train = published.val_accuracy.get(name, []), published.train_accuracy.get(name, [])
        if _finite(val) or _finite(train):
            index = ours.index(name) if name in ours else len(ours) + len(lines)
            lines.append(_Lines(name, index, [val], [train], val, train))
    if not lines:
        return ""
    title = "2016" + (f": {published.size}" if published.size else "")
    ends = "; ".join(f"{x.name} ends at {fmt.fraction(_last(x.val_mean)[1])}" for x in lines if _finite(x.val_mean))
    return _draw(lines, title, 0, f"Accuracy by epoch as published, {title}. Validation: {ends}.")


# --- the plot ---


def _draw(lines: Sequence[_Lines], title: str, diverged: int, label: str) -> str:
    entries = len(lines) + 2 + bool(diverged)
    canvas = Canvas(_TOP + _PLOT + 44 + 18 * math.ceil(entries / 2))
    across, up = _scales(lines)
    canvas.text(_LEFT, 14, fmt.shorten(title, 58), INK)
    heights = ticks(up.low, up.high)
    canvas.curve([p for v in heights for p in ((_LEFT, up(v)), (WIDTH - _RIGHT, up(v)), None)], GRID, 0.6)
    canvas.labels([(_LEFT - 6, up(v) + 4, fmt.number(round(v, 6))) for v in heights], "end")
    canvas.axis(across, _TOP + _PLOT, fmt.number, whole=True)
    canvas.text((_LEFT + WIDTH - _RIGHT) / 2, _TOP + _PLOT + 31, "epoch", MUTED, SMALL, anchor="middle")
    for line in lines:
        _draw_arm(canvas, across, up, line)
    _draw_legend(canvas, lines, diverged)
    return canvas.element(label)


def _scales(lines: Sequence[_Lines]) -> tuple[Scale, Scale]:
    """Epochs from left to right, accuracy upwards, both with a little air."""
    curves = [curve for line in lines for curve in (*line.val, *line.train)]
    longest, values = max(map(len, curves)), [v for curve in curves for v in _finite(curve)]
    low, high = min(values), max(values)
    air = 0.05 * (high - low) or 0.02
    side = 0.02 * longest
    across = Scale(1 - side, longest + side, _LEFT, WIDTH - _RIGHT)
    return across, Scale(low - air, high + air, _TOP + _PLOT, _TOP)


def _draw_arm(canvas: Canvas, across: Scale, up: Scale, line: _Lines) -> None:
    colour, marker = ARM_COLOURS[line.index % len(ARM_COLOURS)], MARKERS[line.index % len(MARKERS)]
    for curves, mean, dash in ((line.train, line.train_mean, _DASH), (line.val, line.val_mean, "")):
        if len(curves) > 1:
            seeds = [place for curve in curves for place in (*_places(curve, across, up), None)]
            canvas.curve(seeds, colour, 0.8, dash=dash, opacity=0.4)
        places = _places(mean, across, up)
        canvas.curve(places, colour, 2.2, dash=dash)
        marked = places[:: max(len(places) // 12, 1)]
        canvas.markers(marker, [place for place in marked if place is not None], 5.5, colour)
    canvas.markers("cross", [(across(epoch), up(value)) for epoch, value in line.lost], 9, BAD)


def _places(curve: _Curve, across: Scale, up: Scale) -> list[tuple[float, float] | None]:
    """Places from epoch 1 on, thinned to MAX_POINTS; None where there is no figure."""
    step = max(math.ceil(len(curve) / MAX_POINTS), 1)
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


def _arm_lines(arm: Arm, index: int) -> _Lines:
    ok = [c for c in arm.curves if c.status == "ok"]
    lost = [end for c in arm.curves if c.status == "diverged" and (end := _last([e.val_accuracy for e in c.epochs]))[0]]
    return _Lines(
        name=arm.name,
        index=index,
        val=[[e.val_accuracy for e in c.epochs] for c in arm.curves],
        train=[[e.train_accuracy for e in c.epochs] for c in arm.curves],
        val_mean=_mean([[e.val_accuracy for e in c.epochs] for c in ok]),
        train_mean=_mean([[e.train_accuracy for e in c.epochs] for c in ok]),
        lost=lost,
    )


def _mean(curves: Sequence[_Curve]) -> list[float | None]:
    """The mean of the seeds that have a figure at an epoch."""
    length = max((len(c) for c in curves), default=0)
    rows = [_finite([c[i] for c in curves if i < len(c)]) for i in range(length)]
    return [statistics.fmean(row) if row else None for row in rows]


def _last(curve: _Curve) -> tuple[int, float]:
    """The last epoch that has a figure, and the figure; epoch 0 where none has."""
    known = [(i, v) for i, v in enumerate(curve, start=1) if v is not None and math.isfinite(v)]
    return known[-1] if known else (0, math.nan)


def _has_accuracy(curve: SeedCurve) -> bool:
    return bool(_finite([v for e in curve.epochs for v in (e.val_accuracy, e.train_accuracy)]))


def _title(arms: Sequence[Arm]) -> str:
    seeds = sorted({len(arm.curves) for arm in arms})
    sizes = sorted({arm.images_per_epoch for arm in arms if arm.images_per_epoch})
    images = " or ".join(f"{size:,}" for size in sizes[:3])
    checked = sorted({arm.val_images for arm in arms if arm.val_images})
    parts = [f"{images} images"] if images else []
    parts += [f"{' or '.join(f'{v:,}' for v in checked[:3])} to validate"] if checked else []
    parts.append(f"{seeds[0]}–{seeds[-1]} seeds" if len(seeds) > 1 else fmt.plural(seeds[0], "seed"))
    return "This run: " + ", ".join(parts)


def _label(arms: Sequence[Arm]) -> str:
    parts = []
    for arm in arms:
        ends = _finite([_last([e.val_accuracy for e in c.epochs])[1] for c in arm.curves if c.status == "ok"])
        text = f"{arm.name}: mean {fmt.fraction(statistics.fmean(ends))} at the end" if ends else f"{arm.name}: no end"
        diverged = sum(c.status == "diverged" for c in arm.curves)
        parts.append(text + (f", {fmt.plural(diverged, 'seed')} diverged" if diverged else ""))
    return f"Accuracy by epoch. {_title(arms)}. Validation accuracy, " + "; ".join(parts) + "."


def _finite(values: _Curve) -> list[float]:
    return [float(v) for v in values if v is not None and math.isfinite(v)]
