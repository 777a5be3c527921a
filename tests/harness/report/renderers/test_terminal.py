"""The terminal's lines."""

from __future__ import annotations

import re

import msgspec
import pytest

from dlcv04.harness.report.renderers import terminal
from tests.harness.report.sample import (
    HOSTILE,
    empty_run,
    green_run,
    hostile_baselines,
    hostile_run,
    pictured_run,
    sample_run,
)


def test_one_line_a_claim_with_verdict_effect_interval_and_n() -> None:
    lines = terminal.lines(sample_run())
    line = next(x for x in lines if "Adding conv layers is expensive" in x)
    assert line.startswith("HOLDS ") and "1.62 [1.55, 1.70], margin 1.10, n = 10 rounds" in line
    assert lines[0].startswith("VIOLATED")
    assert lines[-1].startswith("4 of 6 claims hold")


def test_red_figures_stand_below_their_claim_with_what_changed() -> None:
    lines = terminal.lines(sample_run())
    at = next(i for i, x in enumerate(lines) if "Adding conv layers is expensive" in x)
    assert "REGRESSED" in lines[at + 1] and "tensorflow 2.20.0" in lines[at + 1]
    assert any("MISSING" in x and "extra_fc128" in x for x in lines)
    assert any(x.startswith("ERROR") and "test_kernel_5x5" in x for x in lines)
    assert any("SURVIVED" in x and "control" in x for x in lines)


def test_undecided_figures_stand_below_their_claim_with_their_sentence() -> None:
    lines = terminal.lines(sample_run())
    at = next(i for i, x in enumerate(lines) if "Removing a conv layer learns worse" in x)
    assert "INCONCLUSIVE" in lines[at + 1] and "The interval straddles the gate" in lines[at + 1]


def test_what_was_not_compared_is_counted_by_kind_with_the_command_that_stores_it() -> None:
    run = green_run()
    claim = next(claim for claim in run.claims if claim.comparisons)
    kinds = ("times", "learning", "learning", None)
    rows = [msgspec.structs.replace(claim.comparisons[0], verdict="NO_BASELINE", kind=kind) for kind in kinds]
    lines = terminal.lines(msgspec.structs.replace(run, claims=[msgspec.structs.replace(claim, comparisons=rows)]))
    assert lines[-2].startswith("Not compared: 1 time, 2 figures of learning, 1 other figure: `dlcv04 baseline`")
    assert not any(line.startswith("Not compared") for line in terminal.lines(run))


def test_an_empty_run_is_one_line() -> None:
    assert terminal.lines(empty_run()) == ["No claim was run."]


def test_a_terminal_is_never_driven_by_a_name() -> None:
    run = green_run()
    claim = msgspec.structs.replace(run.claims[0], sentence="red \x1b[31m\x9b2J\r\nnext")
    lines = terminal.lines(msgspec.structs.replace(run, claims=[claim]))
    assert not any(re.search("[\x1b\x9b\r\n]", line) for line in lines)
    assert all("\n" not in line for line in terminal.lines(sample_run()))


def test_pictures_are_named_where_they_can_not_be_shown() -> None:
    name = "a ramp from black to white, 1600 pixels wide"
    assert f"4 pictures in the report: {name}" in "\n".join(terminal.lines(pictured_run()))
    assert "icture" not in "\n".join(terminal.lines(sample_run()))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name: str) -> None:
    lines = terminal.lines(hostile_run(HOSTILE[name]), hostile_baselines(HOSTILE[name]))
    assert all(not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line) for line in lines)
    assert max(map(len, lines)) < 1_500
