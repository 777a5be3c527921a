"""Which runs may become a baseline, and which half of a run is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from dlcv04.harness.policy import MIN_PROCESSES
from dlcv04.harness.store import files, reading
from dlcv04.harness.store.schema import Acceptance, Arm, Claim, Commit, Run, to_builtins
from dlcv04.harness.store.stored import StoredRun

Part = Literal["timing", "portable"]


# pytest's exit statuses 0 and 1, and our 7 (nothing was comparable); the others ended before all tests had
# run.
_FINISHED = frozenset({0, 1, 7})


class Span(NamedTuple):
    """How many processes a baseline comes from, and on how many calendar days (UTC) they ran."""

    processes: int
    days: int


@dataclass(frozen=True)
class Candidate:
    """A run's document and which half of it to store; see `Store.accept`."""

    document: Mapping[str, Any]
    part: Part
    forced: bool = False
    name: str = "run"


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
    violated = [claim.test for claim in tests if claim.verdict == "VIOLATED" and not claim.expected]
    missing = [record.test for record in run.comparisons if record.verdict == "MISSING"]
    intended = {claim.test for claim in tests if _intended(claim)}
    errors = [failure for failure in run.failures if failure not in intended and failure not in violated]
    explained = bool(violated or missing or intended or errors or run.strict)
    grounds = [
        _listed("violated", violated),
        _listed("failed", errors),
        _listed("missing", missing),
        "a test failed outside its claims" if run.exit_status == 1 and not explained else "",
        "it ended early" if run.interrupted or run.exit_status not in _FINISHED else "",
        "it ran only part of the suite" if not run.whole_suite else "",
        _unknown_code(run.commit) if run.commit.dirty else "",
    ]
    given = [ground for ground in grounds if ground]
    if not given:
        return None
    return f"Run {run.id} can't be accepted: {'; '.join(given)}. Fix that and run again, or use `--force`."


def _unknown_code(commit: Commit) -> str:
    return "its working tree had uncommitted changes" if commit.id else "git could not say which code it ran"


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


def only_part(run: Run, part: Part, acceptance: Acceptance) -> Run:
    """The run without what the other part holds, its comparisons and its pictures: a baseline is measurements.

    Nor are further processes and process pairs kept: a stored file is one process. A claim that asserted nothing (it
    skipped itself) is none that a later run would have to measure.
    """
    replace = msgspec.structs.replace
    claims = [claim for claim in run.claims if claim.assertions or claim.is_control]
    run = replace(run, claims=claims, missing=[], repeats=[], rechecks=[], against=None)
    if part == "timing":
        arms = [replace(arm, curves=[], figures=[f for f in arm.figures if f.kind == "times"]) for arm in run.arms]
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
        figures=[figure for figure in arm.figures if figure.kind != "times"],
    )


def part_document(document: Mapping[str, Any], part: Part, run: Run) -> dict[str, Any]:
    """The document to store: pytest-benchmark's frame, the part's rows, the block and its hash."""
    kept = files.strict({name: value for name, value in document.items() if name != "dlcv04"})
    if part == "portable":
        kept |= {"benchmarks": [], "machine_info": {}}
    kept["dlcv04"] = files.strict(to_builtins(run))
    kept["dlcv04"]["acceptance"]["sha256"] = reading.content_hash(kept)
    return dict(kept)


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


def _day(started: str) -> str | None:
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return None
    # A time without a zone is taken as UTC: a machine's own zone would make the count differ between readers.
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()
