"""A time against stored runs."""

import math

import numpy as np
import pytest
import scipy.stats

from dlcv04.harness.stats import StatisticsError, minimum_detectable_effect, stored_run_test

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
