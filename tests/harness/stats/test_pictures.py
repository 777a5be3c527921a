"""The error of a finite number of pictures."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.stats import StatisticsError, clopper_pearson, clustered_interval, share_bounds
from tests.harness.stats.samples import quick


@quick
@given(st.integers(1, 300), st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_clopper_pearson_agrees_with_scipy(n, share, level):
    k = round(share * n)
    ours = clopper_pearson(k, n, level)
    theirs = scipy.stats.binomtest(k, n).proportion_ci(level, method="exact")
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))
    low, high = share_bounds(k / n, n, (1 - level) / 2, (1 - level) / 2)
    assert (low, high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))


def test_what_is_no_share_is_refused():
    with pytest.raises(StatisticsError, match="3 of 2"):
        clopper_pearson(3, 2)
    with pytest.raises(StatisticsError, match="no share"):
        share_bounds(1.2, 10, 0.05, 0.05)


def test_clusters_of_one_are_the_t_interval_and_copies_add_nothing():
    x = np.random.default_rng(0).normal(0.1, 1, 30)
    low, high = clustered_interval(x, range(30), 0.05, 0.01)
    t = scipy.stats.t(29, x.mean(), x.std(ddof=1) / math.sqrt(30))
    assert (low, high) == (pytest.approx(t.ppf(0.05)), pytest.approx(t.ppf(0.99)))
    # Every picture four times: as many classes, so as little is known.
    assert clustered_interval(np.repeat(x, 4), np.repeat(range(30), 4).tolist(), 0.05, 0.01) == pytest.approx(
        (low, high)
    )
    assert clustered_interval(x, ["one"] * 30, 0.05, 0.01) == (-math.inf, math.inf)
    with pytest.raises(StatisticsError, match="29 labels"):
        clustered_interval(x, range(29), 0.05, 0.01)
