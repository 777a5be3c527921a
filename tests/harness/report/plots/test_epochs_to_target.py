"""Epochs until each seed reached a target."""

from __future__ import annotations

import msgspec

from dlcv04.harness.report.plots.epochs_to_target import epochs_to_target
from dlcv04.harness.store.schema import Arm
from tests.harness.report.plots.drawn import learned, parsed_svg
from tests.harness.report.sample import every_kind


def reached(*curves: list[float | None]) -> list[Arm]:
    return [learned(name, curve) for name, curve in zip(("new", "old"), curves, strict=True)]


def test_epochs_to_a_target_are_drawn_with_misses() -> None:
    claim = msgspec.structs.replace(every_kind()["REACH"], metric="validation accuracy")
    svg = epochs_to_target(claim, reached([0.5, 0.95, 0.96], [0.5, 0.6, 0.7]))
    label = parsed_svg(svg).get("aria-label") or ""
    assert "new: median 1.9" in label and "old: median 3.0, missed in 1 of 1 seed" in label
    assert epochs_to_target(every_kind()["PAIRED"], reached([0.5], [0.6])) == ""
    assert epochs_to_target(msgspec.structs.replace(claim, metric="my own"), reached([0.5], [0.6])) == ""
    assert epochs_to_target(claim, []) == ""
