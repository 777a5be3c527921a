"""On a card JAX goes through all steps in one call, with the weights of one call a step. Needs KERAS_BACKEND=jax."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dlcv04 import backends
from dlcv04.backends.jax import Jax
from dlcv04.datasets import embedded
from dlcv04.networks import mnist_convnet
from dlcv04.recipes import CIFAR_AUGMENTATION, Recipe
from dlcv04.training import Trainer

pytestmark = pytest.mark.skipif(backends.keras.config.backend() != "jax", reason="needs KERAS_BACKEND=jax")

NETWORK = partial(mnist_convnet, conv_layers=1, filters=2, dense_units=(8,))
RECIPE = Recipe("test", "Adadelta", 1.0, 16, 2, train_images=96, val_images=40)
STEPS = 6


def trained(monkeypatch, recipe, *, on_a_card):
    """Two epochs, then a few steps of the timed loop past its end: running scores and all that training changed."""
    monkeypatch.setattr(Jax, "has_gpu", lambda self: on_a_card)
    trainer = Trainer(NETWORK, embedded.digits(), recipe, seed=1)
    epochs = [trainer.train_epoch(), trainer.train_epoch()]
    trainer.run_steps(STEPS - 1)
    trainer.run_steps(4)
    totals = trainer._steps.totals()
    scores = [(epoch.loss, epoch.accuracy) for epoch in epochs]
    return [*scores, (totals.loss, totals.images)], trainer.state()


@pytest.mark.parametrize("recipe", [RECIPE, replace(RECIPE, augmentation=CIFAR_AUGMENTATION)])
def test_all_steps_in_one_call_are_the_steps_one_by_one(monkeypatch, recipe):
    fast, after = trained(monkeypatch, recipe, on_a_card=True)
    slow, expected = trained(monkeypatch, recipe, on_a_card=False)
    assert fast[-1][1] == slow[-1][1] == (STEPS + 3) * 16
    np.testing.assert_allclose(fast, slow, rtol=1e-4)
    for one, other in zip(after, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_order_of_the_steps_matters(monkeypatch):
    """So the test above sees a loop that takes other rows."""
    monkeypatch.setattr(backends, "has_gpu", lambda: True)
    one, other = (Trainer(NETWORK, embedded.digits(), RECIPE, seed=1) for _ in range(2))
    x, y = one._data["train"]
    one._steps.train_on(x, y, one._cycle, 0, STEPS)
    other._steps.train_on(x, y, one._cycle, 1, STEPS)
    assert not np.allclose(one._steps.totals().loss, other._steps.totals().loss, rtol=1e-4)
