"""Pairs of rounds: the e-process and the verdict that may stop at any pair."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.stats import OrderTest, StatisticsError, order_test, sign_flip_e_process
from tests.harness.stats.samples import noise, numbers, quick


@quick
@given(st.lists(st.floats(0, 3), min_size=1, max_size=8))
def test_e_values_average_to_one_over_all_signs_whatever_the_sizes(sizes):
    signs = np.array(list(itertools.product([-1, 1], repeat=len(sizes))))
    assert sign_flip_e_process(signs * np.array(sizes))[:, -1].mean() == pytest.approx(1, rel=1e-9)


@quick
@given(st.lists(numbers, min_size=1, max_size=30))
def test_one_observation_at_most_doubles_the_evidence(x):
    process = np.concatenate([[1.0], sign_flip_e_process(x)])
    assert (process[1:] <= 2 * process[:-1] * (1 + 1e-12)).all()


def test_rows_are_judged_independently():
    rows = noise((4, 12), seed=3)
    assert sign_flip_e_process(rows) == pytest.approx(np.array([sign_flip_e_process(row) for row in rows]))


def test_a_clear_slowdown_holds_after_the_fewest_pairs():
    result = order_test(math.log(1.6) + noise(60), 1.05)
    assert (result.verdict, result.n) == ("HOLDS", 8)
    assert math.log(1.05) < result.low < result.effect < result.high
    assert result.effect == pytest.approx(math.log(1.6), abs=0.05)
    assert result.margin == math.log(1.05)


def test_equal_arms_violate_a_margin():
    result = order_test(noise(60), 1.05)
    assert result.verdict == "VIOLATED"
    assert result.high < math.log(1.05)


def test_bit_equal_arms_violate_a_margin_without_noise():
    result = order_test([0.0] * 8, 1.05)
    assert (result.verdict, result.effect) == ("VIOLATED", 0.0)


def test_a_ratio_at_the_margin_stays_inconclusive_at_the_cap():
    result = order_test(math.log(1.05) + noise(70, seed=4), 1.05)
    assert (result.verdict, result.n) == ("INCONCLUSIVE", 60)
    assert result.low < math.log(1.05) < result.high


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_few_pairs_decide_nothing(n):
    result = order_test([1.0] * n, 1.05)
    assert (result.verdict, result.low, result.high) == ("CONTINUE", -math.inf if n < 6 else result.low, math.inf)


def test_the_verdict_waits_for_the_fewest_pairs_asked():
    assert order_test(0.5 + noise(9), 1.05, min_pairs=10).verdict == "CONTINUE"
    assert order_test(0.5 + noise(10), 1.05, min_pairs=10).verdict == "HOLDS"


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(-0.1, 0.3), st.sampled_from([0.9, 1.0, 1.05, 1.2]))
def test_judging_after_every_pair_equals_judging_once(seed, effect, margin):
    x = effect + np.random.default_rng(seed).standard_t(3, 24) * 0.08
    test = OrderTest(margin, cap=24)
    for n in range(1, 25):
        step = test.judge(x[:n])
        if step.verdict != "CONTINUE":
            break
    assert step == test.judge(x)


@settings(deadline=None, max_examples=60)
@given(st.lists(numbers, min_size=1, max_size=30), st.sampled_from([0.8, 1.0, 1.05, 1.5]))
def test_verdict_and_interval_say_the_same(x, margin):
    result = order_test(x, margin, cap=30)
    assert (result.verdict == "VIOLATED") == (result.high < result.margin and result.n >= 8)
    if result.verdict != "VIOLATED":
        assert (result.verdict == "HOLDS") == (result.low > result.margin and result.n >= 8)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(-0.2, 0.2))
def test_exchanging_the_arms_mirrors_the_verdict(seed, effect):
    x = effect + np.random.default_rng(seed).normal(0, 0.08, 30)
    one = order_test(x, 1.05, alpha_holds=0.05, alpha_violated=0.02)
    other = order_test(-x, 1 / 1.05, alpha_holds=0.02, alpha_violated=0.05)
    mirror = {"HOLDS": "VIOLATED", "VIOLATED": "HOLDS"}
    assert other.verdict == mirror.get(one.verdict, one.verdict)
    assert other.n == one.n
    assert (other.low, other.high) == (pytest.approx(-one.high), pytest.approx(-one.low))


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"margin": 0}, "margin"),
        ({"margin": 1.05, "min_pairs": 61}, "min_pairs"),
        ({"margin": 1, "alpha_holds": 0}, "alpha"),
    ],
)
def test_impossible_settings_are_refused(settings_, message):
    with pytest.raises(StatisticsError, match=message):
        OrderTest(**settings_)


def test_a_pair_that_was_not_measured_is_refused():
    with pytest.raises(StatisticsError, match="not finite"):
        order_test([0.1, math.nan], 1.05)
