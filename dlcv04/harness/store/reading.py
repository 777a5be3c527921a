"""Reading a stored run: parse, decode, check its hash."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

import msgspec

from dlcv04.harness.store import checking, files, older
from dlcv04.harness.store.schema import SCHEMA, Run

#: Bytes of the largest file that is read: sixty times what the largest suite stored so far takes.
LARGEST = 64 * 2**20


class RunFileError(ValueError):
    """A stored run can't be read; the message names the file and what to do."""


def decode_run(block: Any, where: str) -> Run:
    """Read a `dlcv04` block, `where` being the file it came from.

    Raises:
        RunFileError: the block is missing, of another schema or of the wrong shape.
    """
    if not isinstance(block, dict):
        raise RunFileError(f"{where} holds no `dlcv04` block: it is not a run of this harness.")
    block = older.upgraded(block)
    if block.get("schema") != SCHEMA:
        raise RunFileError(
            f"{where} has schema {block.get('schema')!r}, this version of dlcv04 reads schema {SCHEMA}: "
            "store a new baseline with `dlcv04 baseline`."
        )
    try:
        run = None if (fault := checking.unfit_value(block)) else msgspec.convert(block, Run)
    except msgspec.ValidationError as error:
        run, fault = None, str(error)
    fault = fault or (checking.contradiction(run) if run is not None else "")
    if run is None or fault:
        raise RunFileError(f"{where} was cut or edited by hand ({fault}): restore it from git or delete it.")
    return run


def contents(path: Path) -> bytes:
    """What is in a stored file.

    Raises:
        RunFileError: it can't be opened, is not a regular file (a FIFO would be waited for, a device has no end), or is
            larger than `LARGEST`.
    """
    try:
        with _opened(path) as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise RunFileError(f"{path} can't be opened: {error.strerror}.") from error
    if len(text) > LARGEST:
        raise RunFileError(
            f"{path} is larger than the {LARGEST // 2**20} MiB that a stored file may have: restore it from git or "
            "delete it."
        )
    return text


def _opened(path: Path) -> IO[bytes]:
    """Open a stored file, also where it waits for its name: its writer may have been killed, or be at it just now."""
    try:
        return _regular(path)
    except FileNotFoundError:
        for place in (files.staged(path), path):
            with contextlib.suppress(FileNotFoundError):
                return _regular(place)
        raise


def _regular(path: Path) -> IO[bytes]:
    """Open a file for reading, if it is one.

    Raises:
        OSError: it can't be opened.
        RunFileError: it is anything else.
    """
    if stat.S_ISREG(path.stat().st_mode):  # asked before it is opened, which a device may notice
        return path.open("rb")
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise RunFileError(f"{path} is not a regular file: restore it from git or delete it.")


def read_run(path: Path | str) -> Run:
    """Read a stored run from a file of pytest-benchmark's JSON form.

    Raises:
        RunFileError: the file can't be opened, is no JSON, or holds no valid run.
    """
    return decode_run(parse(Path(path)).get("dlcv04"), str(path))


def read_stored(path: Path | str) -> Run:
    """Read a run from a file anywhere; where it was accepted, check that nobody changed it since.

    Raises:
        RunFileError: the file can't be opened, is cut, holds no run, or was edited by hand.
    """
    document = parse(Path(path))
    run = decode_run(document.get("dlcv04"), str(path))
    if run.acceptance is not None and run.acceptance.sha256 != content_hash(document):
        raise RunFileError(f"{path} was edited by hand, its hash no longer matches: restore it from git or delete it.")
    return run


def content_hash(document: Mapping[str, Any]) -> str:
    """Return the sha256 of a document's canonical JSON (sorted keys, no spaces), without the hash itself."""
    block = dict(document["dlcv04"])
    block["acceptance"] = {name: value for name, value in (block["acceptance"] or {}).items() if name != "sha256"}
    return canonical_hash({**document, "dlcv04": block})


def canonical_hash(document: Mapping[str, Any]) -> str:
    """Return the sha256 of a document's canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def parse(path: Path) -> dict[str, Any]:
    """The JSON document in a file.

    Raises:
        RunFileError: it can't be opened, was cut, or holds no JSON object.
    """
    text = contents(path)
    if text.startswith(b"version https://git-lfs"):
        raise RunFileError(f"{path} is a pointer of Git LFS and not the file itself: run `git lfs pull`.")
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite_float)
    except (ValueError, RecursionError) as error:
        raise RunFileError(f"{path} was cut or is not JSON ({error}): restore it from git or delete it.") from error
    if not isinstance(document, dict):
        raise RunFileError(f"{path} holds no `dlcv04` block: it is not a run of this harness.")
    return document


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def run_id(path: Path) -> str | None:
    """The id of the run in a file, or None where that can't be read: `load` reports the file."""
    try:
        block = parse(path).get("dlcv04")
    except RunFileError:
        return None
    return block.get("id") if isinstance(block, dict) else None
