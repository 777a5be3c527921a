"""Trained networks without their head, to be grafted onto: VGG16 with stored weights, or a network trained here."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dlcv04 import backends, caching, checkpoints, networks, seeding
from dlcv04 import weights as stored_weights
from dlcv04.backends import keras
from dlcv04.datasets import Dataset
from dlcv04.model_hash import model_hash
from dlcv04.recipes import Recipe
from dlcv04.training import Epoch, Trainer

Pooling = Literal["avg", "max", "none"]


class TransferError(ValueError):
    """A base network, layer or head that does not fit; the message says where."""


@dataclass(frozen=True)
class Tap:
    """Where a head sits: on a layer's output, pooled over the picture's height and width or flattened."""

    layer: str
    pooling: Pooling = "avg"

    @property
    def name(self) -> str:
        """As reports call it: ``"fc2"``, ``"pooled block5_conv3 (average)"``."""
        words = {"avg": "average", "max": "maximum"}
        return f"pooled {self.layer} ({words[self.pooling]})" if self.pooling in words else self.layer


@dataclass(frozen=True, eq=False)
class Base:
    """A trained network without its head.

    Attributes:
        name: as reports call it, with its weights, such as ``"vgg16 (hed)"``.
        model: a chain of layers that takes red, green and blue in [0, 1].
        preprocessing: what happens to the pictures before the first layer with weights.
        provenance: where the weights come from, for people.
    """

    name: str
    model: keras.Model
    preprocessing: str
    provenance: str

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the preprocessing, the layers and the bytes of their weights."""
        digest = hashlib.sha256(self.preprocessing.encode())
        for layer in self.model.layers[1:]:
            digest.update(f";{type(layer).__name__} {layer.name}".encode())
            for variable in layer.weights:
                values = np.ascontiguousarray(backends.to_numpy(variable))
                digest.update(f":{values.dtype.str}{values.shape}".encode())
                digest.update(values.data)
        return digest.hexdigest()

    @cached_property
    def key(self) -> dict[str, str] | None:
        """All that its outputs depend on, as plain values; None where it has layers of your own."""
        found = model_hash(self.model)
        return {"preprocessing": self.preprocessing, "model": found} if found else None

    @property
    def end(self) -> Tap:
        """The output of its last layer, as it is."""
        return Tap(self.model.layers[-1].name, "none")

    def layer(self, name: str) -> Any:
        """One of its layers.

        Raises:
            TransferError: there is none of that name.
        """
        known = [layer.name for layer in self.model.layers]
        if name not in known:
            near = difflib.get_close_matches(name, known[1:], n=1)
            hint = f"did you mean {near[0]}? It" if near else "it"
            raise TransferError(f"{self.name} has no layer {name!r}; {hint} has {', '.join(known[1:])}.")
        return self.model.get_layer(name)

    def pooled(self, tap: Tap) -> Any:
        """The symbolic output of a tap: one row of features a picture.

        Raises:
            TransferError: there is no such layer.
        """
        output = self.layer(tap.layer).output
        if len(output.shape) == 2:
            return output
        kinds = {"none": "Flatten", "avg": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"}
        # Named, since Keras's own numbering may meet the name of one of the base's layers.
        return getattr(keras.layers, kinds[tap.pooling])(name=f"{tap.layer}_{tap.pooling}_features")(output)

    def up_to(self, tap: Tap, still: Collection[str] = ()) -> keras.Model:
        """A copy up to a tap, with layers and weights of its own.

        Args:
            tap: its end.
            still: layers that must not draw at random even in training mode, as frozen ones: Keras passes the mode of
                a whole model on to every layer in it, so dropout there is left out.

        Raises:
            TransferError: there is no such layer.
        """

        def copy(layer: Any) -> Any:
            if layer.name in still and isinstance(layer, keras.layers.Dropout):
                return keras.layers.Identity(name=layer.name)
            return layer.__class__.from_config(layer.get_config())

        whole = keras.models.clone_model(self.model, clone_function=copy)
        _fill(whole, _weights(self.model))
        return keras.Model(whole.inputs, replace(self, model=whole).pooled(tap), name="trunk")


def vgg16_base(
    weights: str | Path, *, input_shape: Sequence[int] = (224, 224, 3), until: str | None = None, seed: int = 0
) -> Base:
    """VGG16 with stored weights, or with random ones, which serve as control.

    Args:
        weights: as for `dlcv04.networks.vgg16`.
        input_shape: height, width, 3.
        until: its last layer; by default ``fc2`` with ImageNet's weights, as in 2016, else ``block5_pool``.
        seed: draws random weights.

    Raises:
        ValueError: as for `dlcv04.networks.vgg16`.
        dlcv04.weights.WeightsError: as for `dlcv04.networks.vgg16`.
    """
    last = until or ("fc2" if weights == "imagenet" else "block5_pool")
    with seeding.seeded(seed):
        model = networks.vgg16(weights=weights, until=last, input_shape=input_shape, unit_pixels=True)
    drawn = f", seed {seed}" if weights == "random" else ""
    if weights not in ("random", "imagenet", "hed"):  # of a file of one's own nobody else knows a checksum
        drawn = f", {stored_weights.hash_of(stored_weights.find(weights))}"
    preprocessing = f"0..255 minus ImageNet's mean {networks.IMAGENET_MEAN}, blue first"
    return Base(f"vgg16 ({weights}{drawn})", model, preprocessing, f"VGG16, weights {weights}{drawn}")


def trained_base(
    network: Any,
    dataset: Dataset,
    recipe: Recipe,
    seed: int = 0,
    *,
    folder: str | Path | None = None,
    tell: caching.Tell = lambda sentence: None,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> Base:
    """A network trained here on other pictures, without its last layer; trained once and kept on disk.

    With layers or a class of recipe of your own, whose code can't be told from their settings, nothing is kept.

    A training that was stopped goes on after its last whole epoch on disk.

    Args:
        network: a function that builds the model, the same at each call.
        dataset: what it is trained on.
        recipe: how.
        seed: draws weights, order and subset.
        folder: of the cache.
        tell: is given a sentence where the cache fails.
        on_epoch: called after each epoch of training with its number and figures.

    Raises:
        dlcv04.seeding.TrainingError: network, data and recipe do not fit each other.
        TransferError: the training diverged.
    """
    with seeding.seeded(seed):
        model = network()
    drawn = model_hash(model)
    key: dict[str, Any] | None = {
        "model": drawn,
        "data": dataset.fingerprint,
        "recipe": recipe.settings(),
        "seed": seed,
        "backend": asdict(backends.facts()),
    }
    if drawn is None or type(recipe) is not Recipe:
        tell(f"{networks.describe(network)} or its recipe has code of its own: what is trained is not kept on disk.")
        key = None
    checkpoint = checkpoints.Checkpoint.of("training", key, folder, tell) if key else None

    def forget() -> None:
        if checkpoint:
            checkpoint.remove()

    def compute() -> caching.Arrays:
        with backends.deterministic():
            trainer = Trainer(network, dataset, recipe, seed=seed)
            run = checkpoints.complete(trainer, checkpoint, on_epoch)
        if run.status != "ok":
            forget()
            raise TransferError(f"{run.network} did not learn {dataset.name}: {run.reason}")
        weights = {f"weight{number:03d}": values for number, values in enumerate(_weights(trainer.model))}
        return {"val_accuracy": np.array(run.epochs[-1].val_accuracy), **weights}

    arrays = caching.cached("trained", key, compute, folder=folder, tell=tell)
    forget()
    accuracy = float(arrays.pop("val_accuracy"))
    _fill(model, [arrays[name] for name in sorted(arrays)])
    provenance = f"{networks.describe(network)} trained on {dataset.provenance}, accuracy {accuracy:.3f}"
    trunk = keras.Model(model.inputs, model.layers[-2].output, name=model.name)
    return Base(f"{model.name} ({dataset.name}, {dataset.kind})", trunk, "0..255 / 255", provenance)


def _weights(model: keras.Model) -> list[npt.NDArray[Any]]:
    return [backends.to_numpy(variable) for variable in model.weights]


def _fill(model: keras.Model, values: list[npt.NDArray[Any]]) -> None:
    for variable, value in zip(model.weights, values, strict=True):
        variable.assign(value)
