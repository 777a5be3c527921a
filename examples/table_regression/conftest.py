"""What the claims in `bench/` run on."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow starts

import progression
import pytest


@pytest.fixture(scope="session")
def dataset():
    """The table that every arm sees."""
    return progression.dataset()


@pytest.fixture(scope="session")
def recipe():
    """How arms learn."""
    return progression.RECIPE


@pytest.fixture(scope="session")
def timing_recipe():
    """The recipe of the exact figures: the same one."""
    return progression.RECIPE
