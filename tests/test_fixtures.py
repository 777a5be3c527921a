"""The experiment's fixtures, in runs of pytest: which data they take, what the first line says."""

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
