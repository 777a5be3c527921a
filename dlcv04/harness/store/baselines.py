"""The store of accepted runs: what later runs are compared with.

    baselines/
      manifest.json       the accepted files that there must be, and the tests retired from them
      published/          the figures of 2016; not read here
      portable/           learning curves and counts: no clock in them, valid on every machine
      <machine class>/    clocks: valid on this hardware only

A stored file is pytest-benchmark's JSON with a `dlcv04` block (`schema.Run`) whose `acceptance` says why,
when, from which commit, and carries the sha256 of the rest. Only `Store.accept` writes here, under a lock, and all or
nothing: the files wait under hidden names, count from the moment that the new manifest takes the place of the old one,
and then get their names, which nothing else ever had. What a killed process left of that, the next one that writes
completes, where the manifest lists it, or removes.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dlcv04 import atomic
from dlcv04.harness.store import acceptance, files, folders, manifest, reading, selection
from dlcv04.harness.store.acceptance import Candidate, Part
from dlcv04.harness.store.files import BaselineError
from dlcv04.harness.store.manifest import Manifest, Retired
from dlcv04.harness.store.reading import RunFileError, decode_run
from dlcv04.harness.store.schema import SECONDS, Acceptance, Commit, Run
from dlcv04.harness.store.stored import Loaded, Stored, StoredRun
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import filelock
else:
    filelock = LazyModule("filelock")


PORTABLE = "portable"


_LOCK = ".lock"


_NUMBERED = re.compile(r"(\d{4,})_.*\.json")


class _Ready(NamedTuple):
    """A file to store: its folder, the readable half of its name, its run, its hash and its text."""

    folder: Path
    name: str
    run_id: str
    sha256: str
    text: bytes


class Store:
    """The folder of accepted runs.

    Args:
        root: the folder, usually `baselines/`; it need not exist to be read.
        saved: the folder of runs that nobody accepted (`.benchmarks/`). A selector that matches no accepted
            run is looked up there.
    """

    def __init__(self, root: Path | str, saved: Path | str | None = None) -> None:
        self.root = Path(root)
        self.saved = Path(saved) if saved is not None else None

    def load(self, selectors: Sequence[str] = (), *, machine_class: str) -> Loaded:
        """Return the stored runs to compare with, without the tests that were retired.

        Without selectors: every accepted run of this machine class and every portable one. With them, those
        alone. A file that is gone, cut, edited by hand or out of place becomes a sentence in `lost`; the
        others still load.

        Args:
            selectors: values of `--benchmark-compare=`: a run's id, the number or name of a file, a glob
                over file names or paths below the store, or the path of a stored run anywhere. An accepted
                file is only used for its part; a run that nobody accepted is used for both.
            machine_class: the class of this machine, as `facts.machine_class` returns it.

        Raises:
            BaselineError: a selector matches nothing (the message names what exists), or is a folder, a
                `.py` file or a node id.
        """
        loaded = Loaded([], [], [], {})
        mine = {PORTABLE, machine_class}
        paths, problems, listed = self._seen(loaded.lost)
        if selectors:
            paths = self._select(selectors, paths)
        else:
            loaded.lost.update({path: said for path, said in problems.items() if self._concerns(path, mine)})
        for path in paths:
            silent = not selectors and path.parent.name not in mine
            try:
                run = self._read(path)
                if self._is_accepted(path) and listed is not None:
                    run = self._listed(path, run, listed)
                elif run.acceptance is not None and run.acceptance.listed and self._is_accepted(path):
                    if not silent:
                        loaded.lost[self.root / manifest.NAME] = self._manifest_gone()
                    continue
                _sort_in(loaded, StoredRun(path, run), machine_class)
            except RunFileError as error:
                # A broken file of other hardware decides nothing here; its own machine reports it.
                if not silent:
                    loaded.lost[path] = str(error)
        if listed is not None and not selectors:
            gone = listed.lost(self.root, mine)
            loaded.lost.update({path: said for path, said in gone.items() if path.parent not in loaded.lost})
        return loaded

    def _seen(self, lost: dict[Path, str]) -> tuple[list[Path], dict[Path, str], Manifest | None]:
        """Files, problems of the folders, and the manifest, all of one moment between two acceptances."""
        while True:
            before = manifest.moment(self.root)
            # Before the folders are listed: a file that gets its name in between is then seen twice, not never.
            waiting = [files.unstaged(path) for path in files.staged_in(self.root)]
            found = folders.contents(self.root)
            listed = self._manifest(lost)
            if manifest.moment(self.root) == before:
                break
        counted = {path for path in waiting if listed is not None and _name(path) in listed.files}
        return sorted({*found.files, *counted}), found.problems, listed

    def _concerns(self, path: Path, mine: set[str]) -> bool:
        """Whether a place that can't be read may hold a run of one of these folders."""
        inside = path.relative_to(self.root).parts
        return not inside or not set(inside).isdisjoint(mine) or (len(inside) == 1 and path.suffix.lower() == ".json")

    def _manifest(self, lost: dict[Path, str]) -> Manifest | None:
        try:
            return manifest.read(self.root)
        except RunFileError as error:
            lost[self.root / manifest.NAME] = str(error)
            return Manifest()

    def _manifest_gone(self) -> str:
        return (
            f"{self.root / manifest.NAME} is missing, so it is unknown whether the runs beside it are complete: "
            "restore it from git."
        )

    def _listed(self, path: Path, run: Run, listed: Manifest) -> Run:
        """An accepted run without its retired tests.

        Raises:
            RunFileError: the manifest lists another file of this name.
        """
        accepted = run.acceptance
        name = _name(path)
        # One that is not listed was accepted all the same, by its own hash: on another branch, or just before a kill.
        if name in listed.files and accepted is not None and listed.files[name] != accepted.sha256:
            raise RunFileError(f"{path} is not the file that was accepted: restore it from git.")
        if name not in listed.files and accepted is not None:
            other = [known for known, sha256 in listed.files.items() if sha256 == accepted.sha256]
            if other and not (self.root / other[0]).exists():
                raise RunFileError(f"{path} was accepted as {self.root / other[0]}: restore the name from git.")
        return listed.without_retired(name, run)

    def _is_accepted(self, path: Path) -> bool:
        return path.parent.parent.resolve() == self.root.resolve()

    def retire(self, test: str, *, reason: str, commit: Commit) -> int:
        """Take a test out of all files that are stored, and return out of how many: it was removed or renamed.

        The files stay as they are: what is accepted later has the test again where it was measured. A listed file that
        was deleted on purpose is taken out of the list in the same way, by its path.

        Raises:
            BaselineError: the reason is empty, no stored run has the test, it is retired already, the file is still
                there, or the store can't be written.
            RunFileError: the manifest can't be read.
        """
        if not reason.strip():
            raise BaselineError("Retiring a test needs a reason: say with `--reason` why it was removed.")
        with self._writing():
            old = manifest.read(self.root) or Manifest()
            root = self.root.resolve()
            # As it is seen from here, or as a sentence of a run has it: from the project's folder.
            paths = [place for place in (Path(test).resolve(), (root.parent / test).resolve()) if root in place.parents]
            name = paths[0].relative_to(root).as_posix() if paths else test
            names = [name] if name in old.files else self._holding(test, old)
            if name in old.files and (self.root / name).exists():
                raise BaselineError(f"{self.root / name} is still there: delete it first, or retire its tests.")
            entry = Retired(test=name, reason=reason.strip(), retired=_now(), commit=commit, files=names)
            left = {listed: sha256 for listed, sha256 in old.files.items() if listed != name}
            manifest.write(self.root, self._all_listed(left, [*old.retired, entry]))
        return len(names)

    def _holding(self, test: str, listed: Manifest) -> list[str]:
        """The files that a test is taken out of: those that have it, and those of which nobody can tell.

        Raises:
            BaselineError: none has it, or it is taken out of all of them already.
        """
        tests: dict[str, set[str] | None] = dict.fromkeys(listed.files)
        for path in self._files():
            with contextlib.suppress(RunFileError):
                claims = self._read(path).claims
                tests[_name(path)] = {one.test for one in claims if not one.is_control}
        listed.named({one for found in tests.values() for one in found or ()}, test)
        names = [name for name, found in tests.items() if found is None or test in found]
        if listed.is_retired(test, names):
            raise BaselineError(f"{test} is retired already, from all {len(names)} files that have it.")
        return names

    def _all_listed(self, listed: Mapping[str, str], retired: Sequence[Retired]) -> Manifest:
        """The manifest of what was listed and of every accepted file that can be read."""
        found = dict(listed)
        for path in self._files():
            try:
                accepted = self._read(path).acceptance
            except RunFileError:
                continue  # listed before or not: `load` reports it
            if accepted is not None:
                found[_name(path)] = accepted.sha256
        return Manifest(files=found, retired=list(retired))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the store's lock.

        Raises:
            BaselineError: the store can't be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.root / _LOCK, timeout=60):
                yield
        except (OSError, TimeoutError) as error:
            raise BaselineError(f"{self.root} can't be written ({error}): nothing was stored.") from error

    def accept(
        self,
        document: Mapping[str, Any],
        *,
        part: Part,
        reason: str,
        commit: Commit,
        forced: bool = False,
        name: str = "run",
    ) -> Path:
        """Store one part of a run as a baseline and return its file, `<folder>/NNNN_<name>.json`.

        What does not belong to the part is left out: "portable" keeps no seconds, no time ratios and
        nothing of the machine but `environment`; "timing" keeps no learning curves. Whether the run
        deserves it is the caller's question (`may_accept`).

        Args:
            document: pytest-benchmark's JSON of the run, with its `dlcv04` block.
            part: which half to store.
            reason: why, in the words of whoever accepts it.
            commit: the commit that the acceptance belongs to.
            forced: accepted in spite of what `may_accept` said; shown ever after.
            name: the readable half of the file's name.

        Raises:
            BaselineError: the reason is empty, the run has nothing of this part, is in the store already,
                or its machine class can't name a folder; or the store can't be written.
            RunFileError: the document holds no valid run.
        """
        candidate = Candidate(document, part, forced, name)
        return self.accept_all([candidate], reason=reason, commit=commit)[0]

    def accept_all(self, candidates: Sequence[Candidate], *, reason: str, commit: Commit) -> list[Path]:
        """Store several parts, all of them or none, and return their files.

        Those that are stored already stay as they are, unless that is all: what a killed process stored of a run, or
        an earlier version before it failed, is completed.

        Raises:
            BaselineError, RunFileError: as `accept`.
        """
        if not reason.strip():
            raise BaselineError(
                "A baseline needs a reason: say with `--reason` why later runs should be compared with these figures."
            )
        ready = [self._prepare(candidate, reason.strip(), commit) for candidate in candidates]
        with self._writing():
            completed = self._settle()
            old = manifest.read(self.root) or Manifest()
            stored = [self._holding_run(one.folder, one.run_id) for one in ready]
            if None not in stored and completed.isdisjoint(stored):
                raise BaselineError(f"Run {ready[0].run_id} is stored already, as {stored[0]}: a run counts once.")
            added: dict[Path, _Ready] = {}
            for place, one in enumerate(ready):
                if stored[place] is None:
                    stored[place] = path = self._new_path(one, [*old.names(), *map(_name, added)])
                    added[path] = one
            self._store(added, self._all_listed(old.files, old.retired))
        return [path for path in stored if path is not None]

    def _store(self, added: Mapping[Path, _Ready], listed: Manifest) -> None:
        """Store new files, and list them: all of them or none."""
        for path in added:
            if os.path.lexists(path):
                raise FileExistsError(f"{path} exists already")
        try:
            for path, one in added.items():
                path.parent.mkdir(exist_ok=True)
                with atomic.creating(files.staged(path)) as file:
                    file.write(one.text)
            new = {_name(path): one.sha256 for path, one in added.items()}
            manifest.write(self.root, Manifest(files={**listed.files, **new}, retired=listed.retired))
        finally:
            # Whatever came between: what is listed by now is stored, and the next writer does what can't be done here.
            with contextlib.suppress(OSError):
                self._settle()

    def _settle(self) -> set[Path]:
        """Give the files that are listed the names they wait for, remove those that are not; return the former.

        Called under the lock: no other writer is alive, so whatever waits was left by a killed one.
        """
        listed = manifest.read(self.root) or Manifest()
        completed = set()
        for staged in files.staged_in(self.root):
            path = files.unstaged(staged)
            if _name(path) not in listed.files:
                staged.unlink()
                continue
            try:
                atomic.publish(staged, path)
            except FileExistsError:
                if path.read_bytes() != staged.read_bytes():
                    continue  # somebody's own file of that name: `load` says that it is another than was accepted
            staged.unlink(missing_ok=True)
            completed.add(path)
        for folder in (self.root, *filter(Path.is_dir, self.root.iterdir())):
            atomic.sweep(folder, older_than=-math.inf)
        return completed

    def find_saved(self, selector: str) -> Path:
        """The one saved run that a path, id, number or glob names.

        Raises:
            BaselineError: none does, or several do; the message names them.
        """
        saved = self._saved_files()
        found = selection.named_path(selector) or selection.matching(selector, saved, self.saved or self.root)
        if len(found) == 1:
            return found[0]
        names = [f"{path.parent.name}/{path.stem}" for path in found or saved][-10:]
        if found:
            raise BaselineError(f"{selector!r} names {len(found)} saved runs ({', '.join(names)}): name one.")
        nothing = f"no run is saved in {self.saved}: run with --benchmark-autosave first"
        there = f"saved are {', '.join(names)}" if names else nothing
        raise BaselineError(f"There is no saved run {selector!r}; {there}.")

    def _prepare(self, candidate: Candidate, reason: str, commit: Commit) -> _Ready:
        """One file, before anything is written."""
        part = candidate.part
        run = decode_run(files.strict(candidate.document.get("dlcv04")), "The run to accept")
        if part not in acceptance.parts(run):
            raise BaselineError(f"Run {run.id} has nothing to store as {part}: accept its other part, or run it again.")
        slower = any(row.verdict == "REGRESSED" and row.metric == SECONDS for row in run.comparisons)
        record = Acceptance(
            reason=reason,
            accepted=_now(),
            commit=commit,
            part=part,
            forced=candidate.forced,
            pins=part == "timing" and slower,
            listed=True,
        )
        stored = acceptance.only_part(run, part, record)
        folder = self.root / (PORTABLE if part == "portable" else _folder_name(run.environment.machine_class))
        document = acceptance.part_document(candidate.document, part, stored)
        return _Ready(
            folder, _slug(candidate.name), run.id, document["dlcv04"]["acceptance"]["sha256"], files.encode(document)
        )

    def _holding_run(self, folder: Path, run_id: str) -> Path | None:
        """The file of a folder that holds a run."""
        return next((path for path in self._files() if path.parent == folder and reading.run_id(path) == run_id), None)

    def _new_path(self, one: _Ready, taken: Iterable[str]) -> Path:
        """A path whose number no other file of the folder has or had."""
        folder = one.folder
        known = [f"{folder.name}/{path.name}" for path in folder.iterdir()] if folder.is_dir() else []
        return folder / f"{_next_number(folder.name, [*known, *taken]):04d}_{one.name}.json"

    def _files(self) -> list[Path]:
        """Every accepted file that has its name, portable ones and those of all machine classes."""
        return folders.contents(self.root).files

    def _saved_files(self) -> list[Path]:
        """Every saved run, accepted or not."""
        return sorted(self.saved.rglob("*.json")) if self.saved and self.saved.is_dir() else []

    def _select(self, selectors: Sequence[str], accepted: Sequence[Path]) -> list[Path]:
        saved = self._saved_files()
        chosen: dict[Path, Path] = {}
        for selector in selectors:
            selection.refuse_test_path(selector)
            found = selection.matching(selector, accepted, self.root) or selection.named_path(selector)
            if not found and self.saved:
                found = selection.matching(selector, saved, self.saved)
            if not found:
                raise BaselineError(
                    selection.no_match(selector, accepted, saved, [*filter(None, [self.root, self.saved])])
                )
            chosen |= {path.resolve(): path for path in found}
        return list(chosen.values())

    def _read(self, path: Path) -> Run:
        """Read one file, and check that an accepted one is where it belongs and as it was written."""
        run = reading.read_stored(path)
        if path.parent.parent.resolve() != self.root.resolve():
            return run
        if run.acceptance is None:
            raise RunFileError(f"{path} was put here by hand and never accepted: move it away and use `dlcv04 accept`.")
        part = run.acceptance.part
        home = PORTABLE if part == "portable" else run.environment.machine_class
        if path.parent.name != home:
            raise RunFileError(f"{path} belongs to {self.root / home}: move it there, or delete it.")
        return run


