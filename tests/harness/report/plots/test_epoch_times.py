"""Seconds an epoch of each arm."""

from __future__ import annotations

import math
import re

import pytest

from dlcv04.harness.report.plots.epoch_times import epoch_times
from dlcv04.harness.store.schema import Published
from tests.harness.report.plots.drawn import PUBLISHED, arms, parsed_svg, timed
from tests.harness.report.sample import SIZE_2016


def test_epoch_times_show_ours_the_stored_and_2016_with_both_sizes() -> None:
    svg = epoch_times(arms("test_more_conv_layers_take_longer"), {"base": [0.6, 0.7]}, PUBLISHED)
    text = "".join(parsed_svg(svg).itertext())
    assert "three_conv_more" in text and "stored" in text
    assert "1,024 images" in text and SIZE_2016 in text
    label = parsed_svg(svg).get("aria-label") or ""
    assert "in 2016 39.0 s" in label and "median" in label


def test_without_a_shared_arm_there_is_no_second_scale() -> None:
    svg = epoch_times([timed("mine", [1.0, 1.1])], {}, PUBLISHED)
    assert "2016" not in "".join(parsed_svg(svg).itertext())


@pytest.mark.parametrize(
    "rounds", [[], [1.0], [1.0, 1.0, 1.0], [math.nan, 1.0], [math.inf, math.nan], [0.0, 0.0], [1.0] * 20 + [1000.0]]
)
def test_epoch_times_take_odd_rounds(rounds: list[float]) -> None:
    svg = epoch_times([timed("base", rounds)], {"base": rounds}, PUBLISHED)
    assert bool(svg) == any(math.isfinite(r) and r > 0 for r in rounds)
    if svg:
        parsed_svg(svg)
    assert "nan" not in re.sub(r'aria-label="[^"]*"', "", svg).lower()


def test_one_very_slow_round_is_counted_and_does_not_squeeze_the_rest() -> None:
    svg = epoch_times([timed("base", [1.0] * 20 + [1000.0])], {}, Published())
    assert "+1 slower" in "".join(parsed_svg(svg).itertext())


def test_fresh_processes_that_timed_an_arm_again_have_their_own_row() -> None:
    slow, again = (
        timed("base", [1.4, 1.5]),
        [timed("base", [1.6, 1.7]), timed("base", [1.2, 1.3]), timed("other", [9.0])],
    )
    svg = epoch_times([slow], {"base": [1.0]}, Published(), again)
    words = " ".join(parsed_svg(svg).itertext())
    assert (
        "again 1.65 s, 1.25 s" in words and "in fresh processes 1.65 s, 1.25 s" in parsed_svg(svg).attrib["aria-label"]
    )
    alone = epoch_times([slow], {"base": [1.0]}, Published(), again[2:])
    assert "again" not in alone and svg.count("<path") > alone.count("<path")
