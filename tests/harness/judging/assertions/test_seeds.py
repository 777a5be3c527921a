"""Claims over seeds: each can hold, be violated and stay open."""

import math
import random

import msgspec
import pytest

from dlcv04.harness.claims.claim import ClaimError
from dlcv04.harness.judging.metrics import FINAL_LOSS_GAP, VAL_LOSS, Metric, Series
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
        assert verdict(made) == "INCONCLUSIVE" and made.assertions[0].n in (5, 8, 12)

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


def deterministic(arms):
    for arm in arms.values():
        arm.deterministic = True
    return arms


class TestRightMoreOften:
    def test_more_pictures_hold_and_equal_arms_violate(self):
        arms, made = answering(a=0.5, c=0.75), recorder()
        made.right_more_often(arms["c"], than=arms["a"], by=0.03)
        assert verdict(made) == "HOLDS"
        assert made.assertions[0].effect == pytest.approx(0.25, abs=0.06)
        assert made.assertions[0].low > 0.03 and made.assertions[0].n == 5
        equal, made = answering(seeds_differ=0.01, a=0.5, b=0.5), recorder()
        made.right_more_often(equal["b"], than=equal["a"], by=0.03)
        assert verdict(made) == "VIOLATED"

    def test_few_pictures_leave_open_what_many_decide(self):
        few, made = answering(seeds_differ=0.2, pictures=20, a=0.5, b=0.6), recorder()
        made.right_more_often(few["b"], than=few["a"], by=0.03)
        assert verdict(made) == "INCONCLUSIVE"
        many, made = answering(seeds_differ=0.2, pictures=4000, a=0.5, b=0.6), recorder()
        made.right_more_often(many["b"], than=many["a"], by=0.03)
        assert verdict(made) == "HOLDS"

    def test_an_advantage_in_few_classes_is_not_one_of_pictures(self):
        """All of the gain is in one of five classes: by picture it is clear, for another class nothing is known."""
        by_picture, by_class = recorder(), recorder()
        arms = answering(pictures=500, a=0.5, b=0.5)
        learn = arms["b"].train

        def better_in_one_class(seed):
            curve = learn(seed)
            return msgspec.structs.replace(curve, answers="1" * 100 + curve.answers[100:])

        arms["b"].train = better_in_one_class
        by_picture.right_more_often(arms["b"], than=arms["a"], by=0.03)
        for arm in arms.values():
            arm.labels = lambda: [number // 100 for number in range(500)]
        by_class.right_more_often(arms["b"], than=arms["a"], by=0.03)
        assert (verdict(by_picture), verdict(by_class)) == ("HOLDS", "INCONCLUSIVE")
        assert "5 classes of 500 pictures" in by_class.assertions[0].method

    def test_a_treatment_that_diverges_violates_and_is_named(self):
        arms, made = answering(a=0.5, b=None), recorder()
        made.right_more_often(arms["b"], than=arms["a"], by=0.03)
        assert verdict(made) == "VIOLATED" and "NaN in epoch 1" in made.assertions[0].reason

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
        with pytest.raises(ClaimError, match="not a margin"):
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
        assert verdict(made) == "INCONCLUSIVE"

    def test_an_arm_that_diverges_violates(self):
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
        assert "Clopper-Pearson bounds over 40 pictures" in few.assertions[0].method

    def test_a_figure_that_is_no_proportion_has_the_seeds_error_alone(self):
        made = recorder()
        made.at_least(curves(images=40, a=[0.5])["a"], 0.4, of=FINAL_LOSS_GAP)
        assert "pictures" not in made.assertions[0].method and verdict(made) == "HOLDS"


class TestReach:
    def test_the_sooner_arm_holds_with_a_ratio_of_epochs(self):
        arms, made = curves(a=SLOW, b=FAST), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=1.25)
        assert verdict(made) == "HOLDS" and made.assertions[0].effect == pytest.approx(2.5, rel=0.1)

    def test_where_neither_arrives_nothing_is_known(self):
        arms, made = curves(a=SLOW, b=FAST), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.95, by=1.25)
        assert made.assertions[0].effect is None and verdict(made) == "INCONCLUSIVE"
        assert "missed by b in 5 of 5 seeds, a in 5 of 5" in made.assertions[0].reason
        assert "where neither reached the target, nothing is known" in made.assertions[0].reason

    def test_a_reference_that_does_not_arrive_counts_as_far_as_it_was_trained(self):
        """The treatment arrives in two epochs: six are enough for twice as many, seven would be for 3.5 times."""
        arms = curves(a=[0.2] * 6, b=[0.4, 0.6, 0.7])
        for by, expected in ((2.0, "HOLDS"), (3.5, "INCONCLUSIVE")):
            made = recorder()
            made.reaches_sooner(arms["b"], than=arms["a"], target=0.59, by=by)
            assert verdict(made) == expected, by
        assert "7 epochs instead of 6 would decide them" in made.assertions[0].reason

    def test_a_treatment_that_does_not_arrive_falls_short(self):
        arms, made = curves(a=FAST, b=[0.1] * 6), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=1.25)
        assert verdict(made) == "VIOLATED" and made.assertions[0].n == 8

    def test_a_reference_that_diverges_is_no_victory(self):
        arms, made = curves(a=None, b=FAST), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=1.25)
        assert verdict(made) == "INCONCLUSIVE" and "of a failed" in made.assertions[0].reason

    def test_what_arrives_in_the_first_epoch_has_no_known_time(self):
        arms, made = curves(a=[0.9, 0.9], b=[0.9, 0.9]), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=0.5, by=1.25)
        assert verdict(made) == "INCONCLUSIVE" and "choose a later target" in made.assertions[0].reason

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


