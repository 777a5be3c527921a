"""Seeds and units are counted: the typical one against a margin."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness import stats
from dlcv04.harness.stats import StatisticsError, count_test, equivalence_test, failed_seeds, sign_count_test
from tests.harness.stats.samples import numbers, quick

UP, DOWN = 1.0, -1.0


def effects(values, failed=()):
    return stats.by_seed(stats.FAILED_SEED if i in failed else (v, v, False) for i, v in enumerate(values))


def verdict(values, margin=0.0, **options):
    return count_test(effects(values), margin, **options).verdict


class TestCount:
    def test_the_chance_of_each_verdict_at_the_margin_is_that_of_a_fair_coin(self):
        """All 4,096 histories of twelve seeds: .0434 and .0059, exactly."""
        found = [verdict(history) for history in product((UP, DOWN), repeat=12)]
        assert (found.count("HOLDS"), found.count("VIOLATED")) == (178, 24)

    @pytest.mark.parametrize(
        ("values", "expected", "n"),
        [
            ([UP] * 5, "HOLDS", 5),
            ([UP] * 4, "CONTINUE", 4),
            ([DOWN] * 5, "CONTINUE", 5),
            ([DOWN] * 8, "VIOLATED", 8),
            ([DOWN] + [UP] * 4, "CONTINUE", 5),
            ([DOWN, DOWN] + [UP] * 10, "HOLDS", 12),
            ([DOWN] * 3 + [UP] * 9, "INCONCLUSIVE", 12),
            ([UP] + [DOWN] * 11, "VIOLATED", 12),
            ([UP, UP, DOWN, DOWN, DOWN], "INCONCLUSIVE", 5),
        ],
    )
    def test_looks(self, values, expected, n):
        """The last case: neither ten of twelve nor eleven can come any more, so no further seed is trained."""
        result = count_test(effects(values), 0.0)
        assert (result.verdict, result.n) == (expected, n)

    def test_a_cap_only_cuts_looks(self):
        assert verdict([UP] * 3, cap=3) == "INCONCLUSIVE"
        assert verdict([UP] * 5, cap=5) == "HOLDS"
        assert verdict([DOWN] * 5, cap=5) == "INCONCLUSIVE"
        assert verdict([DOWN] + [UP] * 4, cap=8) == "INCONCLUSIVE"

    def test_bounds_are_order_statistics_and_the_effect_is_the_median(self):
        five = count_test(effects([3.0, 1.0, 2.0, 5.0, 4.0]), 0.0)
        assert (five.effect, five.low, five.high) == (3.0, 1.0, math.inf)
        eight = count_test(effects([-3.0, -1.0, -2.0, -5.0, -4.0, -6.0, -7.0, -8.0]), 0.0)
        assert (eight.low, eight.high) == (-5.0, -1.0)
        twelve = count_test(effects([-0.5, *range(1, 12)]), 0.0)
        assert (twelve.low, twelve.high) == (2.0, 10.0)  # the third smallest and the second largest

    def test_half_a_step_is_no_difference(self):
        assert verdict([0.02] * 5, 0.01, step=0.02) == "INCONCLUSIVE"
        assert verdict([0.0201] * 5, 0.01, step=0.02) == "HOLDS"
        assert verdict([0.0] * 12, 0.01, step=0.02) == "INCONCLUSIVE"

    def test_a_failed_seed_falls_short_and_forbids_holds_unless_allowed(self):
        values, failed = [UP] * 12, {3}
        assert count_test(effects(values, failed), 0.0).verdict == "INCONCLUSIVE"
        assert count_test(effects(values, failed), 0.0, allowed=1).verdict == "HOLDS"
        assert count_test(effects(values, {0, 1, 2}), 0.0, allowed=3).verdict == "INCONCLUSIVE"
        assert count_test(effects(values, set(range(8))), 0.0, allowed=12).verdict == "VIOLATED"

    def test_an_unknown_seed_counts_for_neither(self):
        known = [(UP, UP, False)]
        assert count_test(stats.by_seed([stats.UNKNOWN_SEED] * 12), 0.0).verdict == "INCONCLUSIVE"
        assert count_test(stats.by_seed(known * 10 + [stats.UNKNOWN_SEED] * 2), 0.0).verdict == "HOLDS"
        low = [(-2.0, -1.0, False)]
        assert count_test(stats.by_seed(low * 11 + [stats.UNKNOWN_SEED]), 0.0).verdict == "VIOLATED"

    def test_a_control_of_five_shows_a_far_bound_and_a_claim_does_not(self):
        values = effects([3.0, 1.0, 2.0, 5.0, 4.0])
        assert count_test(values, 0.0).high == math.inf and count_test(values, 0.0, control=True).high == 5.0
        assert count_test(effects(range(12)), -1.0, control=True).high == 9.0  # the third largest of twelve
        units = [3.0, 1.0, 2.0, 5.0, 4.0]
        assert sign_count_test(units, 0.0).high == math.inf and sign_count_test(units, 0.0, control=True).high == 5.0

    @quick
    @given(st.lists(numbers, min_size=5, max_size=12), st.floats(0.01, 1))
    def test_a_decision_is_final_and_its_bounds_say_the_same(self, x, margin):
        for n in range(5, len(x) + 1):
            early = count_test(effects(x[:n]), margin)
            if early.verdict in ("HOLDS", "VIOLATED"):
                late = count_test(effects(x), margin)
                assert late.verdict == early.verdict
                assert late.low > margin if late.verdict == "HOLDS" else late.high < margin
                break

    @quick
    @given(st.lists(numbers, min_size=0, max_size=11), st.floats(0.01, 1), st.integers(0, 2**31))
    def test_it_gives_up_only_where_no_further_seed_could_decide(self, x, margin, seed):
        if count_test(effects(x), margin).verdict == "INCONCLUSIVE":
            rest = np.random.default_rng(seed).normal(0, 3, 12 - len(x)).tolist()
            for further in (rest, [9.0] * len(rest), [-9.0] * len(rest)):
                assert count_test(effects(x + further), margin).verdict == "INCONCLUSIVE"

    def test_lists_of_different_lengths_are_refused(self):
        with pytest.raises(StatisticsError, match="every seed"):
            count_test(stats.Effects([1.0], [1.0, 2.0], [False]), 0.0)


class TestFailed:
    def test_far_below_the_others(self):
        assert failed_seeds([0.90, 0.91, 0.89, 0.905, 0.1]) == [False] * 4 + [True]
        assert failed_seeds([0.90, 0.91, 0.89, 0.905, 2.0]) == [False] * 5
        assert failed_seeds([0.4, 0.41, 0.39, 0.405, 9.0], higher_is_better=False) == [False] * 4 + [True]
        assert failed_seeds([0.9, math.nan, 0.9]) == [False, True, False]
        assert failed_seeds([math.nan] * 3) == [True] * 3

    def test_one_picture_less_than_equal_others_is_no_failure(self):
        assert failed_seeds([0.9, 0.9, 0.9, 0.9, 0.89], step=0.01) == [False] * 5
        assert failed_seeds([0.9, 0.9, 0.9, 0.9, 0.7], step=0.01) == [False] * 4 + [True]

    def test_a_reference_that_failed_is_unknown_and_a_treatment_falls_short_whatever_the_sign(self):
        good, bad = [0.9, 0.91, 0.89, 0.905, 0.9], [0.9, 0.91, 0.89, 0.905, 0.1]
        assert (
            stats.paired_effects(good, bad).low[4] == -math.inf and stats.paired_effects(good, bad).high[4] == math.inf
        )
        for sign in (1.0, -1.0):
            found = stats.paired_effects(bad, good, sign=sign)
            assert found.high[4] == -math.inf and found.failed[4]


class TestEquivalent:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0.1, -0.1, 0.05, -0.05, 0.0], "HOLDS"),
            ([3.1] * 8, "VIOLATED"),
            ([-3.1] * 8, "VIOLATED"),
            ([3.1] * 5, "CONTINUE"),
            ([2.0, -2.0, 2.0, -1.5, 1.5, -3.0, 2.0, -2.0, 2.0, -1.5, 1.5, -3.0], "INCONCLUSIVE"),
            ([2.0, -2.0, 2.0, -2.0, 2.0], "INCONCLUSIVE"),
            ([0.0] * 4, "CONTINUE"),
        ],
    )
    def test_the_count_on_each_side(self, values, expected):
        assert equivalence_test(effects(values), 1.0).verdict == expected

    @quick
    @given(st.lists(numbers, min_size=5, max_size=12))
    def test_holds_is_an_interval_within_the_margins_and_mirrors(self, x):
        result = equivalence_test(effects(x), 0.5)
        mirrored = equivalence_test(effects([-v for v in x]), 0.5)
        assert mirrored.verdict == result.verdict
        assert (result.verdict == "HOLDS") == (result.low > -0.5 and result.high < 0.5)

    def test_a_failed_seed_is_not_alike(self):
        assert equivalence_test(effects([0.0] * 12, {2}), 1.0).verdict == "INCONCLUSIVE"


class TestUnits:
    @pytest.mark.parametrize(("n", "beating", "short"), [(5, 5, 6), (7, 7, 7), (8, 7, 8), (12, 10, 11), (64, 40, 42)])
    def test_the_counts_that_are_needed(self, n, beating, short):
        for k, expected in ((beating, "HOLDS"), (beating - 1, "INCONCLUSIVE")):
            assert sign_count_test([UP] * k + [DOWN] * (n - k), 0.0).verdict == expected
        if short <= n:
            assert sign_count_test([DOWN] * short + [UP] * (n - short), 0.0).verdict == "VIOLATED"
        assert sign_count_test([DOWN] * (short - 1) + [UP] * (n - short + 1), 0.0).verdict == "INCONCLUSIVE"

    def test_fewer_than_five_are_never_judged(self):
        assert sign_count_test([9.0] * 4, 0.1).verdict == "INCONCLUSIVE"
        assert sign_count_test([], 0.1).verdict == "INCONCLUSIVE"

    def test_what_gave_no_number_falls_short(self):
        assert sign_count_test([UP] * 4 + [math.nan], 0.0).verdict == "INCONCLUSIVE"
        assert sign_count_test([math.nan] * 7, 0.0).verdict == "VIOLATED"

    def test_ties_count_for_neither(self):
        assert sign_count_test([1.0] * 20, 0.5, step=1.0).verdict == "INCONCLUSIVE"


def test_the_shift_that_four_of_five_runs_see():
    rng = np.random.default_rng(5)
    for cap, units in ((12, 0), (5, 0), (12, 9)):
        shift = stats.detectable_shift(cap, units)
        x = rng.normal(shift, 1, (4000, units or cap)).tolist()
        rule = sign_count_test if units else lambda row, margin: count_test(effects(row), margin)
        assert np.mean([rule(row, 0.0).verdict == "HOLDS" for row in x]) == pytest.approx(0.8, abs=0.03)
    assert math.isinf(stats.detectable_shift(3)) and math.isinf(stats.detectable_shift(12, 4))


def test_no_failure_in_few_seeds_excludes_little():
    assert (round(stats.smallest_rate(5), 2), round(stats.smallest_rate(12), 2)) == (0.45, 0.22)


@pytest.mark.parametrize(("value", "expected"), [(0.2, "HOLDS"), (0.1, "INCONCLUSIVE"), (0.05, "VIOLATED")])
def test_one_deterministic_figure_is_judged_exactly(value, expected):
    result = stats.count_exactly(effects([value]), 0.1, step=0.02)
    assert (result.verdict, result.n, result.low) == (expected, 1, value)
    wide = stats.count_exactly(effects([value]), 0.1, also=lambda seeds: (0.0, 0.3))
    assert (wide.verdict, wide.low, wide.high) == ("INCONCLUSIVE", 0.0, 0.3)


def test_a_deterministic_figure_that_failed_or_is_not_known():
    for seed, expected in ((stats.FAILED_SEED, "VIOLATED"), (stats.UNKNOWN_SEED, "INCONCLUSIVE")):
        assert stats.count_exactly(stats.by_seed([seed]), 0.1, also=lambda seeds: (0.2, 0.3)).verdict == expected
