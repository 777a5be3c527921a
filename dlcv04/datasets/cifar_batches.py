"""CIFAR-10's "python version" as Keras leaves it in its cache, read without unpickling it.

The six files are pickles, and a pickle can run code. So their instructions are listed (`pickletools.genops` only
parses) and the two things of interest taken from the list: the numbers after the word "labels", and the longest string
of bytes.
"""

import hashlib
import io
import pickletools
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcv04.datasets.npz import Arrays

FOLDER = "cifar-10-batches-py"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
"""Of the archive, as Keras checks it."""

# As published with the data set; the extracted files have no other checksum.
_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
_PICTURE = 3 * 32 * 32
_TEXT = ("STRING", "UNICODE", "BYTES")  # what the names of a pickle's string instructions end with


class BatchError(ValueError):
    """Files that are not CIFAR-10's; the message is the reason alone."""


def read_folder(path: Path) -> Arrays:
    """The batches of a folder, or of its folder ``cifar-10-batches-py``.

    Returns:
        uint8 training pictures (images, 32, 32, 3), int32 labels, and those of the test batch.

    Raises:
        BatchError: a batch is missing, cut, or not the published one.
    """
    folder = path / FOLDER if (path / FOLDER).is_dir() else path

    def batch(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise BatchError(f"{name} can't be read ({error.strerror})") from error

    return _arrays(batch)


def read_archive(path: Path) -> Arrays:
    """The batches inside the published ``cifar-10-python.tar.gz``, read in memory; nothing is extracted.

    Raises:
        BatchError: the archive is cut or not the published one.
    """
    try:
        packed = path.read_bytes()
        if hashlib.sha256(packed).hexdigest() != SHA256:
            raise BatchError(f"its sha256 is not {SHA256}")
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            batches = {name: _member(archive, name) for name in _MD5}
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise BatchError(str(error)) from error
    return _arrays(batches.__getitem__)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        file = archive.extractfile(f"{FOLDER}/{name}")
    except KeyError as error:
        raise BatchError(f"it holds no {FOLDER}/{name}") from error
    if file is None:
        raise BatchError(f"its {FOLDER}/{name} is not a file")
    return file.read()


def _arrays(batch: Callable[[str], bytes]) -> Arrays:
    parts = []
    for name, md5 in _MD5.items():
        packed = batch(name)
        if hashlib.md5(packed, usedforsecurity=False).hexdigest() != md5:
            raise BatchError(f"{name} is cut or changed (its md5 is not {md5})")
        parts.append(unpack(packed, name))
    x, y = zip(*parts, strict=True)
    return np.concatenate(x[:-1]), np.concatenate(y[:-1]), x[-1], y[-1]


def unpack(packed: bytes, name: str = "the batch") -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """One batch's pictures, uint8 (images, 32, 32, 3), and int32 labels, from its pickle; nothing of it is run.

    Raises:
        BatchError: these bytes are no such pickle.
    """
    labels: list[int] = []
    pixels, in_labels = b"", False
    try:
        for code, value, _ in pickletools.genops(packed):
            if code.name.endswith(_TEXT):
                text = value if isinstance(value, bytes) else str(value).encode("latin-1")
                in_labels = text == b"labels"
                pixels = max(pixels, text, key=len)
            elif in_labels and code.name in ("BININT", "BININT1", "BININT2", "INT"):
                labels.append(int(str(value)))
    except (ValueError, UnicodeError, IndexError) as error:
        raise BatchError(f"{name} is not a pickle of a batch ({error})") from error
    if not labels or len(pixels) != len(labels) * _PICTURE:
        raise BatchError(f"{name} holds {len(labels)} labels and {len(pixels)} bytes of pictures")
    pictures = np.frombuffer(pixels, np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pictures), np.array(labels, np.int32)
