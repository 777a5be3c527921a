"""Training a network by a recipe: for its curves (`train`), or for its time (`Trainer.run_steps`).

One seed draws the initial weights, the order of the batches, the dropout, the augmentation and the training subset.
Batches come from
this module's own permutation of seed and epoch, since Keras's ``fit`` shuffles by epoch number alone. Pictures that do
not fill a last batch are left out of their epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from dlcv04 import backends, footprints, seeding
from dlcv04.backends import keras
from dlcv04.datasets import Dataset, trees
from dlcv04.footprints import Footprint
from dlcv04.networks import describe
from dlcv04.recipes import Recipe
from dlcv04.seeding import TrainingError

Split = Literal["train", "val", "val_even"]


#: The training split's own accuracy is read on so many of its pictures at most: a standard error of 1.6 points or less.
TRAIN_EVALUATION_IMAGES = 1000


_EVALUATION_BATCH = 256


_EVALUATION_VALUES = 256 * 64 * 64 * 3  # in one batch: VGG16 on 256 pictures of 224 x 224 would take 7 GB


# Keeps the draw of the batch order apart from the other things that the same seed draws.
_ORDER_STREAM = 2


#: What Keras calls the share of right answers, by the kind of labels.
_ACCURACIES = ("accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")


class TrainedEpoch(NamedTuple):
    """One epoch of training: its seconds, and the running loss and accuracy (in training mode, dropout on).

    None where the model's own `train_step` feeds no such metric.
    """

    train_seconds: float
    loss: float | None
    accuracy: float | None


class Score(NamedTuple):
    """Mean loss and accuracy over a split, in inference mode, and the model's other metrics by name.

    None where the model has no such metric.
    """

    loss: float | None
    accuracy: float | None
    others: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Epoch:
    """One epoch's figures.

    ``running_*`` are means over the epoch's training steps (weights still moving, dropout on); ``train_*`` and
    ``val_*`` are measured after it, in inference mode, on the training split's first 1,000 pictures at most.
    `train_seconds` is the training alone. `val_loss_halves` are those of every other validation picture, from the first
    and from the second on, where they were asked for: what is chosen on one half can be measured on the other.
    `metrics` are the model's others by Keras's names ("mae", "val_mae"), measured as those. None is what it lacks.
    """

    train_seconds: float
    running_loss: float | None
    running_accuracy: float | None
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    val_loss_halves: tuple[float, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingRun:
    """One training, from its seed to its curves.

    Attributes:
        network: the network as `dlcv04.networks.describe` writes it.
        recipe: the recipe.
        seed: the seed.
        dataset: the data set's name.
        dataset_fingerprint: the fingerprint of the whole data set, before the seed drew its subset.
        epochs: the epochs that were trained to their end with finite losses.
        images_seen: pictures trained on, with repetition.
        compile_seconds: what the first steps took, compilation included.
        footprint: the network's computed costs.
        optimizer_config: the configuration of the optimiser that was really used.
        backend: backend, versions and settings.
        peak_memory_bytes: of the process or card, up to the end of this run; it never falls within a process.
        status: "ok", or "diverged" when a loss was not finite, which ended the run.
        reason: for "diverged", which loss and in which epoch (counted from 1).
    """

    network: str
    recipe: Recipe
    seed: int
    dataset: str
    dataset_fingerprint: str
    epochs: tuple[Epoch, ...]
    images_seen: int
    compile_seconds: float
    footprint: Footprint
    optimizer_config: dict[str, Any]
    backend: backends.BackendFacts
    peak_memory_bytes: int
    status: Literal["ok", "diverged"] = "ok"
    reason: str = ""


#: Pictures whose outputs must look like probabilities.
LOOKED_AT = 16


class Trainer:
    """A network, compiled once, with its data on the device.

    Args:
        network: a function that builds the model, or a model, of which a copy is trained on from its weights. One that
            is compiled keeps its optimiser, loss and metrics, and of the recipe only the rest counts.
        dataset: its training pictures are cut to the recipe's number by the seed.
        recipe: optimiser, loss, batch size.
        seed: 0..2**32-1.

    Raises:
        TrainingError: the model's input or output does not fit the data, there is not one full batch, or this loop
            would train the model otherwise than its own code says.
    """

    noisy: ClassVar[bool] = False

    def __init__(self, network: Any, dataset: Dataset, recipe: Recipe, *, seed: int = 0) -> None:
        self.network, self.dataset, self.recipe = describe(network), dataset, recipe
        self._factory = seeding.as_factory(network)
        self._drawn = seeding.build(self._factory, dataset, recipe, seed)
        self._model = model = self._drawn.model
        if not model.trainable_variables:
            raise TrainingError(f"{model.name} has no weights that training changes.")
        self.optimizer = model.optimizer
        self.optimizer.build(model.trainable_variables)
        self._initial_slots = [backends.to_numpy(variable) for variable in self.optimizer.variables]
        self.footprint = footprints.of_model(model, self.optimizer)
        self.optimizer_config: dict[str, Any] = keras.saving.serialize_keras_object(self.optimizer)["config"]
        if self._drawn.own_loss:
            # Keras numbers the optimisers of a process that have no name of their own.
            self.optimizer_config["name"] = type(self.optimizer).__name__
        # Pictures at once in inference mode: fewer of large ones, and where it goes a number that leaves no rest, since
        # a batch of another size compiles anew.
        values = sum(math.prod(array.shape[1:]) for _, array in trees.leaves("", dataset.x_val))
        most = max(1, min(_EVALUATION_BATCH, _EVALUATION_VALUES // values))
        count = val_images(dataset, recipe)
        self._evaluation_batch = next((size for size in range(most, most // 2, -1) if count % size == 0), most)
        if not self._drawn.own_loss and "crossentropy" in recipe.loss:
            _refuse_logits(model, trees.rows(dataset.x_train, slice(LOOKED_AT)))
        example = trees.rows(self._drawn.given(dataset, "train"), slice(recipe.batch_size))
        self._steps = backends.make_steps(model, example, self._drawn.augmentation, self._drawn.drawing)
        self._draw(seed)
        self.compile_seconds = self._compile()

    def _draw(self, seed: int) -> None:
        """Put the seed's training subset and the validation pictures on the device."""
        self.seed, self.epoch, self._position = seed, 0, 0
        most = self.recipe.train_images, self.recipe.val_images
        available = self.dataset.images("train"), self.dataset.images("val")
        train, val = (None if n is None else min(n, have) for n, have in zip(most, available, strict=True))
        data = self.dataset.subset(train, val, seed)
        self.train_images, self.val_images = data.images("train"), data.images("val")
        self.steps_per_epoch = self.train_images // self.recipe.batch_size
        if not self.steps_per_epoch:
            raise TrainingError(
                f"Data set {data.name!r} has {self.train_images} training pictures, less than one batch of "
                f"{self.recipe.batch_size}: use a smaller batch or more pictures."
            )
        self._data = {
            "train": keras.tree.map_structure(self._steps.put, self._drawn.given(data, "train")),
            "val": keras.tree.map_structure(self._steps.put, self._drawn.given(data, "val")),
        }
        val = self.val_images
        self._evaluated = {
            "train": range(min(self.train_images, val, TRAIN_EVALUATION_IMAGES)),
            "val": range(val),
            "val_even": range(0, val, 2),
        }
        self._evaluation: dict[str, list[Any]] = {}
        self._cycle = self._steps.put_order(self.batch_order(0))

    def _compile(self) -> float:
        """Compile the training steps, and put every variable back as it was; evaluation compiles when first asked."""
        before = [backends.to_numpy(variable) for variable in self._variables()]
        start = time.perf_counter()
        self._steps.compile(self._data["train"], self._cycle)
        self._steps.figures()
        self.barrier()
        seconds = time.perf_counter() - start
        self._assign(before)
        return seconds

    def _variables(self) -> list[Any]:
        return [*self._drawn.variables, *self.optimizer.variables]

    def _assign(self, values: list[Any]) -> None:
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)
        self._steps.read_variables()

    @property
    def images_per_step(self) -> int:
        """Pictures of one training step."""
        return self.recipe.batch_size

    @property
    def model(self) -> keras.Model:
        """The Keras model with its present weights."""
        self._steps.write_variables()
        return self._model

    def batch_order(self, epoch: int) -> npt.NDArray[np.int32]:
        """Which picture of the training subset comes when: int32, shape (steps, batch size), by seed and epoch."""
        # RandomState's streams are frozen by NumPy's policy, Generator's are not: stored curves must outlive NumPy.
        order = np.random.RandomState([self.seed, _ORDER_STREAM, epoch]).permutation(self.train_images)
        size = self.recipe.batch_size
        return order[: self.steps_per_epoch * size].astype(np.int32).reshape(self.steps_per_epoch, size)

    def prepare(self) -> None:
        """Nothing: a round goes on where the last one ended."""

    def run_steps(self, count: int) -> None:
        """`count` training steps, for timing: over one fixed order, again and again; returns before they are done."""
        self._steps.train_on(self._data["train"], self._cycle, self._position, count)
        self._position = (self._position + count) % self.steps_per_epoch

    def barrier(self) -> None:
        """Wait until every step so far is done."""
        self._steps.barrier()

    def train_epoch(self) -> TrainedEpoch:
        """Train the next epoch in its own batch order."""
        order = self._steps.put_order(self.batch_order(self.epoch))
        self._steps.figures()
        self.barrier()
        start = time.perf_counter()
        self._steps.train_on(self._data["train"], order, 0, self.steps_per_epoch)
        self.barrier()
        seconds = time.perf_counter() - start
        self.epoch += 1
        return TrainedEpoch(seconds, *self._score()[:2])

    def evaluate(self, split: Split) -> Score:
        """Loss and accuracy in inference mode, on "val" or every other picture of it, or on a part of "train"."""
        if split not in self._evaluation:
            self._evaluation[split] = [self._steps.put(rows) for rows in self._batches(self._evaluated[split])]
        self._steps.figures()
        for batch in self._evaluation[split]:
            self._steps.evaluate(self._data[split.split("_")[0]], batch)
        return self._score()

    def _score(self) -> Score:
        figures = self._steps.figures()
        loss, known = figures.pop("loss", None), [name for name in _ACCURACIES if name in figures]
        return Score(loss, figures.pop(known[0]) if known else None, figures)

    def _batches(self, pictures: range) -> list[npt.NDArray[np.int32]]:
        """The pictures in their order, as many at once as are evaluated at once; the last batch may be smaller."""
        rows, size = np.asarray(pictures, dtype=np.int32), self._evaluation_batch
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def reset(self, seed: int, dataset: Dataset | None = None) -> Self:
        """Back to the start with another seed, bit-equal to a fresh trainer of that seed, without compiling again.

        With a `dataset` of as many pictures of the same shape it goes on with that one.

        Raises:
            TrainingError: the network does not fit the data set, the seed is no seed, or the network's function gives
                the same model again.
        """
        dataset = dataset or self.dataset
        fresh = seeding.build(self._factory, dataset, self.recipe, seed)
        if fresh.model is self._model:
            raise TrainingError(
                f"{self.network} gave the same model twice, so that seeds would train on from each other: let it build "
                "a new one each time."
            )
        self.dataset = dataset
        self._assign([*(backends.to_numpy(variable) for variable in fresh.variables), *self._initial_slots])
        self._steps.figures()
        self._draw(seed)
        return self

    def predict(self, x: Any) -> npt.NDArray[np.float32]:
        """Class probabilities, shape (images, classes), of pictures or features like the data set's; compiles anew."""
        return _probabilities(self.model, x, self._evaluation_batch)

    def answers(self) -> npt.NDArray[np.bool_]:
        """Whether each validation picture is classed rightly now, in an order that all seeds and networks share."""
        seen = self.dataset.subset(val=self.recipe.val_images and self.val_images)
        labels = seen.labels("val")
        right: npt.NDArray[np.bool_] = self.predict(seen.x_val).argmax(axis=1) == labels
        return right

    def state(self) -> list[npt.NDArray[Any]]:
        """All that training changes (weights, optimiser, the state of every random draw), to go on from with `resume`.

        The order of the batches is no part of it: that follows from seed and epoch.
        """
        self._steps.write_variables()
        return [backends.to_numpy(variable) for variable in self._variables()]

    def resume(self, state: list[npt.NDArray[Any]], epoch: int) -> Self:
        """Go on from the `state` that a trainer of the same network, data, recipe and seed had after `epoch` epochs.

        Raises:
            TrainingError: the state is of another network or optimiser.
        """
        shapes = [tuple(variable.shape) for variable in self._variables()]
        if [values.shape for values in state] != shapes:
            raise TrainingError(f"The stored state is not one of {self.network} under {self.recipe.optimizer}.")
        self._assign(state)
        self._steps.figures()
        self.epoch = epoch
        return self


