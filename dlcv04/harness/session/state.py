"""What a pytest session and its tests know of the claims: one typed object each, where pytest lets a plugin keep it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dlcv04.harness.claims.recorder import ClaimRecorder
    from dlcv04.harness.judging.outcome import Outcome
    from dlcv04.harness.measuring.round_server import RoundServer
    from dlcv04.harness.session.options import Options
    from dlcv04.harness.session.suite import Suite
    from dlcv04.harness.store.schema import Arm, Picture, Run


@dataclass
class SessionState:
    """One pytest session.

    Attributes:
        options: the command line, as it was when the session began.
        suite: what the claims measure and say; None where no claim was collected.
        server: the other end of this process, where it is one of a pair.
        places: file and line (from 0) of each claim.
        timing_tests: how many were collected, before `-k` took some away.
        uncollected: what could not be collected, each with the name of its error.
        ended: node ids of the tests that were run to their end, teardown included.
        collected: whether each test is a claim (no control), by node id, before any was taken away.
        taken: what took tests away, by node id: "-k" of the command line, a plugin.
        left_out: a sentence for whatever leaves stored tests out, with their number.
        lost: a sentence for each stored file that was accepted and can't be used, by its path.
        stopped: what ended the session before its time; empty where nothing did.
        run: everything measured and judged, once all tests have ended.
        beside: the stored runs that reports show beside it.
        report: where the report was written.
        problems: sentences about what could not be read for the report, or not be written.
    """

    options: Options
    suite: Suite | None = None
    server: RoundServer | None = None
    places: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    timing_tests: int = 0
    uncollected: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    collected: dict[str, bool] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    run: Run | None = None
    beside: Sequence[Run] = ()
    report: Path | None = None
    problems: list[str] = field(default_factory=list)


@dataclass
class TestState:
    """One test: what its fixtures left for its end.

    Attributes:
        recorder: the fixture `claim`; None in a test that takes none.
        measured: each gives a measured arm, called once the test has ended.
        pictures: those that the test showed.
        changed: whether a control changed the arms.
        outcome: of the claim or its control, once it is judged.
        is_over: whether the test's body has ended: what pytest reports before is of a subtest.
    """

    __test__ = False  # no test class, whatever its name says to pytest

    recorder: ClaimRecorder | None = None
    measured: list[Callable[[], Arm]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    changed: bool = False
    outcome: Outcome | None = None
    is_over: bool = False


_SESSION = pytest.StashKey[SessionState]()
_TEST = pytest.StashKey[TestState]()


def begin(config: pytest.Config, options: Options) -> SessionState:
    """Start a session's state."""
    state = config.stash[_SESSION] = SessionState(options)
    return state


def has_begun(config: pytest.Config) -> bool:
    """Whether the judge's half of the plugin takes part in a session."""
    return _SESSION in config.stash


def of(config: pytest.Config) -> SessionState:
    """The state of a session."""
    return config.stash[_SESSION]


def of_test(item: pytest.Item) -> TestState:
    """The state of one test, made at its first use."""
    return item.stash.setdefault(_TEST, TestState())


def suite_of(config: pytest.Config) -> Suite:
    """The suite of a session that has claims.

    Raises:
        RuntimeError: it has none.
    """
    suite = of(config).suite
    if suite is None:
        raise RuntimeError("This session has no claims: a test that measures takes the fixture `claim`.")
    return suite


def add_measured(item: pytest.Item, make: Callable[[], Any]) -> None:
    """Leave a function that gives a measured arm, called once the test has ended."""
    of_test(item).measured.append(make)
