"""Fine-tuning on a stranger's pictures, as `dlcv04 finetune` does it: pictures, base, features, choice, training.

The tap and the head are chosen by cross-validation inside the training pictures; nothing is chosen by the validation
pictures. Whatever is slow is kept on disk as it comes, so that a run that was stopped goes on, to the same result.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dlcv04 import backends, bases, caching, datasets, networks, recipes, seeding, transfer
from dlcv04 import weights as stored_weights
from dlcv04.bases import Base, Tap
from dlcv04.checkpoints import Checkpoint
from dlcv04.datasets import Dataset, folders
from dlcv04.features import FeatureSet, Scaling, compute_features
from dlcv04.finetuning_settings import DENSE, FineTuningError, Settings, picture_size, require, resolved, until
from dlcv04.recipes import Recipe
from dlcv04.training import Epoch
from dlcv04.transfer import EVERYTHING, HEAD_ONLY, Choice, Head, Tuned

FOLDS = 3


TAPS = (Tap("block5_conv3", "avg"), Tap("block5_conv3", "max"), Tap("block4_conv3", "avg"), Tap("block4_conv3", "max"))
"""Where a head on VGG16's convolutions may sit; the choice is made by cross-validation."""


HEADS = (Head(), Head(l2=0.01))
"""Heads that are tried on each tap of VGG16."""


_UNFROZEN_EPOCHS = 30


class DivergedError(RuntimeError):
    """A loss that was not finite; the message says in which epoch, and what to change."""


ERRORS = (
    FineTuningError,
    bases.TransferError,
    datasets.DataError,
    recipes.RecipeError,
    stored_weights.WeightsError,
    seeding.TrainingError,
)
"""What `finetune` raises on wrong input; their messages are for people."""


class Show(Protocol):
    """What is told while it goes on."""

    def say(self, sentence: str) -> None:
        """A sentence for people."""

    def begin(self, what: str, total: int) -> None:
        """A stage of `total` steps begins."""

    def at(self, done: int) -> None:
        """So many of the stage's steps are done."""