def train(
    network: Any,
    dataset: Dataset,
    recipe: Recipe,
    seed: int = 0,
    *,
    deterministic: bool = True,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> TrainingRun:
    """Train a network by a recipe.

    Args:
        network: a function that builds the model, or a model, which is cloned.
        dataset: pictures and labels.
        recipe: how.
        seed: draws weights, batch order, dropout and training subset.
        deterministic: equal seeds then give bit-equal curves (on a CPU).
        on_epoch: called after each epoch with its number (from 1) and its figures.

    Raises:
        TrainingError: network, data and recipe do not fit each other.
    """
    with backends.deterministic() if deterministic else nullcontext():
        trainer = Trainer(network, dataset, recipe, seed=seed)
        return complete(trainer, on_epoch)


class Learned(NamedTuple):
    """One seed of an arm: its run, whether each validation picture was classed rightly at its end, and its seconds."""

    run: TrainingRun
    right: Sequence[bool]
    seconds: float


def learn(
    trainer: Trainer,
    seed: int,
    *,
    answers: bool = False,
    halves: bool = False,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> Learned:
    """As `train`, by a compiled trainer; one made inside `backends.deterministic` compiles no more.

    `answers` asks for the answer to each validation picture.
    """
    start = time.perf_counter()
    with backends.deterministic():
        run = complete(trainer.reset(seed), on_epoch, halves=halves)
        right = trainer.answers().tolist() if answers and run.status == "ok" else ()
    return Learned(run, right, time.perf_counter() - start)


def val_images(dataset: Dataset, recipe: Recipe) -> int:
    """Pictures that a validation accuracy under a recipe is a share of."""
    return min(recipe.val_images or dataset.images("val"), dataset.images("val"))


def complete(
    trainer: Trainer,
    on_epoch: Callable[[int, Epoch], None] | None = None,
    done: Sequence[Epoch] = (),
    *,
    halves: bool = False,
) -> TrainingRun:
    """Train on to the recipe's last epoch.

    Args:
        trainer: a fresh one, or one that resumes after `done`.
        on_epoch: called after each epoch with its number (from 1) and its figures.
        done: the epochs that were trained before, for the record.
        halves: also evaluate the loss on each half of the validation pictures, two or more of them.
    """
    epochs = list(done)
    reason = ""
    for number in range(len(epochs) + 1, trainer.recipe.epochs + 1):
        trained = trainer.train_epoch()
        train, val = trainer.evaluate("train"), trainer.evaluate("val")
        others = {**train.others, **{f"val_{name}": value for name, value in val.others.items()}}
        epoch = Epoch(*trained, *train[:2], *val[:2], _loss_halves(trainer, val) if halves else (), others)
        reason = _divergence(number, epoch)
        if reason:
            break
        epochs.append(epoch)
        if on_epoch is not None:
            on_epoch(number, epoch)
    return TrainingRun(
        network=trainer.network,
        recipe=trainer.recipe,
        seed=trainer.seed,
        dataset=trainer.dataset.name,
        dataset_fingerprint=trainer.dataset.fingerprint,
        epochs=tuple(epochs),
        images_seen=trainer.epoch * trainer.steps_per_epoch * trainer.recipe.batch_size,
        compile_seconds=trainer.compile_seconds,
        footprint=trainer.footprint,
        optimizer_config=trainer.optimizer_config,
        backend=backends.facts(),
        peak_memory_bytes=backends.peak_memory_bytes(),
        status="diverged" if reason else "ok",
        reason=reason,
    )


def _loss_halves(trainer: Trainer, val: Score) -> tuple[float, float]:
    """The mean loss of every other validation picture, and of the others: what the first leave of the whole."""
    even, odd = -(-trainer.val_images // 2), trainer.val_images // 2
    if not odd:
        raise TrainingError(f"{trainer.val_images} validation picture has no two halves: use two or more.")
    loss = trainer.evaluate("val_even").loss
    if loss is None or val.loss is None:
        raise TrainingError(f"{trainer.network} gives no loss in test_step, so that its halves are unknown.")
    return loss, (val.loss * trainer.val_images - loss * even) / odd


def _refuse_logits(model: keras.Model, x: Any) -> None:
    """Refuse a network whose outputs are no class probabilities: the loss would take them for some."""
    last = model.outputs[0]._keras_history.operation if getattr(model, "outputs", None) else model
    activation = getattr(last, "activation", None)
    if activation is None:  # the layer does not say, so some outputs do
        is_logits = float(_probabilities(model, x, LOOKED_AT).min()) < 0
    else:
        is_logits = activation is keras.activations.linear
    if is_logits:
        raise TrainingError(
            f"{model.name} ends in {last.name} without a softmax: its outputs are logits, which the recipe's loss "
            "would take for class probabilities. End it in activation='softmax', or compile it with a loss for logits."
        )


def _probabilities(model: keras.Model, x: Any, batch_size: int) -> npt.NDArray[np.float32]:
    """The model's only output, shape (images, classes), in inference mode."""
    if trees.is_nested(x):
        found: npt.NDArray[np.float32] = model.predict(backends.scaled(x), batch_size=batch_size, verbose=0)
        return found
    return backends.predict(_named(model, x), x, batch_size=batch_size)["probabilities"]


def _named(model: keras.Model, x: npt.NDArray[Any]) -> keras.Model:
    """The model with its only output by name, for `backends.predict`."""
    if getattr(model, "outputs", None):
        return keras.Model(model.inputs, {"probabilities": model.outputs[0]})
    start = keras.Input(x.shape[1:])
    return keras.Model(start, {"probabilities": model(start)})


def _divergence(number: int, epoch: Epoch) -> str:
    for what in ("running", "train", "val"):
        loss = getattr(epoch, f"{what}_loss")
        if loss is not None and not math.isfinite(loss):
            return f"The {what} loss was {loss} in epoch {number}."
    return ""
