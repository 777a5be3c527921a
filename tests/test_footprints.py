"""What networks cost in principle: by formula, by optimiser, through nested models."""

import dataclasses
import functools
from typing import Any

import pytest

from dlcv04.backends import keras
from dlcv04.datasets import embedded
from dlcv04.footprints import footprint
from dlcv04.networks import MNIST_VARIANTS, mnist_convnet
from dlcv04.recipes import Recipe, mnist_recipe
from dlcv04.seeding import TrainingError
from dlcv04.training import Trainer

SMALL = functools.partial(mnist_convnet, conv_layers=1, filters=4, dense_units=(16,))
RECIPE = Recipe("test", "Adadelta", 1.0, 32, 2, train_images=512, val_images=300)


def test_footprint_of_the_base_network_by_formula() -> None:
    found = footprint(MNIST_VARIANTS["base"], mnist_recipe("smoke"))
    assert found.parameters == 600_810
    assert found.macs == 26 * 26 * 9 * 32 + 24 * 24 * 9 * 32 * 32 + 4608 * 128 + 128 * 10
    assert found.weight_bytes == 4 * 600_810
    assert found.optimizer_bytes == 2 * 4 * 600_810
    outputs = 26 * 26 * 32 + 24 * 24 * 32 + 2 * 12 * 12 * 32 + 2 * 128 + 10
    assert found.activation_bytes == 4 * outputs
    assert [layer.macs for layer in found.layers if layer.kind == "MaxPooling2D"] == [0]
    assert sum(layer.parameters for layer in found.layers) == found.parameters


@pytest.mark.parametrize(("optimizer", "slots"), [("SGD", 0), ("Adam", 2), ("RMSprop", 1)])
def test_slots_are_the_optimizers_own(optimizer: str, slots: int) -> None:
    found = footprint(SMALL, dataclasses.replace(RECIPE, optimizer=optimizer))
    assert found.optimizer_bytes == slots * found.weight_bytes


def test_footprint_of_a_trainer_is_the_same() -> None:
    assert Trainer(SMALL, embedded.digits(), RECIPE).footprint == footprint(SMALL, RECIPE)


def test_nested_models_are_looked_into() -> None:
    inner = SMALL()
    outer = keras.Sequential([keras.Input((28, 28, 1)), inner])
    assert footprint(outer, RECIPE).macs == footprint(inner, RECIPE).macs > 0


def test_depthwise_and_channels() -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 4)), layers.DepthwiseConv2D(3), layers.Conv2D(6, 1, groups=2)])
    assert footprint(model, RECIPE).macs == 6 * 6 * 9 * 4 + 6 * 6 * 2 * 6


# -- right or unknown ----------------------------------------------------------------------------------------------

L = keras.layers


class Block(keras.layers.Layer):
    """A layer made of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = L.Conv2D(8, 3, padding="same")

    def call(self, x: Any) -> Any:
        return keras.ops.relu(self.conv(x))


class Twice(keras.layers.Dense):
    def call(self, x: Any, training: bool | None = None) -> Any:
        return super().call(x) + super().call(-x)


class Weightless(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return keras.ops.matmul(x, keras.ops.swapaxes(x, -1, -2))


class Renamed(keras.layers.Dense):
    """Computes what its base does."""


def through(*layers: Any, shape: tuple[int, ...] = (8, 8, 4)) -> keras.Model:
    start = y = keras.Input(shape)
    for layer in layers:
        y = layer(y)
    return keras.Model(start, y)


CONV = 8 * 8 * 9 * 4 * 4


def shared() -> keras.Model:
    conv = L.Conv2D(4, 3, padding="same")
    return through(conv, conv)


def shared_model() -> keras.Model:
    inner = through(L.Conv2D(4, 3, padding="same"), L.Conv2D(4, 3, padding="same"))
    return through(inner, L.ReLU(), inner)


def smaller_each_time() -> keras.Model:
    conv = L.Conv2D(4, 3, padding="same")
    return through(conv, L.MaxPooling2D(), conv)


@pytest.mark.parametrize(
    ("network", "macs"),
    [
        (shared, 2 * CONV),
        (shared_model, 4 * CONV),
        (smaller_each_time, CONV + CONV // 4),
        (lambda: through(L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), keras.ops.relu), CONV),
        (lambda: through(L.Conv2D(8, 3, padding="same", groups=4)), 8 * 8 * 9 * 8),
        (lambda: through(L.SeparableConv2D(8, 3, padding="same")), 8 * 8 * (9 * 4 + 4 * 8)),
        (lambda: through(L.Conv2DTranspose(8, 3, strides=2)), 8 * 8 * 9 * 4 * 8),
        (lambda: through(L.Dense(5), shape=(7, 3)), 7 * 3 * 5),
        (lambda: through(Renamed(5), shape=(7, 3)), 7 * 3 * 5),
        (lambda: through(L.Reshape((256,)), L.Dense(10), L.Dropout(0.5), L.Softmax()), 256 * 10),
    ],
    ids=[
        "twice",
        "a model twice",
        "at two sizes",
        "beside others",
        "groups",
        "separable",
        "transposed",
        "time",
        "a name of its own",
        "plain",
    ],
)
def test_multiply_adds_by_hand(network: Any, macs: int) -> None:
    assert footprint(network, RECIPE).macs == footprint(network, RECIPE).known_macs == macs


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: through(Block()), "Block"),
        (lambda: through(Twice(4)), "Twice"),
        (lambda: through(Weightless(), shape=(8, 8)), "Weightless"),
        (lambda: through(L.SpectralNormalization(L.Dense(4)), shape=(8,)), "SpectralNormalization"),
        (lambda: through(L.Lambda(lambda x: x), shape=(8, 8)), "Lambda"),
        (lambda: through(L.TimeDistributed(L.Conv2D(8, 3)), shape=(5, 8, 8, 4)), "TimeDistributed"),
        (lambda: through(L.LSTM(8), shape=(8, 8)), "LSTM"),
        (lambda: through(lambda x: L.MultiHeadAttention(2, 4)(x, x), shape=(8, 8)), "MultiHeadAttention"),
        (lambda: through(lambda x: L.Attention()([x, x]), shape=(8, 8)), "Attention"),
        (lambda: through(lambda x: keras.ops.matmul(x, x), shape=(8, 8)), "Matmul"),
    ],
)
def test_one_layer_without_a_formula_makes_the_sum_unknown_and_is_named(network: Any, named: str) -> None:
    found = footprint(network, RECIPE)
    assert found.known_macs is None
    with pytest.raises(TrainingError, match=rf"\({named}\) are unknown"):
        _ = found.macs
