"""Files that appear whole or not at all: the one writer of the package, for both of its halves."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

#: The ending of a file that is being written.
PARTIAL = ".partial"
_ABANDONED = 3600.0  # seconds after which a half-written file belongs to no living process


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes the path's place at the end: whenever it is looked at, it is the old or the new one.

    Raises:
        OSError: the folder can't be written to; the old file is as it was.
    """
    with _beside(path) as (part, file):
        yield file
        _flush(file)
        part.replace(path)
    _sync(path.parent)


@contextlib.contextmanager
def creating(path: Path) -> Iterator[IO[bytes]]:
    """The same for a new file: it never takes the place of another.

    Raises:
        FileExistsError: there is a file of this name.
        OSError: the folder can't be written to.
    """
    with _beside(path) as (part, file):
        yield file
        _flush(file)
        _publish(part, path)
    _sync(path.parent)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    _sweep(path)
    part = path.with_name(f".{path.name[:150]}.{secrets.token_hex(8)}{PARTIAL}")
    try:
        with part.open("xb") as file:  # not tempfile's, which others of the group could not read
            yield part, file
    finally:
        with contextlib.suppress(OSError):  # gone when all went well, or never made
            part.unlink()


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _publish(part: Path, path: Path) -> None:
    """Give a finished file its name in one step; never in the place of another."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: whoever writes here holds a lock, so nobody comes between the two lines.
        if path.exists():
            raise FileExistsError(f"{path} exists already") from None
        part.rename(path)


def _sync(folder: Path) -> None:
    """Make a new name survive a power cut, on systems that can do that for a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(path: Path) -> None:
    """Remove what processes left that were killed while they wrote this file."""
    for part in path.parent.glob(f".{path.name[:150]}.*{PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()
