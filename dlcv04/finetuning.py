"""Fine-tuning on a stranger's pictures, as `dlcv04 finetune` does it: pictures, base, features, choice, training.

The tap and the head are chosen by cross-validation inside the training pictures; nothing is chosen by the validation
pictures. Whatever is slow is kept on disk as it comes, so that a run that was stopped goes on, to the same result.
"""

import dataclasses
import difflib
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
from dlcv04.datasets import Dataset, Source, folders
from dlcv04.features import FeatureSet, Scaling, compute_features
from dlcv04.recipes import Recipe
from dlcv04.training import Epoch
from dlcv04.transfer import EVERYTHING, HEAD_ONLY, Choice, Head, Tuned

BASES = ("vgg16", "cifar10")
FOLDS = 3
TAPS = (Tap("block5_conv3", "avg"), Tap("block5_conv3", "max"), Tap("block4_conv3", "avg"), Tap("block4_conv3", "max"))
"""Where a head on VGG16's convolutions may sit; the choice is made by cross-validation."""
HEADS = (Head(), Head(l2=0.01))
"""Heads that are tried on each tap of VGG16."""

_VERSION = 1  # of the keys of what is kept: raise it when the same settings give another result
_UNFROZEN_EPOCHS = 30
_DENSE = ("fc1", "fc2", "predictions")
_POOLINGS = ("avg", "max", "none")


class FineTuningError(ValueError):
    """Settings that can't be met; the message says what to change."""


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


