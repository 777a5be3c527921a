"""Epochs to a target and their ratio."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.stats import StatisticsError, epochs_to_target, reach_log_ratio
from tests.harness.stats.samples import quick


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
