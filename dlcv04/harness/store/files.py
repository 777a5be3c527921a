"""What is stored: strict JSON in files that are never overwritten."""

from __future__ import annotations

import json
import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dlcv04 import atomic
from dlcv04.harness.store.schema import finite

_STAGED = ".staged"


class BaselineError(ValueError):
    """A selector, an acceptance or the store itself is wrong; the message says what to do next."""


def strict(value: Any) -> Any:
    """The same value in what strict JSON and UTF-8 hold: what is no figure (`finite`) as null, numbers as Python's."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return finite(float(value))
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
        with atomic.creating(target) as file:
            file.write(encode(value))
    except OSError as error:
        raise BaselineError(f"{target} can't be written ({error}): nothing was stored.") from error
    return target


def staged(path: Path) -> Path:
    """Where a file lies that is to become `path`, until all of its acceptance is there."""
    return path.with_name(f".{path.name}{_STAGED}")


def staged_in(root: Path) -> list[Path]:
    """The files below a store's folders that wait for their names."""
    return sorted(root.glob(f"*/.*{_STAGED}"))


def unstaged(path: Path) -> Path:
    """The path that a staged file is to become."""
    return path.with_name(path.name.removeprefix(".").removesuffix(_STAGED))
