"""Arrays that are slow to compute, kept on disk: whole files only, safe against a second process and against damage.

Every key holds what made the arrays beside what they depend on, a hash of this package's code, and a file's name the
functions that were put in place of its own. What other code made is never found, so that nothing judges a network of
old code or of a planted fault. What a framework computed has `dlcv04.backends.facts` in its key, too.
"""

import functools
import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import numpy.typing as npt
import platformdirs

from dlcv04 import atomic
from dlcv04.code_hash import package_hash, replaced

Arrays = dict[str, npt.NDArray[Any]]


Tell = Callable[[str], None]


#: Parts of this package that decide nothing of what is kept.
COMPUTE_NOTHING = frozenset({"harness", "commands", "example", "cli.py", "fixtures.py", "workbench.py"})
_KEY = "key"  # the array that holds the JSON of what the others were computed from


class CacheError(ValueError):
    """A file of arrays that is missing, damaged or computed from something else; the message says which."""


def default_folder() -> Path:
    """``DLCV04_CACHE``, else the user's folder for caches; in a user's folder for scratch where there is no home."""
    if named := os.environ.get("DLCV04_CACHE"):
        return Path(named).expanduser()
    try:
        return Path(platformdirs.user_cache_dir("dlcv04"))
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"dlcv04-{os.getuid()}"


def location(kind: str, key: Mapping[str, Any], folder: str | Path | None = None) -> Path:
    """The file, which need not exist, of the arrays with this key; see `cached`."""
    place = Path(folder) if folder is not None else default_folder()
    made = _text(key) + replaced(without=COMPUTE_NOTHING)
    return place / f"{kind}-{hashlib.sha256(made.encode()).hexdigest()[:24]}.npz"


def cached(
    kind: str,
    key: Mapping[str, Any] | None,
    compute: Callable[[], Arrays],
    *,
    folder: str | Path | None = None,
    tell: Tell = lambda sentence: None,
) -> Arrays:
    """What `compute` gives, from disk where it was computed before; a second process waits for the first one's.

    Args:
        kind: the beginning of the file's name.
        key: all that the arrays depend on, as plain values for JSON; None if that can't be known: nothing is kept.
        compute: called where there is no such file, or a damaged one.
        folder: where the files lie; `default_folder` unless given.
        tell: is given a sentence when a file is damaged, or can't be written (then nothing is kept).
    """
    if key is None:
        return compute()
    path = location(kind, key, folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path.with_suffix(".lock")).acquire()
    except OSError as error:
        tell(f"Nothing can be kept in {path.parent} ({error}): set DLCV04_CACHE to a folder that can be written to.")
        return compute()
    with lock:
        return _locked(path, key, compute, tell)


def _locked(path: Path, key: Mapping[str, Any], compute: Callable[[], Arrays], tell: Tell) -> Arrays:
    if path.exists():
        try:
            return read(path, key)
        except CacheError as error:
            tell(f"{error} It is computed again.")
    arrays = compute()
    try:
        store(path, key, arrays)
    except OSError as error:
        tell(f"{path} can't be written ({error}): it will be computed again next time.")
    return arrays


def store(path: Path, key: Mapping[str, Any], arrays: Arrays) -> None:
    """Write the arrays with their key.

    Raises:
        OSError: the folder can't be written to.
    """
    with atomic.replacing(path) as file:
        np.savez(file, **{_KEY: np.array(_text(key))}, **arrays)  # type: ignore[arg-type]


def read(path: Path, key: Mapping[str, Any]) -> Arrays:
    """The arrays that were stored with this key.

    Raises:
        CacheError: the file can't be read, is damaged, or was stored with another key.
    """
    try:
        # Never unpickled; reading an array to its end checks its checksum.
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        stored = json.loads(str(arrays.pop(_KEY)))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise CacheError(f"{path} is damaged ({error}).") from error
    wanted = json.loads(_text(key))
    if stored != wanted:
        changed = [name for name in sorted({*stored, *wanted}) if stored.get(name) != wanted.get(name)]
        raise CacheError(f"{path} was stored with another {', '.join(changed)}.")
    return arrays


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps({**key, "made by": made_by()}, sort_keys=True, allow_nan=False)


@functools.cache
def made_by() -> dict[str, str]:
    """The code that computes what is kept here; the judge's half and the commands compute nothing."""
    return {"code": package_hash(Path(__file__).parent, without=COMPUTE_NOTHING), "numpy": np.__version__}
