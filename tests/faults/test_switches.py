"""pytest's own switches, and what becomes of a run under each."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.faults.rows import Row
from tests.faults.running import rows
from tests.harness.inner_runs import run_apart

#: One claim that holds and one that is violated, of counts: nothing is timed or trained.
COUNTS = """
from dlcv04 import claim, reference_everywhere

@claim("Five are fewer than four", control=reference_everywhere("b"))
def test_false(claim):
    claim.fewer(5, than=4, of="a", reference="b")

@claim("Three are fewer than four", control=reference_everywhere("b"))
def test_true(claim):
    claim.fewer(3, than=4, of="a", reference="b")
"""

BOTH, RED, LEFT = (
    "both verdicts, report and saved run",
    "VIOLATED      Five are fewer than four",
    "what was chosen, alone",
)
NOTHING = "nothing was run, nothing is written"

ROWS = [
    Row("-n 2", "`-n 2` (pytest-xdist)", "Benchmarks are disabled (--benchmark-disable, or pytest-xdist's -n)", 4, NOTHING),
    Row("no:cacheprovider", "`-p no:cacheprovider`", RED, 1, BOTH),
    Row("no:terminal", "`-p no:terminal`", "", 1, "report and saved run; nothing is printed"),
    Row("no:benchmark", "`-p no:benchmark`", "pytest-benchmark is switched off", 4, NOTHING),
    Row("no:dlcv04_harness", "`-p no:dlcv04_harness`", "Half of dlcv04 is switched off", 4, NOTHING),
    Row("no:junitxml", "`-p no:junitxml -p no:logging -p no:skipping`", RED, 1, BOTH, slow=True),
    Row("disable", "`--benchmark-disable`", "Benchmarks are disabled (--benchmark-disable", 4, NOTHING),
    Row("skip", "`--benchmark-skip`", "--benchmark-skip would skip every claim", 4, NOTHING),
    Row("only", "`--benchmark-only`", RED, 1, BOTH),
    Row("no-summary", "`--no-summary`", RED, 1, BOTH),
    Row("quiet", "`-qq --tb=no`", RED, 1, BOTH, slow=True),
    Row("rootdir", "`--rootdir=..`", RED, 1, "both verdicts; the report lies below that folder"),
    Row("ini", "`-c other.ini`", RED, 1, BOTH),
    Row("-k", "`-k true`", "The only claim holds", 0, LEFT),
    Row("-k-nothing", "`-k nothing`", "2 deselected", 5, "nothing is written: the last report stays"),
    Row("deselect", "`--deselect bench/test_it.py::test_false`", "The only claim holds", 0, LEFT),
    Row("lf", "`--lf` after a red run", "0 of 1 claim holds, 1 violated", 1, LEFT),
    Row("ff", "`--ff` after a red run", RED, 1, BOTH),
    Row("sw", "`--sw`", "the run was interrupted (Test failed, continuing from this test next run", 2, "the first verdict, "
        "which test was not run, report and saved run"),
    Row("-x", "`-x`", "the run was interrupted (stopping after 1 failures), 1 test not run", 1, "the first verdict, which test "
        "was not run, report and saved run"),
    Row("maxfail", "`--maxfail=1`", "the run was interrupted (stopping after 1 failures), 1 test not run", 1, "the same", slow=True),
    Row("collect-only", "`--collect-only`", "2 claims, profile smoke", 0, "the last report stays"),
    Row("setup-plan", "`--setup-plan`", "2 claims, profile smoke", 0, "the last report stays"),
    Row("warnings", "`-W error`", RED, 1, BOTH, slow=True),
    Row("-O", "`python -O`", RED, 1, BOTH),
    Row("-I", "`python -X utf8=0 -X dev`", RED, 1, BOTH, slow=True),
]  # fmt: skip
OPTIONS = {
    "-n 2": ["-n", "2"] if find_spec("xdist") else ["-p", "as_xdist"], "no:cacheprovider": ["-p", "no:cacheprovider"], "no:terminal": ["-p", "no:terminal"],
    "no:benchmark": ["-p", "no:benchmark"], "no:dlcv04_harness": ["-p", "no:dlcv04_harness"],
    "no:junitxml": ["-p", "no:junitxml", "-p", "no:logging", "-p", "no:skipping"],
    "disable": ["--benchmark-disable"], "skip": ["--benchmark-skip"], "only": ["--benchmark-only"],
    "no-summary": ["--no-summary"], "quiet": ["-qq", "--tb=no"], "rootdir": ["--rootdir=.."], "ini": ["-c", "other.ini"],
    "-k": ["-k", "true"], "-k-nothing": ["-k", "nothing"], "deselect": ["--deselect", "bench/test_it.py::test_false"],
    "lf": ["--lf"], "ff": ["--ff"], "sw": ["--sw"], "-x": ["-x"], "maxfail": ["--maxfail=1"],
    "collect-only": ["--collect-only"], "setup-plan": ["--setup-plan"], "warnings": ["-W", "error"], "-O": [], "-I": [],
}  # fmt: skip
INTERPRETER = {"-O": ["-O"], "-I": ["-X", "utf8=0", "-X", "dev"]}
#: What pytest-benchmark sees of pytest-xdist's `-n 2`, where that is not installed.
AS_XDIST = """
def pytest_addoption(parser):
    parser.addoption("--dist", dest="dist", default="load")
