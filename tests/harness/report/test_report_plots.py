"""The plots: deterministic, tolerant of what was not measured, readable without being seen."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.curves import epochs_to_target, learning_curves, published_curves
from dlcv04.harness.report.forest import forest, held
from dlcv04.harness.report.svg import ticks
from dlcv04.harness.report.times import epoch_times
from dlcv04.harness.schema import Arm, Assertion, EpochRow, Published, SeedCurve
from tests.harness.report.sample import SIZE_2016, every_kind, node, sample_run

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


def test_importing_the_report_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "import dlcv04.harness.report, dlcv04.harness.report.terminal, dlcv04.harness.report.markdown\n"
        "print([m for m in ('matplotlib', 'jinja2.environment', 'numpy', 'keras', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_figures_give_the_same_bytes() -> None:
    found = arms("test_one_conv_less_learns_worse")
    assert learning_curves(found) == learning_curves(found)


def test_epoch_times_show_ours_the_stored_and_2016_with_both_sizes() -> None:
    svg = epoch_times(arms("test_more_conv_layers_take_longer"), {"base": [0.6, 0.7]}, PUBLISHED)
    text = "".join(parsed(svg).itertext())
    assert "three_conv_more" in text and "stored" in text
    assert "1,024 images" in text and SIZE_2016 in text
    label = parsed(svg).get("aria-label") or ""
    assert "in 2016 39.0 s" in label and "median" in label


def test_without_a_shared_arm_there_is_no_second_scale() -> None:
    svg = epoch_times([timed("mine", [1.0, 1.1])], {}, PUBLISHED)
    assert "2016" not in "".join(parsed(svg).itertext())


@pytest.mark.parametrize(
    "rounds", [[], [1.0], [1.0, 1.0, 1.0], [math.nan, 1.0], [math.inf, math.nan], [0.0, 0.0], [1.0] * 20 + [1000.0]]
)
def test_epoch_times_take_odd_rounds(rounds: list[float]) -> None:
    svg = epoch_times([timed("base", rounds)], {"base": rounds}, PUBLISHED)
    assert bool(svg) == any(math.isfinite(r) and r > 0 for r in rounds)
    if svg:
        parsed(svg)
    assert "nan" not in re.sub(r'aria-label="[^"]*"', "", svg).lower()


def test_one_very_slow_round_is_counted_and_does_not_squeeze_the_rest() -> None:
    svg = epoch_times([timed("base", [1.0] * 20 + [1000.0])], {}, Published())
    assert "+1 slower" in "".join(parsed(svg).itertext())


@pytest.mark.parametrize("curve", [[], [None], [math.nan, None], [0.5], [0.5, None, 0.7], [0.1] * 3000])
def test_learning_curves_take_odd_curves(curve: list[float | None]) -> None:
    svg = learning_curves([learned("base", curve)])
    assert bool(svg) == any(v is not None and math.isfinite(v) for v in curve)
    assert len(svg) < 60_000
    if svg:
        parsed(svg)


def test_a_diverged_seed_is_marked_and_left_out_of_the_mean() -> None:
    lost = learned("base", [0.2, 0.1, None], status="diverged", reason="epoch 3")
    svg = learning_curves([lost, learned("other", [0.5, 0.6, 0.7])])
    assert "diverged (1 seed)" in "".join(parsed(svg).itertext())
    assert "1 seed diverged" in (parsed(svg).get("aria-label") or "")
    assert "no end" in (parsed(svg).get("aria-label") or "")


def test_2016_curves_name_their_size() -> None:
    published = Published(size=SIZE_2016, val_accuracy={"base": [0.9, 0.95]})
    svg = published_curves(published, arms("test_one_conv_less_learns_worse"))
    assert f"2016: {SIZE_2016}" in "".join(parsed(svg).itertext())
    assert published_curves(Published()) == ""


def forest_of(**changes: object) -> list[str]:
    claim = next(c for c in sample_run().claims if c.test == node("test_more_conv_layers_take_longer"))
    return forest([msgspec.structs.replace(claim.assertions[0], **changes)])


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
    assert forest([]) == []


def test_units_do_not_share_an_axis() -> None:
    claim = next(c for c in sample_run().claims if c.test == node("test_half_filters_learn_as_well"))
    assert len(forest(claim.assertions)) == 2


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "$x^2$", "font: 1px 'a", "1.23456", "#010101", "(#a", "\x00\x1b[2J"]
)
def test_names_are_text_in_a_picture(name: str) -> None:
    svg = epoch_times([timed(name, [1.0, 1.1])], {}, Published())
    assert "<script" not in svg
    assert name.replace("\x00", "").replace("\x1b", "").strip() in "".join(parsed(svg).itertext())


def test_pictures_have_no_ids_that_could_meet() -> None:
    run = sample_run()
    drawn = [*forest(run.claims[1].assertions), epoch_times(run.arms, {}, PUBLISHED), learning_curves(run.arms)]
    assert all(drawn) and not [svg for svg in drawn if re.search(r"\sid=|url\(", svg)]


def test_a_picture_is_small() -> None:
    """Hundreds of them stand in one file of 5 MB."""
    found = arms("test_one_conv_less_learns_worse")
    assert len(learning_curves(found)) < 9_000
    assert len(epoch_times(arms("test_more_conv_layers_take_longer"), {}, PUBLISHED)) < 6_000


LIMITS = {
    "ORDER": ((1.1, 9), "margin 1.10"),
    "PAIRED": ((0.01, 9), "margin +1.00 points"),
    "not better": ((-9, 0.01), "less than +1.00 points"),
    "EQUIVALENT": ((-0.01, 0.01), "margin ±1.00 points"),
    "LEVEL": ((0.97, 9), "at least 0.9700"),
    "REACH": ((1.5, 9), "margin 1.50"),
    "IDENTITY": ((-9, 1e-5), "tolerance 1e-05"),
}
KINDS = every_kind()


@pytest.mark.parametrize("kind", LIMITS)
def test_every_kind_is_drawn_with_its_margin_and_where_it_holds(kind: str) -> None:
    one, (where, limit) = KINDS[kind], LIMITS[kind]
    (svg,) = forest([one])
    parsed(svg)
    assert limit in fmt.assertion_limit(one) and limit in svg
    assert held(one, -9, 9) == where
    assert ("against old" in svg) == bool(one.reference)


def test_only_an_open_bound_has_an_arrow() -> None:
    def arrows(name: str) -> int:
        return len(re.findall(r'd="M[^"]*z"', forest([KINDS[name]])[0]))

    assert arrows("LEVEL") == 1 and arrows("ORDER") == 0 and arrows("IDENTITY") == 0


def test_kinds_that_mean_something_else_have_an_axis_of_their_own() -> None:
    pictures = forest(list(KINDS.values()))
    assert len(pictures) == 5  # ratios; points; level; epochs; deviation
    assert sum("ratio of epochs" in svg for svg in pictures) == 1


def reached(*curves: list[float | None]) -> list[Arm]:
    return [learned(name, curve) for name, curve in zip(("new", "old"), curves, strict=True)]


def test_epochs_to_a_target_are_drawn_with_misses() -> None:
    claim = msgspec.structs.replace(KINDS["REACH"], metric="validation accuracy")
    svg = epochs_to_target(claim, reached([0.5, 0.95, 0.96], [0.5, 0.6, 0.7]))
    label = parsed(svg).get("aria-label") or ""
    assert "new: median 1.9" in label and "old: median 3.0, missed in 1 of 1 seed" in label
    assert epochs_to_target(KINDS["PAIRED"], reached([0.5], [0.6])) == ""
    assert epochs_to_target(msgspec.structs.replace(claim, metric="my own"), reached([0.5], [0.6])) == ""
    assert epochs_to_target(claim, []) == ""


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


def test_an_assertion_is_a_record() -> None:
    assert isinstance(sample_run().claims[0].assertions[0], Assertion)


def test_fresh_processes_that_timed_an_arm_again_have_their_own_row() -> None:
    slow, again = (
        timed("base", [1.4, 1.5]),
        [timed("base", [1.6, 1.7]), timed("base", [1.2, 1.3]), timed("other", [9.0])],
    )
    svg = epoch_times([slow], {"base": [1.0]}, Published(), again)
    words = " ".join(parsed(svg).itertext())
    assert "again 1.65 s, 1.25 s" in words and "in fresh processes 1.65 s, 1.25 s" in parsed(svg).attrib["aria-label"]
    alone = epoch_times([slow], {"base": [1.0]}, Published(), again[2:])
    assert "again" not in alone and svg.count("<path") > alone.count("<path")
