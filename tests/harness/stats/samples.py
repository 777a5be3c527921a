"""Samples for the rules of statistics, drawn or of a fixed seed."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

numbers = st.floats(-3, 3, allow_nan=False).map(lambda v: round(v, 6))
samples = st.lists(numbers, min_size=3, max_size=25)
quick = settings(deadline=None, max_examples=60)


def noise(n, sd=0.05, seed=0):
    return np.random.default_rng(seed).normal(0, sd, n)
