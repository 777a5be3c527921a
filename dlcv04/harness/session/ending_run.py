"""The end of a run: its exit code, its report, what the terminal and a GitHub job show of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from _pytest.junitxml import xml_key  # what the fixture record_testsuite_property uses

from dlcv04 import plaintext
from dlcv04.harness import report
from dlcv04.harness.judging import outcome
from dlcv04.harness.report.renderers import github, terminal
from dlcv04.harness.session import benchmark_adapter, collecting, places, signals, state
from dlcv04.harness.store import selftests

if TYPE_CHECKING:
    from dlcv04.harness.session.suite import Suite
    from dlcv04.harness.store.schema import Run
    from dlcv04.harness.store.selftests import SelfTest


#: pytest's codes of a session that came to its end, and those that speak of no failure.
_ENDED = frozenset({pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED})
_NO_FAILURE = frozenset({pytest.ExitCode.OK, pytest.ExitCode.INTERRUPTED, pytest.ExitCode.NO_TESTS_COLLECTED})


def decide(session: pytest.Session, suite: Suite) -> Run:
    """Settle the exit code and the run's record, and let pytest-benchmark save it though it timed nothing.

    The code is what the record says: a red run whose author ended it by `pytest.exit(returncode=0)` ends with 1.
    """
    config, code = session.config, int(session.exitstatus)
    known = state.of(config)
    not_run = [item.nodeid for item in session.items if item.nodeid not in known.ended]
    early = bool(not_run) or code not in _ENDED
    interrupted = (known.stopped or "the session ended early") if early else ""
    suite.failures += known.uncollected
    if early and code == 0:
        suite.missing += collecting.not_reached(config, suite, not_run)
    run = suite.run(
        exit_status=code,
        command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
        suite=" ".join(config.args),
        whole_suite=collecting.is_whole_suite(config),
        interrupted=interrupted,
        not_run=not_run if early else [],
    )
    if code not in _NO_FAILURE and not outcome.is_red(run):
        run.failures.append(f"exit code {code}: {interrupted or 'pytest counted a failed test that has no record'}")
    session.exitstatus = outcome.exit_status(run, asked=suite.compare)
    known.run = msgspec.structs.replace(run, exit_status=int(session.exitstatus))
    _tell_junit(config, known.run)
    benchmark_adapter.save_or_say(config, known.problems.append)
    benchmark_adapter.save_without_rows(config, known.problems.append)
    return known.run


def _tell_junit(config: pytest.Config, run: Run) -> None:
    """Properties of the whole suite: what could not be compared, and what ended the run early."""
    xml: Any = config.stash.get(xml_key, None)
    found = {"dl_not_comparable": ", ".join(outcome.lost_kinds(run)), "dl_interrupted": run.interrupted}
    for name, value in found.items():
        if xml is not None and value:
            xml.add_global_property(name, value)


def stopped_by(error: BaseException) -> str:
    """What ended a session before its time, in words."""
    if isinstance(error, signals.Terminated):
        return "SIGTERM"
    if type(error) is KeyboardInterrupt:
        return "Ctrl-C"
    if isinstance(error, pytest.Session.Interrupted | pytest.Session.Failed):
        return str(error)
    if isinstance(error, pytest.exit.Exception):
        return f"pytest.exit: {error.msg}"
    return f"INTERNALERROR: {type(error).__name__}: {error}"


def write_report(config: pytest.Config, suite: Suite, run: Run) -> None:
    """Write the report beside what is stored; where that can't be done, the summary says so, and the verdicts stand."""
    session = state.of(config)
    try:
        session.beside = _beside(config, suite)
        session.report = report.write(
            run, session.beside, places.reports(config, session.options.report_dir), _self_test(config, suite)
        )
    except report.ReportError as error:
        session.problems.append(str(error))
    except Exception as error:
        session.problems.append(
            f"The report can't be made ({type(error).__name__}: {error}), which is a fault of dlcv04; the verdicts "
            "stand. `dlcv04 report` on the saved run shows where."
        )


def _beside(config: pytest.Config, suite: Suite) -> Sequence[Run]:
    """The stored runs that reports show beside this one: those it was compared with, else all of this machine class.

    Without `--benchmark-compare` they are its history and judge nothing, so one that can't be read is passed over.
    """
    if suite.compare:
        return [run for _, run in suite.stored.everything]
    if suite.policy.record:
        return []
    loaded = places.of(config).store.load(machine_class=suite.machine_class)
    return [stored.run for stored in (*loaded.timing, *loaded.portable)]


def _self_test(config: pytest.Config, suite: Suite) -> SelfTest | None:
    """The newest self-test of this machine class, for the report; one that can't be read is named and left out."""
    try:
        return selftests.latest(places.of(config).baselines, suite.machine_class, suite.key)
    except selftests.SelfTestError as error:
        state.of(config).problems.append(str(error))
        return None


def summarise(reporter: Any, config: pytest.Config, run: Run) -> None:
    """A line a claim, the controls' count, and where the report is."""
    session = state.of(config)
    reporter.section("claims", sep="=")
    for line in terminal.lines(run):
        reporter.write_line(line)
    if run.exit_status == outcome.EXIT_NOTHING_COMPARABLE and run.against is not None:
        reporter.write_line(f"No process pair with {run.against.rev} timed anything. Exit code 7.", yellow=True)
    elif run.exit_status == outcome.EXIT_NOTHING_COMPARABLE:
        reporter.write_line(
            f"{_nothing(run)} with this run (machine class {run.environment.machine_class}) in "
            f"{places.of(config).baselines}: store a baseline with `dlcv04 baseline`. Exit code 7.",
            yellow=True,
        )
    for sentence in session.problems:
        reporter.write_line(plaintext.one_line(sentence), yellow=True)
    for line in _github_lines(run, config):
        reporter.write_line(line)
    if session.report is not None:
        reporter.write_line(f"report: {session.report}")


def _nothing(run: Run) -> str:
    kinds = outcome.lost_kinds(run)
    all_of_it = not kinds or not outcome.comparable(run.comparisons)
    return "Nothing stored is comparable" if all_of_it else f"Of {', '.join(kinds)} nothing stored is comparable"


def _github_lines(run: Run, config: pytest.Config) -> list[str]:
    """In a GitHub job: annotations, and a sentence where its summary could not be written."""
    lines, session = [], state.of(config)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        root = Path(os.environ.get("GITHUB_WORKSPACE") or config.rootpath)
        lines += github.commands(run, {test: _place(config, root, *at) for test, at in session.places.items()})
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        lines += filter(None, [github.append_summary(Path(summary), run, session.beside)])
    return lines


def _place(config: pytest.Config, root: Path, file: str, line: int | None) -> github.Place:
    """Where a test stands, seen from the repository's root; pytest counts its lines from 0."""
    path = config.rootpath / file
    return github.Place(str(path.relative_to(root)) if path.is_relative_to(root) else file, (line or 0) + 1)
