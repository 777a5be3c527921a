"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.report import formatting as fmt

anything = st.one_of(st.none(), st.floats(), st.integers(-(10**15), 10**15))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (600_810, "600,810"),
        (0.98919999, "0.9892"),
        (1.62, "1.62"),
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (3e-6, "3e-06"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert fmt.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0851, "85.1 ms"),
        (1.6234, "1.62 s"),
        (18.23, "18.2 s"),
        (125, "2 min 05 s"),
        (4320, "1 h 12 min"),
        (0, "0.00 s"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert fmt.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(2_403_240, "2.40 MB"), (553_000_000, "553 MB"), (1_500, "1.50 kB"), (12, "12 B"), (2e9, "2.00 GB")],
)
def test_data_size(value: float, text: str) -> None:
    assert fmt.data_size(value) == text


@pytest.mark.parametrize(
    ("figures", "unit", "text"),
    [
        ((1.6234, 1.5512, 1.7021), "ratio", "1.62 [1.55, 1.70]"),
        ((1.0061, 1.0012, 1.0111), "ratio", "1.006 [1.001, 1.011]"),
        ((0.0051, 0.002, 0.0081), "points", "+0.51 points [+0.20, +0.81]"),
        ((1.62, 1.55, None), "ratio", "1.62 [1.55, ∞)"),
        ((1.62, None, 1.7), "ratio", "1.62 (−∞, 1.70]"),
        ((12.0, None, None), "count", "12"),
        ((3.0, 3.0, 3.0), "epochs", "3 epochs"),
        ((None, 1.0, 2.0), "ratio", "not measured"),
    ],
)
def test_effect_with_its_interval(figures: tuple[float | None, ...], unit: str, text: str) -> None:
    assert fmt.interval(*figures, unit) == text


@pytest.mark.parametrize(
    ("metric", "unit", "value", "text"),
    [
        ("seconds an epoch", "ratio", 1.682, "1.68 s"),
        ("mean validation accuracy over epochs", "points", 0.98919, "0.9892"),
        ("weight_bytes", "count", 2_403_240, "2.40 MB"),
        ("network (parameters, MACs, bytes)", "parameters", 600_810, "600,810"),
        ("presence", "", None, "–"),
    ],
)
def test_metric_value(metric: str, unit: str, value: float | None, text: str) -> None:
    assert fmt.metric_value(metric, unit, value) == text


def test_moments() -> None:
    assert fmt.moment("2026-01-31T23:40:12+01:00") == "2026-01-31 22:40 UTC"
    assert fmt.moment("yesterday") == "yesterday"


@given(anything, anything, anything, st.sampled_from(["ratio", "points", "bytes", "seconds", "count", "epochs"]))
def test_every_figure_has_a_short_text(effect: float | None, low: float | None, high: float | None, unit: str) -> None:
    text = fmt.interval(effect, low, high, unit)
    assert text and "nan" not in text and "None" not in text


@given(st.text(), st.integers(1, 80))
def test_shortened_text_is_one_printable_line(text: str, width: int) -> None:
    short = fmt.shorten(text, width)
    assert len(short) <= width and not any(ord(c) < 32 or ord(c) == 127 for c in short)


@pytest.mark.parametrize(
    ("figures", "level", "text"),
    [
        ((0.04, -0.02, 1.0475), False, "+4.00 points [-2.00, +100.00]"),
        ((0.04, -1.3, 0.2), False, "+4.00 points [-100.00, +20.00]"),
        ((0.98, 0.95, 1.02), True, "0.9800 [0.9500, 1.0000]"),
        ((0.98, 0.95, None), True, "0.9800 [0.9500, 1.0000]"),
        ((0.02, -0.01, 0.05), True, "0.0200 [0.0000, 0.0500]"),
        ((0.04, 0.02, None), False, "+4.00 points [+2.00, ∞)"),
    ],
)
def test_an_interval_of_shares_ends_where_shares_end(
    figures: tuple[float, float, float | None], level: bool, text: str
) -> None:
    assert fmt.interval(*figures, "points", level=level) == text
