"""`dlcv04 judge`: the verdicts of a stored run are those that were given live, and follow the figures."""

import json
import math

import msgspec
import pytest
from typer.testing import CliRunner

from dlcv04.cli import app
from dlcv04.harness.judging.replay import rejudge
from dlcv04.harness.store.reading import decode_run, read_run
from dlcv04.harness.store.schema import to_builtins
from tests.conftest import THREE_VERDICTS
from tests.harness.inner_runs import run_apart

CLAIMS = (
    THREE_VERDICTS
    + """
@claim("Fewer", control=reference_everywhere("short"))
def test_fewer(claim):
    claim.fewer(3, than=4, of="a", reference="b")
"""
)


@pytest.fixture
def saved(suite):
    """The path of a run that was saved live, with controls."""
    pytester = suite(CLAIMS)
    pytester.runpytest("bench", "--dl-controls", "--benchmark-json=run.json")
    return pytester.path / "run.json"


def judge(*arguments):
    return CliRunner().invoke(app, ["judge", *map(str, arguments)])


def test_a_stored_run_is_judged_as_it_was_live(saved):
    live = read_run(saved)
    again = rejudge(live, None)
    assert [(c.test, c.verdict, c.control_verdict) for c in again.claims] == [
        (c.test, c.verdict, c.control_verdict) for c in live.claims
    ]
    assert {c.verdict for c in again.claims if not c.is_control} == {"HOLDS", "VIOLATED", "INCONCLUSIVE"}
    for before, after in zip(live.claims, again.claims, strict=True):
        for one, other in zip(before.assertions, after.assertions, strict=True):
            assert (one.verdict, one.n, one.low, one.high) == (other.verdict, other.n, other.low, other.high)


def test_the_exit_code_is_that_of_the_run(saved):
    result = judge(saved)
    assert result.exit_code == read_run(saved).exit_status == 1
    assert "VIOLATED" in result.output


def test_the_verdict_follows_the_figures_not_the_stored_word(saved):
    document = json.loads(saved.read_text())
    for arm in document["dlcv04"]["arms"]:
        if arm["test"].endswith("test_longer_is_slower") and arm["name"] == "long":
            arm["round_seconds"] = [seconds / 4 for seconds in arm["round_seconds"]]
    run = rejudge(decode_run(document["dlcv04"], "edited"), None)
    assert run.claims[0].verdict == "VIOLATED" and run.claims[0].assertions[0].effect < 1


def test_strict_makes_what_is_open_fail(saved):
    block = json.loads(saved.read_text())["dlcv04"]
    block["failures"] = []
    block["claims"] = [claim for claim in block["claims"] if "unsure" in claim["test"] and not claim["is_control"]]
    run = decode_run(block, "edited")
    assert rejudge(run, None).exit_status == 0
    assert rejudge(run, None, strict=True).exit_status == 1


@pytest.fixture
def processes(suite):
    """One run and five stored processes, as (path, paths)."""
    pytester = suite()
    paths = []
    for number in range(6):
        run_apart(pytester, "bench", "--dl-record=timing", f"--benchmark-json=run{number}.json")
        paths.append(pytester.path / f"run{number}.json")
    return paths[0], paths[1:]


def test_against_stored_runs_unchanged_passes_and_a_slower_one_is_red(processes, tmp_path):
    run, stored = processes
    options = [part for path in stored for part in ("--against", path)]
    result = judge(run, *options)
    assert result.exit_code == 0, result.output
    assert "against 5 stored runs" in result.output
    document = json.loads(run.read_text())
    for arm in document["dlcv04"]["arms"]:
        arm["round_seconds"] = [seconds * math.exp(0.3) for seconds in arm["round_seconds"]]
    slow = [tmp_path / f"slow{number}.json" for number in range(3)]
    for path in slow:
        path.write_text(json.dumps(document))
    assert "2 inconclusive" in judge(slow[0], *options).output
    result = judge(*slow, *options)
    assert result.exit_code == 1 and "REGRESSED" in result.output


def test_nothing_comparable_exits_7(processes, tmp_path):
    run, stored = processes
    document = json.loads(run.read_text())
    document["dlcv04"]["key"]["backend"] = "another"
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    assert judge(other, "--against", stored[0]).exit_code == 7


def test_a_cut_file_is_one_sentence(tmp_path):
    path = tmp_path / "cut.json"
    path.write_text("{")
    result = judge(path)
    assert result.exit_code == 2 and "cut.json" in result.output


def test_judging_twice_gives_the_same_bytes(saved):
    run = read_run(saved)
    assert json.dumps(to_builtins(rejudge(run, None))) == json.dumps(to_builtins(rejudge(run, None)))


def test_stored_curves_are_judged_again_to_the_same_verdicts(kinds):
    _, live = kinds("--dl-controls")
    again = rejudge(live, None)
    for before, after in zip(live.claims, again.claims, strict=True):
        assert before.assertions == after.assertions, before.test


def test_the_verdict_follows_the_stored_curves(kinds):
    """Each curve of the better arm replaced by the other arm's: no claim over seeds that it beats it holds."""
    _, live = kinds("-k", "paired or reach")
    by_name = {(arm.test, arm.name): arm for arm in live.arms}
    arms = [
        msgspec.structs.replace(arm, curves=by_name[arm.test, "a"].curves) if arm.name == "b" else arm
        for arm in live.arms
    ]
    again = rejudge(msgspec.structs.replace(live, arms=arms), None)
    assert "HOLDS" not in {claim.verdict for claim in again.claims}
