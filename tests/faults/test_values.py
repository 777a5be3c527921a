"""Impossible values in a run, and clocks that fail.

A record that no run can have written is refused where it is read, stored or accepted, so that no later comparison fails
of it; what is measured wrongly is said where it is measured.
"""

import json

import pytest

from dlcv04.harness.store import files
from tests.conftest import FAKE_MACHINE, SUITE
from tests.faults.rows import Row
from tests.faults.running import asked, refused, rows
from tests.harness.store.records import make_document, make_run

READ = "was cut or edited by hand"
UNTOUCHED = "the file as it is; nothing is stored"

ROWS = [
    Row("zero-round", "a stored round of 0 s", READ, 2, UNTOUCHED),
    Row("negative-round", "a stored round of -0.1 s", READ, 2, UNTOUCHED),
    Row("huge-round", "a stored round of 1e308 s", "larger than any figure", 2, UNTOUCHED),
    Row("nan-round", "a stored round of NaN", "NaN is not JSON", 2, UNTOUCHED),
    Row("no-round", "rounds that are numbered and have no seconds", "not numbered one by one", 2, UNTOUCHED),
    Row("no-images", "rounds of 0 images", "its rounds have no images", 2, UNTOUCHED),
    Row("zero-margin", "an asserted ratio of at least 0", "asserts a ratio of 0", 2, UNTOUCHED),
    Row("huge-count", "a count of 10^400", "larger than any figure", 2, UNTOUCHED),
    Row("deep-json", "facts that nest 200 deep", "nest more than 40 deep", 2, UNTOUCHED),
    Row("deeper-json", "JSON that nests 100,000 deep", "is not JSON", 2, UNTOUCHED),
    Row("half-character", "half a surrogate pair in a name", "half a character", 2, UNTOUCHED),
    Row("seed-twice", "a seed with two curves", "a seed has two curves", 2, UNTOUCHED),
    Row("claim-twice", "a claim that occurs twice", "occurs twice", 2, UNTOUCHED),
    Row("no-object", "a list where the run's block should be", "no `dlcv04` block", 2, UNTOUCHED),
    Row("clock-stands-still", "the clock does not move during a round", "took 0 s: the clock stood still", 1,
        "the run, with the other claims' verdicts"),
    Row("clock-goes-back", "the clock is set back during a round", "the clock stood still or was set back", 1,
        "the run, with the other claims' verdicts"),
    Row("own-value-huge", "a test computes 1e308", "VIOLATED", 1, "the run, without that value"),
    Row("own-value-nan", "a test computes NaN", "VIOLATED", 1, "the run, without that value"),
]  # fmt: skip


def run_document():
    return files.strict(make_document(make_run()))


def first_arm(block):
    return block["arms"][0]


def deep(levels):
    value = "end"
    for _ in range(levels):
        value = {"x": value}
    return value


EDITS = {
    "zero-round": lambda block: first_arm(block)["round_seconds"].__setitem__(0, 0.0),
    "negative-round": lambda block: first_arm(block)["round_seconds"].__setitem__(0, -0.1),
    "huge-round": lambda block: first_arm(block)["round_seconds"].__setitem__(0, 1e308),
    "nan-round": lambda block: first_arm(block)["round_seconds"].__setitem__(0, float("nan")),
    "no-round": lambda block: first_arm(block).update(round_seconds=[]),
    "no-images": lambda block: first_arm(block).update(images_per_round=0),
    "zero-margin": lambda block: block["claims"][0]["assertions"][0].update(margin=0),
    "huge-count": lambda block: first_arm(block).update(parameters=10**400),
    "deep-json": lambda block: first_arm(block).update(facts=deep(200)),
    "half-character": lambda block: first_arm(block).update(network="\ud800"),
    "seed-twice": lambda block: first_arm(block)["curves"].append(first_arm(block)["curves"][0]),
    "claim-twice": lambda block: block["claims"].append(block["claims"][0]),
}


def written(row, path):
    document = run_document()
    if row.name == "deeper-json":
        path.write_text('{"dlcv04": ' + "[" * 100_000 + "]" * 100_000 + "}")
        return path
    if row.name == "no-object":
        document["dlcv04"] = []
    else:
        EDITS[row.name](document["dlcv04"])
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("row", rows(ROWS[:14]))
def test_a_file_is_refused_by_every_command(row, empty_folder):
    path = written(row, empty_folder / "run.json")
    before = path.read_bytes()
    for command in (["accept", path, "--reason", "x"], ["judge", path], ["report", path, "--format", "markdown"]):
        said, code = refused(*command)
        assert row.sentence in said and code == row.exit, command
    assert path.read_bytes() == before and [found.name for found in empty_folder.iterdir()] == ["run.json"]


def test_an_accepted_file_is_refused_by_every_comparison(empty_folder):
    (empty_folder / "good.json").write_text(json.dumps(run_document()))
    bad = written(ROWS[0], empty_folder / "run.json")
    said, code = asked("judge", "good.json", "--against", bad)
    assert READ in said and code == 2


MACHINES = {
    "clock-stands-still": FAKE_MACHINE.replace("self.now += seconds", "self.now += 0 * seconds"),
    "clock-goes-back": FAKE_MACHINE.replace("self.now += seconds", "self.now -= seconds"),
}
VALUES = """
from dlcv04 import claim, planted

@claim("A sum is the same forwards and backwards", control=planted("one more", lambda arm: lambda seed: arm(seed) + 1))
def test_sums(computed, claim):
    values = computed(forwards=lambda seed: {value}, backwards=lambda seed: 1.0)
    claim.identical(values.forwards, values.backwards, within=1e-9)
"""


@pytest.mark.parametrize("row", rows(ROWS[14:]))
def test_what_is_measured_wrongly_is_said(row, suite):
    if row.name in MACHINES:
        pytester = suite(SUITE, MACHINES[row.name])
    else:
        pytester = suite(VALUES.format(value="1e308" if row.name == "own-value-huge" else "float('nan')"))
    result = pytester.runpytest("bench", "--benchmark-json=run.json")
    printed = result.stdout.str()
    assert row.sentence in printed and result.ret == row.exit and "Traceback" not in printed
    assert " in time_round" not in printed and "blocks.py" not in printed
    said, code = asked("judge", pytester.path / "run.json")
    assert code == row.exit, said
