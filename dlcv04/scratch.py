"""Folders for work in progress, and the end of those whose process was killed: for both halves of the package."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import filelock
else:
    filelock = LazyModule("filelock")

#: How the names of the folders begin.
PREFIX = "dlcv04-scratch-"
#: The lock that a folder's process holds as long as it lives.
_ALIVE = ".alive"
_ABANDONED = 3600.0  # seconds after which a folder that nobody holds is left over, and not just being made


class Scratch(tempfile.TemporaryDirectory[str]):
    """A folder in the system's temporary one, removed as `tempfile.TemporaryDirectory` does.

    A killed process leaves its folder behind. Whoever makes the next one removes it: only folders of this user and of
    this name, unchanged for an hour, whose process is gone.

    Raises:
        OSError: the temporary folder can't be written to.
    """

    def __init__(self) -> None:
        sweep()
        super().__init__(prefix=PREFIX, ignore_cleanup_errors=True)
        self._lock = filelock.FileLock(Path(self.name) / _ALIVE)
        with contextlib.suppress(NotImplementedError):  # a file system without locks, where nothing is swept either
            self._lock.acquire()


def sweep(*, older_than: float = _ABANDONED) -> None:
    """Remove the folders of killed processes.

    Args:
        older_than: seconds since the last entry was made in one.
    """
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):  # another process was faster
                    there = entry.stat(follow_symlinks=False)
                    if there.st_uid == os.getuid() and time.time() - there.st_mtime > older_than:
                        _remove(Path(entry.path))


def _remove(folder: Path) -> None:
    try:
        filelock.FileLock(folder / _ALIVE, timeout=0).acquire().lock.release()
    except (filelock.Timeout, NotImplementedError):
        return
    shutil.rmtree(folder, ignore_errors=True)
