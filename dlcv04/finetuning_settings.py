"""What is asked of a fine-tuning, and how it is filled up with the base's defaults."""

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from dlcv04 import datasets, networks, recipes
from dlcv04 import weights as stored_weights
from dlcv04.datasets import Source
from dlcv04.transfer import EVERYTHING, HEAD_ONLY, Head

BASES = ("vgg16", "cifar10")


DENSE = ("fc1", "fc2", "predictions")


_POOLINGS = ("avg", "max", "none")


class FineTuningError(ValueError):
    """Settings that can't be met; the message says what to change."""


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


def resolved(settings: Settings) -> Settings:
    """The settings with the base's defaults and VGG16's layers in Keras's spelling; loads no framework.

    Raises:
        FineTuningError: an unknown base or layer, or a value out of range.
        dlcv04.weights.WeightsError: there are no such weights.
    """
    require(settings.base, BASES, "base")
    require(settings.source, datasets.SOURCES, "data source")
    require(settings.profile, tuple(recipes.CIFAR_PROFILES), "profile")
    vgg16 = settings.base == "vgg16"
    if not vgg16 and settings.weights:
        raise FineTuningError("The base cifar10 is trained here: --weights are VGG16's.")
    size = picture_size(settings)
    if vgg16 and not 32 <= size <= 1024:
        raise FineTuningError(f"VGG16 takes pictures of 32 to 1024 pixels, not {size}.")
    if not vgg16 and size != 32:
        raise FineTuningError(f"The base cifar10 takes pictures of 32 pixels, not {size}.")
    if settings.rate is not None and not 0 < settings.rate < float("inf"):
        raise FineTuningError(f"The learning rate must be a positive number, not {settings.rate}.")
    train_from = settings.train_from or (HEAD_ONLY if vgg16 else EVERYTHING)
    layer, colon, pooling = settings.tap.partition(":")
    if colon:
        require(pooling, _POOLINGS, "pooling")
    if not vgg16:
        return dataclasses.replace(settings, size=size, train_from=train_from)
    if train_from not in (HEAD_ONLY, EVERYTHING):
        train_from = _vgg16_layer(train_from, (HEAD_ONLY, EVERYTHING))
    tap = f"{_vgg16_layer(layer)}{colon}{pooling}" if layer else ""
    weights = settings.weights or stored_weights.available()
    if weights != "random":
        stored_weights.find(weights, dense=until(weights, size, tap, train_from) in DENSE)
    return dataclasses.replace(settings, size=size, train_from=train_from, tap=tap, weights=weights)


def picture_size(settings: Settings) -> int:
    """Side of the pictures in pixels."""
    return settings.size if settings.size is not None else 224 if settings.base == "vgg16" else 32


def _vgg16_layer(name: str, others: Sequence[str] = ()) -> str:
    try:
        return networks.vgg16_layer(name)
    except ValueError as error:
        near = difflib.get_close_matches(name, others, n=1)
        sentence = f"There is no layer {name!r}; did you mean {near[0]!r}?" if near else str(error)
        raise FineTuningError(sentence) from error


def until(weights: str, size: int, tap: str, train_from: str) -> str:
    """VGG16's last layer: as in 2016 fc2, where ImageNet's weights are and nothing else was asked for."""
    named = [layer for layer in (tap.partition(":")[0], train_from) if layer in DENSE]
    if named:
        return max(named, key=DENSE.index)
    return "fc2" if weights == "imagenet" and size == 224 and not tap else "block5_pool"


def require(name: str, known: Sequence[str], what: str, of: str = "There is") -> None:
    """Refuse a name that is not known.

    Raises:
        FineTuningError: it is not; the nearest one is named.
    """
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(known)}."
        raise FineTuningError(f"{of} no {what} {name!r}; {hint}")
