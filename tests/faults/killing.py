"""Kills a process after each of its file system calls, in forks of a warm process: milliseconds each.

Counted are the calls that change what is on disk, as Python's audit hooks tell of them before they are made (open for
writing, rename, link, remove, mkdir, rmdir, truncate, chmod), and `os.fsync`.
"""

import contextlib
import gc
import io
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

#: How a process ends: at once, at once with the half of a file that it was just writing, or by Ctrl-C.
WAYS = ("kill", "torn", "interrupt")

_CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.symlink"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Ended:
    """How a forked process ended: its exit code (minus the signal), and what it printed."""

    code: int
    printed: str


def forked(action: Callable[[], object], *, at: int = 0, way: str = "kill") -> Ended:
    """Do something in a fork of this process, which ends `way` before its file system call number `at` (from 1)."""
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                gc.freeze()
                sys.stdout.flush()
                os.dup2(printed.fileno(), 1)
                os.dup2(printed.fileno(), 2)
                sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
                sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
                signal.signal(signal.SIGINT, signal.default_int_handler)
                _watch(at, way)
                code = _code(action)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), printed.read().decode("utf-8", "replace"))


def warm(action: Callable[[], object]) -> None:
    """Do it once in this process, so that each fork finds imported what it needs."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert _code(action) == 0


def attacks(action: Callable[[], object], way: str, most: int = 400) -> Iterator[Ended]:
    """The same action, killed at its first call, at its second, and so on; the last one ends by itself.

    Whoever asks puts everything back before going on.
    """
    for at in range(1, most):
        ended = forked(action, at=at, way=way)
        yield ended
        if ended.code >= 0 and not (way == "interrupt" and ended.code == 130):
            return
    raise AssertionError(f"{most} calls, and it has not ended yet")


def _code(action: Callable[[], object]) -> int:
    try:
        action()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1 if error.code else 0
    except KeyboardInterrupt:
        return 130
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    return 0


def _watch(at: int, way: str) -> None:
    count = 0
    sync = os.fsync

    def call(file: int | None = None) -> None:
        nonlocal count
        count += 1
        if count != at:
            return
        if way == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            return
        if way == "torn" and file is not None:
            with contextlib.suppress(OSError):  # a folder
                os.ftruncate(file, os.fstat(file).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

    def heard(event: str, arguments: Any) -> None:
        if event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING):
            call()

    def synced(file: int) -> None:
        call(file)
        sync(file)

    if at:
        os.fsync = synced
        sys.addaudithook(heard)
