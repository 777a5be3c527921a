"""What lies in a store: the files that are looked into, and what is there and can't count.

A file that nobody looks into would be a baseline that is lost unsaid, so whatever looks like one is named.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dlcv04.harness.store import reading

#: Beside the folders of runs: the figures of 2016, not read here.
PUBLISHED = "published"
#: Within a machine class's folder: its self-tests.
SELFTEST = "selftest"


class Contents(NamedTuple):
    """Files of the form root/folder/name.json, whatever they are, and a sentence for each other place of a run."""

    files: list[Path]
    problems: dict[Path, str]


def contents(root: Path) -> Contents:
    """What lies in a store, which need not be there."""
    found = Contents([], {})
    if root.is_symlink() or os.path.lexists(root):
        for entry in _entries(root, found):
            _sort_in(entry, found)
    return found


def _sort_in(entry: os.DirEntry[str], found: Contents) -> None:
    """One entry of the store's own folder: a folder of runs, a run in the wrong place, or neither."""
    path = Path(entry.path)
    if entry.name == PUBLISHED:
        return
    if os.path.isdir(path):  # noqa: PTH112 - the others raise at a link to itself
        _look_into(path, found)
    elif _is_json(path):
        if entry.name != "manifest.json":
            _misplaced(path, found, "it lies beside the folders of runs, where none is looked for")
    else:  # a link to a share that is not mounted may bear a machine class's name
        found.problems[path] = f"{path} is not a folder, so it holds no runs: mount or restore what belongs there."


def _look_into(folder: Path, found: Contents) -> None:
    for entry in _entries(folder, found):
        path = Path(entry.path)
        if os.path.isdir(path):  # noqa: PTH112
            if entry.name != SELFTEST:
                for deeper in _below(path, found):
                    _misplaced(deeper, found, "it lies a folder too deep, where no run is looked for")
        elif path.suffix == ".json":
            found.files.append(path)
        elif _is_json(path):
            _misplaced(path, found, f"runs are looked for in files that end with .json, not with {path.suffix}")


def _entries(folder: Path, found: Contents) -> list[os.DirEntry[str]]:
    """The entries of a folder by name, without hidden ones."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name)
    except OSError as error:
        found.problems[folder] = (
            f"{folder} can't be read ({error.strerror}), so it is unknown which runs are in it: fix its permissions, "
            "or mount or restore what belongs there."
        )
        return []


def _below(folder: Path, found: Contents) -> Iterator[Path]:
    """Every JSON file below a folder."""
    for entry in _entries(folder, found):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _below(path, found)
        elif _is_json(path):
            yield path


def _misplaced(path: Path, found: Contents, why: str) -> None:
    if not _is_foreign(path):
        found.problems[path] = f"{path} is not read: {why}. Move it to where it was accepted, or delete it."


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _is_foreign(path: Path) -> bool:
    """Whether a file is whole JSON of somebody else, who may have a folder of this name for other things."""
    try:
        document = json.loads(reading.contents(path))
    except (reading.RunFileError, ValueError, RecursionError):
        return False
    return not isinstance(document, dict) or "dlcv04" not in document
