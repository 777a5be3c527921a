"""Seconds an epoch, arm by arm, as SVG text: ours, the stored runs' and those of 2016."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.plots.svg import ARM_COLOURS, INK, MUTED, SMALL, WIDTH, Canvas, Scale, spread
from dlcv04.harness.store.schema import Arm, Published

#: Rounds of one row that are drawn: more can't be told apart at this width.
MAX_ARMS, MAX_ROUNDS = 8, 80
_ROW, _STORED_ROW, _EDGE = 50, 22, 12
_TOP, _BARE_TOP, _FOOT = 40, 4, 42


@dataclass(frozen=True)
class _Row:
    """One arm: its rounds, those of the fresh processes that timed it again, the stored runs' and its time in 2016."""

    arm: Arm
    times: list[float]
    repeats: list[list[float]]
    stored: list[float]
    published: float | None

    @property
    def height(self) -> float:
        return _ROW + _STORED_ROW * (len(self.repeats) + bool(self.stored))


def epoch_times(
    arms: Sequence[Arm],
    stored: Mapping[str, Sequence[float]],
    published: Published,
    repeats: Sequence[Arm] = (),
) -> str:
    """Each round as a dot, with quartiles and median; the stored runs below; 2016 as a diamond. Empty without times.

    `repeats` are the same arms, timed again in fresh processes: each stands between its arm and the stored runs.

    The 2016 figures have their own scale along the top edge, laid so that both experiments agree at one arm: the
    distance of the other markers from ours is then a difference of ratios.
    """
    timed = [(arm, times) for arm in arms if (times := _durations(arm.epoch_seconds))][:MAX_ARMS]
    if not timed:
        return ""
    factor, base = _factor(timed, published)
    seconds_2016 = {name: value / factor for name, value in published.epoch_seconds.items()} if factor else {}
    rows = [
        _Row(arm, times, _repeats(arm, repeats), _durations(stored.get(arm.name, ())), seconds_2016.get(arm.name))
        for arm, times in timed
    ]
    top = _TOP if factor else _BARE_TOP
    canvas = Canvas(sum(row.height for row in rows) + top + _FOOT)
    scale = Scale(0, _limit(rows), _EDGE, WIDTH - _EDGE)
    for index, row in enumerate(rows):
        _draw_row(canvas, scale, top + sum(r.height for r in rows[:index]), row, ARM_COLOURS[index])
    bottom = canvas.height - _FOOT
    canvas.axis(scale, bottom, lambda value: fmt.number(round(value, 9)))
    canvas.text(WIDTH / 2, bottom + 33, f"seconds an epoch of {_images(timed)}", MUTED, SMALL, anchor="middle")
    if factor:
        _draw_2016(canvas, Scale(0, scale.high * factor, scale.start, scale.end), base, published)
    return canvas.element(_label(rows, published))


def _repeats(arm: Arm, repeats: Sequence[Arm]) -> list[list[float]]:
    return [times for repeat in repeats if repeat.name == arm.name and (times := _durations(repeat.epoch_seconds))]


def _medians(groups: Sequence[Sequence[float]]) -> str:
    return ", ".join(fmt.seconds(statistics.median(group)) for group in groups)


def _draw_row(canvas: Canvas, scale: Scale, top: float, row: _Row, colour: str) -> None:
    words = [(fmt.shorten(row.arm.name, 30), INK, False), (fmt.seconds(statistics.median(row.times)), colour, True)]
    if row.repeats:
        words.append((f"again {_medians(row.repeats)}", colour, False))
    if row.stored:
        words.append((f"stored {fmt.seconds(statistics.median(row.stored))}", MUTED, False))
    canvas.phrases(_EDGE, top + 14, words)
    _draw_box(canvas, scale, top + 31, 10, row.times, colour)
    if row.published is not None:
        canvas.line(scale(row.published), top + 17, scale(row.published), top + 45, INK)
        canvas.markers("diamond", [(scale(row.published), top + 31)], 9, INK, hollow=True)
    for index, times in enumerate(row.repeats):
        _draw_box(canvas, scale, top + _ROW + _STORED_ROW * index, 6, times, colour)
    if row.stored:
        _draw_box(canvas, scale, top + row.height - _STORED_ROW, 6, row.stored, MUTED)


