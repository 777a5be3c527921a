"""The plain renderers: the terminal's lines and the job summary's Markdown."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from dlcv04.harness.report import json as renderer
from dlcv04.harness.report import markdown, terminal
from tests.harness.report.sample import (
    HOSTILE,
    empty_run,
    green_run,
    hostile_baselines,
    hostile_run,
    pictured_run,
    sample_baselines,
    sample_run,
)
from tests.harness.report.test_report_history import stored


def named(text: str) -> list[str]:
    run = green_run()
    claim = msgspec.structs.replace(run.claims[0], sentence=text)
    hostile = msgspec.structs.replace(run, claims=[claim])
    return [*terminal.lines(hostile), markdown.render(hostile)]


def test_one_line_a_claim_with_verdict_effect_interval_and_n() -> None:
    lines = terminal.lines(sample_run())
    line = next(x for x in lines if "Adding conv layers is expensive" in x)
    assert line.startswith("HOLDS ") and "1.62 [1.55, 1.70], margin 1.10, n = 10 rounds" in line
    assert lines[0].startswith("VIOLATED")
    assert lines[-1].startswith("4 of 6 claims hold")


def test_red_figures_stand_below_their_claim_with_what_changed() -> None:
    lines = terminal.lines(sample_run())
    at = next(i for i, x in enumerate(lines) if "Adding conv layers is expensive" in x)
    assert "REGRESSED" in lines[at + 1] and "tensorflow 2.20.0" in lines[at + 1]
    assert any("MISSING" in x and "extra_fc128" in x for x in lines)
    assert any(x.startswith("ERROR") and "test_kernel_5x5" in x for x in lines)
    assert any("SURVIVED" in x and "control" in x for x in lines)


def test_an_empty_run_is_one_line() -> None:
    assert terminal.lines(empty_run()) == ["No claim was run."]


def test_a_terminal_is_never_driven_by_a_name() -> None:
    for text in named("red \x1b[31m\x9b2J\r\nnext"):
        assert "\x1b" not in text and "\x9b" not in text and "\r" not in text
    assert all("\n" not in line for line in terminal.lines(sample_run()))


def test_the_job_summary_tells_verdict_suspects_claims_and_differences() -> None:
    text = markdown.render(sample_run(), sample_baselines())
    assert text.startswith("## ✗ 4 of 6 claims hold")
    for heading in ("### Suspects", "### Claims", "### Differs from the stored runs"):
        assert heading in text
    assert "| tensorflow | 2.21.0 | 2.20.0 |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_the_job_summary_tells_where_the_level_of_a_figure_changed() -> None:
    text = markdown.render(sample_run(), stored(16, slower_from=9, ratio=1.2))
    assert "### Level changed" in text and "% since run of 2026-01-10 |" in text
    assert "### Level changed" not in markdown.render(sample_run(), stored(16))


def test_a_name_is_never_markdown() -> None:
    text = named("<b>x</b> | [a](http://b) @someone `c` ![d](e)\nf")[-1]
    assert "<b>" not in text and "](" not in text and "@someone" not in text and "http://" not in text
    widths = {len(line.replace("\\|", "").split("|")) for line in text.splitlines() if line.startswith("| ✓")}
    assert widths == {8}


def test_a_summary_stays_below_what_a_job_may_write() -> None:
    run = green_run()
    claims = [msgspec.structs.replace(run.claims[0], test=f"t{i}", sentence="x" * 5_000) for i in range(400)]
    assert len(markdown.render(msgspec.structs.replace(run, claims=claims)).encode()) < 1_000_000


def test_pictures_are_named_where_they_can_not_be_shown() -> None:
    run = pictured_run()
    name = "a ramp from black to white, 1600 pixels wide"
    assert f"4 pictures in the report: {name}" in "\n".join(terminal.lines(run))
    text = markdown.render(run)
    assert "### Pictures, in the HTML report" in text and f"| {name} |" in text and "| The same ramp. |" in text
    assert "icture" not in "\n".join([*terminal.lines(sample_run()), markdown.render(sample_run())])


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text_in_every_plain_renderer(name: str) -> None:
    run, stored = hostile_run(HOSTILE[name]), hostile_baselines(HOSTILE[name])
    lines = terminal.lines(run, stored)
    assert all(not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line) for line in lines)
    assert max(map(len, lines)) < 1_500
    text = markdown.render(run, stored)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not re.search(r"<(?!br>)|\]\(|@|://|(?<!\\)`", text)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| ✗")}) <= 2
    assert len(text.encode()) < 1_000_000


@pytest.mark.parametrize("name", HOSTILE)
def test_json_keeps_hostile_text_exactly_and_escaped(name: str) -> None:
    run = hostile_run(HOSTILE[name])
    text = renderer.render(run, hostile_baselines(HOSTILE[name]))
    assert text.isascii() and not re.search("[\x00-\x09\x0b-\x1f\x7f]", text)
    found = json.loads(text)
    assert found["claims"][0]["sentence"] == found["run"]["commit"]["branch"] == HOSTILE[name]


def test_undecided_figures_stand_below_their_claim_with_their_sentence() -> None:
    lines = terminal.lines(sample_run())
    at = next(i for i, x in enumerate(lines) if "Removing a conv layer learns worse" in x)
    assert "INCONCLUSIVE" in lines[at + 1] and "The interval straddles the gate" in lines[at + 1]
