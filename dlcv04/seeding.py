"""Models drawn by a seed: weights, augmentation, and the generators that they draw from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlcv04 import backends
from dlcv04.backends import keras
from dlcv04.datasets import Dataset
from dlcv04.networks import Factory, describe
from dlcv04.recipes import Recipe


class TrainingError(ValueError):
    """A network, data set and recipe that do not fit each other; the message says where."""


def as_factory(network: Any) -> Factory:
    """The function that builds a network; a model is cloned, so that its weights are drawn anew.

    Raises:
        TrainingError: it is neither.
    """
    if isinstance(network, keras.Model):
        return lambda: keras.models.clone_model(network)
    if not callable(network):
        raise TrainingError(f"A network must be a keras.Model or a function that builds one, not {network!r}.")
    return network


def drawn_variables(model: keras.Model, augmentation: Any) -> list[Any]:
    """Everything that a seed draws of a model and its augmentation (or None)."""
    return [*model.variables, *([] if augmentation is None else augmentation.variables)]


def build(factory: Factory, dataset: Dataset, recipe: Recipe, seed: int) -> tuple[keras.Model, Any]:
    """The model and the recipe's augmentation (or None), both drawn by the seed.

    Raises:
        TrainingError: the factory gives no built model, or its input or output does not fit the data.
    """
    with seeded(seed):
        model = factory()
        # After the model, so that a recipe without augmentation draws the same weights.
        augmentation = recipe.make_augmentation(dataset.input_shape)
    if not isinstance(model, keras.Model) or not model.built:
        raise TrainingError(f"{describe(factory)} gave {model!r}, not a built keras.Model: give it an Input.")
    if tuple(model.input_shape[1:]) != dataset.input_shape:
        raise TrainingError(
            f"{model.name} takes pictures of {tuple(model.input_shape[1:])}; data set {dataset.name!r} has "
            f"{dataset.input_shape}."
        )
    if tuple(model.output_shape[1:]) != (dataset.classes,):
        raise TrainingError(
            f"{model.name} gives {tuple(model.output_shape[1:])} a picture; data set {dataset.name!r} has "
            f"{dataset.classes} classes."
        )
    return model, augmentation


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Keras's seeds set; Python's and NumPy's global generators are the caller's and are put back."""
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise TrainingError(f"A seed must be a whole number in 0..2**32-1, not {seed!r}.")
    backends.settle()
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
