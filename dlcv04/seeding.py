"""Models drawn by a seed: weights, augmentation, and the generators that they draw from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlcv04 import backends, networks
from dlcv04.backends import keras
from dlcv04.datasets import Dataset, trees
from dlcv04.lazy import LazyModule
from dlcv04.networks import Factory, describe
from dlcv04.recipes import Recipe

if TYPE_CHECKING:
    from keras.src.backend.common import global_state
else:
    # Keras has no public name for the generator that unseeded draws come from.
    global_state = LazyModule("keras.src.backend.common.global_state")

#: Keras's name of it in its global state.
_GENERATOR = "global_seed_generator"


class TrainingError(ValueError):
    """A network, data set and recipe that do not fit each other; the message says where."""


def as_factory(network: Any) -> Factory:
    """The function that builds a network; of a model a copy with its weights, compiled as it was.

    Raises:
        TrainingError: it is neither.
    """
    if isinstance(network, keras.Model):
        return lambda: _copied(network)
    if not callable(network):
        raise TrainingError(f"A network must be a keras.Model or a function that builds one, not {network!r}.")
    return network


@dataclass(frozen=True, eq=False)
class Fresh:
    """Builds copies of a model whose weights are drawn anew."""

    model: keras.Model

    def __post_init__(self) -> None:
        """Refuse what is no model."""
        if not isinstance(self.model, keras.Model):
            raise TrainingError(
                f"fresh=True is for a keras.Model, whose weights it draws anew, not for {self.model!r}."
            )

    @property
    def description(self) -> str:
        """What reports call it."""
        return f"{describe(self.model).partition(',')[0]}, its weights drawn again"

    def __call__(self) -> keras.Model:
        """A copy; where the model was compiled, with its loss, metrics and a fresh optimiser of the kind."""
        return _copied(self.model, keep=False)


def _copied(model: keras.Model, *, keep: bool = True) -> keras.Model:
    """A copy with the same weights; where it was compiled, with its loss, metrics and optimiser, and that one's state.

    Raises:
        TrainingError: Keras can't copy it.
    """
    try:
        copy = keras.models.clone_model(model)
        if model.compiled:
            copy.compile_from_config(model.get_compile_config())
            copy.optimizer.build(copy.trainable_variables)
        if keep:
            copy.set_weights(model.get_weights())
        if keep and model.compiled and model.optimizer.built:
            for variable, old in zip(copy.optimizer.variables, model.optimizer.variables, strict=True):
                variable.assign(old)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise TrainingError(
            f"Keras can't copy the model {model.name!r} ({error}): give a function that builds it, as an arm."
        ) from error
    return copy


@dataclass(frozen=True)
class Drawn:
    """A model and what is drawn beside it.

    Attributes:
        model: the model.
        augmentation: the recipe's, or None.
        generator: what `keras.random` draws from where it is given no seed of its own.
        own_loss: whether the model came compiled, with its own loss, metrics and optimiser.
        numbered: whether its loss is the recipe's and takes classes as numbers.
    """

    model: keras.Model
    augmentation: Any
    generator: Any
    own_loss: bool
    numbered: bool

    def given(self, dataset: Dataset, split: Literal["train", "val"]) -> tuple[Any, ...]:
        """What a step takes of a split: inputs, targets and, where there are some, sample weights."""
        targets = dataset.labels(split) if self.numbered else getattr(dataset, f"y_{split}")
        weights = getattr(dataset, f"sample_weight_{split}")
        return getattr(dataset, f"x_{split}"), targets, *([] if weights is None else [weights])

    @property
    def variables(self) -> list[Any]:
        """Everything that a seed draws."""
        augmentation = [] if self.augmentation is None else self.augmentation.variables
        return [*self.model.variables, *augmentation, self.generator.state]

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """`keras.random` draws from the generator inside, and leaves the caller's alone."""
        callers = global_state.get_global_attribute(_GENERATOR)
        global_state.set_global_attribute(_GENERATOR, self.generator)
        try:
            yield
        finally:
            global_state.set_global_attribute(_GENERATOR, callers)


