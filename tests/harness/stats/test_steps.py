"""Steps in a history."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.stats import detect_steps
from dlcv04.harness.stats import steps as stats_steps
from tests.harness.stats.samples import noise, numbers


def test_a_step_is_found_at_its_place_with_its_levels():
    x = np.concatenate([noise(20, 0.02, 1), 0.2 + noise(15, 0.02, 2)])
    (step,) = detect_steps(x)
    assert step.index == 20
    assert (step.before, step.after) == (pytest.approx(0, abs=0.02), pytest.approx(0.2, abs=0.02))


def test_up_and_down_again_are_two_steps():
    x = np.concatenate([noise(12, 0.02, 1), 0.3 + noise(12, 0.02, 2), noise(12, 0.02, 3)])
    assert [step.index for step in detect_steps(x)] == [12, 24]


def test_one_wild_run_is_no_step():
    x = noise(30, 0.02, 4)
    x[12] = 3.0
    assert detect_steps(x) == ()


@pytest.mark.parametrize("history", [[], [1.0] * 5, [2.0] * 40])
def test_a_short_or_constant_history_has_no_step(history):
    assert detect_steps(history) == ()


def test_a_noiseless_step_is_found():
    assert [step.index for step in detect_steps([1.0] * 10 + [2.0] * 10)] == [10]


def test_rounding_is_no_step():
    assert detect_steps([0.1 + 0.2] * 5 + [0.3] * 5) == ()
    assert detect_steps([0.0] * 5 + [1e-17] * 5) == ()


def brute_force(x, min_length, price):
    n, best = len(x), (math.inf, ())
    for count in range(n // min_length):
        for starts in itertools.combinations(range(1, n), count):
            edges = [0, *starts, n]
            if min(b - a for a, b in itertools.pairwise(edges)) < min_length:
                continue
            cost = sum(np.abs(x[a:b] - np.median(x[a:b])).sum() for a, b in itertools.pairwise(edges))
            best = min(best, (cost + price * count, starts))
    return best[0]


@settings(deadline=None, max_examples=25)
@given(st.lists(numbers, min_size=6, max_size=11))
def test_the_segmentation_is_the_cheapest_of_all(x):
    values = np.array(x)
    starts = stats_steps._segment_starts(x, 2, 0.7)
    parts = np.split(values, starts)
    cost = sum(np.abs(part - np.median(part)).sum() for part in parts) + 0.7 * len(starts)
    assert cost == pytest.approx(brute_force(values, 2, 0.7), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.floats(-5, 5), st.floats(0.01, 100))
def test_steps_do_not_depend_on_the_unit(seed, shift, factor):
    x = np.random.default_rng(seed).normal(0, 1, 20) + np.repeat([0.0, 4.0], 10)
    assert [s.index for s in detect_steps(x)] == [s.index for s in detect_steps(x * factor + shift)]
