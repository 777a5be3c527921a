"""Downloads of data and weights, with progress and checksum. Nothing but the ``dlcv04 fetch`` command calls this.

Not by pooch (1.9 was tried): it would save 30 lines and bring requests and tqdm. A killed download of it leaves a file
of up to 553 MB by a name that nobody can tell from others' (``tmpXXXX``), so that none can be swept; nothing is on disk
for certain before its name changes; and a connection that is cut is said in the words of requests' exceptions.
"""

import difflib
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dlcv04 import atomic
from dlcv04.datasets import DataError, cifar10, cifar_batches
from dlcv04.datasets.sources import keras_cache
from dlcv04.lazy import LazyModule

rich_console, rich_progress = LazyModule("rich.console"), LazyModule("rich.progress")

_CHUNK = 1 << 16
_TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True)
class Download:
    """A file on the web: its name here, its address, and the checksum (hexadecimal) that it must have.

    The checksum is a SHA-256, or an MD5 where its publisher gives no other. `cache` is the folder within Keras's cache
    ("datasets" or "models") that the file belongs to; only data sets may lie in ``DLCV04_DATA``.
    """

    file: str
    url: str
    sha256: str = ""
    md5: str = ""
    cache: str = "datasets"

    @property
    def expected(self) -> str:
        """The checksum with its kind, as in "md5 6d6b..."."""
        return f"sha256 {self.sha256}" if self.sha256 else f"md5 {self.md5}"

    def actual(self, path: Path) -> str:
        """The file's checksum, written like `expected`."""
        kind = self.expected.partition(" ")[0]
        with path.open("rb") as file:
            return f"{kind} {hashlib.file_digest(file, kind).hexdigest()}"


_KERAS_APPLICATIONS = "https://storage.googleapis.com/tensorflow/keras-applications"

DOWNLOADS: dict[str, Download] = {
    "mnist": Download(
        "mnist.npz",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
    "cifar10": Download(
        cifar10.ARCHIVE, "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", cifar_batches.SHA256
    ),
    "vgg16": Download(
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_KERAS_APPLICATIONS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        md5="6d6bbae143d832006294945121d1f1fc",
        cache="models",
    ),
    "vgg16-top": Download(
        "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        f"{_KERAS_APPLICATIONS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        md5="64373286793e3c8b2b4e3219cbf3544b",
        cache="models",
    ),
}
"""What can be fetched: data sets, and VGG16's ImageNet weights without and with its dense layers (59 and 553 MB)."""


class FetchError(RuntimeError):
    """A download that failed or brought the wrong bytes; nothing was left behind."""


def fetch(name: str, folder: str | Path | None = None, *, download: Download | None = None, show: bool = True) -> Path:
    """Download a file, check it, and only then put it in its place.

    Args:
        name: one of `DOWNLOADS`.
        folder: where to; else ``DLCV04_DATA`` for a data set, else Keras's cache.
        download: another address and checksum than the known one.
        show: show a progress bar on standard error.

    Returns:
        The file's path. A file already there with the right checksum is kept; with a wrong one it is replaced.

    Raises:
        DataError: there is no such download.
        FetchError: the network, the disk or the checksum failed.
    """
    wanted = download or DOWNLOADS.get(name)
    if wanted is None:
        near = difflib.get_close_matches(name.lower(), DOWNLOADS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(DOWNLOADS)}."
        raise DataError(f"There is nothing to fetch for {name!r}; {hint}")
    shared = os.environ.get("DLCV04_DATA") if wanted.cache == "datasets" else None
    target = Path(folder or shared or keras_cache().with_name(wanted.cache)).expanduser() / wanted.file
    if target.is_file() and wanted.actual(target) == wanted.expected:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(target) as file:
            try:
                _download(wanted, file, show)
            except (OSError, http.client.HTTPException) as error:
                raise FetchError(
                    f"Fetching {wanted.url} failed ({_reason(error)}): check the network, or put {wanted.file} into "
                    f"{target.parent} by hand."
                ) from error
    except OSError as error:
        raise FetchError(f"{target.parent} can't be written to ({error}); name another folder.") from error
    return target


def _download(wanted: Download, file: IO[bytes], show: bool) -> None:
    """Bring the bytes to `file`, or raise OSError (network, disk) or FetchError (wrong bytes)."""
    kind = wanted.expected.partition(" ")[0]
    digest = hashlib.new(kind)
    with (
        urllib.request.urlopen(wanted.url, timeout=_TIMEOUT) as response,
        rich_progress.Progress(disable=not show, console=rich_console.Console(stderr=True)) as progress,
    ):
        length = int(response.headers.get("Content-Length") or 0)
        task = progress.add_task(wanted.file, total=length or None)
        received = 0
        while chunk := response.read(_CHUNK):
            received += file.write(chunk)
            digest.update(chunk)
            progress.update(task, advance=len(chunk))
    if received < length:
        raise ConnectionError(f"the connection ended after {received:,} of {length:,} bytes")
    actual = f"{kind} {digest.hexdigest()}"
    if actual != wanted.expected:
        raise FetchError(
            f"{wanted.url} gave {received:,} bytes with {actual} instead of {wanted.expected}: nothing "
            "was kept; try again, or get the file elsewhere."
        )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error)
