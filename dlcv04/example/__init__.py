"""The example project that `dlcv04 new` writes: its files are templates in `project/`, beside this module.

A template's name is that of its file plus `.tmpl`, with `dot_` for a leading dot, so that no tool that walks over this
package takes a template for the real thing. `${name}` and `${version}` are filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from dlcv04 import atomic

__all__ = ["ExampleError", "write"]

SUFFIX = ".tmpl"


class ExampleError(ValueError):
    """The project can't be written there; the message says why and what to do."""


def write(folder: Path) -> list[Path]:
    """Write the example project into a new or empty folder; return its files, in the order of their names.

    Raises:
        ExampleError: the folder holds something already (nothing is ever overwritten), is a file, or can't be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ExampleError(f"{folder} is a file: name a folder that is new or empty.")
    names = {"name": folder.resolve().name, "version": metadata.version("dlcv04")}
    written = []
    try:
        templates = sorted(_templates(resources.files(__name__) / "project", Path()))
        files = {folder / place: Template(text).substitute(names).encode() for place, text in templates}
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


def _templates(source: Traversable, place: Path) -> Iterator[tuple[Path, str]]:
    """Every template below `source`: where its file belongs in the project, and its text."""
    for entry in source.iterdir():
        if entry.is_dir():
            yield from _templates(entry, place / entry.name)
        elif entry.name.endswith(SUFFIX):
            name = entry.name.removesuffix(SUFFIX)
            hidden = name.startswith("dot_")
            yield place / (f".{name.removeprefix('dot_')}" if hidden else name), entry.read_text("utf-8")
