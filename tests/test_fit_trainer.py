"""Keras's stock `fit` as a trainer: it trains, call by call, and refuses what it can't do."""

import dataclasses
import functools

import numpy as np
import pytest

from dlcv04.datasets import Dataset, embedded
from dlcv04.fit_trainer import FitTrainer
from dlcv04.networks import mnist_convnet
from dlcv04.recipes import Recipe
from dlcv04.seeding import TrainingError

SMALL = functools.partial(mnist_convnet, conv_layers=1, filters=4, dense_units=(16,))
RECIPE = Recipe("test", "Adadelta", 1.0, 32, 2, train_images=512, val_images=300)
MOVED = (("RandomTranslation", (("height_factor", 0.2), ("width_factor", 0.2))), ("RandomFlip", ()))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return embedded.digits()


def test_keras_fit_takes_no_augmentation(digits: Dataset) -> None:
    with pytest.raises(TrainingError, match="without augmentation"):
        FitTrainer(SMALL, digits, dataclasses.replace(RECIPE, augmentation=MOVED), images=256)


def test_fit_trainer_trains_with_stock_fit(digits: Dataset) -> None:
    fit = FitTrainer(SMALL, digits, RECIPE, images=256)
    assert fit.noisy is True
    before = fit.model.get_weights()
    fit.run_steps(8)
    fit.barrier()
    after = fit.model.get_weights()
    assert not all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    steps = int(np.asarray(fit.model.optimizer.iterations))
    fit.run_steps(19)  # more than one call holds
    assert int(np.asarray(fit.model.optimizer.iterations)) == steps + 19
    with pytest.raises(TrainingError, match="one batch"):
        FitTrainer(SMALL, digits, RECIPE, images=16)
