"""Epochs until each seed reached a claim's target, as SVG text."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcv04.harness.judging import metrics
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.plots.svg import ARM_COLOURS, INK, MUTED, SMALL, WIDTH, Canvas, Scale, spread
from dlcv04.harness.store.schema import Arm, Assertion, SeedCurve
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")

_ROW, _FOOT, _EDGE = 42, 42, 12


def epochs_to_target(assertion: Assertion, arms: Sequence[Arm]) -> str:
    """Epochs until each seed reached a REACH claim's target, arm by arm; a miss is a triangle at the budget.

    Empty where the assertion is of another kind, or its figure is a test's own, which only the test can draw.
    """
    figure = next((f for f in metrics.SERIES if f.name == assertion.metric), None)
    named = [arm for arm in arms if arm.name in (assertion.treatment, assertion.reference) and arm.curves]
    if assertion.kind != "REACH" or assertion.target is None or figure is None or not named:
        return ""
    budget = max(len(curve.epochs) for arm in named for curve in arm.curves) or 1
    found = [[_seed_epochs(curve, figure, assertion.target, budget) for curve in arm.curves] for arm in named]
    canvas = Canvas(_ROW * len(named) + _FOOT + 4)
    scale = Scale(0, budget * 1.04, _EDGE, WIDTH - _EDGE)
    for row, (arm, epochs) in enumerate(zip(named, found, strict=True)):
        _draw_epochs(canvas, scale, row * _ROW, arm.name, epochs, row)
    bottom = _ROW * len(named) + 4
    canvas.axis(scale, bottom, fmt.number)
    caption = f"epochs to a {figure.name} of {assertion.target:g}, one dot a seed; ▶ missed in {budget}"
    canvas.text(WIDTH / 2, bottom + 33, caption, MUTED, SMALL, anchor="middle")
    return canvas.element(f"Epochs to a {figure.name} of {assertion.target:g}. {_medians(named, found)}.")


def _seed_epochs(curve: SeedCurve, figure: metrics.Series, target: float, budget: int) -> stats.EpochsToTarget:
    return stats.epochs_to_target(figure.of_curve(curve), target, budget, higher_is_better=figure.higher)


def _draw_epochs(
    canvas: Canvas, scale: Scale, top: float, name: str, epochs: Sequence[stats.EpochsToTarget], row: int
) -> None:
    middle, y = statistics.median(seed.epochs for seed in epochs), top + 30
    canvas.text(_EDGE, top + 14, f"{fmt.shorten(name, 30)}: median {middle:.1f}", INK)
    canvas.line(scale(middle), y - 9, scale(middle), y + 9, ARM_COLOURS[row], 2.4)
    places = [(scale(seed.epochs), y + offset) for seed, offset in zip(epochs, spread(len(epochs), 5), strict=True)]
    for shape, missed in (("circle", False), ("right", True)):
        drawn = [place for place, seed in zip(places, epochs, strict=True) if seed.missed is missed]
        canvas.markers(shape, drawn, 6, ARM_COLOURS[row])


def _medians(arms: Sequence[Arm], found: Sequence[Sequence[stats.EpochsToTarget]]) -> str:
    parts = []
    for arm, epochs in zip(arms, found, strict=True):
        missed = sum(seed.missed for seed in epochs)
        text = f"{arm.name}: median {statistics.median(seed.epochs for seed in epochs):.1f}"
        parts.append(text + (f", missed in {missed} of {fmt.plural(len(epochs), 'seed')}" if missed else ""))
    return "; ".join(parts)
