"""A level of learning against stored seeds."""

import math

import numpy as np
import pytest

from dlcv04.harness.stats import StatisticsError, level_shift_test

LEVELS = [0.90, 0.91, 0.92, 0.905, 0.915]


def test_bit_equal_learning_passes_exactly():
    result = level_shift_test([0.92, 0.90], LEVELS, alpha=1e-4, margin=0.005, new_seeds=[2, 0], old_seeds=range(5))
    assert (result.verdict, result.effect, result.low, result.high) == ("PASS", 0.0, 0.0, 0.0)
    assert result.minimum_detectable > 0


@pytest.mark.parametrize(("new", "seeds"), [([0.92, 0.9000001], [2, 0]), ([0.92, 0.90], [2, 9]), ([0.92, 0.90], None)])
def test_one_seed_that_moved_or_is_unknown_or_has_no_name_is_not_bit_equal(new, seeds):
    result = level_shift_test(new, LEVELS, alpha=1e-4, margin=0.005, new_seeds=seeds, old_seeds=range(5))
    assert result.effect != 0


def test_pass_excludes_the_gate_and_not_the_margin_where_both_are_given():
    new = np.array(LEVELS) - 0.004
    assert level_shift_test(new, LEVELS, alpha=1e-3, margin=0.005).verdict == "INCONCLUSIVE"
    assert level_shift_test(new, LEVELS, alpha=1e-3, margin=0.005, gate=0.03).verdict == "PASS"


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_fall_in_level_is_red_in_the_direction_that_is_worse(higher_is_better):
    sign = 1 if higher_is_better else -1
    common = {"alpha": 0.001, "margin": 0.02, "higher_is_better": higher_is_better}
    old = np.array(LEVELS) * sign
    worse, better = old - 0.2 * sign, old + 0.2 * sign
    assert level_shift_test(worse, old, **common).verdict == "REGRESSED"
    assert level_shift_test(better, old, **common).verdict == "IMPROVED"
    assert level_shift_test(old, old, **common).verdict == "PASS"
    assert level_shift_test(worse, old, **common).effect == pytest.approx(-0.2 * sign)


def test_too_few_stored_seeds_are_inconclusive():
    assert level_shift_test([0.9], [0.9], alpha=0.01, margin=0.01).verdict == "INCONCLUSIVE"
    assert level_shift_test([0.9], [0.9], alpha=0.01, margin=0.1, sd=0.005, df=20).verdict == "PASS"


def test_diverged_seeds_are_never_dropped():
    lost = level_shift_test([0.9, math.nan], LEVELS, alpha=0.01, margin=0.01)
    assert (lost.verdict, "1 of 2 new seeds diverged" in lost.reason) == ("REGRESSED", True)
    assert level_shift_test([0.9], [*LEVELS, math.nan], alpha=0.01, margin=0.01).verdict == "INCONCLUSIVE"
    with pytest.raises(StatisticsError, match="one seed for each"):
        level_shift_test([0.9], LEVELS, alpha=0.01, margin=0.1, new_seeds=[1], old_seeds=[1])
    with pytest.raises(StatisticsError, match="at least one"):
        level_shift_test([], LEVELS, alpha=0.01, margin=0.1)
    with pytest.raises(StatisticsError, match="margin"):
        level_shift_test([0.9], LEVELS, alpha=0.01, margin=0)
