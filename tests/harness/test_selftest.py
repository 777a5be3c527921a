"""`dlcv04 selftest`: on a machine of ours whose spread between processes is known."""

import math
import random

import msgspec
import pytest
from typer.testing import CliRunner

from dlcv04.cli import app
from dlcv04.harness.policy import Policy
from dlcv04.harness.selftest import learning_faults, replaying, running, sentences
from dlcv04.harness.store import selftests
from dlcv04.harness.store.schema import Commit, Environment, PairRounds
from dlcv04.harness.store.selftests import Planted, PlantedFault, SelfTest
from tests.conftest import FAKE_MACHINE
from tests.harness.test_claim_kinds import LEARNER

POLICY = Policy(against=True)


def pairs(count, *, process_sd, ratio=1.0, arms=("a", "b", "c"), seed=0, rounds=20):
    rng = random.Random(seed)
    found = []
    for number in range(count):
        for arm in arms:
            own = rng.gauss(0, process_sd) + math.log(ratio)
            old = [0.1 * math.exp(rng.gauss(0, 0.05)) for _ in range(rounds)]
            new = [0.1 * math.exp(own + rng.gauss(0, 0.05)) for _ in range(rounds)]
            found.append(
                PairRounds(
                    test="t", arm=arm, pair=number, steps=1, images_per_step=128, old_seconds=old, new_seconds=new
                )
            )
    return found


def a_test(process_sd, planted=()):
    identical = pairs(20, process_sd=process_sd)
    spread = running.process_spread(identical)
    return SelfTest(
        id="x", started="2026-11-23", seconds=1, key={"backend": "b"}, commit=Commit(), tests=1,
        environment=Environment(machine_class="cpu-x", hardware={}, software={}),
        process_sd=spread.sd, process_df=spread.df, process_point=spread.point, process_upper95=spread.upper95,
        rounds_sd=spread.within, identical=identical, planted=list(planted),
    )  # fmt: skip


@pytest.mark.parametrize("true", [0.01, 0.03])
def test_the_spread_between_processes_is_found_with_the_pairs_degrees_of_freedom(true):
    test = a_test(true)
    assert test.process_df == 19
    assert test.process_point == pytest.approx(true, abs=0.007)
    assert test.process_sd > test.process_point and test.process_upper95 > test.process_sd


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


def test_the_newest_of_this_key_is_used(tmp_path):
    selftests.keep(a_test(0.01), tmp_path)
    assert selftests.latest(tmp_path, "cpu-x", {"backend": "b"}).process_df == 19
    assert selftests.latest(tmp_path, "cpu-x", {"backend": "jax"}) is None
    assert selftests.latest(tmp_path, "cpu-y", {"backend": "b"}) is None


def test_the_command_measures_stores_and_says(suite, monkeypatch):
    machine = FAKE_MACHINE.replace("random.Random(1)", "random.Random()")
    planted = "import os\nSLOWDOWN = 1 + float(os.environ.get('DLCV04_PLANTED_SLOWDOWN', 0))"
    folder = suite(machine=machine.replace("SLOWDOWN = 1.0", planted)).path
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, ["selftest", "--identical", "4", "--planted", "4", "--quick"])
    assert result.exit_code == 0, result.output
    assert "process pair 16 of 16" in result.output and "min left" in result.output
    assert "live 2 of 2" in result.output
    stored = list((folder / "baselines").glob("*/selftest/*.json"))
    assert len(stored) == 1


LEARNS = """
from dlcv04 import claim, reference_everywhere

@claim("Better", control=reference_everywhere("a"))
def test_better(learning, claim):
    arms = learning(a=[0.2, 0.3], b=[0.4, 0.5])
    claim.better(arms.b, than=arms.a, by=0.02)
"""


def plant(root, name="tenth_rate"):
    return learning_faults.plant(root, ["bench", "--dl-data=embedded"], name, "a tenth of the rate")


def test_a_suite_that_does_not_notice_a_planted_fault_is_told_so(suite):
    """Its learner has no optimizer at all, so the fault reaches nothing, and the claim goes on holding."""
    found = plant(suite(LEARNS, FAKE_MACHINE + LEARNER.replace("def learn(", "def learning(")).path)
    assert found.claims == ["HOLDS"] and not found.noticed
    test = msgspec.structs.replace(a_test(0.01), faults=[found])
    assert sentences.lines(test, POLICY)[-1] == (
        "planted fault, a tenth of the rate: NOT noticed (1 x claim HOLDS, 2 x figure NO_BASELINE)"
    )


@pytest.mark.parametrize("word", ["VIOLATED", "REGRESSED", "TOO GOOD"])
def test_what_counts_as_noticed(word):
    claims, figures = (["HOLDS", word], ["PASS"]) if word == "VIOLATED" else (["HOLDS"], ["PASS", word])
    assert PlantedFault(name="x", describes="x", claims=claims, figures=figures).noticed


def test_a_suite_without_learning_has_nothing_to_plant_in(suite):
    assert plant(suite().path) is None


def test_a_fault_that_breaks_the_suite_is_an_error(suite):
    with pytest.raises(learning_faults.FaultError, match="could not be run with the fault nothing"):
        plant(suite(LEARNS, FAKE_MACHINE).path, "nothing")
