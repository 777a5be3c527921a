"""Claims on times."""

import math

import pytest

from dlcv04.harness.claims.claim import ClaimError
from tests.harness.arms import recorder, times


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