def as_stored(paths: Sequence[Path], machine_class: str, root: Path) -> Stored:
    """Files as what a run is compared with, each used for its part as in `Store.load`; `root` is the store's folder.

    Raises:
        BaselineError, RunFileError: a file is missing, cut or edited by hand.
    """
    loaded = Store(root).load([str(path) for path in paths], machine_class=machine_class)
    if loaded.problems:
        raise BaselineError(" ".join(loaded.problems))
    return loaded.as_stored()


def _name(path: Path) -> str:
    """An accepted file as the manifest lists it, however its path is written."""
    return f"{path.parent.name}/{path.name}"


def _next_number(folder: str, names: Iterable[str]) -> int:
    """A number above those of all files of a folder that there are or were ("folder/name.json")."""
    inside = [name.removeprefix(f"{folder}/") for name in names if name.startswith(f"{folder}/")]
    taken = [int(match.group(1)) for name in inside if (match := _NUMBERED.fullmatch(name))]
    return max(taken, default=0) + 1


def _sort_in(loaded: Loaded, stored: StoredRun, machine_class: str) -> None:
    acceptance = stored.run.acceptance
    clocks = loaded.timing if stored.run.environment.machine_class == machine_class else loaded.elsewhere
    homes = {"timing": [clocks], "portable": [loaded.portable]}
    for home in homes[acceptance.part] if acceptance else [clocks, loaded.portable]:
        twin = next((other for other in home if other.run.id == stored.run.id), None)
        if twin:
            raise RunFileError(f"{stored.path} holds the same run as {twin.path}, it is counted once: delete one.")
        home.append(stored)


def _folder_name(machine_class: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", machine_class) or machine_class in {
        PORTABLE,
        folders.PUBLISHED,
    }:
        raise BaselineError(f"{machine_class!r} can't name a folder of baselines: use letters, digits, '.', '-', '_'.")
    return machine_class


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:80] or "run"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
