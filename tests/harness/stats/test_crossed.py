"""Seeds crossed with pictures: both variances count."""

import numpy as np
import pytest

from dlcv04.harness.stats import StatisticsError, crossed_interval, crossed_test


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
