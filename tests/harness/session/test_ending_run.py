"""How a run ends: the report, the self-test beside it, a run that was stopped."""

import msgspec
import pytest

from dlcv04.harness.store import selftests
from tests.conftest import SUITE
from tests.harness.inner_runs import run_apart, run_block, store, with_slowdown
from tests.harness.selftest.made import a_test


def test_the_report_is_written_and_its_path_printed(suite):
    pytester = suite()
    result = pytester.runpytest("bench", "--dl-report-dir=out")
    result.stdout.fnmatch_lines(["report: *out/*.html*"])
    assert "The long arm is slower" in (pytester.path / "out" / "latest.html").read_text()


def test_history_is_shown_without_a_comparison_and_judges_nothing(suite):
    pytester = suite()
    store(pytester)
    result, block = run_block(suite(machine=with_slowdown(1.5)))
    assert result.ret == 0 and block["compared_with"] == block["claims"][0]["comparisons"] == []
    page = (pytester.path / "reports" / "latest.html").read_text()
    assert page.count('class="spark none"') == 2 and "+50" in page
    assert "This run was not compared with any stored run" in page and "<h1" in page
    assert "stored run" not in page[page.index("<h1") : page.index("</h1>")]


def test_ctrl_c_before_the_first_claim_leaves_the_last_report(suite):
    pytester = suite()
    assert run_apart(pytester, "bench").ret == 0
    page = pytester.path / "reports" / "latest.html"
    before = page.read_bytes()
    result = run_apart(suite("def test_first():\n    raise KeyboardInterrupt\n\n\n" + SUITE), "bench")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "report:" not in result.stdout.str()
    assert page.read_bytes() == before


def test_ctrl_c_after_a_claim_reports_that_claim(suite):
    stopped = SUITE + "\n\ndef test_stopped():\n    raise KeyboardInterrupt\n"
    pytester = suite(stopped)
    result = run_apart(pytester, "bench")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "The long arm is slower" in (pytester.path / "reports" / "latest.html").read_text()


def test_the_report_shows_the_machines_self_test_and_an_unreadable_one_is_said(suite):
    pytester = suite()
    result, block = run_block(pytester, "--dl-report-dir=out")
    page = pytester.path / "out" / "latest.html"
    assert "No self-test of this machine class" in page.read_text()
    test = msgspec.structs.replace(a_test(0.01), key=block["key"])
    machine = msgspec.structs.replace(test.environment, machine_class="cpu-fake-2-cores")
    stored = selftests.keep(msgspec.structs.replace(test, environment=machine), pytester.path / "baselines")
    pytester.runpytest("bench", "--dl-report-dir=out")
    assert "Spread between processes" in page.read_text()
    stored.write_text("{")
    result = pytester.runpytest("bench", "--dl-report-dir=out")
    result.stdout.fnmatch_lines(["*x.json can't be read*", "report: *"])
    assert result.ret == 0 and "No self-test of this machine class" in page.read_text()
