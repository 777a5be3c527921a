"""Task 5 of the 2016 experiment: a picture with the content of one picture and the style of another.

DLCV04 (2016), slides 18 to 21: a robin in the style of Dalí's soft watch, by VGG16 at 400x400, 20 iterations of L-BFGS;
style from five layers, from the first two alone, and from the last two alone. Here scikit-learn's china.jpg is painted
in the style of its flower.jpg, from a few noise starts, with weights that fit the trunk in use (`dlcv04.style`).
Distances are shares of the distance of a black picture.

Measured at `standard` on real data (commit f4f519f, 2026-11-28, two busy cores of an Intel Xeon, TensorFlow 2.21): log
ratios over n = 7 noise starts. The loss falls by .91 [.86, .95] from iteration 1 to 5 and by .23 [.20, .27] from 5 to
10. Style from the last layers alone stays farther from the colours than style from the first alone by .87 [.65, 1.12],
and farther from the content by .80 [.48, 1.04].
"""

import math
from functools import partial

import pytest
from studio import studio
from trunks import stored_weights

from dlcv04 import claim, planted, reference_everywhere

FALLS = math.log(1 / 0.9)  # a stage's loss is at most 0.9 of the stage before
LOWER = math.log(1.5)  # the smallest ratio of distances to the style that matters
NEARER = math.log(1.1)  # the same to the content: a ratio of about 1.8 on the three pilot starts, between 1.2 and 3.7
STAYS_HIGH = math.log(2)  # the colours' distance without the first layers, over that with all


@pytest.fixture
def room(request, claim):
    """The studio of this profile; None without weights, and the claim stays open."""
    weights = stored_weights(claim)
    return weights and studio(weights, request.config.getoption("dl_profile"))


without_style = planted("style weight 0", lambda arm: partial(arm, style_weight=0.0))


@claim(
    "The loss of neural style goes on falling, iteration by iteration",
    slide=19,
    published="1, 5, 10 and 20 iterations: strokes first, then the bird, ever clearer",
    control=reference_everywhere("iteration_1"),
)
def test_the_loss_falls(room, computed, claim, picture):
    """To 0.9 or less from each stage to the next, over the noise starts."""
    if room is None:
        return
    losses = computed(**{f"iteration_{n}": partial(room.losses, iteration=n) for n in room.sizes.stages})
    for before, after in zip(room.sizes.stages, room.sizes.stages[1:], strict=False):
        arms = (getattr(losses, f"iteration_{n}") for n in (before, after))
        claim.higher(next(arms), than=next(arms), by=FALLS, over="noise starts", what="log loss")
    picture(
        "Neural style from all five layers",
        room.stages_of("all"),
        caption="The pavilion of the content in the colours and textures of the style.",
        published="A robin emerges from golden and blue strokes of Dalí's picture (slide 19).",
    )


@claim(
    "Style from the first layers alone comes nearer to its colours, and to the content, than from the last",
    slide=20,
    published="first layers: fine strokes in the style's colours, the robin vivid in them",
    control=without_style,
)
def test_the_first_layers_keep_the_content(room, computed, claim, picture):
    """Distances at conv1_1 and conv2_1 lower by a third or more, at conv4_2 by a tenth."""
    if room is None:
        return
    for part in ("conv1_1", "conv2_1", "content"):
        arms = {f"{look}_{part}": partial(room.distances, look=look, part=part) for look in ("first", "last")}
        first, last = vars(computed(**arms)).values()
        by = NEARER if part == "content" else LOWER
        claim.higher(last, than=first, by=by, over="noise starts", what="log distance")
    picture(
        "Neural style from the first two layers alone",
        room.stages_of("first"),
        caption="The style's colours and grain; shapes are those of the content.",
        published="Fine strokes all over, the robin brighter than with all layers (slide 20).",
    )


@claim(
    "Style from the last layers alone leaves the style's colours away",
    slide=21,
    published="last layers: the strokes are almost gone, the colours pale",
    control=without_style,
)
def test_the_last_layers_leave_the_colours_away(room, computed, claim, picture):
    """The Gram matrix of conv1_1 stays twice as far from the style's as with all layers, or further."""
    if room is None:
        return
    arms = {f"{look}_conv1_1": partial(room.distances, look=look, part="conv1_1") for look in ("all", "last")}
    whole, last = vars(computed(**arms)).values()
    claim.higher(last, than=whole, by=STAYS_HIGH, over="noise starts", what="log distance")
    picture(
        "Neural style from the last two layers alone",
        room.stages_of("last"),
        caption="Shapes of content and style without the style's colours.",
        published="A pale picture with faint strokes: the style is almost gone (slide 21).",
    )
