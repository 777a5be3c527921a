"""On a card many steps go in one call: with the weights of one call a step, and nothing compiled on the way.

PyTorch takes each step in a call of its own. Runs on TensorFlow or JAX, whatever KERAS_BACKEND says, on a CPU that is
taken for a card. It never ran on CUDA TensorFlow.
"""

from dataclasses import replace

import numpy as np
import pytest

from dlcv04 import backends
from dlcv04.backends import base, jax, keras, tensorflow
from dlcv04.datasets import embedded
from dlcv04.recipes import CIFAR_AUGMENTATION, Recipe
from dlcv04.training import Trainer

STEPS, BATCH = base.MANY + 3, 8
RECIPE = Recipe("test", "Adadelta", 1.0, BATCH, 2, train_images=BATCH * STEPS, val_images=40)
ON_JAX = keras.config.backend() == "jax"

pytestmark = pytest.mark.skipif(keras.config.backend() == "torch", reason="PyTorch has no loop of many steps")


def network():
    """Something of each kind that trains, or is drawn, in its own way."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(2, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(4),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def take_for_a_card(monkeypatch, on_a_card=True):
    monkeypatch.setattr(jax.Jax if ON_JAX else tensorflow.TensorFlow, "has_gpu", lambda self: on_a_card)


def trained(monkeypatch, recipe, *, on_a_card):
    """Two epochs, then some steps of the timed loop past its end: running scores and all that training changed."""
    take_for_a_card(monkeypatch, on_a_card)
    with backends.deterministic():
        trainer = Trainer(network, embedded.digits(), recipe, seed=1)
        epochs = [trainer.train_epoch(), trainer.train_epoch()]
        trainer.run_steps(STEPS - 1)
        trainer.run_steps(2 * base.MANY + 4)
        figures = trainer._steps.figures()
        scores = [(epoch.loss, epoch.accuracy) for epoch in epochs]
        return [*scores, (figures["loss"], int(trainer.model.optimizer.iterations))], trainer.state()


@pytest.mark.parametrize("recipe", [RECIPE, replace(RECIPE, augmentation=CIFAR_AUGMENTATION)], ids=["plain", "changed"])
def test_many_steps_in_one_call_are_the_steps_one_by_one(monkeypatch, recipe):
    """Bit by bit on TensorFlow's own kernels; JAX's compiler adds in another order inside a loop (1e-7 was seen)."""
    fast, after = trained(monkeypatch, recipe, on_a_card=True)
    slow, expected = trained(monkeypatch, recipe, on_a_card=False)
    assert fast[-1][1] == slow[-1][1] == 2 * STEPS + STEPS - 1 + 2 * base.MANY + 4
    nearly = {"rtol": 1e-5, "atol": 1e-6} if ON_JAX else {"rtol": 0, "atol": 0}
    np.testing.assert_allclose(fast, slow, **nearly)
    for one, other in zip(after, expected, strict=True):
        np.testing.assert_allclose(one, other, **nearly)


@pytest.mark.skipif(ON_JAX, reason="JAX is compiled by XLA anyway")
def test_so_they_are_when_xla_compiles_them(monkeypatch):
    """Its dropout draws otherwise than TensorFlow's own, so both ways are compiled by it."""
    take_for_a_card(monkeypatch)
    trainer = Trainer(network, embedded.digits(), RECIPE, seed=1)
    assert backends.resolved_jit()
    trainer.run_steps(STEPS + 2)
    fast = trainer.state()
    trainer.reset(1)
    for number in range(STEPS + 2):
        trainer._steps.train(trainer._data["train"], trainer._cycle[number % STEPS])
    for one, other in zip(fast, trainer.state(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_order_of_the_steps_matters(monkeypatch):
    """So the tests above see a loop that takes other rows."""
    take_for_a_card(monkeypatch)
    losses = []
    with backends.deterministic():
        trainer = Trainer(network, embedded.digits(), RECIPE, seed=1)
        for first in (0, 1):
            trainer.reset(1)._steps.train_on(trainer._data["train"], trainer._cycle, first, STEPS)
            losses.append(trainer._steps.figures()["loss"])
    assert not np.allclose(*losses, rtol=1e-4)


def test_nothing_compiles_after_the_first_steps_whatever_is_asked_for(monkeypatch):
    compiled = []
    for owner, name in (
        [(jax.jax.stages.Lowered, "compile")]
        if ON_JAX
        else [(type(tensorflow.tf.function(print)), "get_concrete_function")]
    ):
        whole = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, whole=whole, **k: compiled.append(1) or whole(*a, **k))
    take_for_a_card(monkeypatch)
    with backends.deterministic():
        trainer = Trainer(network, embedded.digits(), RECIPE, seed=1)
        assert len(compiled) == 2
        trainer.train_epoch()
        for count in (1, 2, base.MANY - 1, base.MANY, base.MANY + 1, 3 * base.MANY + 5):
            trainer.run_steps(count)
        trainer.reset(2).train_epoch()
    assert len(compiled) == 2


def test_a_call_takes_many_steps(monkeypatch):
    take_for_a_card(monkeypatch)
    with backends.deterministic():
        trainer = Trainer(network, embedded.digits(), RECIPE, seed=1)
    lengths = []
    monkeypatch.setattr(trainer._steps, "_train_many", lambda data, order, first, length: lengths.append(length))
    trainer.run_steps(5 * base.MANY + 2)
    assert lengths == [base.MANY] * 5 + [1, 1]
