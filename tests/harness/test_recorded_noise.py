"""The deterministic control: recorded rounds of identical code, judged as if they were a claim or a change.

The rounds are those of the self-tests stored in `baselines/`, made on real machines.
"""

from pathlib import Path

import msgspec
import pytest

from dlcv04.harness.judging import pair_gate
from dlcv04.harness.policy import Policy
from dlcv04.harness.selftest import replaying, running
from dlcv04.harness.stats import order_test
from dlcv04.harness.store.selftests import SelfTest

FILES = sorted((Path(__file__).parents[2] / "baselines").glob("*/selftest/*.json"))
POLICY = Policy(against=True)


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.parent.parent.name)
def recorded(request):
    return msgspec.json.decode(request.param.read_bytes(), type=SelfTest)


def test_there_is_recorded_noise():
    assert FILES


def by_benchmark(pairs):
    found = {}
    for rounds in pairs:
        found.setdefault(rounds.key, []).extend(rounds.log_ratios)
    return found


@pytest.mark.parametrize("margin", [1.05, 1.10])
def test_no_claim_holds_on_rounds_of_identical_code(recorded, margin):
    """Every benchmark's pairs one after the other, 60 at a time, both ways round: a control of a time claim."""
    for ratios in by_benchmark(recorded.identical).values():
        for first in range(0, len(ratios), 60):
            for sign in (1, -1):
                part = [sign * value for value in ratios[first : first + 60]]
                assert order_test(part, margin).verdict != "HOLDS"


def test_the_claim_holds_on_the_same_rounds_slowed(recorded):
    """The check above can fail: the same rounds, 30 % slower, carry the claim."""
    import math

    for ratios in by_benchmark(recorded.identical).values():
        assert order_test([value + math.log(1.3) for value in ratios[:60]], 1.10).verdict == "HOLDS"


def test_the_gate_lets_identical_code_pass_and_the_planted_slowdown_not(recorded):
    runs, _ = replaying.replay(recorded, 1.0, policy=POLICY, runs=200)
    assert runs.red == 0
    planted = next(planted for planted in recorded.planted if planted.ratio == 1.2)
    rate = replaying.live(recorded, planted, POLICY)
    assert rate.red == rate.runs > 0


def test_the_stored_spread_is_what_the_stored_rounds_give(recorded):
    spread = running.process_spread(recorded.identical)
    assert (spread.sd, spread.df) == pytest.approx((recorded.process_sd, recorded.process_df))
    assert pair_gate.LOOKS == (2, 4, 8)
