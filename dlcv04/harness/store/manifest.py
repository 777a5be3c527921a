"""The manifest of a store: which accepted files there must be, and which of their tests were retired.

It is written with every acceptance. A file that it lists and that is gone, cut or changed is a loss that a run reports
in red: without the list, deleting a baseline would look like never having had one.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from dlcv04 import atomic
from dlcv04.harness.store import files
from dlcv04.harness.store.files import BaselineError
from dlcv04.harness.store.reading import RunFileError, parse
from dlcv04.harness.store.schema import Commit, Record, Run

#: Stands beside the folders, which alone hold runs.
NAME = "manifest.json"
MANIFEST = 1


class Retired(Record, frozen=True, kw_only=True):
    """A test that was taken out of the files that there were: it is neither gated nor missed in them any more.

    `test` is its node id, or the name of a whole file that was deleted on purpose.
    """

    test: str
    reason: str
    retired: str
    commit: Commit = Commit()
    files: list[str] = []


class Manifest(Record, frozen=True, kw_only=True):
    """The accepted files, "folder/name.json" with the sha256 that each carries, and the retired tests."""

    manifest: int = MANIFEST
    files: dict[str, str] = {}
    retired: list[Retired] = []

    def names(self) -> set[str]:
        """Every file that was ever listed here: no other gets the name of one."""
        return {*self.files, *(name for entry in self.retired for name in entry.files)}

    def without_retired(self, name: str, run: Run) -> Run:
        """The run of a file without the tests that were retired in it, and their controls."""
        gone = {entry.test for entry in self.retired if name in entry.files}
        if not gone:
            return run
        gone |= {_control_of(test) for test in gone}
        claims = [claim for claim in run.claims if claim.test not in gone]
        return msgspec.structs.replace(run, claims=claims, arms=[arm for arm in run.arms if arm.test not in gone])

    def lost(self, root: Path, folders: Collection[str]) -> dict[Path, str]:
        """A sentence for each listed file of these folders that is not there."""
        listed = [root / name for name in self.files if name.partition("/")[0] in folders]
        # The hidden name first: a file that takes its own in between is then found by that.
        gone = [path for path in listed if not (_is_there(files.staged(path)) or _is_there(path))]
        return {
            path: f"{path} was accepted and is gone: restore it from git, or, where it was deleted on purpose, say so "
            f"with `dlcv04 accept --retire {shlex.quote(f'{root.name}/{path.relative_to(root).as_posix()}')}`."
            for path in gone
        }

    def is_retired(self, test: str, files: Collection[str]) -> bool:
        """Whether a test was taken out of all these files."""
        return set(files) <= {name for entry in self.retired if entry.test == test for name in entry.files}

    def named(self, tests: Iterable[str], test: str) -> str:
        """The test as it is stored.

        Raises:
            BaselineError: it is not; the message names similar ones.
        """
        known = sorted(set(tests))
        if test in known:
            return test
        near = difflib.get_close_matches(test, known, 3, 0.5) or known[:3]
        there = f"stored are, for example, {', '.join(near)}" if near else "no test is stored"
        raise BaselineError(f"No stored run has the test {test!r}, so there is nothing to retire; {there}.")


def _is_there(path: Path) -> bool:
    """Whether there is anything but a folder, which reading would tell of."""
    return os.path.lexists(path) and not os.path.isdir(path)  # noqa: PTH112 - Path's raises where it may not look


def _control_of(test: str) -> str:
    """The node id of a test's control."""
    return f"{test[:-1]}-control]" if test.endswith("]") else f"{test}[control]"


def read(root: Path) -> Manifest | None:
    """The manifest of a store, None where it has none (it was made by an earlier version, or is empty).

    Raises:
        RunFileError: it can't be read; the message says what to do.
    """
    path = root / NAME
    if not os.path.lexists(path):
        return None
    try:
        document = parse(path)
        if set(document) != {"manifest", "files", "retired"} or document["manifest"] != MANIFEST:
            raise RunFileError(f"it is not a list of version {MANIFEST}")
        return msgspec.convert(document, Manifest)
    except (RunFileError, msgspec.ValidationError) as error:
        # Not in the words of other files: who deletes the list can't tell any more what was accepted.
        raise RunFileError(f"{path} can't be read ({error.__cause__ or error}): restore it from git.") from error


def moment(root: Path) -> tuple[int, int, int] | None:
    """What changes with every acceptance: while it stays the same, so do the accepted files."""
    try:
        found = (root / NAME).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def write(root: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the old one, in one step; whoever writes holds the store's lock.

    Raises:
        OSError: it can't be written; the old one is as it was.
    """
    atomic.write(root / NAME, files.encode(files.strict(msgspec.to_builtins(manifest))))
