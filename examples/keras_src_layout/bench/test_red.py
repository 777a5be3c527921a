"""What a red claim looks like: this one is false on purpose, and its mark says so. Delete it once you have seen it.

Without the mark its test fails: `pytest bench/test_red.py --runxfail`.
"""

import pytest
import stripes
from test_mine import small

from dlcv04 import claim, reference_everywhere


@pytest.mark.xfail(reason="false on purpose", strict=True)
@claim("A linear layer learns stripes better than a convolution", control=reference_everywhere("convolution"))
def test_a_linear_layer_learns_better(learning, claim):
    """The claim of test_mine.py the wrong way round, on the same curves."""
    curves = learning(linear=stripes.linear, convolution=small)
    claim.better(curves.linear, than=curves.convolution, by=0.10)
