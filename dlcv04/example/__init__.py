"""The example project that `dlcv04 new` writes: `examples/keras_src_layout`, which `project` beside this module is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from dlcv04 import atomic

__all__ = ["ExampleError", "write"]

_LEFT_BY_RUNS = frozenset({"__pycache__", ".pytest_cache", ".benchmarks", "reports", ".lock"})


class ExampleError(ValueError):
    """The project can't be written there; the message says why and what to do."""


def write(folder: Path) -> list[Path]:
    """Write the example project into a new or empty folder; return its files, in the order of their names.

    Raises:
        ExampleError: the folder holds something already (nothing is ever overwritten), is a file, or can't be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ExampleError(f"{folder} is a file: name a folder that is new or empty.")
    written = []
    try:
        sources = sorted(_files(resources.files(__name__) / "project", Path()))
        files = {folder / place: content for place, content in sources}
        done = _done(folder, files) if folder.is_dir() and any(folder.iterdir()) else set()
        for target, content in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target not in done:
                with atomic.creating(target) as file:
                    file.write(content)
            written.append(target)
    except OSError as error:
        raise ExampleError(f"{folder} can't be written ({error}): {len(written)} files were.") from error
    return written


def _done(folder: Path, files: Mapping[Path, bytes]) -> set[Path]:
    """Those of the files that a killed call left in a folder.

    Raises:
        ExampleError: the folder holds anything else, or all of them.
    """
    there = [path for path in folder.rglob("*") if not path.is_dir() and not atomic.is_leftover(path)]
    if len(there) == len(files) or any(files.get(path) != path.read_bytes() for path in there):
        raise ExampleError(f"{folder} is not empty, and nothing there is overwritten: name a folder that is new.")
    return set(there)


def _files(source: Traversable, place: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below `source`, but for what running it leaves there: where it belongs, and its content."""
    for entry in source.iterdir():
        if entry.name in _LEFT_BY_RUNS or entry.name.endswith(".egg-info"):
            continue
        if entry.is_dir():
            yield from _files(entry, place / entry.name)
        else:
            yield place / entry.name, entry.read_bytes()
