"""Stored self-tests of a machine class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from dlcv04.harness.store import checking
from dlcv04.harness.store.files import write_json
from dlcv04.harness.store.reading import RunFileError, parse
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
    `replayed` is what the judge of that day made of the pairs: seconds of work, so it is stored with them.
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


FOLDER = "selftest"


_LONGEST_NAME = 255


class SelfTestError(ValueError):
    """A stored self-test can't be read."""


def keep(test: SelfTest, root: Path) -> Path:
    """Keep a self-test beside its machine class's baselines, under a new name; return its file."""
    folder = root / test.environment.machine_class / FOLDER
    return write_json(folder, test.id, to_builtins(test))


def latest(root: Path, machine_class: str, key: Mapping[str, str]) -> SelfTest | None:
    """The newest self-test of this machine class and key, or None.

    Raises:
        SelfTestError: one was cut or edited by hand; the message names it.
    """
    if Path(machine_class).name != machine_class or len(machine_class.encode("utf-8", "replace")) > _LONGEST_NAME:
        return None  # a run from elsewhere may say anything here; such a name was never a folder of ours
    for path in sorted((root / machine_class / FOLDER).glob("*.json"), reverse=True):
        try:
            test = _read(path)
        except (RunFileError, msgspec.ValidationError) as error:
            raise SelfTestError(f"{path} can't be read ({error}): restore it from git or delete it.") from error
        if test.key == dict(key):
            return test
    return None


def _read(path: Path) -> SelfTest:
    document = parse(path)
    test = None if (fault := checking.unfit_value(document)) else msgspec.convert(document, SelfTest)
    pairs = [*test.identical, *(pair for planted in test.planted for pair in planted.pairs)] if test else []
    if test is None or (fault := next(checking.uneven(pairs), "")):
        raise RunFileError(fault)
    if any(again.red_runs > again.runs or again.red > again.benchmarks for again in test.replayed):
        raise RunFileError("more was red than was replayed")
    return test
