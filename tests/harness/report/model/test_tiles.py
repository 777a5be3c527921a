"""The counts on the first screen."""

from __future__ import annotations

from dlcv04.harness.report import model
from tests.harness.report.sample import green_run, sample_run


def test_what_held_passed_and_went_wrong_is_counted() -> None:
    counts = {tile.label: (tile.value, tile.tone) for tile in model.build(sample_run()).tiles}
    assert counts["claims hold"] == ("4 / 6", "none") and counts["violated"] == ("1", "bad")
    assert counts["figures pass"] == ("7 / 14", "none") and counts["regressed"] == ("1", "bad")
    assert counts["controls broke their claim"] == ("3 / 5", "bad") and counts["ended with an error"] == ("1", "bad")
    assert model.build(green_run()).tiles[0].tone == "good"
