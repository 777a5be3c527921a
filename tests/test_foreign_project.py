"""End to end: a project that this repository has never seen, through the installed wheel, gets each of the verdicts.

Its data are spots in one corner of a picture. Every verdict is certain by design: the effects lie far from the margin,
or the margin lies between the differences of the only two seeds, which no interval of theirs can exclude.
"""

import json
from xml.etree import ElementTree

import pytest

from dlcv04 import load_runs

pytestmark = [pytest.mark.end_to_end, pytest.mark.real_times]

CORNERS = '''
"""Which corner is the spot in?"""
import keras
import numpy as np
import pytest

from dlcv04 import Dataset, Recipe


def draw(count, rng):
    labels = rng.integers(4, size=count).astype(np.int32)
    pictures = rng.integers(0, 100, (count, 10, 20, 3), dtype=np.uint8)
    for picture, label in zip(pictures, labels):
        row, column = 1 + 5 * (label // 2), 1 + 10 * (label % 2)
        picture[row : row + 3, column : column + 8] += 50
    return pictures, labels


@pytest.fixture(scope="session")
def dataset():
    rng = np.random.default_rng(7)
    return Dataset("corners", *draw(640, rng), *draw(320, rng), classes=4)


RECIPE = Recipe("corners", optimizer="Adam", learning_rate=0.003, batch_size=32, epochs=2)


@pytest.fixture(scope="session")
def recipe():
    return RECIPE


@pytest.fixture(scope="session")
def timing_recipe():
    return RECIPE


def network(units=16, sees=True):
    layers = keras.layers
    kept = [] if sees else [layers.Rescaling(0.0)]
    return keras.Sequential(
        [keras.Input((10, 20, 3)), *kept, layers.Flatten(), layers.Dense(units, "relu"), layers.Dense(4, "softmax")]
    )
'''

CLAIMS = """
from functools import partial

from conftest import network

from dlcv04 import FINAL_VAL_ACCURACY, claim, reference_everywhere

narrow, twin, wide = partial(network, 16), partial(network, 16), partial(network, 2048)
blind = partial(network, sees=False)


@claim("128 times the units take at least 1.5 times as long", control=reference_everywhere("narrow"))
def test_a_slower_arm_holds(epoch_time, claim):
    times = epoch_time(narrow=narrow, wide=wide)
    claim.slower(times.wide, than=times.narrow, by=1.5)


@claim("The same network again takes twice as long", control=reference_everywhere("narrow"))
def test_a_false_slowdown_is_violated(epoch_time, claim):
    times = epoch_time(narrow=narrow, twin=twin)
    claim.slower(times.twin, than=times.narrow, by=2.0)


@claim("Seeing the picture helps by 10 points", control=reference_everywhere("blind"))
def test_seeing_helps(learning, claim):
    curves = learning(blind=blind, seeing=narrow)
    claim.better(curves.seeing, than=curves.blind, by=0.10)


@claim("Not seeing the picture helps by 10 points", control=reference_everywhere("seeing"))
def test_a_false_advantage_is_violated(learning, claim):
    curves = learning(blind=blind, seeing=narrow)
    claim.better(curves.blind, than=curves.seeing, by=0.10)


@claim("One unit more helps by 10 points", control=reference_everywhere("four"))
def test_one_unit_more_leaves_it_open(learning, claim):
    curves = learning(four=partial(network, 4), five=partial(network, 5))
    claim.better(curves.five, than=curves.four, by=0.10, of=FINAL_VAL_ACCURACY)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "bench").mkdir()
    (folder / "bench/test_corners.py").write_text(CLAIMS)
    (folder / "conftest.py").write_text(CORNERS)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return folder


@pytest.fixture(scope="module")
def judged(stranger, folder):
    done = stranger("pytest bench/ --dl-seeds 12 --dl-data real --benchmark-json=run.json --junitxml=junit.xml", folder)
    assert (folder / "run.json").exists(), done.stdout + done.stderr
    return done, json.loads((folder / "run.json").read_text())["dlcv04"]


EXPECTED = {
    "test_a_slower_arm_holds": "HOLDS",
    "test_a_false_slowdown_is_violated": "VIOLATED",
    "test_seeing_helps": "HOLDS",
    "test_a_false_advantage_is_violated": "VIOLATED",
    "test_one_unit_more_leaves_it_open": "INCONCLUSIVE",
}


def verdicts(block):
    return {claim["test"].split("::")[1]: claim["verdict"] for claim in block["claims"]}


def test_each_claim_gets_its_verdict(judged):
    done, block = judged
    assert verdicts(block) == EXPECTED, done.stdout
    assert done.returncode == 1 and "2 of 5 claims hold, 1 inconclusive, 2 violated." in done.stdout


def test_the_open_claim_is_open_by_design(judged):
    """Its margin lies between the seeds' differences."""
    arms = {arm["name"]: arm for arm in judged[1]["arms"] if arm["test"].endswith("leaves_it_open")}
    final = {name: [curve["epochs"][-1]["val_accuracy"] for curve in arm["curves"]] for name, arm in arms.items()}
    differences = [five - four for four, five in zip(final["four"], final["five"], strict=True)]
    assert min(differences) < 0.10 < max(differences), differences


def test_only_its_own_data_were_used_and_named(judged):
    done, block = judged
    assert [(data["name"], data["kind"]) for data in block["data"]] == [("corners", "own")]
    assert "data: your own (the fixture `dataset` of conftest.py)" in done.stdout


def test_junit_tells_red_from_undecided(judged, folder):
    cases = ElementTree.parse(folder / "junit.xml").iter("testcase")
    found = {case.get("name"): [child.tag for child in case if child.tag in {"failure", "skipped"}] for case in cases}
    tags = {"HOLDS": [], "VIOLATED": ["failure"], "INCONCLUSIVE": ["skipped"]}
    assert found == {test: tags[verdict] for test, verdict in EXPECTED.items()}


def test_the_report_and_the_second_judgement_come_from_files_alone(judged, stranger, folder):
    assert (folder / "reports/latest.html").exists()
    again = stranger("dlcv04 judge run.json", folder)
    assert again.returncode == 1 and "2 of 5 claims hold, 1 inconclusive, 2 violated." in again.stdout
    told = [line.split()[0] for line in again.stdout.splitlines()[:5]]
    assert sorted(told) == sorted(EXPECTED.values())


def test_its_figures_are_in_the_table(judged, folder):
    figures = load_runs(folder)
    final = figures[(figures.metric == "val_accuracy") & (figures.epoch == 2)]
    assert set(final.arm) == {"blind", "seeing", "four", "five"}
    assert set(figures.data_kind) == {"own"} and set(figures.seed.dropna()) == set(range(12))
