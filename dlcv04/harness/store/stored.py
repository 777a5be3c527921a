"""Stored runs as they are loaded and compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dlcv04.harness.store.schema import (
    Run,
)


class StoredRun(NamedTuple):
    """A run and the file that holds it."""

    path: Path
    run: Run

    @property
    def label(self) -> str:
        """The name shown beside a comparison: "portable/0003_smoke"."""
        return f"{self.path.parent.name}/{self.path.stem}"


class Loaded(NamedTuple):
    """What `Store.load` found.

    `timing` and `portable` are in order of their files' names; `elsewhere` holds clocks of other machine
    classes, which NO_BASELINE names as its reason; `lost` has one sentence for each file of this machine class or
    of all machines that was accepted and can't be used, by its path.
    """

    timing: list[StoredRun]
    portable: list[StoredRun]
    elsewhere: list[StoredRun]
    lost: dict[Path, str]

    @property
    def problems(self) -> list[str]:
        """The sentences of `lost`."""
        return list(self.lost.values())

    def as_stored(self, shown: Callable[[Path], str] = str) -> Stored:
        """As the judge takes it; `shown` writes a path as the report will show it."""
        halves = ([(shown(s.path), s.run) for s in half] for half in (self.timing, self.portable, self.elsewhere))
        return Stored(*halves)


@dataclass(frozen=True)
class Stored:
    """Stored runs a run is compared with, with the path each came from (shown, never opened here)."""

    timing: Sequence[tuple[str, Run]] = ()
    portable: Sequence[tuple[str, Run]] = ()
    elsewhere: Sequence[tuple[str, Run]] = ()

    @property
    def everything(self) -> list[tuple[str, Run]]:
        """Timing and portable runs of this machine class together."""
        return [*self.timing, *self.portable]
