"""What to look at first."""

from __future__ import annotations

from dlcv04.harness.report import model
from tests.harness.report.sample import node, sample_run


def test_a_concern_names_what_changed_and_points_to_its_card() -> None:
    view = model.build(sample_run())
    regressed = next(s for s in view.concerns if s.badge.word == "REGRESSED")
    assert "tensorflow 2.20.0 → 2.21.0" in regressed.differences
    card = next(c for c in view.cards if c.anchor == regressed.anchor)
    assert card.test == node("test_more_conv_layers_take_longer")
