"""Downloads of data sets, with progress and checksum. Nothing but the ``dlcv04 fetch`` command calls this."""

import difflib
import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from dlcv04.datasets import DataError
from dlcv04.datasets.mnist import keras_cache

_CHUNK = 1 << 16
_TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True)
class Download:
    """A file on the web: its name here, its address, and the SHA-256 (hexadecimal) that it must have."""

    file: str
    url: str
    sha256: str


DOWNLOADS: dict[str, Download] = {
    "mnist": Download(
        "mnist.npz",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
}
"""What can be fetched, by data set."""


class FetchError(RuntimeError):
    """A download that failed or brought the wrong bytes; nothing was left behind."""


def fetch(name: str, folder: str | Path | None = None, *, download: Download | None = None, show: bool = True) -> Path:
    """Download a data set's file, check it, and only then put it in its place.

    Args:
        name: data set, one of `DOWNLOADS`.
        folder: where to; else ``DLCV04_DATA``, else Keras's cache.
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
    target = Path(folder or os.environ.get("DLCV04_DATA") or keras_cache()).expanduser() / wanted.file
    if target.is_file() and _checksum(target) == wanted.sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{wanted.file}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise FetchError(f"{target.parent} can't be written to ({error}); name another folder.") from error
    os.close(handle)
    try:
        _download(wanted, Path(part), show)
        Path(part).replace(target)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(
            f"Fetching {wanted.url} failed ({_reason(error)}): check the network, or put {wanted.file} into "
            f"{target.parent} by hand."
        ) from error
    finally:
        with suppress(FileNotFoundError):  # gone when all went well
            Path(part).unlink()
    return target


def _download(wanted: Download, part: Path, show: bool) -> None:
    """Bring the file to `part`, or raise OSError (network, disk) or FetchError (wrong bytes)."""
    digest = hashlib.sha256()
    # tempfile's files are for one user alone; a data file is for all.
    part.chmod(0o644)
    with (
        urllib.request.urlopen(wanted.url, timeout=_TIMEOUT) as response,
        part.open("wb") as file,
        Progress(disable=not show, console=Console(stderr=True)) as progress,
    ):
        length = int(response.headers.get("Content-Length") or 0)
        task = progress.add_task(wanted.file, total=length or None)
        received = 0
        while chunk := response.read(_CHUNK):
            digest.update(chunk)
            received += file.write(chunk)
            progress.update(task, advance=len(chunk))
        file.flush()
        os.fsync(file.fileno())
    if received < length:
        raise ConnectionError(f"the connection ended after {received:,} of {length:,} bytes")
    if digest.hexdigest() != wanted.sha256:
        raise FetchError(
            f"{wanted.url} gave {received:,} bytes with sha256 {digest.hexdigest()} instead of {wanted.sha256}: "
            "nothing was kept; try again, or get the file elsewhere."
        )


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error)
