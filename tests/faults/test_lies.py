"""Files that tell something else than was measured.

Nothing here is broken: each file has the right shape, and a reader who believed it would be fooled.
"""

import json

import pytest

from tests.conftest import THREE_VERDICTS
from tests.faults.rows import Row
from tests.faults.running import asked, rows

REFUSED = "nothing is stored; `--force` stores it, and it shows ever after"

ROWS = [
    Row("verdict", "a saved run whose VIOLATED was edited to HOLDS, and its exit code to 0, is accepted",
        "says HOLDS of bench/test_it.py::test_false, and its own figures say VIOLATED", 1, REFUSED),
    Row("verdict-shown", "the same run's report is shown to a reviewer", "and its own figures say VIOLATED", 0,
        "the report, with the sentence beside it"),
    Row("two-truths", "a saved run whose rows (what pytest-benchmark and people read) have faster times than the block "
        "that is judged", "has other times of", 1, REFUSED),
    Row("look-alike", "a second claim whose name differs from a red one's by a character that nobody sees", "\ufffd", 1,
        "both claims, told apart"),
    Row("claim-twice", "a claim that occurs twice, VIOLATED and HOLDS", "occurs twice", 2, "nothing is stored"),
]  # fmt: skip


@pytest.fixture(scope="module")
def documents():
    return {}


@pytest.fixture
def saved(suite, documents):
    """A folder with a run that was saved live, with three verdicts in it; its path and its document."""
    pytester = suite(THREE_VERDICTS)
    path = pytester.path / "run.json"
    if not documents:
        pytester.runpytest("bench", "--benchmark-json=run.json")
        documents["live"] = path.read_text()
    document = json.loads(documents["live"])
    document["dlcv04"]["commit"] = {"id": "c" * 40, "branch": "main", "dirty": False}
    document["dlcv04"]["whole_suite"] = True
    return path, document


def false_claim(document):
    return next(claim for claim in document["dlcv04"]["claims"] if claim["test"].endswith("test_false"))


def lie(claim, document):
    claim.update(verdict="HOLDS", reason="")
    for assertion in claim["assertions"]:
        assertion["verdict"] = "HOLDS"
    document["dlcv04"].update(exit_status=0, failures=[])


def without_false(document):
    """The document as it is accepted: what is violated is not in it."""
    block = document["dlcv04"]
    block["claims"] = [claim for claim in block["claims"] if not claim["test"].endswith("test_false")]
    block.update(exit_status=0, failures=[])


@pytest.mark.parametrize("row", rows(ROWS))
def test_a_lie_is_named(row, saved):
    path, document = saved
    command = ["accept", path, "--reason", "x"]
    match row.name:
        case "verdict" | "verdict-shown":
            lie(false_claim(document), document)
        case "two-truths":
            without_false(document)
            path.write_text(json.dumps(document))
            stats = document["benchmarks"][0]["stats"]
            stats.update(min=stats["min"] / 2, data=[value / 2 for value in stats["data"]])
        case "look-alike":
            honest = false_claim(document)
            twin = json.loads(json.dumps(honest))
            twin["test"] += "\u200b"
            twin["sentence"] += "\u200b"
            document["dlcv04"]["claims"].append(twin)
            for arm in [arm for arm in document["dlcv04"]["arms"] if arm["test"] == honest["test"]]:
                document["dlcv04"]["arms"].append({**arm, "test": twin["test"]})
            command = ["judge", path]
        case "claim-twice":
            twin = json.loads(json.dumps(false_claim(document)))
            lie(twin, document)
            document["dlcv04"]["claims"].append(twin)
    if row.name == "verdict-shown":
        command = ["report", path, "--format", "markdown"]
    path.write_text(json.dumps(document))
    said, code = asked(*command)
    assert row.sentence in said and code == row.exit, said
    assert not (path.parent / "baselines").exists()


def test_the_honest_run_is_accepted_and_forced_lies_show(saved, monkeypatch):
    path, document = saved
    monkeypatch.chdir(path.parent)
    without_false(document)
    path.write_text(json.dumps(document))
    said, code = asked("accept", path, "--reason", "x")
    assert code == 0, said
    document["dlcv04"]["id"] = "another"
    document["benchmarks"][0]["stats"]["min"] /= 2
    path.write_text(json.dumps(document))
    assert asked("accept", path, "--reason", "x")[1] == 1
    said, code = asked("accept", path, "--reason", "x", "--force")
    assert code == 0, said
    stored = [json.loads(each.read_text()) for each in (path.parent / "baselines").glob("*/*.json")]
    assert {each["dlcv04"]["acceptance"]["forced"] for each in stored} == {True, False}