def build(factory: Factory, dataset: Dataset, recipe: Recipe, seed: int) -> Drawn:
    """The model and the recipe's augmentation, drawn by the seed; what was not compiled is, by the recipe.

    Raises:
        TrainingError: the factory gives no model that takes the data, or its own code trains it outside `train_step`.
    """
    if recipe.augmentation and trees.is_nested(dataset.x_train):
        raise TrainingError(
            f"Recipe {recipe.name!r} changes pictures by its augmentation, and data set {dataset.name!r} has several "
            "inputs: put the layers into the model, where they change only what they should."
        )
    with seeded(seed), networks.laid_out(backends.trains_in()):
        model = factory()
        _check_model(factory, model, dataset)
        # After the model, so that a recipe without augmentation draws the same weights; the generator after both.
        augmentation = recipe.make_augmentation(dataset.input_shape) if recipe.augmentation else None
        own_loss = bool(model.compiled)
        numbered = not own_loss and recipe.loss.startswith("sparse")
        drawn = Drawn(model, augmentation, keras.random.SeedGenerator(), own_loss, numbered)
    if not drawn.own_loss:
        _check_classes(model, dataset, recipe)
        loss = _loss(recipe.loss)
        model.compile(
            optimizer=recipe.make_optimizer(), loss=loss, metrics=[recipe.metric], jit_compile=backends.resolved_jit()
        )
    return drawn


def _check_model(factory: Factory, model: Any, dataset: Dataset) -> None:
    """Refuse what is no model of this data's inputs; one whose weights are not made yet makes them."""
    if not isinstance(model, keras.Model):
        raise TrainingError(f"{describe(factory)} gave {model!r}, not a keras.Model.")
    for name in ("fit", "make_train_function"):
        if not getattr(type(model), name).__module__.startswith("keras."):
            raise TrainingError(
                f"{model.name} has a {name} of its own ({type(model).__name__}.{name}), which is no step that could be "
                "called here. Put what it does into train_step, or give the arm as trained_by(a function)."
            )
    if getattr(model, "run_eagerly", False):
        raise TrainingError(f"{model.name} was compiled with run_eagerly=True; its steps are compiled here: drop that.")
    if trees.is_nested(dataset.x_train):
        _check_inputs(model, dataset)
        return
    inputs = getattr(model, "inputs", None)
    shapes = [tuple(each.shape[1:]) for each in inputs] if inputs else [dataset.input_shape]
    if len(shapes) != 1 or not _fits(shapes[0], dataset.input_shape):
        takes = " and ".join(str(shape) for shape in shapes)
        raise TrainingError(
            f"{model.name} takes pictures of {takes}; data set {dataset.name!r} has {dataset.input_shape}."
        )
    if not all(layer.built for layer in [model, *model.layers]):
        model(_zeros(dataset))


def _check_inputs(model: keras.Model, dataset: Dataset) -> None:
    """Refuse a model that does not take these inputs, by name or place as Keras says; it makes its weights."""
    try:
        model(_zeros(dataset))
    except Exception as error:  # whatever Keras, the framework or the model's own code raises
        takes = keras.tree.map_structure(lambda array: array.shape[1:], dataset.x_train)
        raise TrainingError(
            f"{model.name} does not take the inputs of data set {dataset.name!r} ({takes}): {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _zeros(dataset: Dataset) -> Any:
    """One row of zeros; pixels are floats."""

    def zeros(name: str, array: Any) -> Any:
        pixels = array.dtype in (np.uint8, np.float32)
        return keras.ops.zeros((1, *array.shape[1:]), keras.config.floatx() if pixels else str(array.dtype))

    return trees.mapped(zeros, "", dataset.x_train)


def _fits(asked: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    return len(asked) == len(given) and all(side in (None, one) for side, one in zip(asked, given, strict=True))


def _check_classes(model: keras.Model, dataset: Dataset, recipe: Recipe) -> None:
    """The recipe's loss takes one probability a class."""
    if trees.is_nested(dataset.y_train):
        raise TrainingError(
            f"Data set {dataset.name!r} has several outputs, and recipe {recipe.name!r} one loss: compile the model "
            "with a loss for each."
        )
    if not recipe.loss.startswith("sparse"):
        return
    if not dataset.classes:
        raise TrainingError(
            f"Data set {dataset.name!r} has values to predict, and recipe {recipe.name!r} a loss for classes: give it "
            "loss='mean_squared_error', or compile the model with a loss of its own."
        )
    made = getattr(model, "outputs", None)
    if made is None:  # its own code says
        made = keras.tree.flatten(model(_zeros(dataset)))
    shapes = [tuple(each.shape[1:]) for each in made]
    if shapes != [(dataset.classes,)]:
        gives = " and ".join(str(shape) for shape in shapes)
        raise TrainingError(
            f"{model.name} gives {gives} a picture; data set {dataset.name!r} has {dataset.classes} classes: give the "
            "model one output, a probability a class, or compile it with a loss of its own."
        )


def _loss(name: str) -> str:
    """The name of a loss that Keras has."""
    try:
        keras.losses.get(name)
    except ValueError as error:
        raise TrainingError(f"Keras has no loss {name!r}: {error}") from error
    return name


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
