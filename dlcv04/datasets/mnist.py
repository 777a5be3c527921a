"""MNIST: Keras's ``mnist.npz`` where there is one, else the embedded stand-in."""

from pathlib import Path

import numpy as np

from dlcv04.datasets import DataError, Dataset, Source, embedded, npz, sources

FILE = "mnist.npz"
CLASSES = 10


def load(source: Source = "auto") -> Dataset:
    """Real MNIST (28x28x1, 10 classes), or its stand-in; see `dlcv04.datasets.load`.

    Raises:
        DataError: the file is broken, or "real" was asked for and there is none.
    """
    return _find(source).load(embedded.digits, _read)


def where(source: Source = "auto") -> str:
    """What `load` would give, without reading it.

    Raises:
        DataError: "real" was asked for and there is none.
    """
    return _find(source).where("MNIST", embedded.DIGITS_PROVENANCE)


def _find(source: Source) -> sources.Found:
    return sources.find(source, "MNIST", "mnist", (FILE,))


def _read(path: Path, remark: str) -> Dataset:
    x_train, y_train, x_val, y_val = npz.read(path, (28, 28), "mnist")
    try:
        return Dataset(
            "mnist",
            x_train[..., np.newaxis],
            y_train,
            x_val[..., np.newaxis],
            y_val,
            CLASSES,
            provenance=f"real MNIST, {len(x_train):,} + {len(x_val):,} images, from {path}{remark}",
            kind="real",
        )
    except DataError as error:
        raise npz.broken(path, str(error), "mnist") from error
