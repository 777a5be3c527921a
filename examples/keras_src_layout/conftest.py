"""What the claims in `bench/` run on: this project's data and recipe in the place of dlcv04's own."""

import os

# Set before TensorFlow starts: otherwise its notes about libraries stand in the output of every failed claim.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import stripes


@pytest.fixture(scope="session")
def dataset():
    """The pictures that every arm sees."""
    return stripes.dataset()


@pytest.fixture(scope="session")
def recipe():
    """How arms learn."""
    return stripes.RECIPE


@pytest.fixture(scope="session")
def timing_recipe():
    """The recipe whose steps are timed: here the same one."""
    return stripes.RECIPE
