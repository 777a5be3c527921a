"""Three claims about the networks in `stripes`: one about time, one about learning, one about an exact figure.

Each states the smallest effect that matters (`by=`) and a control, an intervention that makes it false.
"""

from functools import partial

import stripes

from dlcv04 import claim, planted, reference_everywhere

# An arm is a function that returns a Keras model. Made once, so that claims about the same arm share its compilation.
small, large = partial(stripes.convnet, filters=8), partial(stripes.convnet, filters=512)


def one_filter_more(network):
    """The same network with one filter more: what the exact claim must not survive."""
    return partial(network.func, filters=network.keywords["filters"] + 1)


@claim("Sixty-four times the filters make an epoch longer", control=reference_everywhere("small"))
def test_more_filters_take_longer(epoch_time, claim):
    """Both arms are timed in turn, in this process, until the verdict is decided."""
    times = epoch_time(small=small, large=large)
    claim.slower(times.large, than=times.small, by=1.2)


@claim("A convolution learns stripes better than a linear layer", control=reference_everywhere("linear"))
def test_a_convolution_learns_better(learning, claim):
    """Validation accuracy (mean over epochs), paired by seed, seeds counted: 5, 8 or 12 of them."""
    curves = learning(linear=stripes.linear, convolution=small)
    claim.better(curves.convolution, than=curves.linear, by=0.10)


@claim("The small convnet has 244 parameters", control=planted("one filter more", one_filter_more))
def test_the_small_convnet_has_244_parameters(footprints, claim):
    """8 filters of 5 x 5 pixels and a bias, then 4 directions from 8 averages and a bias: no tolerance."""
    sizes = footprints(small=small)
    claim.exactly(sizes.small.parameters, 8 * (5 * 5 + 1) + 4 * (8 + 1), of="small")
