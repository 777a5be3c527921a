"""Behaviour of the statistics: what each rule decides, from what, and what it refuses."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.stats import (
    FLOOR_PROCESS_SD,
    OrderTest,
    StatisticsError,
    between_process_sd,
    clopper_pearson,
    crossed_interval,
    crossed_test,
    detect_steps,
    epochs_to_target,
    group_sequential_t,
    level_shift_test,
    minimum_detectable_effect,
    order_test,
    pooled_sd,
    process_pair_gate,
    reach_log_ratio,
    sign_flip_e_process,
    sign_flip_e_value,
    sign_flip_p,
    split_alpha,
    stored_run_test,
    tost,
    trimmed_interval,
    trimmed_mean,
    upper_t,
)
from dlcv04.harness.stats import steps as stats_steps

numbers = st.floats(-3, 3, allow_nan=False).map(lambda v: round(v, 6))
samples = st.lists(numbers, min_size=3, max_size=25)
quick = settings(deadline=None, max_examples=60)
RECORDED = json.loads((Path(__file__).parents[1] / "data" / "recorded_noise.json").read_text(encoding="utf-8"))


def noise(n, sd=0.05, seed=0):
    return np.random.default_rng(seed).normal(0, sd, n)


# --------------------------------------------------------------------------------------------------------- trimmed mean


@quick
@given(samples, st.sampled_from([0.0, 0.1, 0.2, 0.25]))
def test_trimmed_mean_agrees_with_scipy(x, proportion):
    mean, se, df = trimmed_mean(x, proportion)
    assert mean == pytest.approx(scipy.stats.trim_mean(x, proportion))
    cut = math.floor(proportion * len(x) + 1e-9)
    kept = len(x) - 2 * cut
    assert df == kept - 1
    winsorised = scipy.stats.mstats.winsorize(np.array(x), limits=(cut / len(x) + 1e-9,) * 2)
    if kept >= 2:
        assert se == pytest.approx(math.sqrt(np.var(winsorised) * len(x) / (kept * (kept - 1))))


@quick
@given(samples, numbers, st.floats(0.1, 10))
def test_trimmed_mean_moves_and_scales_with_its_data(x, shift, factor):
    plain, moved = trimmed_mean(x), trimmed_mean(np.array(x[::-1]) * factor + shift)
    assert moved.mean == pytest.approx(plain.mean * factor + shift, abs=1e-9)
    assert moved.se == pytest.approx(plain.se * factor, abs=1e-9)


def test_one_wild_round_does_not_move_the_trimmed_mean():
    rounds = list(noise(10))
    assert trimmed_mean([*rounds[:-1], 50.0]).mean < 0.1


def test_trimmed_interval_holds_its_mean_and_widens_with_its_level():
    narrow, wide = trimmed_interval(noise(15), 0.9), trimmed_interval(noise(15), 0.99)
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high


def test_trimmed_interval_of_one_value_is_endless():
    assert trimmed_interval([1.0]).high == math.inf


@pytest.mark.parametrize("bad", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_trimmed_mean_refuses_what_it_cannot_average(bad):
    with pytest.raises(StatisticsError, match="trimmed_mean"):
        trimmed_mean(bad)


def test_trimmed_mean_refuses_to_trim_everything():
    with pytest.raises(StatisticsError, match="proportion"):
        trimmed_mean([1, 2, 3], 0.5)


def test_pooled_sd_is_the_root_mean_square_of_equal_groups_about_their_own_means():
    sd, df = pooled_sd([[0, 2], [10, 14], [5]])
    assert (sd, df) == (pytest.approx(math.sqrt((2 + 8) / 2)), 2)


def test_pooled_sd_refuses_groups_without_spread():
    with pytest.raises(StatisticsError, match="no group has two values"):
        pooled_sd([[1.0], [2.0]])


# ---------------------------------------------------------------------------------------------------------- e-process


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
    assert sign_flip_e_value(x) == process[-1]


def test_rows_are_judged_independently():
    rows = noise((4, 12), seed=3)
    assert sign_flip_e_process(rows) == pytest.approx(np.array([sign_flip_e_process(row) for row in rows]))


def test_no_observation_is_no_evidence():
    assert sign_flip_e_value([]) == 1.0


# ---------------------------------------------------------------------------------------------------------- order test


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


# ---------------------------------------------------------------------------------------------------------------- seeds


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


@quick
@given(st.integers(1, 300), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_clopper_pearson_agrees_with_scipy(n, share, level):
    k = round(share * n)
    ours = clopper_pearson(k, n, level)
    theirs = scipy.stats.binomtest(k, n).proportion_ci(level, method="exact")
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))


def test_clopper_pearson_refuses_more_hits_than_trials():
    with pytest.raises(StatisticsError, match="3 of 2"):
        clopper_pearson(3, 2)


def test_crossed_interval_adds_both_variances():
    d = np.random.default_rng(1).normal(0.1, 1, (4, 60)) + np.random.default_rng(2).normal(0, 1, (4, 1))
    result = crossed_interval(d)
    expected = d.mean(axis=1).var(ddof=1) / 4 + d.mean(axis=0).var(ddof=1) / 60
    assert result.se**2 == pytest.approx(expected)
    assert result.low < d.mean() < result.high
    assert 3 <= result.df <= 62
    assert crossed_interval(np.zeros((3, 5))).high == 0.0
    with pytest.raises(StatisticsError, match="2 seeds x 2 images"):
        crossed_interval(d[:1])


def test_crossed_test_takes_each_bound_at_its_own_rate():
    d = np.random.default_rng(1).normal(0.1, 0.5, (4, 300))
    result = crossed_test(d, 0.02)
    near, far = crossed_interval(d, 0.90), crossed_interval(d, 0.98)
    assert (result.verdict, result.low, result.high) == ("HOLDS", near.low, far.high) and result.low > 0.02
    assert crossed_test(d, 0.3).verdict == "VIOLATED" and crossed_test(d, 0.1).verdict == "INCONCLUSIVE"
    d[1, 0] = np.nan
    assert crossed_test(d, 0.02).verdict == "VIOLATED" and "1 seeds diverged" in crossed_test(d, 0.02).decided_by
    with pytest.raises(StatisticsError, match="2 seeds x 2 images"):
        crossed_test(d[:1, :1] * 0 + 1, 0.1)


@pytest.mark.parametrize(
    ("curve", "epochs", "censored"),
    [
        ([0.5, 0.7, 0.9], 2.5, False),
        ([0.8, 0.9], 1.0, False),
        ([0.1, 0.2], 10.0, True),
        ([], 10.0, True),
        ([0.5, math.nan, 0.9], 3.0, False),
        ([math.nan] * 3, 10.0, True),
        ([0.1] * 10 + [0.9], 10.0, True),
        ([0.5, 0.8], 2.0, False),
    ],
)
def test_epochs_to_target(curve, epochs, censored):
    result = epochs_to_target(curve, 0.8, 10)
    assert (result.epochs, result.censored) == (pytest.approx(epochs), censored)


def test_a_loss_reaches_its_target_from_above():
    assert epochs_to_target([1.0, 0.6, 0.2], 0.4, 5, higher_is_better=False).epochs == pytest.approx(2.5)


@quick
@given(st.floats(0.5, 50), st.floats(0.5, 50))
def test_reach_is_antisymmetric_and_capped_at_the_budget(a, b):
    assert reach_log_ratio(a, b, 20) == pytest.approx(-reach_log_ratio(b, a, 20))
    assert abs(reach_log_ratio(a, b, 20)) <= math.log(20 / 0.5) + 1e-12


def test_both_missed_is_a_tie_and_a_missed_treatment_counts_against():
    assert reach_log_ratio(math.inf, math.nan, 20) == 0.0
    assert reach_log_ratio(5, math.inf, 20) == pytest.approx(-math.log(4))
    assert reach_log_ratio(math.inf, 5, 20) == pytest.approx(math.log(4))
    for bad in (
        lambda: reach_log_ratio(1, 1, 0),
        lambda: reach_log_ratio(0, 1, 5),
        lambda: epochs_to_target([1], 1, 0),
    ):
        with pytest.raises(StatisticsError):
            bad()


# ---------------------------------------------------------------------------------------------------------- comparisons


def test_minimum_detectable_effect_is_the_sum_of_two_quantiles():
    expected = (scipy.stats.t.ppf(0.99, 7) + scipy.stats.t.ppf(0.8, 7)) * 0.3
    assert minimum_detectable_effect(0.3, 7, 0.01) == pytest.approx(expected)
    assert minimum_detectable_effect(0.3, math.inf, 0.01) == pytest.approx(0.3 * (2.3263479 + 0.8416212))
    assert minimum_detectable_effect(0.3, 0, 0.01) == math.inf
    with pytest.raises(StatisticsError, match="power"):
        minimum_detectable_effect(1, 1, 0.05, power=0.2)


def test_split_alpha_gives_equal_shares():
    assert split_alpha(0.01, 20) == pytest.approx(0.0005)
    with pytest.raises(StatisticsError, match="at least one"):
        split_alpha(0.01, 0)


STORED = [-0.35, -0.34, -0.36, -0.33, -0.37]


def test_a_doubling_is_red_and_the_same_time_passes_and_a_halving_is_improved():
    def verdict(shift):
        return stored_run_test(np.array(STORED[:3]) + shift, STORED, alpha=0.01 / 8)

    assert verdict(math.log(2)).verdict == "REGRESSED"
    assert verdict(0.0).verdict == "PASS"
    assert verdict(-math.log(2)).verdict == "IMPROVED"
    assert stored_run_test([STORED[0] + 0.18], STORED[:1], alpha=0.01 / 8).verdict == "INCONCLUSIVE"


def test_stored_run_test_is_the_formula():
    result = stored_run_test(
        [0.5], [0.1, 0.2], new_calibrator=[0.2], old_calibrator=[0.1, 0.0], slope=0.5, sd=0.1, df=6, alpha=0.01
    )
    assert result.effect == pytest.approx((0.5 - 0.1) - (0.05 + 0.2) / 2)
    assert result.se == pytest.approx(0.1 * math.sqrt(1.5))
    assert result.low == pytest.approx(result.effect - scipy.stats.t.ppf(0.99, 6) * result.se)
    assert result.high == pytest.approx(result.effect + scipy.stats.t.ppf(0.95, 6) * result.se)
    assert result.minimum_detectable == pytest.approx(minimum_detectable_effect(result.se, 6, 0.01))


def test_a_slower_machine_cancels_through_the_calibrator():
    calibrator = [0.0] * 5
    slower = [y + 0.86 * 0.5 for y in STORED]
    result = stored_run_test(slower, STORED, new_calibrator=[0.5] * 5, old_calibrator=calibrator, alpha=0.001)
    assert result.effect == pytest.approx(0, abs=1e-12)


def test_a_significant_but_negligible_slowdown_is_never_red():
    result = stored_run_test([0.02], [0.0], sd=1e-4, df=100, alpha=0.001)
    assert (result.verdict, result.low > 0) == ("PASS", True)
    assert result.minimum_detectable > math.log(1.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"new": []}, "new run"),
        ({"old": [math.nan]}, "not finite"),
        ({"new_calibrator": [1.0]}, "only one side"),
        ({"new_calibrator": [1.0, 2.0], "old_calibrator": [1.0]}, "calibrator values"),
        ({"sd": 0}, "above 0"),
        ({"alpha": 0.9}, "alpha"),
    ],
)
def test_stored_runs_that_cannot_be_compared_are_refused(change, message):
    with pytest.raises(StatisticsError, match=message):
        stored_run_test(**({"new": [0.0], "old": [0.0], "alpha": 0.01} | change))


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


def process_pairs(effect, count=4, rounds=15, seed=0, sd=0.05):
    return list(effect + np.random.default_rng(seed).normal(0, sd, (count, rounds)))


def test_the_gate_is_red_on_a_slowdown_and_green_on_none():
    assert process_pair_gate(process_pairs(0.4)[:2], alpha=0.01 / 8).verdict == "REGRESSED"
    assert process_pair_gate(process_pairs(0.0), alpha=0.01 / 8).verdict == "PASS"
    assert process_pair_gate(process_pairs(-0.4), alpha=0.01 / 8).verdict == "IMPROVED"
    assert process_pair_gate(process_pairs(0.08, sd=0.3), alpha=0.01 / 8).verdict == "INCONCLUSIVE"
    assert process_pair_gate(process_pairs(0.08, sd=0.3)[:3], alpha=0.01 / 8).verdict == "CONTINUE"
    assert process_pair_gate(process_pairs(0.4)[:1], alpha=0.01 / 8).verdict == "CONTINUE"
    assert process_pair_gate([], alpha=0.01 / 8).verdict == "CONTINUE"


def test_the_gate_is_the_formula():
    pairs = process_pairs(0.3, 2)
    result = process_pair_gate(pairs, alpha=0.002, s0=0.02, d0=12)
    parts = [trimmed_mean(pair) for pair in pairs]
    q = np.mean([part.se**2 for part in parts])
    y = np.array([part.mean for part in parts])
    se = math.sqrt(max((0.02**2 + q) / 2, y.var(ddof=1) / 2))
    df = (0.02**2 + q) ** 2 / (0.02**4 / 12 + q**2 / (2 * 8))
    assert (result.effect, result.se, result.df) == (pytest.approx(y.mean()), pytest.approx(se), pytest.approx(df))
    assert result.low == pytest.approx(result.effect - scipy.stats.t.ppf(1 - 0.001, df) * se)
    assert result.high == pytest.approx(result.effect + scipy.stats.t.ppf(0.995, df) * se)
    assert result.minimum_detectable == pytest.approx(minimum_detectable_effect(se, df, 0.001))


def test_one_pair_that_points_the_other_way_stops_the_alarm():
    pairs = [*process_pairs(0.6, 3, sd=0.001), *process_pairs(-0.001, 1, sd=0.0001)]
    result = process_pair_gate(pairs, alpha=0.4, s0=0.001, d0=50, gate=1.05, looks=(4,), pass_levels=(0.95,))
    assert (result.verdict, result.low) == ("INCONCLUSIVE", 0.0)


def test_an_early_pass_is_final():
    pairs = [*process_pairs(0.0, 2, sd=0.01), *process_pairs(0.6, 2)]
    assert process_pair_gate(pairs, alpha=0.01, s0=0.005).verdict == "PASS"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"s0": 0}, "above 0"),
        ({"looks": (1, 4)}, "looks"),
        ({"looks": (2,)}, "looks"),
        ({"pairs": [[0.1]] * 2}, "two rounds"),
    ],
)
def test_a_gate_that_cannot_judge_is_refused(change, message):
    with pytest.raises(StatisticsError, match=message):
        process_pair_gate(**({"pairs": process_pairs(0.0), "alpha": 0.01} | change))


def test_process_spread_of_the_recorded_pairs():
    """sd of a process's own share: 2.2 % (8-step rounds, 95 % limit 4.7 %) and 1.3 % (2-step rounds, limit 2.8 %)."""
    for steps, point, limit in (("8", 0.022, 0.047), ("2", 0.013, 0.028)):
        spread = between_process_sd([[np.subtract(*pair[steps]) for pair in RECORDED["process_pairs"]]])
        assert (spread.point, spread.upper95) == (pytest.approx(point, abs=6e-4), pytest.approx(limit, abs=6e-4))
        assert spread.point < spread.sd < spread.upper95
        assert spread.df == 11


