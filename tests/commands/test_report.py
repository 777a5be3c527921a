"""``dlcv04 report``: wrong input is one sentence; tests/harness/report/test_writing.py has what is written."""

from pathlib import Path

from tests.commands.asking import Command

report = Command("report")


def test_a_cut_run_is_named():
    Path("cut.json").write_text('{"dlcv04": {"schema"')
    assert "cut.json" in report.refused("cut.json")


def test_a_form_that_there_is_not():
    sentence = report.refused("run.json", "--format", "jsno")
    assert (
        sentence == "Invalid value for '--format': 'jsno' is not one of 'html', 'markdown', 'json', "
        "'github-action-benchmark', 'bencher'.\n"
    )
