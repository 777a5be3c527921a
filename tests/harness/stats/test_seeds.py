"""Differences over seeds, judged at a few looks; equivalence."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.stats import StatisticsError, group_sequential_t, sign_flip_p, tost, upper_t
from tests.harness.stats.samples import noise, numbers, quick


def test_a_clear_difference_holds_at_the_first_look():
    result = group_sequential_t([1.0, 1.1, 0.9, 5.0], 0.3)
    assert (result.verdict, result.n, result.effect) == ("HOLDS", 3, pytest.approx(1.0))
    assert result.low == pytest.approx(1.0 - upper_t(0.05 / 3, 2) * 0.1 / math.sqrt(3))


def test_bit_equal_arms_are_violated_with_effect_exactly_zero():
    result = group_sequential_t([0.0, 0.0, 0.0], 0.01)
    assert (result.verdict, result.effect, result.low, result.high) == ("VIOLATED", 0.0, 0.0, 0.0)


def test_a_constant_difference_beyond_the_margin_holds_and_at_it_does_not():
    assert group_sequential_t([0.1] * 3, 0.05).verdict == "HOLDS"
    assert group_sequential_t([0.1] * 8, 0.1).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(("n", "verdict"), [(0, "CONTINUE"), (2, "CONTINUE"), (4, "CONTINUE"), (8, "INCONCLUSIVE")])
def test_between_looks_it_continues_and_after_the_last_gives_up(n, verdict):
    x = [0.5, -0.4, 0.3, -0.2, 0.6, -0.5, 0.4, -0.3][:n]
    result = group_sequential_t(x, 0.05)
    assert result.verdict == verdict
    assert result.n == {0: 0, 2: 2, 4: 3, 8: 8}[n]


@pytest.mark.parametrize("lost", [math.nan, -math.inf])
def test_a_diverged_treatment_counts_against_the_claim_even_after_a_look_that_held(lost):
    result = group_sequential_t([1.0, 1.1, 0.9, lost], 0.3)
    assert result.verdict == "VIOLATED"
    assert "1 of 4 seeds diverged" in result.decided_by


def test_a_diverged_reference_can_never_make_a_claim_hold():
    assert group_sequential_t([1.0, 1.1, math.inf], 0.3).verdict == "INCONCLUSIVE"


@quick
@given(st.lists(numbers, min_size=3, max_size=8), st.floats(0.01, 1))
def test_a_decision_is_final(x, margin):
    for n in range(3, len(x) + 1):
        early = group_sequential_t(x[:n], margin)
        if early.verdict in ("HOLDS", "VIOLATED"):
            assert group_sequential_t(x, margin) == early
            break


def test_the_sign_flip_p_is_shown_from_five_seeds_and_decides_nothing():
    assert group_sequential_t([0.2, 0.3, 0.1], 0.0).sign_flip_p is None
    result = group_sequential_t([0.4, 0.3, -0.1, 0.35, 0.5, 0.3, 0.2, -0.4], 0.0)
    assert result.sign_flip_p == sign_flip_p([0.4, 0.3, -0.1, 0.35, 0.5, 0.3, 0.2, -0.4][: result.n])


def test_sign_flip_p_is_exact():
    assert sign_flip_p([1, 2, 3, 4, 5]) == 2**-5
    assert sign_flip_p([-1, -2, -3]) == 1
    x = [0.3, -0.1, 0.2, 0.6]
    expected = scipy.stats.permutation_test((x,), np.mean, permutation_type="samples", alternative="greater").pvalue
    assert sign_flip_p(x) == pytest.approx(expected)
    with pytest.raises(StatisticsError, match="at most 20"):
        sign_flip_p([1.0] * 21)


@pytest.mark.parametrize("looks", [(), (1, 3), (5, 5), (8, 3)])
def test_impossible_looks_are_refused(looks):
    with pytest.raises(StatisticsError, match="looks"):
        group_sequential_t([1, 2, 3], 0.1, looks)


def test_tost_holds_for_equal_arms_and_is_violated_beyond_the_margin():
    assert tost([0.1, -0.1, 0.05, -0.05, 0.0], 1.0).verdict == "HOLDS"
    assert tost([3.1, 2.9, 3.0, 3.05, 2.95], 1.0).verdict == "VIOLATED"
    assert tost([-3.1, -2.9, -3.0, -3.05, -2.95], 1.0).verdict == "VIOLATED"
    assert tost([2.0, -2.0, 1.0, -1.5, 0.5], 1.0).verdict == "INCONCLUSIVE"
    assert tost([0.0, math.nan, 0.0], 1.0).verdict == "VIOLATED"
    assert tost([0.0] * 3, 1.0).verdict == "HOLDS"
    assert tost([0.0], 1.0).verdict == "INCONCLUSIVE"


def test_tost_agrees_with_two_t_tests():
    x, margin = noise(8, 0.5, 5), 0.4
    above = scipy.stats.ttest_1samp(x, -margin, alternative="greater").pvalue
    below = scipy.stats.ttest_1samp(x, margin, alternative="less").pvalue
    assert (tost(x, margin).verdict == "HOLDS") == (max(above, below) < 0.05)
    with pytest.raises(StatisticsError, match="margin"):
        tost(x, 0.0)