def _draw_box(canvas: Canvas, scale: Scale, y: float, half: float, times: list[float], colour: str) -> None:
    """Rounds as dots, quartiles, median; what is slower than the axis is long is counted at its end."""
    shown = times if len(times) <= MAX_ROUNDS else times[:: math.ceil(len(times) / MAX_ROUNDS)]
    inside = [t for t in shown if t <= scale.high]
    heights = [y + offset for offset in spread(len(inside), half * 0.75)]
    canvas.dots(zip(map(scale, inside), heights, strict=True), colour, 4.2, 0.45)
    if len(times) > 1:
        q1, _, q3 = (min(q, scale.high) for q in statistics.quantiles(times, n=4, method="inclusive"))
        canvas.box(scale(q1), y - half, scale(q3), y + half, colour, 0.16, edge=True)
    middle = scale(min(statistics.median(times), scale.high))
    canvas.line(middle, y - half - 2, middle, y + half + 2, colour, 2.4)
    if beyond := sum(t > scale.high for t in times):
        canvas.text(scale.end, y - half - 4, f"+{beyond} slower ▸", colour, SMALL, anchor="end")


def _draw_2016(canvas: Canvas, scale: Scale, base: str, published: Published) -> None:
    size = f" ({fmt.shorten(published.size, 28)})" if published.size else ""
    text = f"◇ 2016, seconds{size}, laid over {fmt.shorten(base, 12)}"
    canvas.text(WIDTH / 2, 11, text, MUTED, SMALL, anchor="middle")
    canvas.axis(scale, _TOP - 6, lambda value: fmt.number(round(value, 9)), above=True)


def _limit(rows: Sequence[_Row]) -> float:
    """The right end of the time axis: all rounds, unless a few are so slow that they would squeeze the rest."""
    groups = [group for row in rows for group in (row.times, *row.repeats, row.stored) if group]
    most, usual = max(max(g) for g in groups), max(statistics.median(g) for g in groups)
    limit = 2 * usual if most > 3 * usual else most
    return 1.06 * max([limit, *(row.published for row in rows if row.published is not None)])


def _factor(timed: list[tuple[Arm, list[float]]], published: Published) -> tuple[float, str]:
    """2016's seconds for one of ours, and the arm at which both are laid over each other."""
    shared = [(a.name, t) for a, t in timed if fmt.is_number(published.epoch_seconds.get(a.name))]
    for name, times in sorted(shared, key=lambda pair: pair[0] != "base"):
        if published.epoch_seconds[name] > 0:
            return published.epoch_seconds[name] / statistics.median(times), name
    return 0.0, ""


def _durations(values: Sequence[float]) -> list[float]:
    """Times that can be: a clock that did not move measured nothing."""
    return [float(value) for value in values if math.isfinite(value) and value > 0]


def _images(timed: list[tuple[Arm, list[float]]]) -> str:
    sizes = sorted({arm.images_per_epoch for arm, _ in timed})
    return " or ".join(f"{size:,}" for size in sizes[:3]) + " images, one dot a round"


def _label(rows: Sequence[_Row], published: Published) -> str:
    parts = []
    for row in rows:
        name, times = row.arm.name, row.times
        text = f"{name}: median {fmt.seconds(statistics.median(times))} of {fmt.plural(len(times), 'round')}"
        text += f", {fmt.seconds(min(times))} to {fmt.seconds(max(times))}"
        text += f", in fresh processes {_medians(row.repeats)}" if row.repeats else ""
        text += f", stored runs {fmt.seconds(statistics.median(row.stored))}" if row.stored else ""
        text += f", in 2016 {fmt.seconds(published.epoch_seconds[name])}" if name in published.epoch_seconds else ""
        parts.append(text)
    size = f" The 2016 figures are of {published.size}." if published.size and published.epoch_seconds else ""
    timed = [(row.arm, row.times) for row in rows]
    return f"Seconds an epoch of {_images(timed)}. " + "; ".join(parts) + "." + size