class TestFailedSeeds:
    def arms(self, failing=(), of="b", figure=0.1):
        """b is ten points better; a seed of `failing` ends at `figure` there, or diverges."""
        arms = curves(a=[0.7], b=[0.8], images=1000)
        train = arms[of].train

        def one(seed):
            curve = train(seed)
            if seed not in failing:
                return curve
            if figure is None:
                return SeedCurve(seed=seed, epochs=[], status="diverged", reason="the loss was NaN in epoch 1")
            low = [msgspec.structs.replace(row, val_accuracy=figure) for row in curve.epochs]
            return msgspec.structs.replace(curve, epochs=low)

        arms[of].train = one
        return arms

    def test_one_failed_seed_forbids_holds_unless_the_claim_allows_it(self):
        for failures, expected in ((0, "INCONCLUSIVE"), (1, "HOLDS")):
            arms, made = self.arms(failing={2}), recorder()
            made.better(arms["b"], than=arms["a"], by=0.02, failures=failures)
            assert verdict(made) == expected and (made.assertions[0].failed, made.assertions[0].n) == (1, 12)
            assert "1 of 12 seeds of b failed (seed 2: 0.1, far from the other seeds)" in made.assertions[0].reason
        assert made.assertions[0].failures_allowed == 1
        with pytest.raises(ClaimError, match="failures=-1"):
            recorder().better(arms["b"], than=arms["a"], by=0.02, failures=-1)

    def test_a_failed_reference_is_no_victory(self):
        arms, made = self.arms(failing={1, 2, 7}, of="a"), recorder()
        made.better(arms["b"], than=arms["a"], by=0.02)
        assert verdict(made) == "INCONCLUSIVE" and "3 of 8 seeds of a failed" in made.assertions[0].reason

    def test_a_failed_treatment_does_not_help_a_claim_that_it_is_not_better(self):
        arms, made = self.arms(failing={1}), recorder()
        made.not_better(arms["b"], than=arms["a"], by=0.2)
        assert verdict(made) == "INCONCLUSIVE"

    def test_a_level_with_a_failed_seed_stays_open(self):
        arms, made = self.arms(failing={4}), recorder()
        made.at_least(arms["b"], 0.7)
        assert verdict(made) == "INCONCLUSIVE" and made.assertions[0].failed == 1

    @pytest.mark.parametrize(("failing", "expected"), [(5, "INCONCLUSIVE"), (8, "VIOLATED")])
    def test_a_level_whose_first_seeds_all_failed(self, failing, expected):
        """Of the share of pictures nothing is known then; the seeds say all there is to say."""
        arms, made = self.arms(failing=set(range(failing)), figure=None), recorder()
        made.at_least(arms["b"], 0.7)
        assert (verdict(made), made.assertions[0].failed) == (expected, failing)


