"""Effects with their intervals, margins and where the claim holds."""

from __future__ import annotations

import re

import msgspec
import pytest

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.plots.forest import forest, holding_range
from tests.harness.report.plots.drawn import parsed_svg
from tests.harness.report.sample import every_kind, node, sample_run


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
    parsed_svg(svg)


def test_what_was_not_measured_and_exact_counts_are_not_drawn() -> None:
    assert forest_of(effect=None) == []
    assert forest_of(kind="EXACT", unit="parameters") == []
    assert forest([]) == []


def test_units_do_not_share_an_axis() -> None:
    claim = next(c for c in sample_run().claims if c.test == node("test_half_filters_learn_as_well"))
    assert len(forest(claim.assertions)) == 2


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
    assertion, (where, limit) = KINDS[kind], LIMITS[kind]
    (svg,) = forest([assertion])
    parsed_svg(svg)
    assert limit in fmt.assertion_limit(assertion) and limit in svg
    assert holding_range(assertion, -9, 9) == where
    assert ("against old" in svg) == bool(assertion.reference)


def test_only_an_open_bound_has_an_arrow() -> None:
    def arrows(name: str) -> int:
        return len(re.findall(r'd="M[^"]*z"', forest([KINDS[name]])[0]))

    assert arrows("LEVEL") == 1 and arrows("ORDER") == 0 and arrows("IDENTITY") == 0


def test_kinds_that_mean_something_else_have_an_axis_of_their_own() -> None:
    pictures = forest(list(KINDS.values()))
    assert len(pictures) == 5  # ratios; points; level; epochs; deviation
    assert sum("ratio of epochs" in svg for svg in pictures) == 1
