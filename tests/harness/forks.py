"""A light stand-in for the pytest processes that the product starts: forks of this one, with all that it has imported.

A fresh interpreter imports pytest, the plugins and the harness anew, .7 s of a core each time. Where the interpreter
itself is the point (what it imports and from where, its environment, its command), tests let real ones start.
"""

import contextlib
import gc
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

_OURS = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]))


class Fork:
    """`pytest.main` in a fork, held as `subprocess.Popen` holds a process.

    Args:
        arguments: pytest's.
        stdout, stderr: files, or their descriptors, that it writes to.
        cwd: where it works; None for here.
        env: its environment; None for this one's.
        pass_fds: the descriptors that it keeps beside those.
    """

    def __init__(self, arguments, *, stdout, stderr, cwd=None, env=None, pass_fds=()):
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            code = -1
            gc.freeze()  # pytest collects at its end, and all that this process had imported would be walked through
            try:
                self._write_to(stdout, stderr, pass_fds)
                self._start_anew(arguments, cwd, env)
                known = "-Wignore::pytest.PytestAssertRewriteWarning"  # of the plugins that are imported already
                code = pytest.main([known, *map(str, arguments)])
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)

    @staticmethod
    def _write_to(stdout, stderr, kept):
        for place, file in ((1, stdout), (2, stderr)):
            os.dup2(file if isinstance(file, int) else file.fileno(), place)
        # Closed by another name: no file that is opened later gets the number of one that somebody still holds.
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            if descriptor > 2 and descriptor not in kept:
                with contextlib.suppress(OSError):
                    os.dup2(nothing, descriptor)
        sys.stdout, sys.stderr = (
            os.fdopen(place, "w", encoding="utf-8", buffering=1, closefd=False) for place in (1, 2)
        )

    @staticmethod
    def _start_anew(arguments, cwd, env):
        """What a new interpreter would do: take its folder, environment and path, and know nobody's modules."""
        if cwd is not None:
            os.chdir(cwd)
        if env is not None:
            given = dict(env)
            os.environ.clear()
            os.environ.update(given)
        sys.argv = [pytest.__file__, *map(str, arguments)]
        sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
        for name, module in list(sys.modules.items()):
            places = [getattr(module, "__file__", None) or "", *(getattr(module, "__path__", None) or [])]
            if any(place.startswith("/") and not place.startswith(_OURS) for place in places):
                del sys.modules[name]
        named = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        sys.path[:] = [str(Path.cwd()), *named, *(place for place in sys.path if place.startswith(_OURS))]
        importlib.invalidate_caches()

    def poll(self):
        if self.returncode is None:
            process, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if process else None
        return self.returncode

    def wait(self, timeout=None):
        end = time.monotonic() + (timeout or 0)
        while timeout is not None and self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("pytest", timeout)
            time.sleep(0.005)
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)


def _arguments(command):
    assert command[:3] == [sys.executable, "-m", "pytest"], command
    return command[3:]


def _popen(command, *, stdout, stderr, **options):
    assert stderr is subprocess.STDOUT
    return Fork(_arguments(command), stdout=stdout, stderr=stdout, **options)


def _run(command, *, capture_output, encoding, errors, check, **options):
    assert capture_output and not check
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = Fork(_arguments(command), stdout=out, stderr=err, **options).wait()
        told = []
        for file in (out, err):
            file.seek(0)
            told.append(file.read().decode(encoding, errors))
    return subprocess.CompletedProcess(command, code, *told)


#: In place of the module `subprocess` where the product starts a pytest.
FORKED = SimpleNamespace(Popen=_popen, run=_run, STDOUT=subprocess.STDOUT, TimeoutExpired=subprocess.TimeoutExpired)
