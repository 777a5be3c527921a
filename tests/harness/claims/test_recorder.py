"""What a claim's recorder asks of the arms: seeds, looks, exact counts."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.claims.claim import ClaimInfo
from dlcv04.harness.claims.recorder import ClaimRecorder
from dlcv04.harness.judging.metrics import FINAL_VAL_ACCURACY
from dlcv04.harness.judging.verdicts import overall
from dlcv04.harness.measuring.seeds import SeededBlock
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import EpochRow, SeedCurve
from tests.harness.arms import CONTROL, FAST, SLOW, curves, recorder


def curves_apart(gap, noise=0.01, diverges=None, first_seed=0):
    def train(level):
        def one(seed):
            if (level, seed) == diverges:
                return SeedCurve(seed=seed, epochs=[], status="diverged", reason=f"loss is NaN in epoch 1, seed {seed}")
            draw = random.Random(f"{seed}{level}")
            value = 0.8 + level + draw.gauss(0, noise)
            row = EpochRow(
                train_seconds=1, train_loss=draw.random(), train_accuracy=value, val_loss=1, val_accuracy=value
            )
            return SeedCurve(seed=seed, epochs=[row, row])

        return one

    return SeededBlock({"a": train(0), "b": train(gap)}, first_seed=first_seed).arms


class TestPaired:
    def test_a_clear_gap_holds(self):
        arms, made = curves_apart(0.05), recorder()
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert made.assertions[0].verdict == "HOLDS" and made.assertions[0].n == 5

    def test_bit_equal_arms_violate_any_margin(self):
        arms, made = curves_apart(0.0, noise=0.0), recorder()
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert made.assertions[0].verdict == "VIOLATED"

    def test_a_diverged_seed_keeps_it_open_and_names_its_epoch(self):
        arms, made = curves_apart(0.05, diverges=(0.05, 1)), recorder()
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert made.assertions[0].verdict == "INCONCLUSIVE" and made.assertions[0].failed == 1
        assert "1 of 12 seeds of b failed (loss is NaN in epoch 1, seed 1)" in made.assertions[0].reason

    def test_seeds_are_capped_and_the_cap_is_a_look(self):
        arms, made = curves_apart(0.004, noise=0.02), recorder(max_seeds=5)
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert sorted(arms["a"].curves) == [0, 1, 2, 3, 4]

    def test_a_control_draws_other_seeds(self):
        arms, made = curves_apart(0.0, first_seed=1000), recorder(fixed_n={0: 5})
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert sorted(arms["a"].curves) == list(range(1000, 1005))

    def test_recording_trains_twelve_seeds_without_an_early_stop(self):
        arms, made = curves_apart(0.05), recorder(Policy(record=True))
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert len(arms["a"].curves) == 12


class TestExact:
    @given(st.integers(0, 10**9), st.integers(0, 10**9))
    @settings(max_examples=50)
    def test_exactly(self, value, expected):
        made = recorder()
        made.exactly(value, expected, of="a")
        assert made.assertions[0].verdict == ("HOLDS" if value == expected else "VIOLATED")

    def test_the_reason_has_both_figures(self):
        made = recorder()
        made.exactly(693_962, 600_810, of="base")
        assert overall(made.assertions) == ("VIOLATED", "base has 693,962 parameters, not 600,810")

    def test_fewer_and_times_as_many(self):
        made = recorder()
        made.fewer(5, than=6, of="a", reference="b")
        made.fewer(6, than=6, of="a", reference="b")
        made.times_as_many(80, than=10, by=8, of="a", reference="b")
        made.times_as_many(79, than=10, by=8, of="a", reference="b")
        assert [a.verdict for a in made.assertions] == ["HOLDS", "VIOLATED", "HOLDS", "VIOLATED"]


def test_recording_trains_twelve_seeds_for_every_kind():
    arms = curves(a=SLOW, b=FAST)
    made = ClaimRecorder(ClaimInfo("x", CONTROL), Policy(record=True))
    made.reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=1.25)
    made.at_least(arms["a"], 0.5, of=FINAL_VAL_ACCURACY)
    assert len(arms["a"].curves) == 12
