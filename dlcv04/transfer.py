"""Fine-tuning: a new head on a trained network, everything below it frozen, free, or free from a chosen layer on.

Frozen layers run in inference mode (no dropout, batch normalisation by its stored statistics) and keep their weights to
the bit. With everything frozen, the features below the head do not change from epoch to epoch: `train_head` takes them
computed (`dlcv04.features`) and trains the head alone, with the result of `fine_tune` on the whole network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcv04 import backends, checkpoints
from dlcv04.backends import keras
from dlcv04.bases import Base, Tap, TransferError
from dlcv04.checkpoints import Checkpoint
from dlcv04.datasets import Dataset
from dlcv04.features import FeatureSet, Scaling
from dlcv04.recipes import Recipe
from dlcv04.training import Epoch, Trainer, TrainingRun

HEAD_ONLY, EVERYTHING = "head", "all"
Kept = Callable[[Tap, "Head", Callable[[], float]], float]

_FOLD_STREAM = 3


@dataclass(frozen=True)
class Head:
    """A softmax on features that were brought to mean 0 and standard deviation 1 on the training pictures.

    Attributes:
        l2: weight of the squared weights in the loss.
        dropout: rate of dropout before the softmax.
    """

    l2: float = 0.0
    dropout: float = 0.0


@dataclass(frozen=True)
class Tuned:
    """One fine-tuning of one seed.

    Attributes:
        base: name of the base network, with its weights.
        features: what the head sits on.
        train_from: ``"head"`` (everything else frozen), ``"all"``, or the first layer that was trained.
        head: the head.
        run: curves, footprint, settings.
        predicted: the class given to each validation picture, in the data set's order.
        correct: whether it is the right one.
    """

    base: str
    features: str
    train_from: str
    head: Head
    run: TrainingRun
    predicted: tuple[int, ...]
    correct: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        """Share of the validation pictures that were classed rightly after the last epoch."""
        return sum(self.correct) / len(self.correct)


@dataclass(frozen=True)
class Choice:
    """A tap and a head chosen by cross-validation inside the training pictures.

    Attributes:
        tap: the best tap.
        head: the best head on it.
        accuracies: mean accuracy over the folds, of every candidate in the order they were tried.
    """

    tap: Tap
    head: Head
    accuracies: tuple[tuple[Tap, Head, float], ...]


# -- heads -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeadNetwork:
    """Builds the head alone, on scaled features."""

    features: int
    classes: int
    head: Head

    @property
    def description(self) -> str:
        """What reports call it."""
        return f"head({self.features} -> {self.classes}, l2={self.head.l2:g}, dropout={self.head.dropout:g})"

    def __call__(self) -> keras.Model:
        """The head as a model."""
        layers = _head_layers(self.head, self.classes)
        return keras.Sequential([keras.Input((self.features,)), *layers], name="head")


@dataclass(frozen=True, eq=False)
class Grafted:
    """Builds the whole network: the base up to a tap, the scaling, a new head.

    Attributes:
        base: the trained network; each call takes a copy of its weights.
        tap: where the head sits.
        classes: neurons of the head.
        train_from: ``"head"``, ``"all"``, or the base's first layer that is trained.
        head: the head.
        scaling: of the tap's features; None leaves them as they are.
    """

    base: Base
    tap: Tap
    classes: int
    train_from: str = HEAD_ONLY
    head: Head = Head()
    scaling: Scaling | None = None

    @property
    def description(self) -> str:
        """What reports call it."""
        return f"grafted({self.base.name}, {self.tap.name}, trained from {self.train_from}, {self.classes} classes)"

    def __call__(self) -> keras.Model:
        """The network, its frozen layers untrainable and without dropout.

        Raises:
            TransferError: there is no such layer, or the head would sit below the first trained one.
        """
        # First, so that the head draws the same weights as alone.
        head = _head_layers(self.head, self.classes)
        frozen = self._frozen()
        trunk = self.base.up_to(self.tap, frozen)
        for layer in trunk.layers:
            layer.trainable = layer.name not in frozen
        output = trunk.outputs[0]
        if self.scaling is not None:
            mean, variance = self.scaling.mean, self.scaling.spread.astype(np.float64) ** 2
            output = keras.layers.Normalization(mean=mean, variance=variance, name="scaling")(output)
        for layer in head:
            output = layer(output)
        return keras.Model(trunk.inputs, output, name="grafted")

    def _frozen(self) -> list[str]:
        """The base's layers that keep their weights."""
        names = [layer.name for layer in self.base.model.layers]
        if self.train_from in (HEAD_ONLY, EVERYTHING):
            return names if self.train_from == HEAD_ONLY else []
        first, last = (names.index(self.base.layer(name).name) for name in (self.train_from, self.tap.layer))
        if first > last:
            raise TransferError(
                f"The head sits on {self.tap.layer!r}, below {self.train_from!r}, the first layer to train."
            )
        return names[:first]


