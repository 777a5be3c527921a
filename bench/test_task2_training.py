"""Task 2 of the seed: what the training tricks cost, and what they bring. So far the size of a batch.

DLCV04 (2016), slide 6: the MNIST base net at batches of 16 and 128, 40 and 28 s an epoch. (The base net's own logs say
19 s at 128, so the slide's 28 s are another net's or a busier card's.) Times are those of training steps over
equally many pictures.
"""

from dataclasses import replace
from functools import partial

from dlcv04 import Published, claim, reference_everywhere, trained
from dlcv04.networks import mnist_convnet

SLOWER = 1.05  # the smallest slowdown that matters; a ninth of the published one, 1.43


def in_batches_of(size):
    """An arm: the base net, trained in batches of `size` pictures."""
    return trained(mnist_convnet, recipe=partial(replace, batch_size=size))


@claim(
    "Small batches make an epoch longer: 16 pictures instead of 128",
    slide=6,
    published=Published(sentence="40 s instead of 28 s an epoch", epoch_seconds={"batch_16": 40, "batch_128": 28}),
    control=reference_everywhere("batch_128"),
)
def test_batch_16_takes_longer(epoch_time, claim):
    """Eight times as many steps over the same pictures take 5 % longer or more."""
    times = epoch_time(batch_16=in_batches_of(16), batch_128=in_batches_of(128))
    claim.slower(times.batch_16, than=times.batch_128, by=SLOWER)
