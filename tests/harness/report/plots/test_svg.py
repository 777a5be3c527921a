"""The canvas: round ticks, and what every picture has in common."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.report.plots.curves import learning_curves
from dlcv04.harness.report.plots.epoch_times import epoch_times
from dlcv04.harness.report.plots.forest import forest
from dlcv04.harness.report.plots.svg import ticks
from dlcv04.harness.store.schema import Published
from tests.harness.report.plots.drawn import PUBLISHED, arms, parsed_svg, timed
from tests.harness.report.sample import sample_run


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_ticks_are_round_few_and_within(low: float, width: float) -> None:
    high = low + width
    found = ticks(low, high)
    assert len(found) <= 6 and found == sorted(found)
    if high - low > 1e-6 * max(abs(low), abs(high)):
        assert len(found) >= 2
        assert all(low - 1e-6 * width <= value <= high + 1e-6 * width for value in found)
        steps = [b - a for a, b in pairwise(found)]
        assert max(steps) - min(steps) <= 1e-6 * max(steps)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_an_axis_without_a_span_has_no_ticks(low: float, high: float) -> None:
    assert ticks(low, high) == []


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "$x^2$", "font: 1px 'a", "1.23456", "#010101", "(#a", "\x00\x1b[2J"]
)
def test_names_are_text_in_a_picture(name: str) -> None:
    svg = epoch_times([timed(name, [1.0, 1.1])], {}, Published())
    assert "<script" not in svg
    assert name.replace("\x00", "").replace("\x1b", "").strip() in "".join(parsed_svg(svg).itertext())


def test_pictures_have_no_ids_that_could_meet() -> None:
    run = sample_run()
    drawn = [*forest(run.claims[1].assertions), epoch_times(run.arms, {}, PUBLISHED), *learning_curves(run.arms)]
    assert all(drawn) and not [svg for svg in drawn if re.search(r"\sid=|url\(", svg)]


def test_a_picture_is_small() -> None:
    """Hundreds of them stand in one file of 5 MB."""
    found = arms("test_one_conv_less_learns_worse")
    assert max(map(len, learning_curves(found))) < 9_000
    assert len(epoch_times(arms("test_more_conv_layers_take_longer"), {}, PUBLISHED)) < 6_000