"""
#: They need a process of their own: the others run in a copy of this one, which has everything imported.
APART = {"-O", "-I", "warnings", "no:terminal"}
NOTHING_WRITTEN = {"-k-nothing", "collect-only", "setup-plan"}


def run(row, pytester, suite_options):
    command = ["bench", *suite_options]
    if row.name in APART:
        interpreter = [sys.executable, *INTERPRETER.get(row.name, []), "-m", "pytest"]
        done = subprocess.run([*interpreter, *command], cwd=pytester.path, capture_output=True, text=True)
        return done.stdout + done.stderr, done.returncode
    done = run_apart(pytester, *command)
    return done.stdout.str() + done.stderr.str(), done.ret


@pytest.mark.parametrize("row", rows(ROWS))
def test_a_switch(row, suite, monkeypatch):
    pytester = suite(COUNTS)
    (pytester.path / "other.ini").write_text("[pytest]\n")
    (pytester.path / "as_xdist.py").write_text(AS_XDIST)
    monkeypatch.syspath_prepend(str(pytester.path))
    if row.name in ("lf", "ff"):
        run_apart(pytester, "bench")
    last = pytester.path / "reports" / "latest.html"
    if row.name in NOTHING_WRITTEN:
        last.parent.mkdir()
        last.write_text("the last one")
    json_file = [] if row.name == "no:benchmark" else ["--benchmark-json=run.json"]
    said, code = run(row, pytester, [*OPTIONS[row.name], *json_file])
    assert row.sentence in said and code == row.exit, said
    assert "INTERNALERROR" not in said and "Traceback" not in said
    if row.exit == 4:
        assert not last.exists()
    elif row.name in NOTHING_WRITTEN:
        assert last.read_text() == "the last one"
    else:
        block = json.loads((pytester.path / "run.json").read_text())["dlcv04"]
        verdicts = {claim["test"].partition("::")[2]: claim["verdict"] for claim in block["claims"]}
        expected = {"test_false": "VIOLATED", "test_true": "HOLDS"}
        if row.kept == LEFT:
            expected.pop("test_true" if row.name == "lf" else "test_false")
        if row.name in ("sw", "-x", "maxfail"):
            expected.pop("test_true")
            assert block["not_run"] == ["bench/test_it.py::test_true"]
        assert verdicts == expected and block["exit_status"] == code
        reports = pytester.path.parent / "reports" if row.name == "rootdir" else last.parent
        assert (reports / "latest.html").exists()


def test_every_switch_has_a_row():
    assert {row.name for row in ROWS} == OPTIONS.keys() and os.environ.get("PYTEST_XDIST_WORKER") is None
