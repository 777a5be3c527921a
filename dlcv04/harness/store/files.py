"""Strict JSON, and the one atomic writer."""

from __future__ import annotations

import contextlib
import json
import math
import numbers
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

PARTIAL = ".partial"


class BaselineError(ValueError):
    """A selector, an acceptance or the store itself is wrong; the message says what to do next."""


def strict(value: Any) -> Any:
    """The same value in what strict JSON and UTF-8 hold: NaN and infinity as null, numbers as Python's."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, Mapping):
        return {strict(str(name)): strict(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return strict(msgspec.to_builtins(value))
    raise BaselineError(
        f"A {type(value).__name__} ({value!r:.60}) has no place in a stored run: store numbers or text."
    )


def encode(document: Mapping[str, Any]) -> bytes:
    """A document as strict JSON in UTF-8, keys sorted, a line a value."""
    text = json.dumps(document, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode("utf-8")


def write_json(folder: Path, name: str, value: Any) -> Path:
    """Write a value as strict JSON to `<folder>/<name>.json`, atomically, never in the place of another.

    Raises:
        BaselineError: it can't be written.
    """
    target = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(target, encode(value))
    except OSError as error:
        raise BaselineError(f"{target} can't be written ({error}): nothing was stored.") from error
    return target


def write_atomically(target: Path, text: bytes) -> None:
    """Write a file that appears whole or not at all, and never in the place of another.

    Raises:
        FileExistsError: there is one of this name.
        OSError: it can't be written.
    """
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        _publish(Path(temporary), target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    _sync(target.parent)


def json_files(folder: Path) -> list[Path]:
    """The JSON files of a folder, by name."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def _publish(temporary: Path, target: Path) -> None:
    """Give a finished file its name in one step; never in the place of another."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links. The lock is held, so nobody can come between the two lines.
        if target.exists():
            raise FileExistsError(f"{target} exists already") from None
        temporary.rename(target)


def _sync(folder: Path) -> None:
    """Make a new name survive a power cut, on systems that can do that for a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
