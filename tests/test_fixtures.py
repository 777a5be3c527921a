"""The experiment's fixtures, in runs of pytest: which data they take, what the first line says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DIGITS, THINGS, BUILDINGS = "8x8 digits", "CIFAR-10's ten things", "drawings of 12 buildings"
OWN_CLAIM = """
from dlcv04 import claim, reference_everywhere

@claim("x", control=reference_everywhere("a"))
def test_mine({fixtures}, claim):
    pass
"""


def first_line(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "pytest", "--collect-only", "--dl-data=embedded", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return next(line for line in done.stdout.splitlines() if line.startswith("dlcv04: "))


@pytest.mark.parametrize(
    ("selected", "named"),
    [("task1", {DIGITS}), ("dropout", {BUILDINGS}), ("norm or dropout", {THINGS, BUILDINGS})],
)
def test_the_first_line_names_each_data_set_of_the_selected_claims(selected, named):
    line = first_line("bench", "-k", selected)
    assert {name for name in (DIGITS, THINGS, BUILDINGS) if name in line} == named


@pytest.mark.parametrize(
    ("fixtures", "named"),
    [("learning", {DIGITS}), ("learning, cifar10", {THINGS}), ("learning, dataset, buildings", {DIGITS, BUILDINGS})],
)
def test_a_strangers_claim_needs_the_data_it_takes(tmp_path, fixtures, named):
    (tmp_path / "test_mine.py").write_text(OWN_CLAIM.format(fixtures=fixtures))
    line = first_line("test_mine.py", cwd=tmp_path)
    assert {name for name in (DIGITS, THINGS, BUILDINGS) if name in line} == named


OPEN_SIZES = """
import keras
from dlcv04 import claim, planted

layers = keras.layers
one_less = planted("one less", lambda number: number - 1)

def any_size():
    start = keras.Input((None, None, 1))
    return keras.Model(start, layers.Dense(4)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(start))))

def lstm():
    start = keras.Input((7, 3))
    return keras.Model(start, layers.LSTM(5)(start))

@claim("What is known is judged", control=one_less)
def test_known(footprints, claim):
    sizes = footprints(any_size=any_size, lstm=lstm)
    claim.exactly(sizes.any_size.parameters, 40 + 20, of="any_size")
    claim.exactly(sizes.lstm.macs, 7 * 4 * (3 * 5 + 5 * 5), of="lstm", what="MACs")

@claim("What is unknown is refused", control=one_less)
def test_unknown(footprints, claim):
    claim.exactly(footprints(any_size=any_size).any_size.macs, 0, of="any_size", what="MACs")
"""


def test_a_claim_on_an_unknown_figure_is_refused_and_the_run_is_stored(tmp_path):
    (tmp_path / "test_mine.py").write_text(OPEN_SIZES)
    command = [sys.executable, "-m", "pytest", "test_mine.py", "--dl-data=embedded", "--benchmark-json=run.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "The multiply-adds of conv2d (Conv2D) are unknown" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    arms = json.loads((tmp_path / "run.json").read_text())["dlcv04"]["arms"]
    figures = {arm["name"]: (arm["macs"], arm["activation_bytes"], arm["parameters"]) for arm in arms}
    assert figures == {"any_size": (None, None, 60), "lstm": (1120, 20, 180)}
