"""The plots: deterministic, tolerant of what was not measured, readable without being seen."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import msgspec
import pytest

from dlcv04.harness.report import figures
from dlcv04.harness.schema import Arm, Assertion, EpochRow, Published, SeedCurve
from tests.harness.report.sample import SIZE_2016, node, sample_run

PUBLISHED = Published(size=SIZE_2016, epoch_seconds={"base": 18, "one_conv_less": 11, "three_conv_more": 39})


def arms(test: str) -> list[Arm]:
    return [arm for arm in sample_run().arms if arm.test == node(test)]


def timed(name: str, rounds: list[float]) -> Arm:
    return Arm(name=name, test="t", round_seconds=rounds, images_per_round=1, images_per_epoch=1)


def learned(name: str, curve: list[float | None], **changes: object) -> Arm:
    rows = [
        EpochRow(train_seconds=1.0, train_loss=None, train_accuracy=v, val_loss=None, val_accuracy=v) for v in curve
    ]
    return Arm(name=name, test="t", curves=[SeedCurve(seed=1, epochs=rows, **changes)])  # type: ignore[arg-type]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def test_matplotlib_is_imported_only_to_draw() -> None:
    code = (
        "import sys\n"
        "import dlcv04.harness.report, dlcv04.harness.report.terminal, dlcv04.harness.report.markdown\n"
        "print([m for m in ('matplotlib', 'jinja2.environment', 'numpy', 'keras', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_figures_give_the_same_bytes() -> None:
    found = arms("test_one_conv_less_learns_worse")
    assert figures.learning_curves(found) == figures.learning_curves(found)


def test_epoch_times_show_ours_the_stored_and_2016_with_both_sizes() -> None:
    svg = figures.epoch_times(arms("test_more_conv_layers_take_longer"), {"base": [0.6, 0.7]}, PUBLISHED)
    text = "".join(parsed(svg).itertext())
    assert "three_conv_more" in text and "stored" in text
    assert "1,024 images" in text and SIZE_2016 in text
    label = parsed(svg).get("aria-label") or ""
    assert "in 2016 39.0 s" in label and "median" in label


def test_without_a_shared_arm_there_is_no_second_scale() -> None:
    svg = figures.epoch_times([timed("mine", [1.0, 1.1])], {}, PUBLISHED)
    assert "2016" not in "".join(parsed(svg).itertext())


@pytest.mark.parametrize(
    "rounds", [[], [1.0], [1.0, 1.0, 1.0], [math.nan, 1.0], [math.inf, math.nan], [0.0, 0.0], [1.0] * 20 + [1000.0]]
)
def test_epoch_times_take_odd_rounds(rounds: list[float]) -> None:
    svg = figures.epoch_times([timed("base", rounds)], {"base": rounds}, PUBLISHED)
    assert bool(svg) == any(math.isfinite(r) and r > 0 for r in rounds)
    if svg:
        parsed(svg)
    assert "nan" not in re.sub(r'aria-label="[^"]*"', "", svg).lower()


def test_one_very_slow_round_is_counted_and_does_not_squeeze_the_rest() -> None:
    svg = figures.epoch_times([timed("base", [1.0] * 20 + [1000.0])], {}, Published())
    assert "+1 slower" in "".join(parsed(svg).itertext())


@pytest.mark.parametrize("curve", [[], [None], [math.nan, None], [0.5], [0.5, None, 0.7], [0.1] * 3000])
def test_learning_curves_take_odd_curves(curve: list[float | None]) -> None:
    svg = figures.learning_curves([learned("base", curve)])
    assert bool(svg) == any(v is not None and math.isfinite(v) for v in curve)
    assert len(svg) < 60_000
    if svg:
        parsed(svg)


def test_a_diverged_seed_is_marked_and_left_out_of_the_mean() -> None:
    lost = learned("base", [0.2, 0.1, None], status="diverged", reason="epoch 3")
    svg = figures.learning_curves([lost, learned("other", [0.5, 0.6, 0.7])])
    assert "diverged (1 seed)" in "".join(parsed(svg).itertext())
    assert "1 seed diverged" in (parsed(svg).get("aria-label") or "")
    assert "no end" in (parsed(svg).get("aria-label") or "")


def test_2016_curves_name_their_size() -> None:
    published = Published(size=SIZE_2016, val_accuracy={"base": [0.9, 0.95]})
    svg = figures.published_curves(published, arms("test_one_conv_less_learns_worse"))
    assert f"2016: {SIZE_2016}" in "".join(parsed(svg).itertext())
    assert figures.published_curves(Published()) == ""


def forest_of(**changes: object) -> list[str]:
    claim = next(c for c in sample_run().claims if c.test == node("test_more_conv_layers_take_longer"))
    return figures.forest([msgspec.structs.replace(claim.assertions[0], **changes)])


@pytest.mark.parametrize(
    "changes",
    [
        {"low": None},
        {"high": None},
        {"low": None, "high": None},
        {"effect": 1.1, "low": 1.1, "high": 1.1},
        {"kind": "EQUIVALENT", "unit": "points", "margin": 0.01},
        {"kind": "EQUIVALENT", "margin": 1.05},
        {"kind": "LEVEL", "unit": "points", "margin": 0.97, "effect": 0.98, "low": 0.96, "high": 0.99},
        {"kind": "REACH", "unit": "epochs", "margin": 0.0, "effect": 0.0, "low": 0.0, "high": 0.0},
        {"verdict": "VIOLATED"},
    ],
)
def test_intervals_of_every_kind_are_drawn(changes: dict[str, object]) -> None:
    (svg,) = forest_of(**changes)
    parsed(svg)


def test_what_was_not_measured_and_exact_counts_are_not_drawn() -> None:
    assert forest_of(effect=None) == []
    assert forest_of(kind="EXACT", unit="parameters") == []
    assert figures.forest([]) == []


def test_units_do_not_share_an_axis() -> None:
    claim = next(c for c in sample_run().claims if c.test == node("test_half_filters_learn_as_well"))
    assert len(figures.forest(claim.assertions)) == 2


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "$x^2$", "font: 1px 'a", "1.23456", "#010101", "(#a", "\x00\x1b[2J"]
)
def test_names_are_text_in_a_picture(name: str) -> None:
    svg = figures.epoch_times([timed(name, [1.0, 1.1])], {}, Published())
    assert "<script" not in svg
    assert name.replace("\x00", "").replace("\x1b", "").strip() in "".join(parsed(svg).itertext())


def test_ids_of_two_pictures_never_meet() -> None:
    first, second = (figures.epoch_times([timed(n, [1.0, 1.2])], {}, Published()) for n in ("a", "b"))
    ids = [set(re.findall(r'\sid="([^"]+)"', svg)) for svg in (first, second)]
    assert ids[0] and not ids[0] & ids[1]
    for svg, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r'[("]#([\w-]+)', svg)) <= own


def test_an_assertion_is_a_record() -> None:
    assert isinstance(sample_run().claims[0].assertions[0], Assertion)
