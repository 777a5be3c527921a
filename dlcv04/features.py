"""Features of a frozen network, computed once for each picture and kept on disk, some pictures at a time.

What is on disk is keyed by the pictures themselves, so that other labels, or another base's epochs, cost nothing, and a
computation that was stopped goes on after the last pictures that it kept.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcv04 import backends, caching
from dlcv04.backends import keras
from dlcv04.bases import Base, Tap, TransferError
from dlcv04.datasets import DataError, Dataset

_VERSION = 2  # of a feature set's fingerprint, which stored runs hold
# Of the pictures that are kept at once, and that a kill costs at most: 112 of 224 x 224, a minute on two cores.
_KEPT_VALUES = 18_000_000


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

    def _convert(self) -> None:
        """Nothing: features are this package's own."""

    def _check_split(self, split: str) -> None:
        x, y = getattr(self, f"x_{split}"), getattr(self, f"y_{split}")
        if x.dtype != np.float32 or x.ndim != 2 or len(x) != len(y) or not len(x):
            raise DataError(f"Features {self.name!r}: x_{split} is {x.dtype} of {x.shape} for {len(y)} labels.")

    @cached_property
    def content(self) -> str:
        """SHA-256 over the features themselves and the labels: for keys of what is computed from them."""
        digest = hashlib.sha256()
        for values in (self.x_train, self.y_train, self.x_val, self.y_val):
            digest.update(f"{values.shape}".encode() + np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

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

    With layers of your own, whose code can't be told from their settings, nothing is kept.

    Args:
        base: the frozen network.
        dataset: its pictures have the base's input shape.
        taps: where to take them.
        batch_size: pictures at once.
        folder: of the cache.
        tell: is given a sentence where the cache fails.
        on_batch: called with the number of pictures done, of both splits together, while they are computed; those that
            were on disk count as done.

    Raises:
        TransferError: the base has no such layer, or takes other pictures.
    """
    if tuple(base.model.input_shape[1:]) != dataset.input_shape:
        raise TransferError(
            f"{base.name} takes pictures of {tuple(base.model.input_shape[1:])}; {dataset.name!r} has "
            f"{dataset.input_shape}."
        )
    if base.key is None:
        tell(f"{base.name} has layers of your own: its features are not kept on disk.")
    work = _Work(base, taps, batch_size, folder, tell, on_batch)
    trained, val = work.features(dataset.x_train), work.features(dataset.x_val)
    source = {"version": _VERSION, "base": base.fingerprint, "data": dataset.fingerprint}
    return {
        tap: FeatureSet(
            name=f"{dataset.name}, {tap.name} of {base.name}",
            x_train=trained[tap],
            y_train=dataset.y_train,
            x_val=val[tap],
            y_val=dataset.y_val,
            classes=dataset.classes,
            provenance=dataset.provenance,
            kind=dataset.kind,
            class_names=dataset.class_names,
            base=base.name,
            tap=tap.name,
            source=f"{source} {_label(tap)}",
        )
        for tap in taps
    }


class _Work:
    """One call of `compute_features`: compiles the network only where something is missing on disk."""

    def __init__(
        self,
        base: Base,
        taps: Sequence[Tap],
        batch_size: int,
        folder: str | Path | None,
        tell: caching.Tell,
        on_batch: Callable[[int], None],
    ) -> None:
        self._base, self._batch_size = base, batch_size
        self._outputs = {tap: base.pooled(tap) for tap in taps}
        self._folder, self._tell, self._on_batch = folder, tell, on_batch
        self._done = 0

    def features(self, pictures: npt.NDArray[np.uint8]) -> dict[Tap, npt.NDArray[Any]]:
        """By tap, in the order of the pictures: shape (images, features)."""
        parts = []
        for part in self._parts(pictures):
            parts.append(self._of(part))
            self._done += len(part)
        return {tap: np.concatenate([part[tap] for part in parts]) for tap in self._outputs}

    def _parts(self, pictures: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
        """Some pictures at a time, whole batches of them."""
        batch = math.prod(pictures.shape[1:]) * self._batch_size
        count = max(1, _KEPT_VALUES // batch) * self._batch_size
        return (pictures[start : start + count] for start in range(0, len(pictures), count))

    def _of(self, pictures: npt.NDArray[np.uint8]) -> dict[Tap, npt.NDArray[np.float32]]:
        computed: caching.Arrays = {}

        def compute(tap: Tap) -> caching.Arrays:
            if not computed:
                computed.update(self._predictor(pictures, lambda n: self._on_batch(self._done + n)))
            return {"features": computed[_label(tap)]}

        key: dict[str, Any] | None = self._base.key and {
            "base": self._base.key,
            "pictures": hashlib.sha256(np.ascontiguousarray(pictures).data).hexdigest(),
            "backend": asdict(backends.facts()),
        }

        def kept(tap: Tap) -> npt.NDArray[np.float32]:
            whole = {**key, "tap": _label(tap)} if key else None
            arrays = caching.cached("features", whole, partial(compute, tap), folder=self._folder, tell=self._tell)
            return arrays["features"]

        return {tap: kept(tap) for tap in self._outputs}

    @cached_property
    def _predictor(self) -> backends.Predictor:
        model = keras.Model(self._base.model.inputs, {_label(tap): output for tap, output in self._outputs.items()})
        return backends.predictor(model, model.input_shape[1:], np.uint8, self._batch_size)


def _label(tap: Tap) -> str:
    return f"{tap.layer}-{tap.pooling}"
