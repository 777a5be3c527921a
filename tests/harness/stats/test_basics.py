"""Trimmed means, their intervals, and what every rule shares: detectable effects and split error rates."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.stats import StatisticsError, basics, minimum_detectable_effect, split_alpha, trimmed_mean
from tests.harness.stats.samples import noise, numbers, quick, samples


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


@pytest.mark.parametrize("bad", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_trimmed_mean_refuses_what_it_cannot_average(bad):
    with pytest.raises(StatisticsError, match="trimmed_mean"):
        trimmed_mean(bad)


def test_trimmed_mean_refuses_to_trim_everything():
    with pytest.raises(StatisticsError, match="proportion"):
        trimmed_mean([1, 2, 3], 0.5)


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


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 60, 1000])
def test_the_short_mean_has_the_bits_of_numpys(n):
    values = np.random.default_rng(n).normal(-1.7, 0.3, n)
    assert basics.mean(values) == values.mean() and basics.mean(np.sort(values)[::-1]) == np.sort(values)[::-1].mean()
