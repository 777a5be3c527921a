"""Task 2 of the 2016 experiment: what the training tricks cost, and what they bring.

DLCV04 (2016), slides 6 to 9. Batch size: the MNIST base net at batches of 16 and 128, 40 and 28 s an epoch (the base
net's own logs say 19 s at 128, so the slide's 28 s are another net's or a busier card's), CIFAR-10 at 32 and 64, 37 and
32 s; "no perceptible difference" in accuracy. Augmentation and batch normalisation: the CIFAR-10 net, 50,000 pictures,
SGD 0.01 with Nesterov momentum. Overfitting: 450 photos of Terrassa's buildings at 32x32, two convolutions and one
dense layer, 30 epochs. Losses and training accuracies are those of pictures without augmentation, in inference mode.

Margins are half of what pilot seeds (100 to 102) showed or less, fixed before the judged seeds (0, 1, ...) ran. When,
and what changed since, is in docs/claims.md.

Measured at `standard` on real data (commit f4f519f, 2026-11-28, two busy cores of an Intel Xeon, TensorFlow 2.21): an
epoch at batch 16 takes 1.73 [1.63, 1.97] times as long as at 128 (n = 16 pairs of rounds), on CIFAR-10 at 32 1.14
[1.11, 1.18] times as at 64 (n = 60). Augmentation lowers training accuracy by 10.8 points (near bound 6.7; n = 8
seeds), batch normalisation takes 5.36 times fewer epochs (3.02; n = 5), dropout narrows the gap of the losses by 2.1
nats (1.3; n = 5).
"""

from dataclasses import replace
from functools import partial

import pytest

from dlcv04 import (
    FINAL_VAL_ACCURACY,
    LATE_LOSS_GAP,
    MEAN_TRAIN_ACCURACY,
    MEAN_VAL_ACCURACY,
    TRAIN_ACCURACY,
    VAL_ACCURACY,
    Published,
    claim,
    planted,
    recipes,
    reference_everywhere,
    trained,
)
from dlcv04.networks import cifar_convnet, mnist_convnet, terrassa_convnet

#: Where a smaller batch costs time. On JAX on a CPU an epoch in batches of 16 took 0.48 times as long as in 128.
BATCH_COSTS = {
    "judged_on": {"tensorflow", "torch", "jax gpu"},
    "elsewhere": "on a CPU XLA is slower per picture on larger batches",
}
SLOWER = 1.05  # the smallest slowdown that matters; a ninth of the published 1.43
SLOWER_CIFAR = 1.02  # an eighth of the published 1.16; two cores showed 1.06
PAIRS_MNIST = 16  # with 8 a noisy minute left the control's interval on the real one's, once in many runs
PAIRS = 60  # of the smaller effect: with 40 a control lay on the real interval in 4 of 6 runs on drawings
SAME = 0.01  # accuracies closer than a point are "no perceptible difference"
LOWER_ON_TRAINING = 0.015  # of accuracy
SOONER = 1.25  # ratio of epochs
NARROWER_GAP = 0.3  # nats

PLAIN = partial(cifar_convnet)
NORMALISED = partial(cifar_convnet, batch_norm=True)
#: A quarter of the filters and units of 2016, below the paper profile: they learn few pictures by heart as well.
SMALL = {"filters": 8, "dense_units": 128}
#: Half the filters of 2016, below the paper profile: a step takes a third of the time.
HALF_PLAIN = partial(cifar_convnet, filters=(16, 32))
HALF_NORMALISED = partial(cifar_convnet, filters=(16, 32), batch_norm=True)


def augmented(network):
    """An arm: the network, trained on pictures that are shifted and flipped."""
    return trained(network, recipe=partial(replace, augmentation=recipes.CIFAR_AUGMENTATION))


def at_rate(factor, arm):
    """The arm with its learning rate times `factor`."""
    return trained(arm, recipe=lambda shared: replace(shared, learning_rate=factor * shared.learning_rate))


def in_batches_of(size, network=mnist_convnet):
    """An arm: the network, trained in batches of `size` pictures."""
    return trained(network, recipe=partial(replace, batch_size=size))


# -- batch size ------------------------------------------------------------------------------------------------------


@claim(
    "Small batches make an epoch longer: 16 pictures instead of 128",
    slide=6,
    published=Published(sentence="40 s instead of 28 s an epoch", epoch_seconds={"batch_16": 40, "batch_128": 28}),
    control=reference_everywhere("batch_128"),
    **BATCH_COSTS,
)
def test_batch_16_takes_longer(epoch_time, claim):
    """Eight times as many steps over the same pictures take 5 % longer or more."""
    times = epoch_time(batch_16=in_batches_of(16), batch_128=in_batches_of(128))
    claim.slower(times.batch_16, than=times.batch_128, by=SLOWER, pairs=PAIRS_MNIST)


@claim(
    "On CIFAR-10 too: 32 pictures instead of 64",
    slide=6,
    published=Published(sentence="37 s instead of 32 s an epoch (log)", epoch_seconds={"batch_32": 37, "batch_64": 32}),
    control=reference_everywhere("batch_64"),
    judged_from="standard",
    **BATCH_COSTS,
)
def test_batch_32_takes_longer_on_cifar10(epoch_time, cifar10, claim):
    """Twice as many steps over the same pictures take 2 % longer or more; the effect is small, so on many pairs."""
    arms = {f"batch_{size}": in_batches_of(size, PLAIN) for size in (32, 64)}
    times = epoch_time(data=cifar10, recipe=recipes.cifar_recipe("paper"), **arms)
    claim.slower(times.batch_32, than=times.batch_64, by=SLOWER_CIFAR, pairs=PAIRS)


