"""The job summary's Markdown."""

from __future__ import annotations

import re

import msgspec
import pytest

from dlcv04.harness.report.renderers import markdown
from tests.harness.report.past_runs import stored
from tests.harness.report.sample import (
    HOSTILE,
    green_run,
    hostile_baselines,
    hostile_run,
    pictured_run,
    sample_baselines,
    sample_run,
)


def test_the_job_summary_tells_verdict_suspects_claims_and_differences() -> None:
    text = markdown.render(sample_run(), sample_baselines())
    assert text.startswith("## ✗ 4 of 6 claims hold")
    for heading in ("### To look at", "### Claims", "### Differs from the stored runs"):
        assert heading in text
    assert "| tensorflow | 2.21.0 | 2.20.0 |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_the_job_summary_tells_where_the_level_of_a_figure_changed() -> None:
    text = markdown.render(sample_run(), stored(16, slower_from=9, ratio=1.2))
    assert "### Level changed" in text and "% since the run of 2026-01-10 |" in text
    assert "### Level changed" not in markdown.render(sample_run(), stored(16))


def test_a_name_is_never_markdown() -> None:
    run = green_run()
    claim = msgspec.structs.replace(
        run.claims[0], sentence="<b>x</b> | [a](http://b) @someone `c` ![d](e)\nf \x1b[31m\x9b"
    )
    text = markdown.render(msgspec.structs.replace(run, claims=[claim]))
    assert "<b>" not in text and "](" not in text and "@someone" not in text and "http://" not in text
    assert "\x1b" not in text and "\x9b" not in text
    widths = {len(line.replace("\\|", "").split("|")) for line in text.splitlines() if line.startswith("| ✓")}
    assert widths == {8}


def test_a_summary_stays_below_what_a_job_may_write() -> None:
    run = green_run()
    claims = [msgspec.structs.replace(run.claims[0], test=f"t{i}", sentence="x" * 5_000) for i in range(400)]
    assert len(markdown.render(msgspec.structs.replace(run, claims=claims)).encode()) < 1_000_000


def test_pictures_are_named_where_they_can_not_be_shown() -> None:
    text = markdown.render(pictured_run())
    name = "a ramp from black to white, 1600 pixels wide"
    assert "### Pictures, in the HTML report" in text and f"| {name} |" in text and "| The same ramp. |" in text
    assert "icture" not in markdown.render(sample_run())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name: str) -> None:
    text = markdown.render(hostile_run(HOSTILE[name]), hostile_baselines(HOSTILE[name]))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not re.search(r"<(?!br>)|\]\(|@|://|(?<!\\)`", text)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| ✗")}) <= 2
    assert len(text.encode()) < 1_000_000
