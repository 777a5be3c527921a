"""What a CI reads: JUnit properties, GitHub's annotations and its job summary."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.report import github, junit
from dlcv04.harness.schema import Claim
from tests.conftest import THREE_VERDICTS
from tests.harness.report.sample import sample_run

CLAIMS = THREE_VERDICTS.replace("The long arm is not slower", "The long arm: 50 % faster, really")
HOSTILE = "<script>100%::error::x\r\n::stop-commands::y, z: \u202e"


@dataclass
class Job:
    """A run of three claims as a GitHub job has it."""

    lines: list
    summary: object
    xml: ElementTree.Element


@pytest.fixture
def job(suite, monkeypatch):
    def run(*options, summary=None):
        pytester = suite(CLAIMS)
        path = summary or pytester.path / "summary.md"
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
        monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
        result = pytester.runpytest("bench", "--junitxml=junit.xml", *options)
        return Job(result.outlines, path, ElementTree.parse(pytester.path / "junit.xml").getroot())

    return run


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
        "can't be written (No such file or directory): GITHUB_STEP_SUMMARY names it." in one for one in made.lines
    )
    assert any(line.startswith("report: ") for line in made.lines)


def test_a_summary_beyond_githubs_limit_keeps_the_verdict(tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("x" * (github.MOST_SUMMARY_BYTES - 500))
    assert github.append_summary(path, sample_run(), []) == ""
    assert path.stat().st_size <= github.MOST_SUMMARY_BYTES and "see the report" in path.read_text()[-200:]


@given(st.text(max_size=60) | st.just(HOSTILE))
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
    one = next(claim for claim in run.claims if not claim.is_control)
    red = [msgspec.structs.replace(one, test=f"t{i}", verdict="VIOLATED", comparisons=[]) for i in range(25)]
    lines = github.commands(msgspec.structs.replace(run, claims=red, missing=[], failures=[]), {})
    assert sum(line.startswith("::error ") for line in lines) == github.MOST_ANNOTATIONS
    assert lines[-1] == "::notice title=dlcv04::15 more stand in the report."


def cases(root):
    return {case.get("name"): case for case in root.iter("testcase")}


def test_junit_has_verdicts_and_figures_as_properties(job):
    found = cases(job().xml)
    read = {p.get("name"): p.get("value") for p in found["test_false"].iter("property")}
    assert read["dl_verdict"] == read["dl_assertion_1_verdict"] == "VIOLATED"
    assert float(read["dl_assertion_1_high"]) < float(read["dl_assertion_1_margin"]) == 1.1
    assert read["dl_assertion_1_kind"] == "ORDER" and int(read["dl_assertion_1_n"]) >= 8
    assert found["test_false"].find("failure") is not None
    skipped = found["test_unsure"].find("skipped")
    assert "INCONCLUSIVE: Hardly slower" in skipped.get("message")
    assert found["test_longer_is_slower"].find("skipped") is None


def test_a_controls_verdict_is_a_property_too(job):
    read = {
        p.get("name"): p.get("value") for p in cases(job("--dl-controls").xml)["test_unsure[control]"].iter("property")
    }
    assert read["dl_control_verdict"] in {"BROKE", "CONTROL_WEAK"}


def test_numbers_survive_the_text():
    run = sample_run()
    for claim in run.claims:
        read = dict(junit.properties(claim))
        for number, assertion in enumerate(claim.assertions, 1):
            if assertion.effect is not None:
                assert float(read[f"dl_assertion_{number}_effect"]) == assertion.effect
            else:
                assert f"dl_assertion_{number}_effect" not in read


def test_hostile_sentences_stay_one_printable_line():
    read = dict(junit.properties(Claim(test="t", sentence=HOSTILE + "\x00")))
    assert read["dl_sentence"].isprintable()
