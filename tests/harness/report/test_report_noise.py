"""The self-test's section: what is stored is shown, nothing is replayed for a report, nothing is made up."""

from __future__ import annotations

import time

import msgspec
import pytest

from dlcv04.harness import selftest
from dlcv04.harness.policy import Policy
from dlcv04.harness.report import html, noise
from dlcv04.harness.schema import Planted, PlantedFault, Replayed, SelfTest
from tests.harness.report.sample import sample_run
from tests.harness.test_selftest import a_test, pairs

POLICY = Policy()


@pytest.fixture(scope="module")
def measured() -> SelfTest:
    planted = Planted(ratio=1.2, pairs=pairs(4, process_sd=0.01, ratio=1.2, seed=3))
    return selftest.with_replays(a_test(0.01, [planted]), POLICY)


def facts(test: SelfTest) -> dict[str, str]:
    return {fact.label: fact.text for fact in noise.build(test, POLICY).facts}


def test_spread_false_alarms_and_smallest_slowdown_are_shown(measured: SelfTest) -> None:
    shown = facts(measured)
    assert f"sd {measured.process_point:.1%}" in shown["Spread between processes"]
    assert "with 19 degrees of freedom" in shown["The gate counts on"]
    assert "promised 0.5%" in shown["False alarms"] and "n = 1000" in shown["False alarms"]
    assert shown["Smallest slowdown seen"].startswith(f"{selftest.smallest_seen(measured, POLICY) - 1:.1%}")
    assert "20 of identical code, 4 slowed on purpose, of 1 timing test" in shown["Process pairs"]


def test_the_curve_rises_with_its_intervals_and_has_the_live_pairs_beside(measured: SelfTest) -> None:
    curve = noise.build(measured, POLICY).curve
    assert curve is not None
    assert [one.slowdown for one in curve.replayed] == sorted(one.slowdown for one in curve.replayed)
    assert curve.replayed[-1].y < curve.replayed[0].y  # up the page
    assert all(one.high <= one.y <= one.low for one in curve.replayed)
    assert all(0 <= one.x <= noise.WIDTH and 0 <= one.high <= one.low <= noise.HEIGHT for one in curve.replayed)
    (live,) = curve.live
    assert live.slowdown == pytest.approx(0.2) and live.n == 3
    assert "slowed by 20%" in curve.said and "live" in curve.said


def test_too_many_false_alarms_are_flagged(measured: SelfTest) -> None:
    red = Replayed(ratio=1.0, red_runs=40, runs=1000, red=40, benchmarks=3000, promised=0.005)
    told = noise.build(msgspec.structs.replace(measured, replayed=[red]), POLICY)
    assert next(f for f in told.facts if f.label == "False alarms").warn
    assert told.curve is not None and len(told.curve.replayed) == 1


def test_a_self_test_without_stored_replays_says_so_and_draws_no_curve() -> None:
    told = noise.build(a_test(0.01), POLICY)
    assert told.curve is None
    assert "not stored" in facts(a_test(0.01))["False alarms"]


def test_the_stored_figures_are_those_that_the_command_prints(measured: SelfTest) -> None:
    bare = msgspec.structs.replace(measured, replayed=[])
    assert selftest.lines(measured, POLICY) == selftest.lines(bare, POLICY)


def test_a_stored_self_test_keeps_its_figures(measured: SelfTest, tmp_path) -> None:
    selftest.store(measured, tmp_path)
    assert selftest.latest(tmp_path, "cpu-x", {"backend": "b"}) == measured


@pytest.mark.parametrize("name", ["x" * 10_000, "../x", "a/b", "x\x00y", "\ud800"])
def test_a_machine_class_that_can_be_no_folder_has_no_self_test(name: str, tmp_path) -> None:
    assert selftest.latest(tmp_path, name, {}) is None


def test_a_report_shows_a_self_test_in_no_time(measured: SelfTest) -> None:
    noise.build(measured, POLICY)
    start = time.process_time()
    noise.build(measured, POLICY)
    assert time.process_time() - start < 0.5


def test_the_page_shows_the_self_test_or_how_to_get_one(measured: SelfTest) -> None:
    page = html.render(sample_run(), [], measured)
    assert 'class="detection"' in page and "Smallest slowdown seen" in page
    without = html.render(sample_run())
    assert "run <code>dlcv04 selftest</code>" in without and 'class="detection"' not in without
    assert "2.5% with 10 degrees of freedom" in without


def test_planted_faults_of_learning_are_told_and_one_that_went_unnoticed_stands_out() -> None:
    seen = PlantedFault(name="a", describes="labels drawn at random", claims=["HOLDS"], figures=["REGRESSED"])
    unseen = PlantedFault(name="b", describes="a leak", claims=["HOLDS"], figures=["PASS"])
    found = noise.build(msgspec.structs.replace(a_test(0.01), faults=[seen, unseen]), POLICY)
    told = {fact.text: fact.warn for fact in found.facts if fact.label == "Planted fault"}
    assert told == {
        "labels drawn at random: noticed (1 x claim HOLDS, 1 x figure REGRESSED)": False,
        "a leak: NOT noticed (1 x claim HOLDS, 1 x figure PASS)": True,
    }
