"""What networks cost in principle: by formula, by optimiser, through nested models."""

import dataclasses
import functools

import pytest

from dlcv04.backends import keras
from dlcv04.datasets import embedded
from dlcv04.footprints import footprint
from dlcv04.networks import MNIST_VARIANTS, mnist_convnet
from dlcv04.recipes import Recipe, mnist_recipe
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
