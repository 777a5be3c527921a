"""The self-test's figures: what is stored is shown, nothing is replayed for a report, nothing is made up."""

from __future__ import annotations

import msgspec
import pytest

from dlcv04.harness.policy import Policy
from dlcv04.harness.report.model.noise import noise
from dlcv04.harness.selftest import replaying, sentences
from dlcv04.harness.store import selftests
from dlcv04.harness.store.selftests import PlantedFault, Replayed, SelfTest
from tests.harness.selftest.made import a_test

POLICY = Policy()


def facts(test: SelfTest) -> dict[str, str]:
    return {fact.label: fact.text for fact in noise(test, POLICY)}


def test_spread_false_alarms_and_smallest_slowdown_are_shown(measured: SelfTest) -> None:
    shown = facts(measured)
    assert f"sd {measured.process_point:.1%}" in shown["Spread between processes"]
    assert "with 19 degrees of freedom" in shown["The gate counts on"]
    assert "promised 0.4%" in shown["False alarms"] and "n = 1000" in shown["False alarms"]
    assert shown["Smallest slowdown seen"].startswith(f"{replaying.smallest_seen(measured, POLICY) - 1:.1%}")
    assert "20 of identical code, 4 slowed on purpose, of 1 timing test" in shown["Process pairs"]


def test_too_many_false_alarms_are_flagged(measured: SelfTest) -> None:
    red = Replayed(ratio=1.0, red_runs=40, runs=1000, red=40, benchmarks=3000, promised=0.005)
    shown = noise(msgspec.structs.replace(measured, replayed=[red]), POLICY)
    assert next(f for f in shown if f.label == "False alarms").warn


def test_a_self_test_without_stored_replays_says_so() -> None:
    assert "not stored" in facts(a_test(0.01))["False alarms"]


def test_the_stored_figures_are_those_that_the_command_prints(measured: SelfTest) -> None:
    bare = msgspec.structs.replace(measured, replayed=[])
    assert sentences.lines(measured, POLICY) == sentences.lines(bare, POLICY)


def test_a_stored_self_test_keeps_its_figures(measured: SelfTest, tmp_path) -> None:
    selftests.keep(measured, tmp_path)
    found = selftests.latest(tmp_path, "cpu-x", {"backend": "b"})
    assert found is not None and found.sha256 and msgspec.structs.replace(found, sha256="") == measured


@pytest.mark.parametrize("name", ["x" * 10_000, "../x", "a/b", "x\x00y", "\ud800"])
def test_a_machine_class_that_can_be_no_folder_has_no_self_test(name: str, tmp_path) -> None:
    assert selftests.latest(tmp_path, name, {}) is None


def test_planted_faults_of_learning_are_shown_and_one_that_went_unnoticed_stands_out() -> None:
    seen = PlantedFault(name="a", describes="labels drawn at random", claims=["HOLDS"], figures=["REGRESSED"])
    unseen = PlantedFault(name="b", describes="a leak", claims=["HOLDS"], figures=["PASS"])
    found = noise(msgspec.structs.replace(a_test(0.01), faults=[seen, unseen]), POLICY)
    planted = {fact.text: fact.warn for fact in found if fact.label == "Planted fault"}
    assert planted == {
        "labels drawn at random: noticed (1 x claim HOLDS, 1 x figure REGRESSED)": False,
        "a leak: NOT noticed (1 x claim HOLDS, 1 x figure PASS)": True,
    }
