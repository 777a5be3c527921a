"""Features of a frozen network, computed once for each picture and kept on disk."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcv04 import backend, caching
from dlcv04.backend import keras
from dlcv04.bases import Base, Tap, TransferError
from dlcv04.datasets import DataError, Dataset

# Part of every key on disk: raise it when features are computed differently.
_VERSION = 1


@dataclass(frozen=True, eq=False)
class FeatureSet(Dataset):
    """Features of a data set's pictures, in their order: float32, shape (images, features).

    Attributes:
        base: name of the base.
        tap: where they were taken.
        source: fingerprint of the pictures, the base and the tap.
    """

    base: str = ""
    tap: str = ""
    source: str = ""

    def _check_split(self, split: str) -> None:
        x, y = getattr(self, f"x_{split}"), getattr(self, f"y_{split}")
        if x.dtype != np.float32 or x.ndim != 2 or len(x) != len(y) or not len(x):
            raise DataError(f"Features {self.name!r}: x_{split} is {x.dtype} of {x.shape} for {len(y)} labels.")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over `source` and the labels: the same on every machine, however its features are rounded."""
        digest = hashlib.sha256(self.source.encode())
        for labels in (self.y_train, self.y_val):
            digest.update(np.ascontiguousarray(labels).data)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Scaling:
    """Mean and spread of each feature over the training pictures; shape (features,)."""

    mean: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]

    @classmethod
    def of(cls, x: npt.NDArray[Any]) -> "Scaling":
        """From training features of shape (images, features)."""
        mean, spread = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        # A feature that is silent in training must not explode in validation.
        spread[spread <= 1e-6 * max(spread.max(), 1e-30)] = 1.0
        return cls(mean.astype(np.float32), spread.astype(np.float32))

    def apply(self, features: FeatureSet) -> FeatureSet:
        """The features scaled, both splits alike."""
        scaled: Any = {name: (getattr(features, name) - self.mean) / self.spread for name in ("x_train", "x_val")}
        return replace(features, **scaled)


def compute_features(
    base: Base,
    dataset: Dataset,
    taps: Sequence[Tap],
    *,
    batch_size: int = 16,
    folder: str | Path | None = None,
    tell: caching.Tell = lambda sentence: None,
    on_batch: Callable[[int], None] = lambda done: None,
) -> dict[Tap, FeatureSet]:
    """The features of every picture of both splits, in one pass for all taps, kept on disk.

    Args:
        base: the frozen network.
        dataset: its pictures have the base's input shape.
        taps: where to take them.
        batch_size: pictures at once.
        folder: of the cache.
        tell: is given a sentence where the cache fails.
        on_batch: called with the number of pictures done, of both splits together, while they are computed.

    Raises:
        TransferError: the base has no such layer, or takes other pictures.
    """
    if tuple(base.model.input_shape[1:]) != dataset.input_shape:
        raise TransferError(
            f"{base.name} takes pictures of {tuple(base.model.input_shape[1:])}; {dataset.name!r} has "
            f"{dataset.input_shape}."
        )
    names = [f"{tap.layer}-{tap.pooling}" for tap in taps]
    source = {"version": _VERSION, "base": base.fingerprint, "data": dataset.fingerprint}
    key = {**source, "taps": names, "backend": backend.name()}

    def compute() -> caching.Arrays:
        outputs = {name: base.pooled(tap) for name, tap in zip(names, taps, strict=True)}
        model = keras.Model(base.model.inputs, outputs)
        trained = backend.predict(model, dataset.x_train, batch_size=batch_size, on_batch=on_batch)
        done = len(dataset.x_train)
        val = backend.predict(model, dataset.x_val, batch_size=batch_size, on_batch=lambda n: on_batch(done + n))
        return {f"train-{name}": trained[name] for name in names} | {f"val-{name}": val[name] for name in names}

    arrays = caching.cached("features", key, compute, folder=folder, tell=tell)
    return {
        tap: FeatureSet(
            name=f"{dataset.name}, {tap.name} of {base.name}",
            x_train=arrays[f"train-{name}"],
            y_train=dataset.y_train,
            x_val=arrays[f"val-{name}"],
            y_val=dataset.y_val,
            classes=dataset.classes,
            provenance=dataset.provenance,
            kind=dataset.kind,
            base=base.name,
            tap=tap.name,
            source=f"{source} {name}",
        )
        for tap, name in zip(taps, names, strict=True)
    }
