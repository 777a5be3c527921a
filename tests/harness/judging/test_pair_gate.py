"""Verdicts of `--dl-against` over process pairs, on a machine whose clock is ours."""

import pytest

from tests.harness.two_trees import LIVELY, against, verdicts

pytestmark = pytest.mark.usefixtures("light_processes")


def slowed(ratio, machine=LIVELY):
    return machine.replace("SLOWDOWN = 1.0", f"SLOWDOWN = {ratio}")


def test_a_slowdown_in_the_working_tree_is_red_in_every_benchmark(committed):
    committed.change(slowed(1.2))
    result, run = against(committed)
    assert result.ret == 1
    assert set(verdicts(run).values()) == {"REGRESSED"}
    result.stdout.fnmatch_lines(["*REGRESSED: *seconds an epoch*"])


def test_a_speedup_is_told(committed):
    committed.change(slowed(0.8))
    result, run = against(committed)
    assert result.ret == 0 and set(verdicts(run).values()) == {"IMPROVED"}


def test_a_part_of_the_suite_has_the_same_share_of_the_budget(committed):
    _, whole = against(committed)
    _, part = against(committed, "-k", "again")
    assert whole["against"]["tests"] == part["against"]["tests"] == 2
    assert {pair["test"] for pair in part["against"]["pairs"]} == {"bench/test_it.py::test_again"}
