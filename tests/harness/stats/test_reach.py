"""Epochs to a target, and what is known of their ratio."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.stats import EpochsToTarget, StatisticsError, epochs_to_target, reach_ratio
from tests.harness.stats.samples import quick

MISSED = EpochsToTarget(10.0, math.inf)


@pytest.mark.parametrize(
    ("curve", "low", "high"),
    [
        ([0.5, 0.7, 0.9], 2.5, 2.5),
        ([0.8, 0.9], 0.0, 1.0),
        ([0.1, 0.2], 10.0, math.inf),
        ([], 10.0, math.inf),
        ([0.5, math.nan, 0.9], 3.0, 3.0),
        ([math.nan] * 3, 10.0, math.inf),
        ([0.1] * 10 + [0.9], 10.0, math.inf),
        ([0.5, 0.8], 2.0, 2.0),
    ],
)
def test_epochs_to_target(curve, low, high):
    result = epochs_to_target(curve, 0.8, 10)
    assert result == (pytest.approx(low), pytest.approx(high))
    assert result.missed == math.isinf(high) and result.epochs == pytest.approx(low if math.isinf(high) else high)


def test_a_loss_reaches_its_target_from_above():
    assert epochs_to_target([1.0, 0.6, 0.2], 0.4, 5, higher_is_better=False).high == pytest.approx(2.5)
    with pytest.raises(StatisticsError, match="budget"):
        epochs_to_target([1], 1, 0)


def seen(epochs):
    return EpochsToTarget(epochs, epochs)


@quick
@given(st.floats(1.01, 10), st.floats(1.01, 10), st.floats(0.01, 10))
def test_what_is_said_of_a_ratio_is_true_of_the_whole_times(reference, treatment, budget):
    """Censored at any budget, the bounds hold the ratio of the times that would have been seen."""
    cut = [seen(t) if t <= budget else EpochsToTarget(budget, math.inf) for t in (reference, treatment)]
    low, high = reach_ratio(*cut)
    assert low <= reference / treatment <= high


def test_censoring():
    assert reach_ratio(seen(6.0), seen(3.0)) == (2.0, 2.0)
    low, high = reach_ratio(MISSED, seen(4.0))
    assert low > 2.5 and low == pytest.approx(2.5) and high == math.inf
    assert reach_ratio(seen(6.0), MISSED) == (-math.inf, 0.6)
    assert reach_ratio(MISSED, MISSED) == (-math.inf, math.inf)
    first = EpochsToTarget(0.0, 1.0)
    assert reach_ratio(seen(6.0), first) == (6.0, math.inf)
    assert reach_ratio(first, first) == (-math.inf, math.inf)