class TestSeedsThatChangeNothing:
    def test_equal_curves_of_different_seeds_are_refused(self):
        arms = curves(noise=0.0, a=SLOW, b=FAST)
        with pytest.raises(
            ClaimError, match="'b' gave the same curve with the seeds 0, 1, 2, 3, 4: it ignores the seed"
        ):
            recorder().better(arms["b"], than=arms["a"], by=0.02)

    @pytest.mark.parametrize(("by", "expected"), [(0.1, "HOLDS"), (0.3, "VIOLATED")])
    def test_deterministic_arms_are_one_figure(self, by, expected):
        arms, made = deterministic(curves(noise=0.0, a=SLOW, b=FAST)), recorder()
        made.better(arms["b"], than=arms["a"], by=by)
        assert verdict(made) == expected and made.assertions[0].n == 1
        assert [len(arm.curves) for arm in arms.values()] == [1, 1]
        for within, expected in ((0.2, "HOLDS"), (0.05, "VIOLATED")):
            made.equivalent(arms["b"], arms["a"], within=within)
            assert verdict(made) == expected

    @pytest.mark.parametrize(
        ("a", "b", "target", "expected"),
        [
            (SLOW, FAST, 0.6, "HOLDS"),
            (SLOW, FAST, 0.95, "INCONCLUSIVE"),  # neither arrives
            (None, FAST, 0.6, "INCONCLUSIVE"),  # the reference diverged
            (SLOW, None, 0.6, "VIOLATED"),
            (FAST, [0.1] * 6, 0.6, "VIOLATED"),
        ],
    )
    def test_what_is_unknown_of_deterministic_arms_stays_open(self, a, b, target, expected):
        arms, made = deterministic(curves(noise=0.0, a=a, b=b)), recorder()
        made.reaches_sooner(arms["b"], than=arms["a"], target=target, by=1.25)
        assert verdict(made) == expected, made.assertions[0]

    @pytest.mark.parametrize(("a", "b", "expected"), [(None, FAST, "INCONCLUSIVE"), (SLOW, None, "VIOLATED")])
    def test_a_deterministic_arm_that_diverged(self, a, b, expected):
        arms, made = deterministic(curves(noise=0.0, a=a, b=b)), recorder()
        made.better(arms["b"], than=arms["a"], by=0.02)
        made.not_better(arms["b"], than=arms["a"], by=0.02)
        assert [a.verdict for a in made.assertions] == [expected] * 2, made.assertions

    def test_few_pictures_leave_one_figure_open_too(self):
        """No seed changes it; other pictures would."""
        for images, expected in ((0, "HOLDS"), (20, "INCONCLUSIVE"), (2000, "HOLDS")):
            arms, made = deterministic(curves(noise=0.0, images=images, a=[0.8])), recorder()
            made.at_least(arms["a"], 0.7)
            assert verdict(made) == expected, images
            assert made.assertions[0].method.startswith("one deterministic figure")
            assert ("Clopper-Pearson" in made.assertions[0].method) == bool(images)
        for pictures, expected in ((20, "INCONCLUSIVE"), (4000, "HOLDS")):
            arms, made = deterministic(answering(seeds_differ=0.2, pictures=pictures, a=0.5, b=0.6)), recorder()
            made.right_more_often(arms["b"], than=arms["a"], by=0.03)
            assert (verdict(made), made.assertions[0].n) == (expected, 1)

    def test_a_deterministic_reference_is_trained_once_and_held_against_every_seed(self):
        arms, made = curves(a=SLOW, b=FAST), recorder()
        arms["a"].deterministic = True
        made.better(arms["b"], than=arms["a"], by=0.1)
        assert verdict(made) == "HOLDS" and made.assertions[0].n == 5 and len(arms["a"].curves) == 1


@pytest.mark.parametrize("kind", ["a figure", "a series"])
def test_a_figure_that_no_curve_has_is_refused(kind):
    """It would count as seeds that failed, and violate the claim."""
    arms = curves(a=SLOW, b=FAST)
    of = {"a figure": Metric("figure", lambda epochs: None), "a series": Series("figure", lambda epoch: None)}[kind]
    with pytest.raises(ClaimError, match="No curve of 'b' has a number for figure: compile its model with the metric"):
        if kind == "a figure":
            recorder().better(arms["b"], than=arms["a"], by=0.02, of=of)
        else:
            recorder().reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=1.25, of=of)
