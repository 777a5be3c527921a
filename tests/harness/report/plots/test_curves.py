"""Learning curves: deterministic, tolerant of what was not measured."""

from __future__ import annotations

import math
import re

import msgspec
import pytest

from dlcv04.harness.report.plots.curves import learning_curves, published_curves
from dlcv04.harness.store.schema import Arm, Assertion, ClaimKind, EpochRow, Published, SeedCurve
from tests.harness.report.plots.drawn import arms, learned, parsed_svg
from tests.harness.report.sample import SIZE_2016, kinds_run


def test_the_same_figures_give_the_same_bytes() -> None:
    found = arms("test_one_conv_less_learns_worse")
    assert learning_curves(found) == learning_curves(found)


@pytest.mark.parametrize("curve", [[], [None], [math.nan, None], [0.5], [0.5, None, 0.7], [0.1] * 3000])
def test_learning_curves_take_odd_curves(curve: list[float | None]) -> None:
    drawn = learning_curves([learned("base", curve)])
    assert len(drawn) == any(v is not None and math.isfinite(v) for v in curve)
    for svg in drawn:
        assert len(svg) < 60_000
        parsed_svg(svg)


def test_a_diverged_seed_is_marked_and_left_out_of_the_mean() -> None:
    lost = learned("base", [0.2, 0.1, None], status="diverged", reason="epoch 3")
    (svg,) = learning_curves([lost, learned("other", [0.5, 0.6, 0.7])])
    assert "diverged (1 seed)" in "".join(parsed_svg(svg).itertext())
    assert "1 seed diverged" in (parsed_svg(svg).get("aria-label") or "")
    assert "no end" in (parsed_svg(svg).get("aria-label") or "")


def _figures(drawn: list[str]) -> list[str]:
    return [(parsed_svg(svg).get("aria-label") or "").partition(":")[0] for svg in drawn]


def _asked(kind: ClaimKind, metric: str, level: float) -> Assertion:
    found = next(a for claim in kinds_run().claims for a in claim.assertions if a.kind == kind)
    return msgspec.structs.replace(found, metric=metric, margin=level, target=level)


def test_what_the_claim_is_about_is_drawn_first() -> None:
    arm = learned("base", [0.5, 0.6, 0.7], [1.0, 0.9, 0.8])
    assert _figures(learning_curves([arm])) == ["Accuracy", "Loss"]
    about = _asked("LEVEL", "validation loss after the last epoch", 0.9)
    assert _figures(learning_curves([arm], [about])) == ["Loss", "Accuracy"]


def test_metrics_by_name_have_their_picture() -> None:
    rows = [
        EpochRow(train_seconds=1.0, train_loss=None, train_accuracy=None, val_loss=None, val_accuracy=None, metrics=m)
        for m in ({"mae": 2.0, "val_mae": 3.0}, {"mae": 1.0, "val_mae": 2.5})
    ]
    (svg,) = learning_curves([Arm(name="table", test="t", curves=[SeedCurve(seed=1, epochs=rows)])])
    assert (parsed_svg(svg).get("aria-label") or "").startswith("Mae: 1 seed")
    assert "median 2.5 at the end" in svg


@pytest.mark.parametrize("kind", ["LEVEL", "REACH"])
def test_the_target_is_marked_in_its_own_figure_and_inside_the_picture(kind: ClaimKind) -> None:
    arm = learned("base", [0.5, 0.6, 0.7], [1.0, 0.9, 0.8])
    accuracy, loss = learning_curves([arm], [_asked(kind, "validation accuracy", 0.95)])
    marks = re.findall(r'd="M42 ([0-9.]+)L410 [0-9.]+"[^>]*stroke-dasharray="1 3"', accuracy)
    assert len(marks) == 1 and 28 <= float(marks[0]) <= 240
    assert 'stroke-dasharray="1 3"' not in loss


@pytest.mark.parametrize(
    ("losses", "turns"), [([1.0, 0.5, 0.9], True), ([1.0, 0.9, 0.8], False), ([None, None, None], False)]
)
def test_the_turn_is_marked_where_the_loss_rises_again(losses: list[float | None], turns: bool) -> None:
    still = learning_curves([learned("base", [0.5, 0.6, 0.7])])
    shown = learning_curves([learned("base", [0.5, 0.6, 0.7], losses)])
    # One stroke more: the hollow diamond.
    assert (shown[0].count('stroke-width="1.6"') - still[0].count('stroke-width="1.6"') == 1) == turns


def test_2016_curves_name_their_size() -> None:
    published = Published(size=SIZE_2016, val_accuracy={"base": [0.9, 0.95]})
    svg = published_curves(published, arms("test_one_conv_less_learns_worse"))
    assert f"2016: {SIZE_2016}" in "".join(parsed_svg(svg).itertext())
    assert published_curves(Published()) == ""
