"""What a red claim looks like: this one is false on purpose, and its mark says so.

Without the mark its test fails: `pytest bench/test_red.py --runxfail`.
"""

import pytest
from test_rings import HIDDEN, LINEAR

from dlcv04 import claim, reference_everywhere


@pytest.mark.xfail(reason="false on purpose", strict=True)
@claim("A linear layer tells rings apart better", control=reference_everywhere("hidden"))
def test_a_linear_layer_learns_better(learning, claim):
    """The claim of test_rings.py the wrong way round."""
    curves = learning(linear=LINEAR, hidden=HIDDEN)
    claim.better(curves.linear, than=curves.hidden, by=0.10)
