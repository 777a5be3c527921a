"""Task 3 of the seed: what a network looks for, how its data lie, and where in a picture it sees a class.

DLCV04 (2016), slides 10 to 13: filters of the CIFAR-10 net's four convolutions and of VGG16's conv5_1, by 20 steps of
gradient ascent from grey noise; a t-SNE map of 2,500 MNIST images; VGG16's probability of a kitten under masks.
"""

from functools import partial

import pytest
from gallery import gallery
from trunks import stored_weights

from dlcv04 import claim, planted

# -- filters -----------------------------------------------------------------------------------------------------

RISES = 0.4  # logarithm of the activation: half as much again as by noise, on the mean of the filters
SAME = 0.5  # grey levels: half of the smallest difference that a picture can show
SMOOTHER = 0.05  # cycles a pixel; white noise has 0.38
TRAINED_SMOOTHER = 0.01  # a net of few epochs is still near its random start

zero_steps = planted("zero steps up the gradient", lambda arm: partial(arm, steps=0))
one_step_more = planted("one step more", lambda arm: partial(arm, steps_more=1), only="batched")
random_weights = planted("random weights", lambda arm: partial(arm, trained=False, draw=1), only="trained")


@pytest.fixture
def show(request):
    """The filters of this profile and data."""
    return gallery(request.config.getoption("dl_profile"), request.config.getoption("dl_data"))


@claim(
    "Gradient ascent finds pictures that excite each shown filter of the CIFAR-10 net well above noise",
    slide=10,
    published="conv1: plain colours, edges, fine stripes; conv4: curved patches; many filters of all layers stay noise",
    control=zero_steps,
    judged_from="standard",
)
def test_filters_of_the_cifar_net_are_excited(show, computed, claim, picture):
    """Mean activation after 20 steps and by the noise at the start, paired over the filters that are not dead."""
    for layer in ("conv1", "conv2", "conv3", "conv4"):
        noise, excited = f"{layer}_noise", f"{layer}_excited"
        found = computed(
            **{
                noise: partial(show.activation, layer=layer, before=True),
                excited: partial(show.activation, layer=layer),
            }
        )
        one, other = getattr(found, excited), getattr(found, noise)
        claim.higher(one, than=other, by=RISES, over="filters", what="log mean activation")
        risen = int((one.values > other.values).sum())
        claim.exactly(risen, len(one.values), of=excited, what="filters that rose")
        picture(
            f"Filters of {layer} of the CIFAR-10 net",
            show.grid(layer),
            caption=show.caption(layer),
            published="two rows of eight; what a filter did not answer to stayed grey noise (slide 10)",
        )


@claim(
    "Gradient ascent finds pictures that excite each shown filter of VGG16's conv5_1 well above noise",
    slide=11,
    published="curved strokes, meshes, eyes and feathers, each all over its picture, on grey",
    control=zero_steps,
)
def test_filters_of_vgg16_are_excited(show, computed, claim, picture):
    """As for the CIFAR-10 net."""
    weights = stored_weights(claim)
    if weights is None:
        return
    excite = partial(show.activation, layer="conv5_1", weights=weights)
    found = computed(noise=partial(excite, before=True), excited=excite)
    claim.higher(found.excited, than=found.noise, by=RISES, over="filters", what="log mean activation")
    risen = int((found.excited.values > found.noise.values).sum())
    claim.exactly(risen, len(found.excited.values), of="excited", what="filters that rose")
    picture(
        "Filters of VGG16's conv5_1",
        show.grid("conv5_1", weights),
        caption=show.caption("conv5_1", weights),
        published="a grid of four by eight: meshes, arcs, feathers, eyes, in faint colours on grey (slide 11)",
    )


@claim("A batch of filters gives the pictures that one filter at a time gives", slide=10, control=one_step_more)
def test_a_batch_gives_what_one_by_one_gives(show, computed, claim):
    """Each pixel, on a few filters of the third convolution."""
    found = computed(batched=show.pictures, one_by_one=partial(show.pictures, batch_size=1))
    claim.identical(found.batched, found.one_by_one, within=SAME, what="grey levels")


@claim(
    "Trained first-layer filters are smoother than random ones",
    slide=11,
    published="not on the slides: pictures of conv1 are plain colours and edges",
    control=random_weights,
)
def test_vgg16s_first_filters_are_smooth(show, computed, claim):
    """Mean spatial frequency of the power spectrum of conv1_1's kernels, paired with those of a random start."""
    weights = stored_weights(claim)
    if weights is None:
        return
    trained = partial(show.roughness, layer="conv1_1", weights=weights)
    found = computed(trained=trained, random=partial(show.roughness, layer="conv1_1", trained=False))
    claim.higher(found.random, than=found.trained, by=SMOOTHER, over="filters", what="cycles a pixel")


@claim(
    "The CIFAR-10 net's first filters grow smoother by training",
    slide=10,
    published="not on the slides: pictures of conv1 are plain colours and edges",
    control=random_weights,
    judged_from="standard",
)
def test_the_cifar_nets_first_filters_grow_smooth(show, computed, claim):
    """As for VGG16, after the recipe of Task 2."""
    found = computed(
        trained=partial(show.roughness, layer="conv1"), random=partial(show.roughness, layer="conv1", trained=False)
    )
    claim.higher(found.random, than=found.trained, by=TRAINED_SMOOTHER, over="filters", what="cycles a pixel")
