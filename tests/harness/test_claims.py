"""Claims as a test states them: verdicts, margins, and what a wrong claim is told."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.claims.claim import ClaimError, ClaimInfo, claim
from dlcv04.harness.claims.controls import ControlError, planted, reference_everywhere
from dlcv04.harness.claims.recorder import ClaimRecorder
from dlcv04.harness.judging.verdicts import overall, weak_control
from dlcv04.harness.measuring.blocks import InterleavedBlock
from dlcv04.harness.measuring.seeds import SeededBlock
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import EpochRow, SeedCurve

CONTROL = reference_everywhere("a")


def recorder(policy=None, **options):
    return ClaimRecorder(ClaimInfo("x", CONTROL), policy or Policy(), **options)


class Noisy:
    images_per_step, noisy, compile_seconds = 1, False, None

    def __init__(self, clock, seconds, seed, noise):
        self.clock, self.seconds, self.random, self.noise = clock, seconds, random.Random(seed), noise

    def run_steps(self, count):
        self.clock[0] += count * self.seconds * math.exp(self.random.gauss(0, self.noise))

    def barrier(self):
        pass


def times(ratio, noise=0.09, seed=0):
    clock = [0.0]
    works = {"a": Noisy(clock, 0.1, seed, noise), "b": Noisy(clock, 0.1 * ratio, seed + 1, noise)}
    return InterleavedBlock(works, steps=1, clock=lambda: clock[0]).arms


def curves(gap, noise=0.01, diverges=None, first_seed=0):
    def train(level):
        def one(seed):
            if (level, seed) == diverges:
                return SeedCurve(seed=seed, epochs=[], status="diverged", reason=f"loss is NaN in epoch 1, seed {seed}")
            value = 0.8 + level + random.Random(f"{seed}{level}").gauss(0, noise)
            row = EpochRow(train_seconds=1, train_loss=1, train_accuracy=value, val_loss=1, val_accuracy=value)
            return SeedCurve(seed=seed, epochs=[row, row])

        return one

    return SeededBlock({"a": train(0), "b": train(gap)}, first_seed=first_seed).arms


class TestOrder:
    def test_a_clear_slowdown_holds_after_the_least_pairs(self):
        arms, made = times(1.6), recorder()
        made.slower(arms["b"], than=arms["a"], by=1.1)
        assert made.assertions[0].verdict == "HOLDS" and made.assertions[0].n <= 10

    def test_equal_arms_never_hold(self):
        for seed in range(20):
            arms, made = times(1.0, seed=seed), recorder()
            made.slower(arms["b"], than=arms["a"], by=1.1)
            assert made.assertions[0].verdict != "HOLDS"

    def test_the_interval_decides(self):
        arms, made = times(1.3), recorder()
        made.slower(arms["b"], than=arms["a"], by=1.1)
        assertion = made.assertions[0]
        assert assertion.low > assertion.margin and assertion.low < assertion.effect

    def test_faster_is_slower_the_other_way_round(self):
        arms, made = times(1.6), recorder()
        made.faster(arms["a"], than=arms["b"], by=1.1)
        assert made.assertions[0].verdict == "HOLDS"

    @pytest.mark.parametrize("by", [1.0, 0.9, -2, math.nan])
    def test_a_margin_is_above_one(self, by):
        arms = times(1.6)
        with pytest.raises(ClaimError, match="margin"):
            recorder().slower(arms["b"], than=arms["a"], by=by)

    def test_a_control_runs_at_the_pairs_of_the_real_claim(self):
        arms, made = times(1.0), recorder(fixed_n={0: 14})
        made.slower(arms["b"], than=arms["a"], by=1.1)
        assert made.assertions[0].n == 14


class TestPaired:
    def test_a_clear_gap_holds(self):
        arms, made = curves(0.05), recorder()
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert made.assertions[0].verdict == "HOLDS" and made.assertions[0].n in (3, 5, 8)

    def test_bit_equal_arms_violate_any_margin(self):
        arms, made = curves(0.0, noise=0.0), recorder()
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert made.assertions[0].verdict == "VIOLATED"

    def test_a_diverged_seed_violates_and_names_its_epoch(self):
        arms, made = curves(0.05, diverges=(0.05, 1)), recorder()
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert made.assertions[0].verdict == "VIOLATED"
        assert "NaN in epoch 1, seed 1 (arm b)" in made.assertions[0].reason

    def test_seeds_are_capped_and_the_cap_is_a_look(self):
        arms, made = curves(0.004, noise=0.02), recorder(max_seeds=5)
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert sorted(arms["a"].curves) == [0, 1, 2, 3, 4]

    def test_a_control_draws_other_seeds(self):
        arms, made = curves(0.0, first_seed=1000), recorder(fixed_n={0: 5})
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert sorted(arms["a"].curves) == list(range(1000, 1005))

    def test_recording_trains_ten_seeds_without_an_early_stop(self):
        arms, made = curves(0.05), recorder(Policy(record=True))
        made.better(arms["b"], than=arms["a"], by=0.003)
        assert len(arms["a"].curves) == 10


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


class TestOverall:
    def test_no_assertion_is_no_verdict(self):
        assert overall([])[0] == "INCONCLUSIVE"

    def test_one_violated_assertion_is_enough(self):
        made = recorder()
        made.exactly(1, 1, of="a")
        made.exactly(1, 2, of="b")
        assert overall(made.assertions)[0] == "VIOLATED"


class TestControls:
    def test_a_control_must_keep_the_arms(self):
        with pytest.raises(ControlError, match="never which arms"):
            planted("drops", lambda arm: arm).__class__("x", "x", lambda arms: {}).apply({"a": 1})

    def test_an_unknown_reference_is_named(self):
        with pytest.raises(ControlError, match=r"'base'.*'a', 'b'"):
            reference_everywhere("base").apply({"a": 1, "b": 2})

    def test_weak_when_its_bound_reaches_the_real_effect(self):
        real, strong, weak = recorder(), recorder(fixed_n={0: 20}), recorder(fixed_n={0: 20})
        arms = times(1.6)
        real.slower(arms["b"], than=arms["a"], by=1.1)
        equal, nearly = times(1.0), times(1.55)
        strong.slower(equal["b"], than=equal["a"], by=1.1)
        weak.slower(nearly["b"], than=nearly["a"], by=1.1)
        assert weak_control(real.assertions, strong.assertions) == ""
        assert "is not apart from the real one" in weak_control(real.assertions, weak.assertions)

    def test_a_claim_needs_a_control_and_a_known_profile(self):
        with pytest.raises(ClaimError, match="has no control"):
            claim("x", control=None)
        with pytest.raises(ClaimError, match="judged_from"):
            claim("x", control=CONTROL, judged_from="huge")
