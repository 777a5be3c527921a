"""Every kind of claim about learning or values: it can hold, be violated and stay open, and its control breaks it."""

import json
import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.claims.claim import ClaimError, ClaimInfo
from dlcv04.harness.claims.controls import ControlError, planted, reference_everywhere
from dlcv04.harness.claims.recorder import ClaimRecorder
from dlcv04.harness.judging.assertions import cluster_means
from dlcv04.harness.judging.metrics import (
    FINAL_LOSS_GAP,
    FINAL_VAL_ACCURACY,
    GAIN_AFTER_TURN,
    LATE_LOSS_GAP,
    LOSS_RISE,
    VAL_LOSS,
)
from dlcv04.harness.judging.replay import rejudge
from dlcv04.harness.judging.verdicts import weak_control
from dlcv04.harness.measuring.seeds import SeededBlock
from dlcv04.harness.measuring.values import STORED_VALUES, ArmValues
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.reading import read_run
from dlcv04.harness.store.schema import EpochRow, SeedCurve

CONTROL = reference_everywhere("a")
SLOW, FAST = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0.4, 0.6, 0.7, 0.75, 0.8, 0.8]


def recorder(**options):
    return ClaimRecorder(ClaimInfo("x", CONTROL), Policy(), **options)


def trainer(levels, noise, name):
    def one(seed):
        draw = random.Random(f"{seed}{name}")
        if levels is None:
            return SeedCurve(seed=seed, epochs=[], status="diverged", reason=f"loss is NaN in epoch 1, seed {seed}")
        accuracies = [level + draw.gauss(0, noise) for level in levels]
        rows = [
            EpochRow(train_seconds=1, train_loss=1 - a, train_accuracy=a, val_loss=1.5 - a, val_accuracy=a)
            for a in accuracies
        ]
        return SeedCurve(seed=seed, epochs=rows)

    return one


def curves(noise=0.005, images=0, **levels):
    images = dict.fromkeys(levels, images)
    return SeededBlock({name: trainer(each, noise, name) for name, each in levels.items()}, images=images).arms


def verdict(made):
    return made.assertions[-1].verdict


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


def overfitting(after, before=4, halves=True):
    """A curve whose validation loss falls to 1, then goes to `after`, while the training accuracy rises all along."""
    losses = [2 - k / before for k in range(before)] + [1 + (after - 1) * k / 5 for k in range(6)]
    rows = [
        EpochRow(
            train_seconds=1,
            train_loss=1,
            train_accuracy=0.5 + 0.04 * epoch,
            val_loss=loss,
            val_accuracy=0.5,
            val_loss_halves=[loss, 1.1 * loss] if halves else [],
        )
        for epoch, loss in enumerate(losses)
    ]
    return SeedCurve(seed=0, epochs=rows)


class TestOverfitting:
    def test_the_rise_is_that_of_the_half_that_did_not_choose_the_turn(self):
        curve = overfitting(after=1.5)
        assert LOSS_RISE.value(curve) == pytest.approx(1.5)
        assert GAIN_AFTER_TURN.value(curve) == pytest.approx(0.2)
        rows = [msgspec.structs.replace(row, val_loss_halves=[row.val_loss, 1.0]) for row in curve.epochs]
        assert LOSS_RISE.value(msgspec.structs.replace(curve, epochs=rows)) == 1.0

    def test_a_loss_that_only_falls_has_no_rise(self):
        assert LOSS_RISE.value(overfitting(after=0.2)) == 1.0 and GAIN_AFTER_TURN.value(overfitting(after=0.2)) == 0.0

    def test_noise_alone_shows_no_rise_on_average(self):
        """Any noisy curve has a minimum before its end: measured on the same pictures it looks like a rise."""
        rises, naive = [], []
        for seed in range(300):
            draw = random.Random(seed)
            halves = [[1 + draw.gauss(0, 0.1), 1 + draw.gauss(0, 0.1)] for _ in range(30)]
            rows = [msgspec.structs.replace(overfitting(1.0).epochs[0], val_loss_halves=half) for half in halves]
            rises.append(math.log(LOSS_RISE.value(SeedCurve(seed=seed, epochs=rows))))
            naive.append(math.log(halves[-1][0] / min(half[0] for half in halves)))
        assert abs(sum(rises) / 300) < 0.03 < 0.15 < sum(naive) / 300

    def test_curves_without_halves_have_no_such_figure(self):
        assert math.isnan(LOSS_RISE.value(overfitting(after=1.5, halves=False)))


def with_gaps(*gaps):
    """A curve whose validation loss lies so far above its training loss after each epoch; None where there is none."""
    losses = [(1.0, None if gap is None else 1.0 + gap) for gap in gaps]
    rows = [
        EpochRow(train_seconds=1, train_loss=train, train_accuracy=0.5, val_loss=val, val_accuracy=0.5)
        for train, val in losses
    ]
    return SeedCurve(seed=0, epochs=rows)


