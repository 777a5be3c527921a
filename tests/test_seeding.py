"""Models drawn by a seed: what is no seed, and which networks do not fit."""

import functools
from typing import Any

import pytest

from dlcv04 import seeding
from dlcv04.datasets import Dataset, embedded
from dlcv04.networks import mnist_convnet
from dlcv04.recipes import Recipe
from dlcv04.seeding import TrainingError
from dlcv04.training import Trainer

SMALL = functools.partial(mnist_convnet, conv_layers=1, filters=4, dense_units=(16,))
RECIPE = Recipe("test", "Adadelta", 1.0, 32, 2, train_images=512, val_images=300)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return embedded.digits()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "0"])
def test_wrong_seeds(seed: Any, digits: Dataset) -> None:
    with pytest.raises(TrainingError, match="seed"):
        seeding.build(SMALL, digits, RECIPE, seed)


@pytest.mark.parametrize(
    ("network", "word"),
    [
        (functools.partial(SMALL, input_shape=(32, 32, 3)), "takes pictures of"),
        (functools.partial(SMALL, classes=5), "10 classes"),
        (lambda: "net", "not a keras.Model"),
        ("net", "keras.Model or a function"),
    ],
)
def test_networks_that_do_not_fit(network: Any, word: str, digits: Dataset) -> None:
    with pytest.raises(TrainingError, match=word):
        Trainer(network, digits, RECIPE)