@dataclass(frozen=True, eq=False)
class Result:
    """A fine-tuning that has ended.

    Attributes:
        dataset: the pictures.
        val_names: the validation pictures' names, in order.
        base: the base.
        choice: what the tap and the head were chosen by; None where there was nothing to choose.
        tuned: curves, settings, and the class given to each validation picture.
        seconds: what each stage took.
        checkpoint: to be removed once the result is kept.
    """

    dataset: Dataset
    val_names: tuple[str, ...]
    base: Base
    choice: Choice | None
    tuned: Tuned
    seconds: dict[str, float]
    checkpoint: Checkpoint

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Validation pictures by their class (rows) and the class they were given (columns)."""
        counts = np.zeros((self.dataset.classes, self.dataset.classes), np.int64)
        np.add.at(counts, (self.dataset.y_val, np.array(self.tuned.predicted)), 1)
        return counts

    @property
    def right(self) -> int:
        """How many validation pictures were classed rightly."""
        return sum(self.tuned.correct)


def finetune(path: Path, settings: Settings, show: Show) -> Result:
    """Fine-tune a base on the pictures of a folder (or zip file), in a layout of `folders.read_either_layout`.

    Raises:
        FineTuningError: settings that can't be met.
        DivergedError: a loss was not finite.
        dlcv04.datasets.DataError: the pictures are missing or broken.
        dlcv04.weights.WeightsError: VGG16's weights are missing, damaged or of another network.
        dlcv04.bases.TransferError: there is no such layer, or the head would sit below the first trained one.
        dlcv04.seeding.TrainingError: there are too few pictures.
    """
    seconds = _Stopwatch()
    settings = resolved(settings)
    with seconds.of("pictures"):
        pictures = folders.read_either_layout(path, picture_size(settings), settings.val_share, settings.seed)
    data = pictures.dataset
    show.say(f"pictures: {len(data.x_train):,} for training, {len(data.x_val):,} for validation; {data.provenance}")
    with seconds.of("base"):
        base = _base(settings, show)
    show.say(f"base: {base.provenance}; trained from: {settings.train_from}")
    taps = _taps(base, settings)
    heads = (settings.head,) if settings.head else HEADS if settings.base == "vgg16" else (Head(),)
    recipe = _recipe(settings, data, choosing=len(taps) * len(heads) > 1)
    features: dict[Tap, FeatureSet] = {}
    if settings.train_from == HEAD_ONLY or settings.base == "vgg16":
        with seconds.of("features"):
            features = _features(base, data, taps, show)
    choice, tap, head = None, taps[0], heads[0]
    if len(taps) * len(heads) > 1:
        with seconds.of("choice"):
            choice = _choose(features, heads, recipe, settings.seed, show)
        tap, head = choice.tap, choice.head
    with seconds.of("training"):
        tuned, checkpoint = _train(base, data, features.get(tap), tap, head, recipe, settings, show)
    return Result(data, pictures.val_names, base, choice, tuned, seconds.all, checkpoint)


def record(result: Result, interval: tuple[float, float], level: float) -> dict[str, Any]:
    """All that is worth keeping of a result, as plain values for JSON: only `seconds` differs when it is run again.

    Args:
        result: the result.
        interval: bounds of its accuracy.
        level: their level.
    """
    tuned, data, run = result.tuned, result.dataset, result.tuned.run
    curves = {f.name: [getattr(epoch, f.name) for epoch in run.epochs] for f in dataclasses.fields(Epoch)}
    epoch_seconds = curves.pop("train_seconds")
    rows = zip(result.val_names, data.y_val, tuned.predicted, strict=True)
    choice = result.choice
    return {
        "schema": 1,
        "pictures": {"name": data.name, "provenance": data.provenance, "fingerprint": data.fingerprint},
        "classes": list(data.class_names),
        "base": {
            "name": result.base.name,
            "provenance": result.base.provenance,
            "preprocessing": result.base.preprocessing,
            "fingerprint": result.base.fingerprint,
        },
        "features": tuned.features,
        "head": asdict(tuned.head),
        "train_from": tuned.train_from,
        "choice": None if choice is None else [[t.name, asdict(h), a] for t, h, a in choice.accuracies],
        "recipe": run.recipe.settings(),
        "seed": run.seed,
        "backend": asdict(run.backend),
        "accuracy": {
            "value": tuned.accuracy,
            "low": interval[0],
            "high": interval[1],
            "level": level,
            "pictures": len(data.y_val),
        },
        "curves": curves,
        "predictions": [
            {"picture": name, "class": data.class_names[label], "predicted": data.class_names[given]}
            for name, label, given in rows
        ],
        "seconds": {**result.seconds, "epochs": epoch_seconds},
    }


class _Stopwatch:
    def __init__(self) -> None:
        self.all: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.all[stage] = time.perf_counter() - start


def _base(settings: Settings, show: Show) -> Base:
    if settings.base == "vgg16":
        shape = (picture_size(settings), picture_size(settings), 3)
        last = until(settings.weights, picture_size(settings), settings.tap, settings.train_from)
        return bases.vgg16_base(settings.weights, input_shape=shape, until=last)
    network = networks.cifar_convnet
    layers = [layer.name for layer in network().layers[:-1]]  # looked at before minutes of training
    require(settings.train_from, [HEAD_ONLY, EVERYTHING, *layers], "layer", of="The base cifar10 has")
    if settings.tap:
        require(settings.tap.partition(":")[0], layers, "layer", of="The base cifar10 has")
    recipe = recipes.cifar_recipe(settings.profile)
    things = datasets.load("cifar10", settings.source)
    show.say(f"base: {networks.describe(network)} on {things.provenance}, {recipe.epochs} epochs, kept once trained")
    show.begin("base", recipe.epochs)
    # Seed 0 whatever the run's seed is: all runs share one base.
    return bases.trained_base(network, things, recipe, 0, tell=show.say, on_epoch=lambda n, _: show.at(n))


def _taps(base: Base, settings: Settings) -> tuple[Tap, ...]:
    """Where the head may sit: at or above the first trained layer."""
    layer, _, pooling = settings.tap.partition(":")
    names = [layer.name for layer in base.model.layers]
    if layer:
        flat = len(base.layer(layer).output.shape) == 2
        if flat and pooling not in ("", "none"):
            raise FineTuningError(f"{layer} has one value a feature, nothing to pool: --tap {layer}.")
        return (Tap(layer, "none" if flat else pooling or "avg"),)  # type: ignore[arg-type]
    if settings.base == "cifar10" or base.end.layer in DENSE:
        return (base.end,)
    first = 0 if settings.train_from in (HEAD_ONLY, EVERYTHING) else names.index(base.layer(settings.train_from).name)
    end = base.end.layer
    return tuple(tap for tap in TAPS if names.index(tap.layer) >= first) or (Tap(end, "avg"), Tap(end, "max"))


def _recipe(settings: Settings, data: Dataset, choosing: bool) -> Recipe:
    frozen = settings.train_from == HEAD_ONLY
    recipe = recipes.head_recipe("paper")
    if not frozen:
        recipe = recipes.fine_tuning_recipe("paper") if settings.base == "cifar10" else recipe
        recipe = dataclasses.replace(recipe, epochs=_UNFROZEN_EPOCHS)
    count = len(data.x_train)
    if choosing and count < 2 * FOLDS:
        raise FineTuningError(
            f"{count} training pictures are too few to choose the tap and the head by: add pictures, or fix both "
            "with --tap and --l2."
        )
    smallest = count - count // FOLDS if choosing else count
    return dataclasses.replace(
        recipe,
        name=f"finetune-{settings.base}",
        epochs=settings.epochs or recipe.epochs,
        learning_rate=settings.rate or recipe.learning_rate,
        # Four steps an epoch at least, since pictures that fill no batch are left out of their epoch.
        batch_size=max(1, min(recipe.batch_size, smallest // 4)),
    )


def _features(base: Base, data: Dataset, taps: Sequence[Tap], show: Show) -> dict[Tap, FeatureSet]:
    total = len(data.x_train) + len(data.x_val)
    computed = 0

    def on_batch(done: int) -> None:
        nonlocal computed
        computed += 1
        show.at(done)

    show.begin("features", total)
    start = time.perf_counter()
    features = compute_features(base, data, taps, tell=show.say, on_batch=on_batch)
    how = f"computed in {time.perf_counter() - start:.0f} s" if computed else "read from the cache"
    show.say(f"features: {total:,} pictures, {', '.join(tap.name for tap in taps)}; {how}")
    return features


def _choose(features: dict[Tap, FeatureSet], heads: Sequence[Head], recipe: Recipe, seed: int, show: Show) -> Choice:
    show.begin("choice", len(features) * len(heads))
    done = 0

    def kept(tap: Tap, head: Head, compute: Callable[[], float]) -> float:
        nonlocal done
        key = {
            "features": features[tap].content,
            "head": asdict(head),
            "recipe": recipe.settings(),
            "folds": FOLDS,
            "seed": seed,
            "backend": asdict(backends.facts()),
        }
        arrays = caching.cached("choice", key, lambda: {"accuracy": np.array(compute())}, tell=show.say)
        done += 1
        show.at(done)
        return float(arrays["accuracy"])

    choice = transfer.choose(features, recipe, heads=heads, folds=FOLDS, seed=seed, kept=kept)
    best = max(accuracy for *_, accuracy in choice.accuracies)
    show.say(
        f"choice: {choice.tap.name}, l2 {choice.head.l2:g}; {best:.3f} is the best of {len(choice.accuracies)} by "
        f"{FOLDS}-fold cross-validation inside the training pictures"
    )
    return choice


def _train(
    base: Base,
    data: Dataset,
    features: FeatureSet | None,
    tap: Tap,
    head: Head,
    recipe: Recipe,
    settings: Settings,
    show: Show,
) -> tuple[Tuned, Checkpoint]:
    """The last stage, and the checkpoint that it was kept in."""
    key = {
        "base": base.key or base.fingerprint,
        "data": data.fingerprint,
        "tap": [tap.layer, tap.pooling],
        "head": asdict(head),
        "train_from": settings.train_from,
        "recipe": recipe.settings(),
        "seed": settings.seed,
        "backend": asdict(backends.facts()),
    }
    checkpoint = Checkpoint.of("finetune", key, tell=show.say)
    show.say(
        f"training: {recipe.epochs} epochs, {recipe.optimizer} {recipe.learning_rate:g}, batch {recipe.batch_size}; "
        f"the head sits on {tap.name}"
    )
    show.begin("training", recipe.epochs)
    every = max(1, recipe.epochs // 10)

    def on_epoch(number: int, epoch: Epoch) -> None:
        show.at(number)
        if number % every == 0 or number == recipe.epochs:
            show.say(
                f"epoch {number} of {recipe.epochs}: loss {epoch.train_loss:.4f}, accuracy {epoch.train_accuracy:.4f}; "
                f"validation loss {epoch.val_loss:.4f}, accuracy {epoch.val_accuracy:.4f}"
            )

    common: dict[str, Any] = {"head": head, "checkpoint": checkpoint, "on_epoch": on_epoch}
    if settings.train_from == HEAD_ONLY and features is not None:
        tuned = transfer.train_head(features, recipe, settings.seed, **common)
    else:
        scaling = None if features is None else Scaling.of(features.x_train)
        options = {"tap": tap, "train_from": settings.train_from, "scaling": scaling, **common}
        tuned = transfer.fine_tune(base, data, recipe, settings.seed, **options)
    if tuned.run.status != "ok":
        checkpoint.remove()
        raise DivergedError(f"The training diverged: {tuned.run.reason} Use a --rate below {recipe.learning_rate:g}.")
    return tuned, checkpoint
