"""Values of an arm, and how many of them are stored."""

import numpy as np

from dlcv04.harness.measuring.values import STORED_VALUES, ArmValues


def test_many_values_are_not_stored():
    assert ArmValues("a", np.zeros(STORED_VALUES + 1)).stored == [] and len(ArmValues("a", np.zeros(3)).stored) == 3