def test_process_spread_is_pooled_about_each_benchmarks_own_mean_and_has_a_floor():
    quiet = process_pairs(0.0, 11, 9, 1, 1e-6)
    far = process_pairs(0.9, 11, 9, 2, 1e-6)
    spread = between_process_sd([quiet, far])
    assert (spread.sd, spread.df) == (FLOOR_PROCESS_SD, 20)
    with pytest.raises(StatisticsError, match="two process pairs"):
        between_process_sd([quiet[:1]])


def test_upper_limit_of_twenty_degrees_of_freedom_is_seventeen_percent_above_the_point():
    pairs = [[y] * 8 for y in noise(21, 0.05, 8)]
    spread = between_process_sd([pairs])
    assert spread.sd / spread.point == pytest.approx(1.17, abs=0.005)


# -------------------------------------------------------------------------------------------------------------- history


def test_a_step_is_found_at_its_place_with_its_levels():
    x = np.concatenate([noise(20, 0.02, 1), 0.2 + noise(15, 0.02, 2)])
    (step,) = detect_steps(x)
    assert step.index == 20
    assert (step.before, step.after) == (pytest.approx(0, abs=0.02), pytest.approx(0.2, abs=0.02))


def test_up_and_down_again_are_two_steps():
    x = np.concatenate([noise(12, 0.02, 1), 0.3 + noise(12, 0.02, 2), noise(12, 0.02, 3)])
    assert [step.index for step in detect_steps(x)] == [12, 24]


