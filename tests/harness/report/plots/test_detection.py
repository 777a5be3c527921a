"""The detection curve of a self-test."""

from __future__ import annotations

import time

import msgspec

from dlcv04.harness.policy import Policy
from dlcv04.harness.report.model.noise import noise
from dlcv04.harness.report.plots.detection import HEIGHT, WIDTH, detection_curve
from dlcv04.harness.store.selftests import Replayed, SelfTest
from tests.harness.selftest.made import a_test

POLICY = Policy()


def test_the_curve_rises_with_its_intervals_and_has_the_live_pairs_beside(measured: SelfTest) -> None:
    curve = detection_curve(measured, POLICY)
    assert curve is not None
    assert [point.x for point in curve.replayed] == sorted(point.x for point in curve.replayed)
    assert curve.replayed[-1].y < curve.replayed[0].y  # up the page
    assert all(point.high <= point.y <= point.low for point in curve.replayed)
    assert all(0 <= point.x <= WIDTH and 0 <= point.high <= point.low <= HEIGHT for point in curve.replayed)
    (live,) = curve.live
    assert live.text.startswith("20%: ") and "n = 3" in live.text
    assert "slowed by 20%" in curve.sentence and "live" in curve.sentence


def test_without_stored_replays_there_is_no_curve() -> None:
    assert detection_curve(a_test(0.01), POLICY) is None


def test_one_replayed_slowdown_is_one_point(measured: SelfTest) -> None:
    single = Replayed(ratio=1.0, red_runs=40, runs=1000, red=40, benchmarks=3000, promised=0.005)
    curve = detection_curve(msgspec.structs.replace(measured, replayed=[single]), POLICY)
    assert curve is not None and len(curve.replayed) == 1


def test_a_report_shows_a_self_test_in_no_time(measured: SelfTest) -> None:
    start = time.process_time()
    noise(measured, POLICY)
    detection_curve(measured, POLICY)
    assert time.process_time() - start < 0.5
