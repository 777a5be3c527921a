"""Files that appear whole or not at all: the one writer of the package, for both of its halves."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

#: The ending of a file that is being written.
PARTIAL = ".partial"
_OURS = re.compile(rf"\..*\.[0-9a-f]{{16}}{re.escape(PARTIAL)}", re.DOTALL)
_ABANDONED = 3600.0  # seconds after which a half-written file belongs to no living process


def write(path: Path, content: bytes) -> None:
    """Write a file that takes the path's place, as `replacing` does.

    Raises:
        OSError: it can't be written; the old file is as it was.
    """
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes the path's place at the end: whenever it is looked at, it is the old or the new one.

    Links are followed. What no file can take the place of (a device, a FIFO, the standard output) is written to at the
    end instead, in one go.

    Raises:
        OSError: the folder can't be written to; the old file is as it was.
    """
    there = _status(path)
    if there is not None and not stat.S_ISREG(there.st_mode):
        if stat.S_ISDIR(there.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        with _gathered(path) as file:
            yield file
        return
    if there is not None and (own := _own_output(there)) is not None:
        with _gathered(os.dup(own)) as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    with _beside(target) as (part, file):
        if there is not None:  # one that only its owner may read stays so
            with contextlib.suppress(OSError):  # a file system without modes
                part.chmod(stat.S_IMODE(there.st_mode))
        yield file
        _flush(file)
        part.replace(target)
    _sync(target.parent)


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
        publish(part, path)
    _sync(path.parent)


def require_writable(folder: Path) -> None:
    """Try to write in a folder, before minutes of work.

    Raises:
        OSError: it can't be written to.
    """
    with _beside(folder / "probe"):
        pass


def sweep(folder: Path, *, of: str = "", older_than: float = _ABANDONED) -> None:
    """Remove what processes left that were killed while they wrote into a folder: only files of ours, only old ones.

    Args:
        folder: need not exist.
        of: how the names of one file's halves begin: whatever follows, they are ours.
        older_than: seconds since the last byte; whoever holds a lock on the folder knows that all are left over.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_leftover(Path(entry.path)) or (of and entry.name.startswith(of) and entry.name.endswith(PARTIAL)):
                with contextlib.suppress(OSError):  # another process was faster, or it is another user's
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > older_than:
                        Path(entry.path).unlink()


def is_leftover(path: Path) -> bool:
    """Whether a file is one of ours that is being written, or was when its process was killed."""
    return _OURS.fullmatch(path.name) is not None


def _status(path: Path) -> os.stat_result | None:
    """What is at the end of a path's links, None where nothing is yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _own_output(there: os.stat_result) -> int | None:
    """The descriptor of our output where that file is it: a second opening would write over what is printed."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # closed
            if os.path.samestat(there, os.fstat(descriptor)):
                return descriptor
    return None


@contextlib.contextmanager
def _gathered(into: Path | int) -> Iterator[IO[bytes]]:
    """A file in memory, written at the end to what can't be written beside and renamed."""
    file = io.BytesIO()
    yield file
    with open(into, "wb") as sink:  # noqa: PTH123 - a descriptor is no path
        sink.write(file.getvalue())


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    begin = path.name.encode("utf-8", "surrogateescape")[:150].decode("utf-8", "ignore")
    sweep(path.parent, of=f".{begin}.")
    part = path.with_name(f".{begin}.{secrets.token_hex(8)}{PARTIAL}")
    try:
        try:
            file = part.open("xb")  # not tempfile's, which others of the group could not read
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None  # a person knows this name alone
        with file:
            yield part, file
    finally:
        with contextlib.suppress(OSError):  # gone when all went well, or never made
            part.unlink()


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def publish(part: Path, path: Path) -> None:
    """Give a finished file its name in one step; it may have the other one still.

    Raises:
        FileExistsError: there is a file of this name; it stays.
        OSError: the folder can't be written to.
    """
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