def test_one_wild_run_is_no_step():
    x = noise(30, 0.02, 4)
    x[12] = 3.0
    assert detect_steps(x) == ()


@pytest.mark.parametrize("history", [[], [1.0] * 5, [2.0] * 40])
def test_a_short_or_constant_history_has_no_step(history):
    assert detect_steps(history) == ()


def test_a_noiseless_step_is_found():
    assert [step.index for step in detect_steps([1.0] * 10 + [2.0] * 10)] == [10]


def brute_force(x, min_length, price):
    n, best = len(x), (math.inf, ())
    for count in range(n // min_length):
        for starts in itertools.combinations(range(1, n), count):
            edges = [0, *starts, n]
            if min(b - a for a, b in itertools.pairwise(edges)) < min_length:
                continue
            cost = sum(np.abs(x[a:b] - np.median(x[a:b])).sum() for a, b in itertools.pairwise(edges))
            best = min(best, (cost + price * count, starts))
    return best[0]


@settings(deadline=None, max_examples=25)
@given(st.lists(numbers, min_size=6, max_size=11))
def test_the_segmentation_is_the_cheapest_of_all(x):
    values = np.array(x)
    starts = stats_steps._segment_starts(x, 2, 0.7)
    parts = np.split(values, starts)
    cost = sum(np.abs(part - np.median(part)).sum() for part in parts) + 0.7 * len(starts)
    assert cost == pytest.approx(brute_force(values, 2, 0.7), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.floats(-5, 5), st.floats(0.01, 100))
def test_steps_do_not_depend_on_the_unit(seed, shift, factor):
    x = np.random.default_rng(seed).normal(0, 1, 20) + np.repeat([0.0, 4.0], 10)
    assert [s.index for s in detect_steps(x)] == [s.index for s in detect_steps(x * factor + shift)]
