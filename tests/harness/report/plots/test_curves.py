"""Learning curves: deterministic, tolerant of what was not measured."""

from __future__ import annotations

import math

import pytest

from dlcv04.harness.report.plots.curves import learning_curves, published_curves
from dlcv04.harness.store.schema import Published
from tests.harness.report.plots.drawn import arms, learned, parsed_svg
from tests.harness.report.sample import SIZE_2016


def test_the_same_figures_give_the_same_bytes() -> None:
    found = arms("test_one_conv_less_learns_worse")
    assert learning_curves(found) == learning_curves(found)


@pytest.mark.parametrize("curve", [[], [None], [math.nan, None], [0.5], [0.5, None, 0.7], [0.1] * 3000])
def test_learning_curves_take_odd_curves(curve: list[float | None]) -> None:
    svg = learning_curves([learned("base", curve)])
    assert bool(svg) == any(v is not None and math.isfinite(v) for v in curve)
    assert len(svg) < 60_000
    if svg:
        parsed_svg(svg)


def test_a_diverged_seed_is_marked_and_left_out_of_the_mean() -> None:
    lost = learned("base", [0.2, 0.1, None], status="diverged", reason="epoch 3")
    svg = learning_curves([lost, learned("other", [0.5, 0.6, 0.7])])
    assert "diverged (1 seed)" in "".join(parsed_svg(svg).itertext())
    assert "1 seed diverged" in (parsed_svg(svg).get("aria-label") or "")
    assert "no end" in (parsed_svg(svg).get("aria-label") or "")


def test_2016_curves_name_their_size() -> None:
    published = Published(size=SIZE_2016, val_accuracy={"base": [0.9, 0.95]})
    svg = published_curves(published, arms("test_one_conv_less_learns_worse"))
    assert f"2016: {SIZE_2016}" in "".join(parsed_svg(svg).itertext())
    assert published_curves(Published()) == ""
