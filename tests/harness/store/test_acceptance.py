"""Which runs may be accepted, what of them is stored, and how many processes they are."""

import msgspec
import pytest

from dlcv04.harness.store.acceptance import enough_processes, may_accept, only_part, parts, span
from dlcv04.harness.store.files import BaselineError
from dlcv04.harness.store.schema import Acceptance, Claim, Commit, Figure
from tests.harness.store.records import HERE, accept, comparison, make_run


def test_a_part_that_the_run_lacks_is_refused(store):
    learning = make_run(arms=[])
    assert parts(learning) == ["portable"]
    with pytest.raises(BaselineError, match="nothing to store as timing"):
        accept(store, learning)


def claims(verdict="HOLDS", compared="PASS", **changes):
    values = {"test": "bench/test_a.py::test_slow", "sentence": "s", "verdict": verdict}
    return [Claim(**(values | {"comparisons": [comparison(compared)]} | changes))]


@pytest.mark.parametrize(
    ("changes", "ground"),
    [
        ({"claims": claims("VIOLATED")}, "1 violated (bench/test_a.py::test_slow)"),
        ({"claims": claims("VIOLATED", "REGRESSED")}, "1 violated"),
        ({"failures": ["bench/test_a.py::test_slow"], "claims": claims("HOLDS")}, "1 failed"),
        ({"failures": ["bench/test_a.py::test_slow: ValueError"], "claims": claims("HOLDS", "REGRESSED")}, "1 failed"),
        ({"failures": [f"t{i}" for i in range(5)]}, "5 failed (t0, t1, t2 and 2 more)"),
        ({"missing": [comparison("MISSING", test="bench/test_b.py::test_gone")]}, "1 missing"),
        ({"commit": Commit(id="x", dirty=True)}, "uncommitted changes"),
        ({"whole_suite": False}, "only part of the suite"),
        ({"exit_status": 2}, "ended early"),
        ({"exit_status": 1}, "failed outside its claims"),
    ],
)
def test_runs_that_may_not_be_accepted(changes, ground):
    sentence = may_accept(make_run(**changes))
    assert ground in sentence and "`--force`" in sentence and "run-1" in sentence


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"exit_status": 7},
        {"exit_status": 1, "strict": True, "claims": claims("INCONCLUSIVE")},
        {"claims": claims("INCONCLUSIVE", "NO_BASELINE")},
        {"exit_status": 1, "claims": claims("HOLDS", "REGRESSED")},
        {"exit_status": 1, "claims": claims("HOLDS", "REGRESSED"), "failures": ["bench/test_a.py::test_slow"]},
        {"exit_status": 1, "claims": claims("HOLDS", "STALE"), "failures": ["bench/test_a.py::test_slow"]},
        {"claims": claims() + claims("VIOLATED", is_control=True)},
    ],
)
def test_runs_that_may_be_accepted(changes):
    assert may_accept(make_run(**changes)) is None


def test_processes_and_days(store):
    started = ["2026-10-01T23:30:00+00:00", "2026-10-02T01:30:00+02:00", "2026-10-02T10:00:00+00:00", "unknown"]
    for index, moment in enumerate(started):
        accept(store, make_run(f"r{index}", started=moment))
    timing = store.load(machine_class=HERE).timing
    assert span(timing) == (4, 2)
    assert span([*timing, *timing]) == (4, 2), "a run is one process however often it is listed"
    sentence = enough_processes(timing)
    assert "this one has 4" in sentence and "--processes 1" in sentence
    accept(store, make_run("r4"))
    assert enough_processes(store.load(machine_class=HERE).timing) is None
    assert enough_processes([]) is not None


def test_a_claim_that_asserted_nothing_is_no_part_of_a_baseline():
    skipped = Claim(test="bench/test_a.py::test_skips", sentence="x", lacking=["skipped: no file"])
    run = make_run()
    asked = Acceptance(reason="r", accepted="t", commit=Commit(), part="portable")
    stored = only_part(msgspec.structs.replace(run, claims=[*run.claims, skipped]), "portable", asked)
    assert stored.claims and skipped.test not in [claim.test for claim in stored.claims]


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_an_interrupted_run_is_no_baseline(code):
    run = msgspec.structs.replace(make_run(), interrupted="Ctrl-C", exit_status=code)
    assert "it ended early" in may_accept(run)


def test_an_expected_violation_is_no_reason_against_a_baseline():
    assert "violated" in may_accept(make_run(claims=claims("VIOLATED")))
    assert may_accept(make_run(claims=claims("VIOLATED", expected="known"))) is None


def test_a_clock_is_no_part_of_what_travels_and_a_metric_none_of_the_times():
    figures = [
        Figure(name=name, kind=kind, unit="J", direction="lower", values=[1.0])
        for name, kind in (("energy", "times"), ("depth", "learning"), ("layers", "exact"))
    ]
    run = make_run()
    run = msgspec.structs.replace(run, arms=[msgspec.structs.replace(run.arms[0], figures=figures)])
    for part, kept in (("timing", ["energy"]), ("portable", ["depth", "layers"])):
        acceptance = Acceptance(reason="r", accepted="t", commit=Commit(), part=part)
        (arm,) = only_part(run, part, acceptance).arms
        assert [figure.name for figure in arm.figures] == kept
