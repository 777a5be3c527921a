"""The store of accepted runs: what later runs are held against.

    baselines/
      published/          the figures of 2016; not read here
      portable/           learning curves and counts: no clock in them, valid on every machine
      <machine class>/    clocks: valid on this hardware only

A stored file is pytest-benchmark's JSON with a `dlcv04` block (`schema.Run`) whose `acceptance` says why,
when, from which commit, and carries the sha256 of the rest. Only `Store.accept` writes here: under a lock,
into a temporary file that becomes visible by one link, so that a kill at any point leaves no half file and
nothing is overwritten.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import math
import numbers
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import msgspec

from dlcv04.harness.judge import SECONDS, Stored
from dlcv04.harness.policy import MIN_PROCESSES
from dlcv04.harness.schema import Acceptance, Arm, Claim, Commit, Run, RunFileError, decode_run, to_builtins
from dlcv04.lazy import LazyModule

filelock = LazyModule("filelock")

Part = Literal["timing", "portable"]

PORTABLE = "portable"
PUBLISHED = "published"
_LOCK = ".lock"
_PARTIAL = ".partial"
_NUMBERED = re.compile(r"(\d{4,})_.*\.json")
# pytest's exit statuses 0 and 1, and our 7 (nothing was comparable); the others ended before all tests had
# run.
_FINISHED = frozenset({0, 1, 7})


class BaselineError(ValueError):
    """A selector, an acceptance or the store itself is wrong; the message says what to do next."""


class StoredRun(NamedTuple):
    """A run and the file that holds it."""

    path: Path
    run: Run

    @property
    def label(self) -> str:
        """The name shown beside a comparison: "portable/0003_smoke"."""
        return f"{self.path.parent.name}/{self.path.stem}"


class Span(NamedTuple):
    """How many processes a baseline comes from, and on how many calendar days (UTC) they ran."""

    processes: int
    days: int


class Loaded(NamedTuple):
    """What `Store.load` found.

    `timing` and `portable` are in order of their files' names; `elsewhere` holds clocks of other machine
    classes, which say INCOMPARABLE rather than NO_BASELINE; `problems` one sentence for each file that
    could not be used.
    """

    timing: list[StoredRun]
    portable: list[StoredRun]
    elsewhere: list[StoredRun]
    problems: list[str]

    def as_stored(self, shown: Callable[[Path], str] = str) -> Stored:
        """As the judge takes it; `shown` writes a path as the report will show it."""
        halves = ([(shown(s.path), s.run) for s in half] for half in (self.timing, self.portable, self.elsewhere))
        return Stored(*halves)


@dataclass(frozen=True)
class Candidate:
    """A run's document and which half of it to store; see `Store.accept`."""

    document: Mapping[str, Any]
    part: Part
    forced: bool = False
    name: str = "run"


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
        """Return the stored runs to compare with.

        Without selectors: every accepted run of this machine class and every portable one. With them, those
        alone. A file that is cut, edited by hand or out of place becomes a sentence in `problems`; the
        others still load.

        Args:
            selectors: values of `--benchmark-compare=`: a run's id, the number or name of a file, a glob
                over file names or paths below the store, or the path of a stored run anywhere. An accepted
                file is only used for its part; a run that nobody accepted is used for both.
            machine_class: the class of this machine, as `environment.machine_class` returns it.

        Raises:
            BaselineError: a selector matches nothing (the message names what exists), or is a folder, a
                `.py` file or a node id.
        """
        paths = self._select(selectors) if selectors else self._files()
        loaded = Loaded([], [], [], [])
        for path in paths:
            silent = not selectors and path.parent.name not in {PORTABLE, machine_class}
            try:
                _sort_in(loaded, StoredRun(path, self._read(path)), machine_class)
            except RunFileError as error:
                # A broken file of other hardware decides nothing here; its own machine reports it.
                if not silent:
                    loaded.problems.append(str(error))
        return loaded

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
        """Store several parts, or none of them: what was written is taken back when a later one can't be.

        Raises:
            BaselineError, RunFileError: as `accept`.
        """
        if not reason.strip():
            raise BaselineError(
                "A baseline needs a reason: say with `--reason` why these figures are the ones to hold."
            )
        ready = [self._prepare(candidate, reason.strip(), commit) for candidate in candidates]
        written: list[Path] = []
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.root / _LOCK, timeout=60):
                for folder, name, run, text in ready:
                    folder.mkdir(exist_ok=True)
                    written.append(self._write(folder, name, run, text))
        except (OSError, TimeoutError, BaselineError) as error:
            for path in written:
                path.unlink()
            if isinstance(error, BaselineError):
                raise
            raise BaselineError(f"{self.root} can't be written ({error}): nothing was stored.") from error
        return written

    def find_saved(self, selector: str) -> Path:
        """The one saved run that a path, id, number or glob names.

        Raises:
            BaselineError: none does, or several do; the message names them.
        """
        saved = self._saved_files()
        found = _path(selector) or _matching(selector, saved, self.saved or self.root)
        if len(found) == 1:
            return found[0]
        names = [f"{path.parent.name}/{path.stem}" for path in found or saved][-10:]
        if found:
            raise BaselineError(f"{selector!r} names {len(found)} saved runs ({', '.join(names)}): name one.")
        there = f"saved are {', '.join(names)}" if names else "no run is saved: run with --benchmark-autosave first"
        raise BaselineError(f"There is no saved run {selector!r}; {there}.")

    def _prepare(self, candidate: Candidate, reason: str, commit: Commit) -> tuple[Path, str, Run, bytes]:
        """Folder, name, record and text of one file, before anything is written."""
        part = candidate.part
        run = decode_run(_strict(candidate.document.get("dlcv04")), "The run to accept")
        if part not in parts(run):
            raise BaselineError(f"Run {run.id} has nothing to store as {part}: accept its other part, or run it again.")
        slower = any(row.verdict == "REGRESSED" and row.metric == SECONDS for row in run.comparisons)
        acceptance = Acceptance(
            reason=reason,
            accepted=_now(),
            commit=commit,
            part=part,
            forced=candidate.forced,
            pins=part == "timing" and slower,
        )
        stored = _only(run, part, acceptance)
        folder = self.root / (PORTABLE if part == "portable" else _folder_name(run.environment.machine_class))
        return folder, _slug(candidate.name), stored, _encode(_document(candidate.document, part, stored))

    def _write(self, folder: Path, name: str, run: Run, text: bytes) -> Path:
        """Write under the store's lock: no other writer is alive, so what looks unfinished is left over."""
        for leftover in folder.glob(f"*{_PARTIAL}"):
            leftover.unlink()
        for path in _json_files(folder):
            if _run_id(path) == run.id:
                raise BaselineError(f"Run {run.id} is stored already, as {path}: a run counts once.")
        target = folder / f"{_next_number(folder):04d}_{name}.json"
        _write_atomically(target, text)
        return target

    def _files(self) -> list[Path]:
        """Every accepted file, portable ones and those of all machine classes."""
        if not self.root.is_dir():
            return []
        folders = sorted(path for path in self.root.iterdir() if path.is_dir() and path.name != PUBLISHED)
        return [path for folder in folders for path in _json_files(folder)]

    def _saved_files(self) -> list[Path]:
        """Every saved run, accepted or not."""
        return sorted(self.saved.rglob("*.json")) if self.saved and self.saved.is_dir() else []

    def _select(self, selectors: Sequence[str]) -> list[Path]:
        accepted = self._files()
        saved = self._saved_files()
        chosen: dict[Path, Path] = {}
        for selector in selectors:
            _refuse_test_path(selector)
            found = _matching(selector, accepted, self.root) or _path(selector)
            if not found and self.saved:
                found = _matching(selector, saved, self.saved)
            if not found:
                raise BaselineError(_no_match(selector, accepted, saved))
            chosen |= {path.resolve(): path for path in found}
        return list(chosen.values())

    def _read(self, path: Path) -> Run:
        """Read one file, and check that an accepted one is where it belongs and as it was written."""
        run = read_stored(path)
        if path.parent.parent.resolve() != self.root.resolve():
            return run
        if run.acceptance is None:
            raise RunFileError(
                f"{path} was put here by hand, nobody accepted it: move it away and use `dlcv04 accept`."
            )
        part = run.acceptance.part
        home = PORTABLE if part == "portable" else run.environment.machine_class
        if path.parent.name != home:
            raise RunFileError(f"{path} belongs to {self.root / home}: move it there, or delete it.")
        return run


