"""Pooled standard deviations."""

import math

import pytest

from dlcv04.harness.stats import StatisticsError, pooled_sd


def test_pooled_sd_is_the_root_mean_square_of_equal_groups_about_their_own_means():
    sd, df = pooled_sd([[0, 2], [10, 14], [5]])
    assert (sd, df) == (pytest.approx(math.sqrt((2 + 8) / 2)), 2)


def test_pooled_sd_refuses_groups_without_spread():
    with pytest.raises(StatisticsError, match="no group has two values"):
        pooled_sd([[1.0], [2.0]])