@dataclass(frozen=True)
class Settings:
    """What is asked for; an empty or absent value takes the base's default.

    Attributes:
        base: "vgg16" or "cifar10".
        weights: VGG16's: "imagenet", "hed", "random" or a file; by default imagenet or else hed, whichever is there.
        size: side of the pictures in pixels: 224 for VGG16; always 32 for cifar10.
        train_from: "head" (VGG16's default), "all" (cifar10's) or the first layer that is trained.
        tap: layer that the head sits on, perhaps with ":avg", ":max" or ":none" (how it is pooled).
        head: the head; by default chosen for VGG16, plain for cifar10.
        epochs: 350 for a head on frozen features, as in the 2016 experiment, else 30.
        rate: learning rate; the 2016 experiment's by default.
        seed: draws the split of a folder of classes, the folds, the head and the order.
        val_share: share of each class drawn for validation, where the pictures are not split already.
        source: of CIFAR-10, for the base cifar10.
        profile: how long the base cifar10 is trained on it.
    """

    base: str
    weights: str = ""
    size: int | None = None
    train_from: str = ""
    tap: str = ""
    head: Head | None = None
    epochs: int | None = None
    rate: float | None = None
    seed: int = 0
    val_share: float = 0.2
    source: Source = "auto"
    profile: str = "standard"


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
    """Fine-tune a base on the pictures of a folder (or zip file); see `dlcv04.datasets.folders.load` for its layout.

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
        pictures = folders.load(path, _size(settings), settings.val_share, settings.seed)
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


# -- settings --------------------------------------------------------------------------------------------------------


def resolved(settings: Settings) -> Settings:
    """The settings with the base's defaults and VGG16's layers in Keras's spelling; loads no framework.

    Raises:
        FineTuningError: an unknown base or layer, or a value out of range.
        dlcv04.weights.WeightsError: there are no such weights.
    """
    _require(settings.base, BASES, "base")
    _require(settings.source, datasets.SOURCES, "data source")
    _require(settings.profile, tuple(recipes.CIFAR_PROFILES), "profile")
    vgg16 = settings.base == "vgg16"
    if not vgg16 and settings.weights:
        raise FineTuningError("The base cifar10 is trained here: --weights are VGG16's.")
    size = _size(settings)
    if vgg16 and not 32 <= size <= 1024:
        raise FineTuningError(f"VGG16 takes pictures of 32 to 1024 pixels, not {size}.")
    if not vgg16 and size != 32:
        raise FineTuningError(f"The base cifar10 takes pictures of 32 pixels, not {size}.")
    if settings.rate is not None and not 0 < settings.rate < float("inf"):
        raise FineTuningError(f"The learning rate must be a positive number, not {settings.rate}.")
    train_from = settings.train_from or (HEAD_ONLY if vgg16 else EVERYTHING)
    layer, colon, pooling = settings.tap.partition(":")
    if colon:
        _require(pooling, _POOLINGS, "pooling")
    if not vgg16:
        return dataclasses.replace(settings, size=size, train_from=train_from)
    if train_from not in (HEAD_ONLY, EVERYTHING):
        train_from = _vgg16_layer(train_from, (HEAD_ONLY, EVERYTHING))
    tap = f"{_vgg16_layer(layer)}{colon}{pooling}" if layer else ""
    weights = settings.weights or stored_weights.available()
    if weights != "random":
        stored_weights.find(weights, dense=_until(weights, size, tap, train_from) in _DENSE)
    return dataclasses.replace(settings, size=size, train_from=train_from, tap=tap, weights=weights)


def _size(settings: Settings) -> int:
    return settings.size if settings.size is not None else 224 if settings.base == "vgg16" else 32


def _vgg16_layer(name: str, others: Sequence[str] = ()) -> str:
    try:
        return networks.vgg16_layer(name)
    except ValueError as error:
        near = difflib.get_close_matches(name, others, n=1)
        sentence = f"There is no layer {name!r}; did you mean {near[0]!r}?" if near else str(error)
        raise FineTuningError(sentence) from error


def _until(weights: str, size: int, tap: str, train_from: str) -> str:
    """VGG16's last layer: as in 2016 fc2, where ImageNet's weights are and nothing else was asked for."""
    named = [layer for layer in (tap.partition(":")[0], train_from) if layer in _DENSE]
    if named:
        return max(named, key=_DENSE.index)
    return "fc2" if weights == "imagenet" and size == 224 and not tap else "block5_pool"


def _require(name: str, known: Sequence[str], what: str, of: str = "There is") -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(known)}."
        raise FineTuningError(f"{of} no {what} {name!r}; {hint}")


# -- stages ----------------------------------------------------------------------------------------------------------


def _base(settings: Settings, show: Show) -> Base:
    if settings.base == "vgg16":
        shape = (_size(settings), _size(settings), 3)
        until = _until(settings.weights, _size(settings), settings.tap, settings.train_from)
        return bases.vgg16_base(settings.weights, input_shape=shape, until=until)
    network = networks.cifar_convnet
    layers = [layer.name for layer in network().layers[:-1]]  # looked at before minutes of training
    _require(settings.train_from, [HEAD_ONLY, EVERYTHING, *layers], "layer", of="The base cifar10 has")
    if settings.tap:
        _require(settings.tap.partition(":")[0], layers, "layer", of="The base cifar10 has")
    recipe = recipes.cifar_recipe(settings.profile)
    things = datasets.load("cifar10", settings.source)
    show.say(f"base: {networks.describe(network)} on {things.provenance}, {recipe.epochs} epochs, kept once trained")
    show.begin("base", recipe.epochs)
    # Seed 0 whatever the run's seed is: all runs share one base.
    return bases.trained_base(network, things, recipe, 0, tell=show.say, on_epoch=lambda n, _: show.at(n))


def _taps(base: Base, settings: Settings) -> tuple[Tap, ...]:
    """Where the head may sit: at or above the first trained layer."""
    layer, _, pooling = settings.tap.partition(":")
    names = [one.name for one in base.model.layers]
    if layer:
        flat = len(base.layer(layer).output.shape) == 2
        if flat and pooling not in ("", "none"):
            raise FineTuningError(f"{layer} has one value a feature, nothing to pool: --tap {layer}.")
        return (Tap(layer, "none" if flat else pooling or "avg"),)  # type: ignore[arg-type]
    if settings.base == "cifar10" or base.end.layer in _DENSE:
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
            "version": _VERSION,
            "features": features[tap].fingerprint,
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
        "version": _VERSION,
        "base": base.fingerprint,
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
