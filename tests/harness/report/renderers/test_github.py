"""What a run says inside a GitHub job: annotations and the job's summary."""

from __future__ import annotations

import re

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.report.renderers import github
from tests.harness.report.renderers.conftest import CLAIMS
from tests.harness.report.sample import sample_run

COMMAND = "<script>100%::error::x\r\n::stop-commands::y, z: \u202e"


def test_annotations_stand_at_the_tests_and_only_for_what_is_red_or_unsure(job):
    lines = [line for line in job().lines if line.startswith("::")]
    source = CLAIMS.split("\n")
    for line, (level, test) in zip(lines, [("error", "test_false"), ("warning", "test_unsure")], strict=True):
        found = re.match(r"::(\w+) file=([^,]+),line=(\d+),title=", line)
        assert found[1] == level and found[2] == "bench/test_it.py"
        # pytest places a decorated test at its first decorator.
        assert f"def {test}(" in "\n".join(source[int(found[3]) - 1 : int(found[3]) + 1])
    assert "title=VIOLATED%3A The long arm%3A 50 %25 faster%2C really::" in lines[0]


def test_outside_a_job_nothing_of_it_is_printed(suite, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    result = suite(CLAIMS).runpytest("bench")
    assert not [line for line in result.outlines if line.startswith("::")]


def test_the_summary_is_appended_to_what_others_wrote(job, tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("# theirs\n")
    job(summary=path)
    text = path.read_text()
    assert text.startswith("# theirs\n") and "## ✗ 1 of 3 claims hold" in text and "### Claims" in text


def test_a_summary_that_can_not_be_written_is_one_sentence_and_loses_nothing(job, tmp_path):
    made = job(summary=tmp_path / "no" / "folder" / "summary.md")
    assert any(
        "can't be written (No such file or directory): GITHUB_STEP_SUMMARY names it." in line for line in made.lines
    )
    assert any(line.startswith("report: ") for line in made.lines)


def test_a_summary_beyond_githubs_limit_keeps_the_verdict(tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("x" * (github.MOST_SUMMARY_BYTES - 500))
    assert github.append_summary(path, sample_run(), []) == ""
    assert path.stat().st_size <= github.MOST_SUMMARY_BYTES and "see the report" in path.read_text()[-200:]


@given(st.text(max_size=60) | st.just(COMMAND))
@settings(max_examples=60, deadline=None)
def test_no_text_can_start_a_command_of_its_own(text):
    run = sample_run()
    claims = [msgspec.structs.replace(claim, sentence=text, reason=text, verdict="VIOLATED") for claim in run.claims]
    lines = github.commands(msgspec.structs.replace(run, claims=claims), {})
    assert lines
    for line in lines:
        assert "\n" not in line and "\r" not in line
        assert re.fullmatch(r"::(error|warning|notice) title=[^:,]*::.*", line)


def test_more_than_github_shows_is_counted():
    run = sample_run()
    first = next(claim for claim in run.claims if not claim.is_control)
    red = [msgspec.structs.replace(first, test=f"t{i}", verdict="VIOLATED", comparisons=[]) for i in range(25)]
    lines = github.commands(msgspec.structs.replace(run, claims=red, missing=[], failures=[]), {})
    assert sum(line.startswith("::error ") for line in lines) == github.MOST_ANNOTATIONS
    assert lines[-1] == "::notice title=dlcv04::15 more are in the report."
