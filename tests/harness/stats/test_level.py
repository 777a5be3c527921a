"""Exact bounds of a proportion."""

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.stats import StatisticsError, clopper_pearson
from tests.harness.stats.samples import quick


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