class TestLossGap:
    @given(st.lists(st.floats(0, 3), min_size=9, max_size=40), st.floats(-1e6, 1e6))
    def test_one_leap_of_a_loss_moves_the_late_gap_no_further_than_to_its_neighbours(self, gaps, leap):
        third = gaps[-(len(gaps) // 3) :]
        late = LATE_LOSS_GAP.value(with_gaps(*gaps[:-1], leap))
        assert min(third[:-1]) - 1e-6 <= late <= max(third[:-1]) + 1e-6

    def test_it_is_the_median_of_the_last_third(self):
        assert LATE_LOSS_GAP.value(with_gaps(9, 9, 9, 9, 9, 9, 1.0, 2.0, 1.5)) == pytest.approx(1.5)
        assert LATE_LOSS_GAP.value(with_gaps(9, 9, 9, 1.0)) == pytest.approx(1.0)
        assert LATE_LOSS_GAP.value(with_gaps(0.5)) == FINAL_LOSS_GAP.value(with_gaps(0.5)) == pytest.approx(0.5)

    def test_a_curve_without_losses_has_none(self):
        for metric in (LATE_LOSS_GAP, FINAL_LOSS_GAP):
            assert math.isnan(metric.value(with_gaps(None, None, None)))
            assert math.isnan(metric.value(with_gaps()))

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_a_loss_that_is_nan_leaves_no_gap_wherever_it_stands(self, at):
        gaps = [1.0] * 9
        gaps[6 + at] = math.nan
        assert math.isnan(LATE_LOSS_GAP.value(with_gaps(*gaps)))


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


class TestIdentity:
    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(0, 1), st.data())
    @settings(max_examples=60)
    def test_the_largest_deviation_decides(self, values, within, data):
        slow = np.array(values)
        fast = slow + np.array(data.draw(st.lists(st.floats(-2, 2), min_size=len(values), max_size=len(values))))
        made = recorder()
        made.identical(ArmValues("fast", fast), ArmValues("slow", slow), within=within)
        assert (verdict(made) == "HOLDS") == bool((np.abs(fast - slow) <= within).all())

    def test_nan_on_one_side_violates_and_on_both_is_alike(self):
        both, one = np.array([1.0, np.nan]), np.array([1.0, 2.0])
        made = recorder()
        made.identical(ArmValues("f", both), ArmValues("s", both), within=0)
        made.identical(ArmValues("f", both), ArmValues("s", one), within=9)
        assert [a.verdict for a in made.assertions] == ["HOLDS", "VIOLATED"]
        assert "1 values are NaN on one side" in made.assertions[1].reason

    def test_infinities_of_opposite_sign_violate(self):
        made = recorder()
        made.identical(ArmValues("f", np.array([np.inf])), ArmValues("s", np.array([-np.inf])), within=9)
        assert verdict(made) == "VIOLATED"

    def test_the_place_is_named_and_shapes_must_agree(self):
        made, zeros = recorder(), np.zeros((2, 3))
        changed = zeros.copy()
        changed[1, 2] = 1
        made.identical(ArmValues("f", changed), ArmValues("s", zeros), within=0.5)
        assert "index (1, 2)" in made.assertions[0].reason
        with pytest.raises(ClaimError, match=r"\(2, 3\).*\(3,\)"):
            made.identical(ArmValues("f", zeros), ArmValues("s", zeros[0]), within=0)


class TestHigher:
    def test_over_units(self):
        rng = np.random.default_rng(0)
        base = rng.normal(size=64)
        arms = [ArmValues(n, base + d + rng.normal(0, 0.2, 64)) for n, d in (("after", 1.0), ("same", 0.0))]
        before, made = ArmValues("before", base), recorder()
        for one in arms:
            made.higher(one, than=before, by=0.5, over="filters", what="activation")
        assert [a.verdict for a in made.assertions] == ["HOLDS", "VIOLATED"]
        assert made.assertions[0].n == 64 and made.assertions[0].n_unit == "filters"

    def test_pictures_of_one_building_are_one_observation(self):
        """144 pictures of 12 buildings that vary as buildings do: by picture it seems clear, by building it is open."""
        rng = np.random.default_rng(1)
        clusters = np.repeat(np.arange(12), 12)
        buildings = rng.normal(0, 0.25, 12)
        gain = ArmValues("object", 0.11 + (buildings - buildings.mean())[clusters] + rng.normal(0, 0.01, 144))
        none = ArmValues("background", np.zeros(144))
        by_picture, by_building = recorder(), recorder()
        by_picture.higher(gain, than=none, by=0.05, over="pictures")
        by_building.higher(gain, than=none, by=0.05, over="buildings", clusters=clusters)
        assert verdict(by_picture) == "HOLDS"
        assert by_building.assertions[0].n == 12 and verdict(by_building) == "INCONCLUSIVE"
        wide = by_building.assertions[0].effect - by_building.assertions[0].low
        assert wide > 3 * (by_picture.assertions[0].effect - by_picture.assertions[0].low)

    @given(st.lists(st.tuples(st.integers(0, 3), st.floats(-9, 9)), min_size=1))
    @settings(max_examples=50)
    def test_means_of_clusters(self, units):
        labels = [label for label, _ in units]
        means = cluster_means(np.array([value for _, value in units]), labels)
        for label, mean in zip(dict.fromkeys(labels), means, strict=True):
            assert mean == pytest.approx(np.mean([value for other, value in units if other == label]), abs=1e-9)

    def test_one_value_a_unit(self):
        both = ArmValues("a", np.zeros((4, 2)))
        with pytest.raises(ClaimError, match="one a unit"):
            recorder().higher(both, than=both, by=1)

    def test_many_values_are_not_stored(self):
        assert ArmValues("a", np.zeros(STORED_VALUES + 1)).stored == [] and len(ArmValues("a", np.zeros(3)).stored) == 3


class TestControls:
    def test_a_planted_difference_in_one_arm_only(self):
        control = planted("worse", lambda arm: arm + 1, only="b")
        assert control.apply({"a": 1, "b": 1}) == {"a": 1, "b": 2}
        assert "in the arm `b`" in control.describes
        with pytest.raises(ControlError, match="'c'"):
            planted("worse", lambda arm: arm, only="c").apply({"a": 1})

    @pytest.mark.parametrize("kind", ["not_better", "equivalent"])
    def test_weak_unless_its_interval_lies_apart(self, kind):
        def made(**levels):
            arms, one = curves(a=SLOW, **levels), recorder()
            if kind == "equivalent":
                one.equivalent(arms["a"], arms["b"], within=0.02)
            else:
                one.not_better(arms["b"], than=arms["a"], by=0.02)
            return one.assertions

        near = [level + 0.002 for level in SLOW]
        assert weak_control(made(b=SLOW), made(b=FAST)) == ""
        assert "not apart" in weak_control(made(b=SLOW), made(b=near))


LEARNER = '''
import random
from types import SimpleNamespace

import numpy as np
import pytest

from dlcv04.harness.session.state import add_measured
from dlcv04.harness.store.schema import Arm, EpochRow, SeedCurve
from dlcv04.harness.measuring.seeds import SeededBlock
from dlcv04.harness.session.suite import curves_arm


@pytest.fixture
def learn(request, arms_of, first_seed):
    """Arms are lists of accuracies by epoch."""
    def train(name, levels):
        def one(seed):
            draw = random.Random(f"{seed}{name}")
            rows = []
            for level in levels:
                a = level + draw.gauss(0, 0.004)
                losses = {"train_loss": 1 - a, "val_loss": 1.5 - a}
                rows.append(EpochRow(train_seconds=1, train_accuracy=a, val_accuracy=a, **losses))
            answers = "".join("1" if draw.random() < levels[-1] else "0" for _ in range(500))
            return SeedCurve(seed=seed, epochs=rows, answers=answers)
        return one

    def measure(**arms):
        changed = arms_of(arms)
        block = SeededBlock({n: train(n, v) for n, v in changed.items()}, first_seed=first_seed,
                            images=dict.fromkeys(changed, 4000))
        for arm in block.arms.values():
            add_measured(request.node, 
                lambda arm=arm: Arm(name=arm.name, test=request.node.nodeid, val_images=4000, **curves_arm(arm)))
        return SimpleNamespace(**block.arms)
    return measure
'''

KINDS = """
import numpy as np
from dlcv04 import claim, planted, reference_everywhere

SLOW, FAST = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0.4, 0.6, 0.7, 0.75, 0.8, 0.8]
worse = planted("six points worse", lambda levels: [level - 0.06 for level in levels], only="b")
better = planted("six points better", lambda levels: [level + 0.06 for level in levels], only="b")

@claim("Better", control=reference_everywhere("a"))
def test_paired(learn, claim):
    arms = learn(a=SLOW, b=FAST)
    claim.better(arms.b, than=arms.a, by=0.02)

@claim("Not better", control=better)
def test_not_better(learn, claim):
    arms = learn(a=SLOW, b=SLOW)
    claim.not_better(arms.b, than=arms.a, by=0.02)

@claim("Alike", control=worse)
def test_equivalent(learn, claim):
    arms = learn(a=SLOW, b=SLOW)
    claim.equivalent(arms.a, arms.b, within=0.02)

@claim("At the level", control=planted("labels permuted", lambda levels: [0.1] * len(levels)))
def test_level(learn, claim):
    claim.at_least(learn(a=SLOW).a, 0.65)

@claim("Sooner", control=reference_everywhere("a"))
def test_reach(learn, claim):
    arms = learn(a=SLOW, b=FAST)
    claim.reaches_sooner(arms.b, than=arms.a, target=0.6, by=1.25)

def squares(seed):
    return np.arange(5.0) ** 2

@claim("More pictures", control=reference_everywhere("a"))
def test_answers(learn, claim):
    arms = learn(a=SLOW, b=[0.9])
    claim.right_more_often(arms.b, than=arms.a, by=0.03)

@claim("The same", control=planted("one value off", lambda compute: lambda seed: compute(seed) + 1e-2, only="fast"))
def test_identity(computed, claim):
    values = computed(fast=lambda seed: np.arange(5.0) * np.arange(5.0), slow=squares)
    claim.identical(values.fast, values.slow, within=1e-9)

@claim("Higher by filter", control=reference_everywhere("before"))
def test_units(computed, claim):
    values = computed(before=lambda s: np.random.default_rng([s, 1]).normal(size=64),
                      after=lambda s: 2 + np.random.default_rng([s, 2]).normal(size=64))
    claim.higher(values.after, than=values.before, by=0.5, over="filters")
"""


@pytest.fixture
def kinds(suite):
    def run(*options, claims=KINDS):
        from tests.conftest import FAKE_MACHINE

        pytester = suite(claims, FAKE_MACHINE + LEARNER)
        result = pytester.runpytest("bench", "--benchmark-json=run.json", "--dl-data=embedded", *options)
        return result, read_run(pytester.path / "run.json")

    return run


def test_every_kind_holds_and_every_control_breaks_it(kinds):
    result, run = kinds("--dl-controls", "--dl-strict")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*8 of 8 controls broke their claim*"])
    assert {a.kind for c in run.claims for a in c.assertions} == {"PAIRED", "EQUIVALENT", "LEVEL", "REACH", "IDENTITY"}


def test_a_control_that_changes_nothing_survives_or_is_weak(kinds):
    idle = KINDS.replace("level - 0.06", "level").replace("+ 1e-2", "+ 0")
    result, run = kinds("--dl-controls", "-k", "equivalent or identity", claims=idle)
    assert result.ret == 1
    assert {c.control_verdict for c in run.claims if c.is_control} == {"SURVIVED"}


def test_a_weak_control_is_red_under_strict_alone(kinds):
    """Permuted labels that still learn nearly as well: broken, but nothing could have told."""
    near = KINDS.replace("[0.1] * len(levels)", "[level - 0.001 for level in levels]").replace("0.65)", "0.69)")
    result, run = kinds("--dl-controls", "-k", "level", claims=near)
    assert [c.control_verdict for c in run.claims if c.is_control] == ["CONTROL_WEAK"] and result.ret == 0
    strict, _ = kinds("--dl-controls", "--dl-strict", "-k", "level", claims=near)
    assert strict.ret == 1


def test_stored_curves_are_judged_again_to_the_same_verdicts(kinds):
    _, live = kinds("--dl-controls")
    again = rejudge(live, None)
    for before, after in zip(live.claims, again.claims, strict=True):
        assert before.assertions == after.assertions, before.test


def test_the_verdict_follows_the_stored_curves(kinds):
    """Each curve of the better arm replaced by the other arm's: every claim over seeds that it beats it is violated."""
    _, live = kinds("-k", "paired or reach")
    by_name = {(arm.test, arm.name): arm for arm in live.arms}
    arms = [
        msgspec.structs.replace(arm, curves=by_name[arm.test, "a"].curves) if arm.name == "b" else arm
        for arm in live.arms
    ]
    again = rejudge(msgspec.structs.replace(live, arms=arms), None)
    assert {claim.verdict for claim in again.claims} == {"VIOLATED"}


def test_values_are_stored_as_strict_json(kinds):
    _, run = kinds("-k", "units")
    assert [len(arm.values) for arm in run.arms] == [64, 64]
    json.dumps([arm.values for arm in run.arms], allow_nan=False)


def test_recording_trains_ten_seeds_for_every_kind():
    arms = curves(a=SLOW, b=FAST)
    made = ClaimRecorder(ClaimInfo("x", CONTROL), Policy(record=True))
    made.reaches_sooner(arms["b"], than=arms["a"], target=0.6, by=1.25)
    made.at_least(arms["a"], 0.5, of=FINAL_VAL_ACCURACY)
    assert len(arms["a"].curves) == 10