@claim(
    "The size of a batch makes no difference to the accuracy",
    slide=6,
    published="no perceptible difference",
    control=planted("a hundredth of the learning rate", partial(at_rate, 0.01), only="batch_16"),
    judged_from="paper",
)
def test_batch_16_is_as_accurate(learning, profile, claim):
    """Within a point after twelve epochs, where both have converged: after few, batch 16 just took more steps."""
    curves = learning(recipe=recipes.mnist_recipe(profile), batch_16=in_batches_of(16), batch_128=in_batches_of(128))
    claim.equivalent(curves.batch_16, curves.batch_128, within=SAME, of=FINAL_VAL_ACCURACY)


# -- augmentation ----------------------------------------------------------------------------------------------------


@pytest.fixture
def augmentation(learning, cifar10, profile):
    """A net without and with augmentation: that of 2016 in the paper profile, the normalised one in smaller profiles.

    The 2016 experiment's net hardly begins to fit its pictures there, so that there is little to hinder.
    """
    net = PLAIN if profile == "paper" else HALF_NORMALISED
    recipe = recipes.cifar_recipe(profile, sizes=recipes.TRICK_PROFILES)
    return learning(data=cifar10, recipe=recipe, plain=net, augmented=augmented(net))


@claim(
    "With augmentation the net fits its training pictures less well at equal epochs (below the paper profile: the "
    "normalised net)",
    slide=7,
    published="training accuracy 0.60 with augmentation, 0.75 without, after about 23 epochs",
    control=reference_everywhere("plain"),
    judged_from="standard",
)
def test_augmentation_lowers_training_accuracy(augmentation, claim):
    """Mean over epochs; both arms are evaluated on the pictures as they are."""
    claim.better(augmentation.plain, than=augmentation.augmented, by=LOWER_ON_TRAINING, of=MEAN_TRAIN_ACCURACY)


@claim(
    "Augmentation brings no better validation accuracy at equal epochs",
    slide=7,
    published="validation accuracy 0.71 with augmentation, 0.76 without, after about 23 epochs",
    control=planted("a tenth of the learning rate", partial(at_rate, 0.1), only="plain"),
    judged_from="paper",
)
def test_augmentation_is_not_better(augmentation, claim):
    """Not a point better in the mean over epochs."""
    claim.not_better(augmentation.augmented, than=augmentation.plain, by=SAME, of=MEAN_VAL_ACCURACY)


# -- batch normalisation ---------------------------------------------------------------------------------------------

#: What is to be reached, by profile: on few pictures, how well these are learnt, since others tell little by then.
TARGETS = {
    "smoke": (TRAIN_ACCURACY, 0.30),
    "standard": (TRAIN_ACCURACY, 0.30),
    "paper": (VAL_ACCURACY, 0.70),
}
#: In the paper profile the claim holds at three times and a third of the rate too, so it is not about the rate.
RATES = {"paper": (1.0, 0.3, 3.0)}


@claim(
    "With batch normalisation (momentum 0.9) the net learns in fewer epochs",
    slide=8,
    published="about 0.75 by epoch 15 with it, over 100 epochs without",
    control=reference_everywhere("normalised"),
)
def test_batch_norm_learns_in_fewer_epochs(learning, cifar10, profile, claim):
    """Epochs until an accuracy is reached, interpolated. The plain net may miss it: it then took longer for sure.

    In the control every arm is normalised, not plain: of two arms that both miss the target nothing would be known.
    """
    recipe = recipes.cifar_recipe(profile, sizes=recipes.TRICK_PROFILES)
    plain, normalised = (PLAIN, NORMALISED) if profile == "paper" else (HALF_PLAIN, HALF_NORMALISED)
    series, target = TARGETS[profile]
    for rate in RATES.get(profile, (1.0,)):
        used = replace(recipe, learning_rate=rate * recipe.learning_rate)
        curves = learning(data=cifar10, recipe=used, plain=plain, normalised=normalised)
        claim.reaches_sooner(curves.normalised, than=curves.plain, target=target, by=SOONER, of=series)


# -- overfitting -----------------------------------------------------------------------------------------------------


@claim(
    "Dropout narrows the gap of training and validation loss",
    slide=9,
    published="without dropout a training loss of 0.6 and a validation loss of 2 to 3, with it about half the gap",
    control=reference_everywhere("plain"),
)
def test_dropout_narrows_the_gap(learning, buildings, profile, claim):
    """Both losses in inference mode, paired by seed; over the last third of the epochs, since of 31 trainings of the
    plain net on drawings (seeds 100 and later) one had its losses leap up three epochs before the end.
    """
    photos = buildings(32)
    net = partial(terrassa_convnet, classes=photos.classes, **({} if profile == "paper" else SMALL))
    recipe = recipes.buildings_recipe(profile)
    curves = learning(data=photos, recipe=recipe, plain=net, dropout=partial(net, dropout=True))
    claim.better(curves.dropout, than=curves.plain, by=NARROWER_GAP, of=LATE_LOSS_GAP)
