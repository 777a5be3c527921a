"""What a red claim looks like: this one is false on purpose, and its mark says so.

Without the mark its test fails: `pytest bench/test_red.py --runxfail`.
"""

import progression
import pytest

from dlcv04 import claim, reference_everywhere


@pytest.mark.xfail(reason="false on purpose", strict=True)
@claim("The mean predicts as well as all columns, and better", control=reference_everywhere("linear"))
def test_the_mean_is_better(learning, claim):
    """The claim of test_table.py the wrong way round."""
    curves = learning(mean=progression.mean, linear=progression.linear)
    claim.better(curves.mean, than=curves.linear, by=0.10, of="val_mae")
