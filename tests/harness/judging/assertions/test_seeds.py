"""Claims over seeds: each can hold, be violated and stay open."""

import math
import random

import pytest

from dlcv04.harness.claims.claim import ClaimError
from dlcv04.harness.judging.metrics import FINAL_LOSS_GAP, VAL_LOSS
from dlcv04.harness.measuring.seeds import SeededBlock
from dlcv04.harness.store.schema import SeedCurve
from tests.harness.arms import FAST, SLOW, curves, recorder, verdict


class TestNotBetter:
    def test_equal_arms_hold_and_a_better_one_violates(self):
        arms, made = curves(a=SLOW, b=SLOW, c=FAST), recorder()
        made.not_better(arms["b"], than=arms["a"], by=0.02)
        assert verdict(made) == "HOLDS" and made.assertions[0].high < 0.02
        made.not_better(arms["c"], than=arms["a"], by=0.02)
        assert verdict(made) == "VIOLATED"
        assert made.assertions[1].low > 0.02 and made.assertions[1].effect > made.assertions[1].low

    def test_a_worse_arm_holds(self):
        arms, made = curves(a=FAST, b=SLOW), recorder()
        made.not_better(arms["b"], than=arms["a"], by=0.02)
        assert verdict(made) == "HOLDS"

    def test_noise_leaves_it_open(self):
        arms, made = curves(noise=0.3, a=SLOW, b=SLOW), recorder()
        made.not_better(arms["b"], than=arms["a"], by=0.02)
        assert verdict(made) == "INCONCLUSIVE" and made.assertions[0].n == 8

    def test_of_a_loss_lower_is_better(self):
        arms, made = curves(a=[0.5], b=[0.5]), recorder()
        made.not_better(arms["b"], than=arms["a"], by=0.02, of=FINAL_LOSS_GAP)
        assert "lies below that of a by less than" in made.assertions[0].sentence and verdict(made) == "HOLDS"


def answering(seeds_differ=0.05, pictures=400, **shares):
    """Arms of which each picture is classed rightly by an ability that all arms share, and by an arm's own share."""
    ability = [random.Random(f"picture {number}").random() for number in range(pictures)]

    def trained(name, share):
        def one(seed):
            if share is None:
                return SeedCurve(seed=seed, epochs=[], status="diverged", reason="the loss was NaN in epoch 1")
            draw = random.Random(f"{seed}{name}")
            level = share + draw.gauss(0, seeds_differ / 5)
            signs = "".join("1" if a + draw.gauss(0, seeds_differ) < level else "0" for a in ability)
            return SeedCurve(seed=seed, epochs=[], answers=signs)

        return one

    return SeededBlock({name: trained(name, share) for name, share in shares.items()}).arms


class TestRightMoreOften:
    def test_more_pictures_hold_and_equal_arms_violate(self):
        arms, made = answering(a=0.5, c=0.75), recorder()
        made.right_more_often(arms["c"], than=arms["a"], by=0.03)
        assert verdict(made) == "HOLDS"
        assert made.assertions[0].effect == pytest.approx(0.25, abs=0.06)
        assert made.assertions[0].low > 0.03 and made.assertions[0].n == 3
        equal, made = answering(seeds_differ=0.0, a=0.5, b=0.5), recorder()
        made.right_more_often(equal["b"], than=equal["a"], by=0.03)
        assert verdict(made) == "VIOLATED"

    def test_few_pictures_leave_open_what_many_decide(self):
        few, made = answering(seeds_differ=0.2, pictures=40, a=0.5, b=0.6), recorder()
        made.right_more_often(few["b"], than=few["a"], by=0.03)
        assert verdict(made) == "INCONCLUSIVE" and made.assertions[0].n == 8
        many, made = answering(seeds_differ=0.2, pictures=4000, a=0.5, b=0.6), recorder()
        made.right_more_often(many["b"], than=many["a"], by=0.03)
        assert verdict(made) == "HOLDS"

    def test_a_seed_that_diverged_violates_and_is_named(self):
        arms, made = answering(a=0.5, b=None), recorder()
        made.right_more_often(arms["b"], than=arms["a"], by=0.03)
        assert verdict(made) == "VIOLATED" and "NaN in epoch 1 (arm b)" in made.assertions[0].reason

    def test_what_cannot_be_paired_is_refused(self):
        arms = curves(a=SLOW, b=FAST)
        with pytest.raises(ClaimError, match="answers=True"):
            recorder().right_more_often(arms["b"], than=arms["a"], by=0.1)
        short = {**answering(a=0.5, pictures=30), **answering(b=0.5, pictures=40)}
        for arm in short.values():
            arm.block = short["a"].block
            arm.curves = {seed: arm.train(seed) for seed in range(3)}
        with pytest.raises(ClaimError, match=r"validate on \[30, 40\] pictures"):
            recorder().right_more_often(short["b"], than=short["a"], by=0.1)
        one = answering(a=0.5, b=0.5)
        with pytest.raises(ClaimError, match="no spread over seeds"):
            recorder(max_seeds=1).right_more_often(one["b"], than=one["a"], by=0.1)
        with pytest.raises(ClaimError, match="no margin"):
            recorder().right_more_often(one["b"], than=one["a"], by=0)


