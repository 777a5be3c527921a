"""MNIST: Keras's ``mnist.npz`` where there is one, else the embedded stand-in."""

import hashlib
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcv04.datasets import DataError, Dataset, Source, embedded

FILE = "mnist.npz"
CLASSES = 10
_KEYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class _Found:
    """The file that would be read (None for the stand-in), and a remark that its reader must see."""

    path: Path | None
    remark: str = ""


def load(source: Source = "auto") -> Dataset:
    """Real MNIST (28x28x1, 10 classes), or its stand-in; see `dlcv04.datasets.load`.

    Raises:
        DataError: the file is broken, or "real" was asked for and there is none.
    """
    found = _find(source)
    if found.path is None:
        dataset = embedded.digits()
        if not found.remark:
            return dataset
        return Dataset(
            "mnist",
            dataset.x_train,
            dataset.y_train,
            dataset.x_val,
            dataset.y_val,
            CLASSES,
            provenance=dataset.provenance + found.remark,
            kind="embedded",
        )
    return _read(found.path, found.remark)


def where(source: Source = "auto") -> str:
    """What `load` would give, without reading it.

    Raises:
        DataError: "real" was asked for and there is none.
    """
    found = _find(source)
    return (embedded.DIGITS_PROVENANCE if found.path is None else f"MNIST from {found.path}") + found.remark


def keras_cache() -> Path:
    """Keras's folder of downloaded data sets (it need not exist)."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def _find(source: Source) -> _Found:
    if source == "embedded":
        return _Found(None)
    remark = ""
    folder = os.environ.get("DLCV04_DATA")
    if folder:
        path = Path(folder).expanduser() / FILE
        if path.is_file():
            return _Found(path)
        if source == "real":
            raise DataError(
                f"DLCV04_DATA is set to {folder}, which holds no {FILE}: put the file there, run `dlcv04 fetch mnist`, "
                "or unset DLCV04_DATA."
            )
        remark = f" (DLCV04_DATA is set to {folder}, which holds no {FILE})"
    cached = keras_cache() / FILE
    if cached.is_file():
        return _Found(cached, remark)
    if source == "real":
        raise DataError(
            f"There is no real MNIST at {cached}: run `dlcv04 fetch mnist`, or set DLCV04_DATA to a folder with {FILE}."
        )
    return _Found(None, remark)


def _read(path: Path, remark: str) -> Dataset:
    try:
        # Never unpickled: a data file must not be able to run code.
        with np.load(path, allow_pickle=False) as archive:
            x_train, y_train, x_val, y_val = (archive[key] for key in _KEYS)
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise _broken(path, str(error) or type(error).__name__) from error
    for array in (x_train, x_val):
        if array.dtype != np.uint8 or array.ndim != 3:
            raise _broken(path, f"its pictures are {array.dtype} of shape {array.shape}, not uint8 (images, 28, 28)")
    for array in (y_train, y_val):
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise _broken(path, f"its labels are {array.dtype} of shape {array.shape}, not whole numbers (images,)")
    try:
        return Dataset(
            "mnist",
            x_train[..., np.newaxis],
            y_train.astype(np.int32),
            x_val[..., np.newaxis],
            y_val.astype(np.int32),
            CLASSES,
            provenance=f"real MNIST, {len(x_train):,} + {len(x_val):,} images, from {path}{remark}",
            kind="real",
        )
    except DataError as error:
        raise _broken(path, str(error)) from error


def _broken(path: Path, reason: str) -> DataError:
    try:
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        checksum = f"unknown, {error}"
    return DataError(
        f"{path} (sha256 {checksum}) is not a usable {FILE}: {reason.rstrip('.')}; "
        "delete it and run `dlcv04 fetch mnist`."
    )
