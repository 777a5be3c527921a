"""Stored self-tests of a machine class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from dlcv04.harness.store import checking, files, folders, reading
from dlcv04.harness.store.schema import SCHEMA, Commit, Count, Duration, Environment, PairRounds, Record, to_builtins

#: A standard deviation of log times, and a ratio of times.
Spread = Annotated[float, msgspec.Meta(ge=0, le=10)]
Ratio = Annotated[float, msgspec.Meta(gt=0, le=1000)]


class Planted(Record, frozen=True, kw_only=True):
    """Process pairs in which the new side was slowed by `ratio` (1.1 = 10 %)."""

    ratio: Ratio
    pairs: list[PairRounds]


class PlantedFault(Record, frozen=True, kw_only=True):
    """What a suite's learning part said with a fault planted in it.

    `claims` are the verdicts of its claims, `figures` those of its learning figures against stored runs, each as a
    list.
    """

    name: str
    describes: str
    claims: list[str]
    figures: list[str]

    @property
    def noticed(self) -> bool:
        """Whether anything but a green or an open verdict was given."""
        return bool({*self.claims, *self.figures} & {"VIOLATED", "REGRESSED", "CHANGED"})


class Replayed(Record, frozen=True, kw_only=True):
    """Whole runs redrawn from a self-test's pairs of identical code, every benchmark slowed by `ratio` (1.0 = not).

    `red_runs` of `runs` had a red benchmark; `red` of all their `benchmarks` were red. `promised` is the share of red
    runs that the judge allowed itself on unchanged code.
    """

    ratio: Ratio
    red_runs: Count
    runs: Annotated[int, msgspec.Meta(ge=1)]
    red: Count
    benchmarks: Count
    promised: float


class SelfTest(Record, frozen=True, kw_only=True):
    """What `dlcv04 selftest` measured on a machine class: pairs of identical code, and planted slowdowns.

    `process_sd` (log units) and `process_df` are what the gate of `--dl-against` uses; `process_point` and
    `process_upper95` say how well they are known; `rounds_sd` is what the rounds of a pair leave open about its mean.
    `replayed` is what the judge of that day made of the pairs: seconds of work, so it is stored with them. `sha256` is
    that of the rest of the stored file; earlier versions stored none.
    """

    schema: int = SCHEMA
    id: str
    started: str
    seconds: Duration
    key: dict[str, str]
    environment: Environment
    commit: Commit
    tests: Count
    process_sd: Spread
    process_df: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    process_point: Spread
    process_upper95: Spread
    rounds_sd: Spread
    identical: list[PairRounds]
    planted: list[Planted] = []
    faults: list[PlantedFault] = []
    replayed: list[Replayed] = []
    sha256: str = ""


_LONGEST_NAME = 255


class SelfTestError(ValueError):
    """A stored self-test can't be read."""


def keep(test: SelfTest, root: Path) -> Path:
    """Keep a self-test beside its machine class's baselines, under a new name; return its file."""
    folder = root / test.environment.machine_class / folders.SELFTEST
    document = files.strict(to_builtins(test))
    return files.write_json(folder, test.id, document | {"sha256": _hash(document)})


def latest(root: Path, machine_class: str, key: Mapping[str, str]) -> SelfTest | None:
    """The newest self-test of this machine class and key, or None.

    Raises:
        SelfTestError: one was cut or edited by hand; the message names it.
    """
    is_name = Path(machine_class).name == machine_class and machine_class.isprintable()
    if not is_name or len(machine_class.encode()) > _LONGEST_NAME:
        return None  # a run from elsewhere may say anything here; such a name was never a folder of ours
    for path in _stored(root / machine_class / folders.SELFTEST):
        test = _read(path)
        if test.key == dict(key):
            return test
    return None


def _read(path: Path) -> SelfTest:
    try:
        document = reading.parse(path)
        test = _decoded(document)
    except (reading.RunFileError, msgspec.ValidationError) as error:
        why = error.__cause__ if isinstance(error, reading.RunFileError) else error
        said = f"{path} can't be read ({why}): restore it from git or delete it." if why else str(error)
        raise SelfTestError(said) from error
    if set(document) - {*SelfTest.__struct_fields__} or (test.sha256 and test.sha256 != _hash(document)):
        raise SelfTestError(f"{path} was edited by hand, its hash no longer matches: restore it from git or delete it.")
    return test


def _decoded(document: Mapping[str, Any]) -> SelfTest:
    if fault := checking.unfit_value(document):
        raise msgspec.ValidationError(fault)
    test = msgspec.convert(document, SelfTest)
    pairs = [*test.identical, *(pair for planted in test.planted for pair in planted.pairs)]
    fault = next(checking.uneven(pairs), "")
    if any(again.red_runs > again.runs or again.red > again.benchmarks for again in test.replayed):
        fault = fault or "more was red than was replayed"
    if fault:
        raise msgspec.ValidationError(fault)
    return test


def _hash(document: Mapping[str, Any]) -> str:
    return reading.canonical_hash({name: value for name, value in document.items() if name != "sha256"})


def _stored(folder: Path) -> list[Path]:
    """The self-tests in a folder, the newest first.

    Raises:
        SelfTestError: nobody knows which there are.
    """
    try:
        found = [path for path in folder.iterdir() if re.fullmatch(r"[^.].*\.json", path.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SelfTestError(f"{folder} can't be read ({error.strerror}): fix its permissions.") from error
    return sorted(found, reverse=True)
