"""Keras's npz files: four arrays x_train, y_train, x_test, y_test, read without unpickling anything."""

import hashlib
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import DataError, tree

_LARGEST_ARRAY = 2**30  # bytes; the pictures of CIFAR-10 have 154 MB
_UNREADABLE = (
    *(OSError, EOFError, KeyError, ValueError, TypeError, SyntaxError, NotImplementedError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)
_KEYS = ("x_train", "y_train", "x_test", "y_test")

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.uint8], npt.NDArray[np.int32]]


def read(path: Path, picture: tuple[int, ...], fetch: str) -> Arrays:
    """Training pictures and labels, test pictures and labels.

    Args:
        path: the file.
        picture: shape that one picture must have.
        fetch: name of the data set for ``dlcv04 fetch``, which messages advise.

    Returns:
        uint8 pictures (images, *picture) and int32 labels (images,), of training and of test.

    Raises:
        DataError: the file is broken, or an array is missing or of another type or shape.
    """
    try:
        if sentence := tree.no_file(path):
            raise DataError(sentence)
        _check_sizes(path)
        # Never unpickled: a data file must not be able to run code.
        with np.load(path, allow_pickle=False) as archive:
            x_train, y_train, x_test, y_test = (archive[key] for key in _KEYS)
    except DataError:
        raise
    except _UNREADABLE as error:
        raise broken(path, str(error) or type(error).__name__, fetch) from error
    wanted = f"uint8 (images, {', '.join(map(str, picture))})"
    for array in (x_train, x_test):
        if array.dtype != np.uint8 or array.shape[1:] != picture:
            raise broken(path, f"its pictures are {array.dtype} of shape {array.shape}, not {wanted}", fetch)
    labels = [_labels(path, array, fetch) for array in (y_train, y_test)]
    return x_train, labels[0], x_test, labels[1]


def _check_sizes(path: Path) -> None:
    """Raises ValueError where an array declares more than lies in the file, or more than any of these data sets has."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.file_size > _LARGEST_ARRAY:
                raise ValueError(f"its {member.filename} unpacks to {member.file_size:,} bytes")
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                if version not in header:
                    raise ValueError(f"its {member.filename} is of version {version} of the format")
                shape, _, dtype = header[version](file)
                # Python's integers: NumPy's would wrap.
                declared = math.prod(map(int, shape)) * dtype.itemsize + file.tell()
            if not dtype.hasobject and declared != member.file_size:
                raise ValueError(
                    f"its {member.filename} declares {shape}, {declared:,} bytes, and has {member.file_size:,}"
                )


def _labels(path: Path, array: npt.NDArray, fetch: str) -> npt.NDArray[np.int32]:
    if array.ndim == 2 and array.shape[1] == 1:  # as Keras returns CIFAR-10's
        array = array[:, 0]
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise broken(
            path,
            f"its labels are {array.dtype} of shape {array.shape}, not whole numbers (images,) or (images, 1)",
            fetch,
        )
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < 0 or high > np.iinfo(np.int32).max:  # cast, they would be other labels
        raise broken(path, f"its labels run from {low} to {high}, beyond any class", fetch)
    return array.astype(np.int32)


def broken(path: Path, reason: str, fetch: str) -> DataError:
    """The error for a file that can't be used, with its checksum."""
    try:
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        checksum = f"unknown, {error}"
    return DataError(
        f"{path} (sha256 {checksum}) is not a usable {path.name}: {reason.rstrip('.')}; "
        f"delete it and run `dlcv04 fetch {fetch}`."
    )