def _head_layers(head: Head, classes: int) -> list[Any]:
    layers = keras.layers
    penalty = keras.regularizers.L2(head.l2) if head.l2 else None
    # The softmax first: its weights are then drawn alike with and without dropout.
    softmax = layers.Dense(classes, activation="softmax", kernel_regularizer=penalty, name="classes")
    return [*([layers.Dropout(head.dropout, name="head_dropout")] if head.dropout else []), softmax]


# -- training --------------------------------------------------------------------------------------------------------


def train_head(
    features: FeatureSet,
    recipe: Recipe,
    seed: int = 0,
    *,
    head: Head | None = None,
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> Tuned:
    """Train a head on features that were computed once.

    Args:
        features: from `dlcv04.features.compute_features`, not yet scaled.
        recipe: optimiser, batch, epochs.
        seed: draws the head, the order and the training subset.
        head: its settings.
        checkpoint: from which it goes on, and where its last whole epoch is kept.
        on_epoch: called after each epoch.

    Raises:
        dlcv04.seeding.TrainingError: features and recipe do not fit each other.
    """
    head = head or Head()
    scaled = Scaling.of(features.x_train).apply(features)
    network = HeadNetwork(features.x_train.shape[1], features.classes, head)
    with backends.deterministic():
        trainer = Trainer(network, scaled, recipe, seed=seed)
        run = checkpoints.complete(trainer, checkpoint, on_epoch)
        return tuned(trainer, run, base=features.base, tap=features.tap, train_from=HEAD_ONLY, head=head)


def fine_tune(
    base: Base,
    dataset: Dataset,
    recipe: Recipe,
    seed: int = 0,
    *,
    tap: Tap | None = None,
    train_from: str = EVERYTHING,
    head: Head | None = None,
    scaling: Scaling | None = None,
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> Tuned:
    """Train a new head, and the base's layers from `train_from` on, passing every picture through the network.

    Args:
        base: the trained network.
        dataset: pictures of the base's input shape.
        recipe: optimiser, batch, epochs, augmentation.
        seed: draws the head, dropout, augmentation, the order and the training subset.
        tap: where the head sits; the base's end unless given.
        train_from: ``"head"``, ``"all"`` or the first layer to train.
        head: the head's settings.
        scaling: of the tap's features.
        checkpoint: from which it goes on, and where its last whole epoch is kept.
        on_epoch: called after each epoch.

    Raises:
        TransferError: there is no such layer.
        dlcv04.seeding.TrainingError: network, data and recipe do not fit each other.
    """
    tap, head = tap or base.end, head or Head()
    network = Grafted(base, tap, dataset.classes, train_from, head, scaling)
    with backends.deterministic():
        trainer = Trainer(network, dataset, recipe, seed=seed)
        run = checkpoints.complete(trainer, checkpoint, on_epoch)
        return tuned(trainer, run, base=base.name, tap=tap.name, train_from=train_from, head=head)


def tuned(trainer: Trainer, run: TrainingRun, *, base: str, tap: str, train_from: str, head: Head) -> Tuned:
    """The record of a run that has just ended, with its answer to each validation picture, in the data set's order."""
    dataset = trainer.dataset
    predicted = trainer.predict(dataset.x_val).argmax(axis=1)
    return Tuned(
        base=base,
        features=tap,
        train_from=train_from,
        head=head,
        run=run,
        predicted=tuple(int(label) for label in predicted),
        correct=tuple(bool(hit) for hit in predicted == dataset.y_val),
    )


def choose(
    candidates: Mapping[Tap, FeatureSet],
    recipe: Recipe,
    *,
    heads: Sequence[Head] = (Head(),),
    folds: int = 3,
    seed: int = 0,
    kept: Kept = lambda tap, head, compute: compute(),
) -> Choice:
    """The tap and the head with the best mean accuracy over folds of the *training* pictures; `x_val` is not read.

    The folds hold each class in turn and are of one size, so that one compiled trainer serves them all.

    Args:
        candidates: features by tap.
        recipe: as for `train_head`; every fold trains all its epochs.
        heads: heads to try on each tap.
        folds: parts of the training pictures, each once held out.
        seed: draws the folds and the heads.
        kept: is called for each candidate with its tap, its head and a function that computes its accuracy; gives that
            accuracy, perhaps from an earlier call.

    Raises:
        TransferError: there are no candidates, or fewer pictures than folds.
    """
    if not candidates or not heads:
        raise TransferError("There is nothing to choose from: give at least one tap and one head.")
    labels = next(iter(candidates.values())).y_train
    parts = _folds(labels, folds, seed)
    trainers: dict[Any, Trainer] = {}
    tried: list[tuple[Tap, Head, float]] = []
    with backends.deterministic():
        for tap, whole in candidates.items():
            for head in heads:

                def compute(whole: FeatureSet = whole, head: Head = head) -> float:
                    hits = [_fold_accuracy(trainers, whole, head, recipe, seed, held) for held in parts]
                    return float(np.mean(hits))

                tried.append((tap, head, kept(tap, head, compute)))
    tap, head, _ = max(tried, key=lambda one: one[2])
    return Choice(tap, head, tuple(tried))


def _folds(labels: npt.NDArray[np.int32], folds: int, seed: int) -> list[npt.NDArray[np.intp]]:
    """Indices that each fold holds out: equally many, spread over the classes."""
    if not 2 <= folds <= len(labels) // 2:
        raise TransferError(f"{len(labels)} training pictures do not make {folds} folds.")
    random = np.random.RandomState([seed, _FOLD_STREAM])
    shuffled = random.permutation(len(labels))
    dealt = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return [dealt[fold::folds][: len(labels) // folds] for fold in range(folds)]


def _fold_accuracy(
    trainers: dict[Any, Trainer],
    whole: FeatureSet,
    head: Head,
    recipe: Recipe,
    seed: int,
    held: npt.NDArray[np.intp],
) -> float:
    kept = np.setdiff1d(np.arange(len(whole.x_train)), held)
    x, y = whole.x_train, whole.y_train
    fold = dataclasses.replace(whole, x_train=x[kept], y_train=y[kept], x_val=x[held], y_val=y[held])
    fold = Scaling.of(fold.x_train).apply(fold)
    fits = dataclasses.replace(recipe, train_images=None, val_images=None)
    key = (x.shape[1], head)
    if key in trainers:
        trainers[key].reset(seed, fold)
    else:
        trainers[key] = Trainer(HeadNetwork(x.shape[1], whole.classes, head), fold, fits, seed=seed)
    for _ in range(recipe.epochs):
        trainers[key].train_epoch()
    accuracy = trainers[key].evaluate("val").accuracy
    assert accuracy is not None  # a head is compiled with it
    return accuracy
