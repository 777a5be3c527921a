"""A trainer that is reset to a seed is a fresh trainer of that seed: weights, optimiser's slots, order, evaluation."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dlcv04 import Dataset
from dlcv04.networks import mnist_convnet
from dlcv04.recipes import cifar_recipe, mnist_recipe
from dlcv04.training import Trainer

NETWORK = partial(mnist_convnet, conv_layers=1, filters=2, dense_units=(4,), input_shape=(8, 8, 1), classes=3)
SIZES = {"batch_size": 4, "epochs": 1, "train_images": 12, "val_images": None}
RECIPES = {
    "Adadelta": replace(mnist_recipe("smoke"), **SIZES),
    "Nesterov, with flips": replace(cifar_recipe("smoke", augmented=True), **SIZES),
}


def dataset():
    random = np.random.RandomState(0)
    pictures, labels = random.randint(0, 256, (20, 8, 8, 1)).astype(np.uint8), np.arange(20, dtype=np.int32) % 3
    return Dataset("noise", pictures[:16], labels[:16], pictures[16:], labels[16:], 3)


@pytest.fixture(scope="module", params=RECIPES)
def pair(request):
    """A trainer that has worked for another seed, and a fresh one."""
    used, fresh = (Trainer(NETWORK, dataset(), RECIPES[request.param], seed=seed) for seed in (1, 2))
    return used, fresh, fresh.state()


def check(used, fresh, start):
    """Bit for bit the same state at the start and after an epoch, and the same scores."""
    used.reset(1).train_epoch()
    moved = [not np.array_equal(one, other) for one, other in zip(used.state(), start, strict=True)]
    if not all(moved[-len(used.optimizer.variables) :][2:]):
        pytest.fail("nothing is compared: a slot did not change in training")
    used.reset(2)
    fresh.resume(start, epoch=0)
    assert_same(used.state(), fresh.state())
    assert used.train_epoch()[1:] == fresh.train_epoch()[1:]
    assert_same(used.state(), fresh.state())
    assert used.evaluate("val") == fresh.evaluate("val")


def assert_same(states, others):
    for state, other in zip(states, others, strict=True):
        np.testing.assert_array_equal(state, other)


def test_reset_is_a_fresh_trainer(pair):
    check(*pair)


def test_a_fresh_trainer_has_empty_slots(pair):
    """After the step counter and the learning rate come the slots."""
    used, _, _ = pair
    used.reset(1).train_epoch()
    used.reset(2)
    count = len(used.optimizer.variables)
    for values in used.state()[-count:][2:]:
        assert not values.any()


# -- planted faults ----------------------------------------------------------------------------------------------------


def kept(parts):
    """Reset, but for some of the state: `parts` gives it from the whole and the number of the optimiser's variables."""

    def fault(real):
        def faulty(self, seed, dataset=None):
            before = self.state()
            real(self, seed, dataset)
            after = self.state()
            for place in range(len(after))[parts(len(self.optimizer.variables))]:
                after[place] = before[place]
            return self.resume(after, epoch=0)

        return faulty

    return fault


def same_order(real):
    def faulty(self, seed, dataset=None):
        real(self, seed, dataset)
        self.seed = 1
        return self

    return faulty


FAULTS = {
    "all of the optimizer's variables kept": kept(lambda count: slice(-count, None)),
    "its slots kept": kept(lambda count: slice(2 - count, None)),
    "its last slot kept": kept(lambda count: slice(-1, None)),
    "the first layer's kernel kept": kept(lambda count: slice(0, 1)),
    "the order of the batches kept": same_order,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_outlives_a_reset_is_seen(fault, pair, monkeypatch):
    monkeypatch.setattr(Trainer, "reset", FAULTS[fault](Trainer.reset))
    with pytest.raises(AssertionError):
        check(*pair)
