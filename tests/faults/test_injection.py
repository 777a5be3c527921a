"""Stored text that would drive a terminal, a CI service or a page.

A run comes from another branch, fork or machine: each renderer has one way for text to come through, and nothing of it
reaches a reader raw.
"""

import json
import re
from xml.etree import ElementTree

import pytest

from dlcv04 import plaintext
from dlcv04.harness.report.renderers import github, html_page, json_document, junit, markdown, terminal
from dlcv04.harness.store import files
from tests.conftest import SUITE, accept_processes
from tests.faults.rows import Row
from tests.faults.running import asked, rows
from tests.harness.report.sample import hostile_baselines, hostile_run
from tests.harness.store.records import make_document, make_run

SHOWN = "the text, as text"
ATTACKS = {
    "escape": "a\x1b[31mred\x1b]0;owned\x07\x9b2J",
    "line": "a\n::error title=owned::x\n##[error]owned\n##vso[task.complete]x\r::warning::x",
    "markup": "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "markdown": "| [a](http://b.example) ![c](d) @someone `e` **f** www.b.example\n# heading",
    "direction": "\u202edesrever\u2066 x",
    "unseen": "a\u200b\u2060\ufeff\u00ad\U000e0041b",
}
WHAT = {
    "escape": "escape sequences in stored names, units and sentences",
    "line": "line breaks before `::error`, `##[error]` and `##vso[` in stored text",
    "markup": "tags and scripts in stored text",
    "markdown": "links, images, mentions, table edges and headings in stored text",
    "direction": "marks that turn the direction of what follows",
    "unseen": "characters that nobody sees, so that two names look alike",
}
ROWS = [
    *(Row(name, WHAT[name], "\ufffd" if name == "unseen" else "", 0, SHOWN) for name in ATTACKS),
    Row("file-name", "a file's name with a line break before `::error`", "can't be opened", 2, "nothing changed"),
    Row("live", "a baseline's key and versions with a line break before `::error`, in a red test", "REGRESSED", 1, SHOWN),
]  # fmt: skip


def is_plain(text):
    """No control character but line ends, nothing unseen, no line that a CI service obeys."""
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff\u00ad\U000e0041]", text
    ), text
    assert not re.search(r"^\s*::(error|warning)|##\[|##vso", text, re.M), text
    return True


@pytest.mark.parametrize("row", rows(ROWS[:6]))
def test_no_renderer_lets_it_through(row):
    attack = ATTACKS[row.name]
    run, stored = hostile_run(attack), hostile_baselines(attack)
    run = with_units(run, attack)
    lines = terminal.lines(run, stored)
    assert is_plain("\n".join(lines)) and not any("\n" in line for line in lines)
    assert row.sentence in "\n".join(lines)
    text = markdown.render(run, stored)
    assert is_plain(text)
    assert not re.search(r"(?<!\\)[\[`]|<(?!br>)|@|://|www\.|^# ", text.replace("&#", ""), re.M), text
    assert all(line.count(" | ") == 0 or line.startswith("| ") for line in text.splitlines())
    for line in github.commands(run, {}):
        assert re.match("::(error|warning|notice) ", line) and "\n" not in line and is_plain(line.partition("::")[2])
    for claim in run.claims:
        assert all(is_plain(value) and "\n" not in value for _, value in junit.properties(claim))
    page = html_page.render(run, stored)
    ElementTree.fromstring("<x>" + "".join(re.findall(r"<svg.*?</svg>", page, re.S)) + "</x>")
    assert "<img src=x" not in page and page.count("<script") == html_page.render(hostile_run("x")).count("<script")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2060\ufeff]", page)
    assert json_document.render(run, stored).isascii()


def with_units(run, text):
    """The run with the text for the units and counts of its assertions and comparisons, too."""
    import msgspec

    replace = msgspec.structs.replace
    claims = [
        replace(
            claim,
            assertions=[replace(a, unit=text, n_unit=text, metric=text) for a in claim.assertions],
            comparisons=[replace(row, unit=text) for row in claim.comparisons],
            expected=text,
            lacking=[text],
        )
        for claim in run.claims
    ]
    return replace(run, claims=claims, interrupted=text, not_run=[text])


@pytest.mark.parametrize("row", rows(ROWS[:6]))
def test_no_command_lets_it_through(row, empty_folder):
    attack = ATTACKS[row.name]
    document = files.strict(make_document(make_run()))
    (claim,) = document["dlcv04"]["claims"]
    for assertion in claim["assertions"]:
        assertion.update(n_unit=attack, unit=attack, sentence=attack, method=attack)
    claim.update(sentence=attack, comparisons=[])
    (empty_folder / "run.json").write_text(json.dumps(document))
    for command in (
        ["judge", "run.json"],
        ["report", "run.json", "--format", "markdown"],
        ["accept", "run.json", "--reason", attack],
    ):
        said, code = asked(*command)
        assert is_plain(said) and code == row.exit, command


@pytest.mark.parametrize("row", rows(ROWS[6:7]))
def test_a_name_is_no_order(row, empty_folder):
    said, code = asked("judge", "x\n::error::owned.json")
    assert row.sentence in said and code == row.exit and is_plain(said) and len(said.splitlines()) == 1


@pytest.mark.parametrize("row", rows(ROWS[7:]))
def test_a_red_test_is_no_order(row, suite):
    pytester = suite()
    pytester.runpytest("bench", "--benchmark-json=run.json")
    path = pytester.path / "run.json"
    document = json.loads(path.read_text())
    evil = "2\n::error title=owned::x\x1b[31m"
    document["dlcv04"]["environment"]["software"]["fake"] = evil
    for arm in document["dlcv04"]["arms"]:
        arm["parameters"], arm["facts"] = 7, {"recipe": {evil: evil, "a": 1}}
    path.write_text(json.dumps(document))
    accept_processes(pytester.path, path)
    claims = SUITE.replace('times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))',
                           'times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.9))')  # fmt: skip
    result = suite(claims).runpytest("bench", "--benchmark-compare", "-rA")
    printed = result.stdout.str()
    assert "REGRESSED" in printed or "INCONCLUSIVE" in printed
    assert is_plain(printed)


def test_text_stays_as_it_is_where_nothing_is_wrong_with_it():
    for text in ("Größe ≥ 1.10 · naïve", "می‌خواهم", "👩‍🔬 x", "a: b::c", "# 1", "日本語"):
        assert plaintext.plain(text) == text
