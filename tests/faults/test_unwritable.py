"""Reports that can't be written, and runs that are ended from outside.

The verdicts still print, and the exit code is that of the claims.
"""

import json
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import THREE_VERDICTS
from tests.faults.rows import Row
from tests.faults.running import rows
from tests.harness.inner_runs import run_apart

SAVED = "the verdicts, the saved run"
SAID = "The report can't be written to"

ROWS = [
    Row("folder-is-a-file", "the report's folder is a file", SAID, 1, SAVED),
    Row("page-is-a-folder", "the page that is always the latest is a folder", SAID, 1, SAVED),
    Row("no-such-place", "the report's folder can't be made", SAID, 1, SAVED),
    Row("too-large", "no file may be as large as the report and the run (`ulimit -f`)", "The run can't be saved", 1, "the verdicts"),
    Row("broken-page", "the page can't be drawn (a fault of dlcv04)", "which is a fault of dlcv04; the verdicts stand", 1, SAVED),
    Row("unwritable-summary", "a GitHub job's summary can't be written", "GITHUB_STEP_SUMMARY names it", 1, SAVED),
    Row("ctrl-c", "Ctrl-C during a test", "KeyboardInterrupt", 2, "the verdicts and the report of what had ended, the saved run"),
    Row("sigterm", "SIGTERM during a test", "SIGTERM", 2, "the verdicts and the report of what had ended, the saved run"),
    Row("ctrl-c-at-the-end", "Ctrl-C while the report is written", "VIOLATED", 1, "everything: it is held back"),
    Row("sigterm-at-the-end", "SIGTERM while the report is written", "VIOLATED", 1, "everything: it is held back"),
]  # fmt: skip
BROKEN = """
from dlcv04.harness.report.renderers import html_page
def render(*arguments):
    raise ZeroDivisionError("planted")
html_page.render = render
"""
STOPPED = """
import os, signal
from dlcv04.harness.report import writing
inner = writing.html_page.render
def render(*arguments):
    os.kill(os.getpid(), signal.{signal})
    return inner(*arguments)
writing.html_page.render = render
"""
SLOW = """
def test_slow():
    import os, pathlib, time
    pathlib.Path("waits").write_text("x")
    try:
        time.sleep(60)
    except Exception:
        pass
"""


def run(pytester, *options, before=""):
    """Run the suite in a process of its own; what it printed, and its exit code."""
    arguments = ["bench", "--benchmark-json=run.json", "-p", "no:cacheprovider", *options]
    if not before:
        forked = run_apart(pytester, *arguments)
        return forked.stdout.str() + forked.stderr.str(), forked.ret
    command = ["bash", "-c", f'{before}; exec "$@"', "x", sys.executable, "-m", "pytest", *arguments]
    done = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True)
    return done.stdout + done.stderr, done.returncode


def with_conftest(pytester, code):
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + code)


@pytest.mark.parametrize("row", rows(ROWS[:6]))
def test_the_verdicts_still_print(row, suite, monkeypatch):
    pytester, options, before = suite(THREE_VERDICTS), (), ""
    reports = pytester.path / "reports"
    match row.name:
        case "folder-is-a-file":
            reports.write_text("mine")
        case "page-is-a-folder":
            (reports / "latest.html").mkdir(parents=True)
        case "no-such-place":
            options = ("--dl-report-dir=/proc/no/such/place",)
        case "too-large":
            before = "ulimit -f 40"
        case "broken-page":
            with_conftest(pytester, BROKEN)
        case "unwritable-summary":
            monkeypatch.setenv("GITHUB_ACTIONS", "true")
            monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/proc/no/such/summary")
    said, code = run(pytester, *options, before=before)
    assert code == row.exit and row.sentence in said, said
    assert "Traceback" not in said and "INTERNALERROR" not in said
    assert all(f"\n{word} " in said for word in ("HOLDS", "VIOLATED", "INCONCLUSIVE")), said
    if row.name != "too-large":
        claims = json.loads((pytester.path / "run.json").read_text())["dlcv04"]["claims"]
        assert {claim["verdict"] for claim in claims} == {"HOLDS", "VIOLATED", "INCONCLUSIVE"}
    if row.name == "folder-is-a-file":
        assert reports.read_text() == "mine"


@pytest.mark.parametrize("row", rows(ROWS[6:8]))
def test_ended_during_a_test(row, suite):
    pytester = suite(THREE_VERDICTS + SLOW)
    command = [sys.executable, "-m", "pytest", "bench", "--benchmark-json=run.json", "-p", "no:cacheprovider"]
    process = subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 120
    while not (pytester.path / "waits").exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT if row.name == "ctrl-c" else signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == row.exit and row.sentence in said, said
    assert "The long arm is not slower" in (pytester.path / "reports" / "latest.html").read_text()
    block = json.loads((pytester.path / "run.json").read_text())["dlcv04"]
    assert block["interrupted"] == {"ctrl-c": "Ctrl-C", "sigterm": "SIGTERM"}[row.name] and len(block["claims"]) == 3


@pytest.mark.parametrize("row", rows(ROWS[8:]))
def test_ended_at_the_end(row, suite):
    pytester = suite(THREE_VERDICTS)
    with_conftest(pytester, STOPPED.format(signal="SIGINT" if row.name.startswith("ctrl") else "SIGTERM"))
    said, code = run(pytester)
    assert code == row.exit and row.sentence in said and "report: " in said, said
    assert (pytester.path / "run.json").exists() and (pytester.path / "reports" / "latest.html").exists()
