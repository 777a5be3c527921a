"""Replayed process pairs: false alarms, and what is seen of a slowdown."""

import msgspec
import pytest

from dlcv04.harness.selftest import replaying
from dlcv04.harness.store.selftests import Planted
from tests.harness.selftest.made import POLICY, a_test, pairs


@pytest.mark.parametrize("true", [0.0, 0.02])
def test_replayed_false_alarms_stay_below_what_is_promised(true):
    runs, _ = replaying.replay(a_test(true), 1.0, policy=POLICY, runs=400)
    assert runs.share <= POLICY.alpha_times


def test_a_spread_that_is_understated_shows_in_the_replay():
    """The check itself can fail: a slow state sticks to some processes, and the gate believes in half a percent."""
    sticky = [
        msgspec.structs.replace(one, new_seconds=[1.3 * seconds for seconds in one.new_seconds])
        if one.pair % 2
        else one
        for one in pairs(20, process_sd=0.02)
    ]
    wrong = msgspec.structs.replace(a_test(0.01), identical=sticky, process_sd=0.005, process_df=100.0)
    runs, _ = replaying.replay(wrong, 1.0, policy=POLICY, runs=400)
    assert runs.share > 3 * POLICY.alpha_times


def test_detection_rises_with_the_slowdown_and_is_near_certain_at_20_percent():
    test = a_test(0.01)
    seen = [replaying.replay(test, ratio, policy=POLICY, runs=100)[1].share for ratio in (1.02, 1.10, 1.20)]
    assert seen[0] < 0.1 and seen[1] > 0.5 and seen[2] > 0.99


def test_live_pairs_are_judged_four_at_a_time():
    planted = Planted(ratio=1.2, pairs=pairs(8, process_sd=0.01, ratio=1.2, seed=3))
    assert str(replaying.live(a_test(0.01), planted, POLICY)).startswith("100.0% ")
    assert replaying.live(a_test(0.01), planted, POLICY).runs == 6


def test_a_noisier_machine_sees_less():
    assert replaying.smallest_seen(a_test(0.04), POLICY) > replaying.smallest_seen(a_test(0.005), POLICY) > 1.02