def read_stored(path: Path | str) -> Run:
    """Read a run from a file anywhere; where it was accepted, check that nobody changed it since.

    Raises:
        RunFileError: the file can't be opened, is cut, holds no run, or was edited by hand.
    """
    document = _parse(Path(path))
    run = decode_run(document.get("dlcv04"), str(path))
    if run.acceptance is not None and run.acceptance.sha256 != content_hash(document):
        raise RunFileError(f"{path} was edited by hand, its hash no longer matches: restore it from git or delete it.")
    return run


def as_stored(paths: Sequence[Path], machine_class: str) -> Stored:
    """Files as what a run is held against, each used for its part as in `Store.load`.

    Raises:
        BaselineError, RunFileError: a file is missing, cut or edited by hand.
    """
    loaded = Store(Path("baselines")).load([str(path) for path in paths], machine_class=machine_class)
    if loaded.problems:
        raise BaselineError(" ".join(loaded.problems))
    return loaded.as_stored()


def content_hash(document: Mapping[str, Any]) -> str:
    """Return the sha256 of a document's canonical JSON (sorted keys, no spaces), without the hash itself."""
    block = dict(document["dlcv04"])
    block["acceptance"] = {name: value for name, value in (block["acceptance"] or {}).items() if name != "sha256"}
    canonical = json.dumps({**document, "dlcv04": block}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def parts(run: Run) -> list[Part]:
    """Return what can be stored of a run: "timing" where a round was timed, "portable" where tests ran."""
    found: list[Part] = []
    if any(arm.round_seconds for arm in run.arms):
        found.append("timing")
    if run.arms or run.claims:
        found.append("portable")
    return found


def may_accept(run: Run) -> str | None:
    """Return None where a run may become a baseline, else one sentence saying why not without `--force`.

    A run whose only failures are REGRESSED (or STALE) may: an intended change is accepted this way.
    `run.failures` may name such tests by their bare node id; any other entry there is an error.
    """
    tests = [claim for claim in run.claims if not claim.is_control]
    violated = [claim.test for claim in tests if claim.verdict == "VIOLATED"]
    missing = [record.test for record in run.comparisons if record.verdict == "MISSING"]
    intended = {claim.test for claim in tests if _intended(claim)}
    errors = [failure for failure in run.failures if failure not in intended and failure not in violated]
    explained = bool(violated or missing or intended or errors or run.strict)
    grounds = [
        _listed("violated", violated),
        _listed("failed", errors),
        _listed("missing", missing),
        "a test failed outside its claims" if run.exit_status == 1 and not explained else "",
        "it ended early" if run.exit_status not in _FINISHED else "",
        "it ran only part of the suite" if not run.whole_suite else "",
        "its working tree had uncommitted changes" if run.commit.dirty else "",
    ]
    given = [ground for ground in grounds if ground]
    if not given:
        return None
    return f"Run {run.id} can't be accepted: {'; '.join(given)}. Mend that and run again, or use `--force`."


def span(stored: Iterable[StoredRun | Run]) -> Span:
    """Return how many processes (distinct runs) and calendar days these runs come from."""
    runs = {run.id: run for run in (item.run if isinstance(item, StoredRun) else item for item in stored)}
    days = {_day(run.started) for run in runs.values()} - {None}
    return Span(processes=len(runs), days=len(days))


def enough_processes(stored: Iterable[StoredRun | Run]) -> str | None:
    """Return None where these runs are enough for a timing baseline, else one sentence saying what lacks.

    Rounds of one process share its luck (addresses, clocks, neighbours): a baseline needs `MIN_PROCESSES`.
    """
    processes = span(stored).processes
    if processes >= MIN_PROCESSES:
        return None
    return (
        f"A timing baseline needs {MIN_PROCESSES} processes or more, this one has {processes}: "
        f"add some with `dlcv04 baseline --processes {MIN_PROCESSES - processes}`."
    )


# ------------------------------------------------------------------------------------- what is kept


def _only(run: Run, part: Part, acceptance: Acceptance) -> Run:
    """The run without what the other part holds, its comparisons and its pictures: a baseline is measurements.

    Nor are further processes and process pairs kept: a stored file is one process.
    """
    replace = msgspec.structs.replace
    run = replace(run, missing=[], repeats=[], rechecks=[], against=None)
    if part == "timing":
        arms = [replace(arm, curves=[]) for arm in run.arms]
        return replace(run, arms=arms, claims=[_bare(claim) for claim in run.claims], acceptance=acceptance)
    return replace(
        run,
        arms=[_clockless(arm) for arm in run.arms],
        claims=[_bare(claim, clocks=False) for claim in run.claims],
        overhead_seconds={},
        seconds=0.0,
        acceptance=acceptance,
    )


def _bare(claim: Claim, clocks: bool = True) -> Claim:
    kept = [record for record in claim.assertions if clocks or record.kind != "ORDER"]
    seconds = claim.seconds if clocks else 0.0
    return msgspec.structs.replace(claim, assertions=kept, comparisons=[], pictures=[], seconds=seconds)


def _clockless(arm: Arm) -> Arm:
    replace = msgspec.structs.replace
    curves = [
        replace(curve, epochs=[replace(epoch, train_seconds=0.0) for epoch in curve.epochs]) for curve in arm.curves
    ]
    return replace(
        arm,
        round_seconds=[],
        round_index=[],
        warmup_rounds=0,
        compile_seconds=None,
        calibrator_seconds=[],
        clocks={},
        curves=curves,
    )


def _document(document: Mapping[str, Any], part: Part, run: Run) -> dict[str, Any]:
    """The document to store: pytest-benchmark's frame, the part's rows, the block and its hash."""
    kept = _strict({name: value for name, value in document.items() if name != "dlcv04"})
    if part == "portable":
        kept |= {"benchmarks": [], "machine_info": {}}
    kept["dlcv04"] = _strict(to_builtins(run))
    kept["dlcv04"]["acceptance"]["sha256"] = content_hash(kept)
    return dict(kept)


def _strict(value: Any) -> Any:
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
        return {_strict(str(name)): _strict(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return _strict(msgspec.to_builtins(value))
    raise BaselineError(
        f"A {type(value).__name__} ({value!r:.60}) has no place in a stored run: store numbers or text."
    )


def _encode(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode("utf-8")


# -------------------------------------------------------------------------------------------- files


def write_json(folder: Path, name: str, value: Any) -> Path:
    """Write a value as strict JSON to `<folder>/<name>.json`, atomically, never in the place of another.

    Raises:
        BaselineError: it can't be written.
    """
    target = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_atomically(target, _encode(value))
    except OSError as error:
        raise BaselineError(f"{target} can't be written ({error}): nothing was stored.") from error
    return target


def _write_atomically(target: Path, text: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=_PARTIAL)
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


def _json_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def _next_number(folder: Path) -> int:
    taken = [int(match.group(1)) for path in folder.iterdir() if (match := _NUMBERED.fullmatch(path.name))]
    return max(taken, default=0) + 1


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


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RunFileError(f"{path} can't be opened: {error.strerror}.") from error
    try:
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite_float)
    except (ValueError, RecursionError) as error:
        raise RunFileError(f"{path} was cut or is no JSON ({error}): restore it from git or delete it.") from error
    if not isinstance(document, dict):
        raise RunFileError(f"{path} holds no `dlcv04` block: it is not a run of this harness.")
    return document


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _run_id(path: Path) -> str | None:
    """The id of the run in a file, or None where that can't be read: `load` reports the file."""
    try:
        block = _parse(path).get("dlcv04")
    except RunFileError:
        return None
    return block.get("id") if isinstance(block, dict) else None


def _sort_in(loaded: Loaded, stored: StoredRun, machine_class: str) -> None:
    acceptance = stored.run.acceptance
    clocks = loaded.timing if stored.run.environment.machine_class == machine_class else loaded.elsewhere
    homes = {"timing": [clocks], "portable": [loaded.portable]}
    for home in homes[acceptance.part] if acceptance else [clocks, loaded.portable]:
        twin = next((other for other in home if other.run.id == stored.run.id), None)
        if twin:
            raise RunFileError(f"{stored.path} holds the same run as {twin.path}, it is counted once: delete one.")
        home.append(stored)


# ---------------------------------------------------------------------------------------- selectors


def _matching(selector: str, paths: Sequence[Path], root: Path) -> list[Path]:
    """Files whose name, number, path below `root` or glob is `selector`; else those that hold this id."""
    named = [path for path in paths if _names(selector, path, root)]
    return named or [path for path in paths if _run_id(path) == selector]


def _names(selector: str, path: Path, root: Path) -> bool:
    relative = path.relative_to(root)
    names = {path.name, path.stem, relative.as_posix(), relative.with_suffix("").as_posix()}
    number = re.match(r"(\d{4,})_", path.name)
    if number:
        names |= {number.group(1), f"{relative.parent.as_posix()}/{number.group(1)}"}
    return any(fnmatch.fnmatchcase(name, selector) for name in names) or selector in names


def _path(selector: str) -> list[Path]:
    """The file that a path names, or the files that a glob over paths names."""
    path = Path(selector)
    if path.is_file():
        return [path]
    pattern = path.relative_to(path.anchor) if path.anchor else path
    if not any(sign in selector for sign in "*?["):
        return []
    start = Path(path.anchor) if path.anchor else Path()
    return sorted(found for found in start.glob(str(pattern)) if found.is_file() and found.suffix == ".json")


def _refuse_test_path(selector: str) -> None:
    if not selector.strip():
        raise BaselineError(
            "`--benchmark-compare=` has an empty value: leave the `=` out to compare with all baselines."
        )
    if "::" in selector or selector.endswith(".py") or Path(selector).is_dir():
        raise BaselineError(
            f"`--benchmark-compare={selector}` names tests, not a stored run: put the path first, "
            f"`pytest {selector} --benchmark-compare`."
        )


def _no_match(selector: str, accepted: Sequence[Path], saved: Sequence[Path]) -> str:
    names = [f"{path.parent.name}/{path.stem}" for path in [*accepted, *saved]]
    if not names:
        there = "nothing is stored yet: store a baseline with `dlcv04 baseline`"
    else:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        there = f"stored are {', '.join(names[-10:])}{more}"
    return f"`--benchmark-compare={selector}` matches no stored run; {there}."


# ------------------------------------------------------------------------------------------ helpers


def _intended(claim: Claim) -> bool:
    """Whether a test failed only because its figures or its own code changed."""
    verdicts = {record.verdict for record in claim.comparisons}
    return claim.verdict != "VIOLATED" and bool(verdicts & {"REGRESSED", "STALE"})


def _listed(what: str, tests: Sequence[str]) -> str:
    unique = list(dict.fromkeys(tests))
    if not unique:
        return ""
    more = f" and {len(unique) - 3} more" if len(unique) > 3 else ""
    return f"{len(unique)} {what} ({', '.join(unique[:3])}{more})"


def _folder_name(machine_class: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", machine_class) or machine_class in {
        PORTABLE,
        PUBLISHED,
    }:
        raise BaselineError(f"{machine_class!r} can't name a folder of baselines: use letters, digits, '.', '-', '_'.")
    return machine_class


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:80] or "run"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _day(started: str) -> str | None:
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return None
    # A time without a zone is taken as UTC: a machine's own zone would make the count differ between readers.
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()