class TestEquivalent:
    def test_alike_within_the_margin(self):
        arms, made = curves(a=SLOW, b=SLOW), recorder()
        made.equivalent(arms["a"], arms["b"], within=0.02)
        assert verdict(made) == "HOLDS" and -0.02 < made.assertions[0].low < made.assertions[0].high < 0.02

    @pytest.mark.parametrize("shift", [0.1, -0.1])
    def test_different_on_either_side(self, shift):
        arms, made = curves(a=SLOW, b=[level + shift for level in SLOW]), recorder()
        made.equivalent(arms["a"], arms["b"], within=0.02)
        assert verdict(made) == "VIOLATED"

    def test_noise_takes_all_looks_and_leaves_it_open(self):
        arms, made = curves(noise=0.1, a=SLOW, b=SLOW), recorder()
        made.equivalent(arms["a"], arms["b"], within=0.02)
        assert verdict(made) == "INCONCLUSIVE" and made.assertions[0].n == 8

    def test_a_diverged_seed_violates(self):
        arms, made = curves(a=SLOW, b=None), recorder()
        made.equivalent(arms["a"], arms["b"], within=0.5)
        assert verdict(made) == "VIOLATED" and "NaN in epoch 1" in made.assertions[0].reason


class TestLevel:
    def test_above_below_and_too_near(self):
        arms = curves(images=2000, a=[0.9])
        for least, expected in ((0.8, "HOLDS"), (0.95, "VIOLATED"), (0.899, "INCONCLUSIVE")):
            made = recorder()
            made.at_least(arms["a"], least)
            assert verdict(made) == expected, least

    def test_few_pictures_leave_open_what_many_decide(self):
        """A mean of .90 over 40 pictures does not show .85: Clopper-Pearson's bound is near .79."""
        few, many = recorder(), recorder()
        few.at_least(curves(noise=1e-6, images=40, a=[0.9])["a"], 0.85)
        many.at_least(curves(noise=1e-6, images=4000, a=[0.9])["a"], 0.85)
        assert (verdict(few), verdict(many)) == ("INCONCLUSIVE", "HOLDS")
        assert "its error over 40 pictures" in few.assertions[0].method

    def test_a_figure_that_is_no_proportion_has_the_seeds_error_alone(self):
        made = recorder()
        made.at_least(curves(images=40, a=[0.5])["a"], 0.4, of=FINAL_LOSS_GAP)
        assert "pictures" not in made.assertions[0].method and verdict(made) == "HOLDS"


class TestReach:
    def test_the_sooner_arm_holds_with_a_ratio_of_epochs(self):
        arms, made = curves(a=SLOW, b=FAST), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=1.25)
        assert verdict(made) == "HOLDS" and made.assertions[0].effect == pytest.approx(2.5, rel=0.1)

    def test_both_missed_is_a_tie_and_violates(self):
        arms, made = curves(a=SLOW, b=FAST), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.95, by=1.25)
        assert made.assertions[0].effect == 1.0 and verdict(made) == "VIOLATED"
        assert "missed by b in 3 of 3 seeds, a in 3 of 3" in made.assertions[0].reason

    def test_the_later_arm_violates(self):
        arms, made = curves(a=FAST, b=SLOW), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=1.25)
        assert verdict(made) == "VIOLATED"

    def test_a_loss_is_reached_from_above(self):
        arms, made = curves(a=SLOW, b=FAST), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.9, by=1.25, of=VAL_LOSS)
        assert verdict(made) == "HOLDS"

    @pytest.mark.parametrize("by", [1.0, 0.5, math.nan])
    def test_a_margin_is_a_ratio_above_one(self, by):
        arms = curves(a=SLOW, b=FAST)
        with pytest.raises(ClaimError, match="ratio above 1"):
            recorder().reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=by)
