"""Every backend computes what float64 does, as nearly as float32 can. Runs on whatever KERAS_BACKEND says."""

import numpy as np
import pytest

from dlcv04 import backends
from tests.backends import reference

#: float32 rounds within a step too: a kernel's gradient sums over the 64 places of 8 pictures, and the errors of a sum
#: grow as the root of the number of its terms. The largest of a thousand such errors is four times the typical one.
WITHIN_A_STEP = 4 * (8 * 64) ** 0.5


@pytest.fixture(scope="module")
def stored():
    with np.load(reference.FILE) as file:
        return dict(file)


def off_by(found, stored):
    """How far the arrays are off, in the most that float32 may be."""
    return {
        name: float(np.abs(array - stored[name]).max() / (WITHIN_A_STEP * stored[f"{name}, off by"]))
        for name, array in found.items()
    }


@pytest.mark.skipif(backends.has_gpu(), reason="a card may round products to TF32")
def test_outputs_gradients_and_training_are_those_of_float64(stored):
    with backends.deterministic():
        found = reference.figures()
    assert len(found) == 4 and all(array.dtype == np.float32 for array in found.values())
    assert max(off_by(found, stored).values()) < 1, off_by(found, stored)


@pytest.mark.skipif(backends.has_gpu(), reason="a card may round products to TF32")
def test_a_rate_that_is_a_thousandth_off_is_seen(stored):
    """So the test above sees a small fault in training; what comes before the first step is unharmed by it."""
    off = off_by(reference.figures(rate=0.05 * 1.001), stored)
    assert off["weights after 1"] > 1 and off["weights after 20"] > 1, off
    assert off["outputs"] < 1 and off["gradient of pictures"] < 1
