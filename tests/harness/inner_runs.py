"""Suites for inner runs, and such a run's record."""

import json
import subprocess
import sys

import pytest

from tests.conftest import FAKE_MACHINE, accept_processes
from tests.harness.forks import Fork

TWO_CLAIMS = """
from dlcv04 import claim, reference_everywhere

@claim("The long arm is slower", control=reference_everywhere("short"))
def test_longer_is_slower(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.long, than=times.short, by=1.10)

@claim("The longest arm is slower", control=reference_everywhere("short"))
def test_longest_is_slower(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), longest=machine.arm(0.4))
    claim.slower(times.longest, than=times.short, by=1.10)
"""


#: A conftest with tiny data of its own: pictures of two classes that any net tells apart.
HALVES = """
import numpy as np
import pytest
from dlcv04 import Dataset, Recipe

@pytest.fixture(scope="session")
def dataset():
    draw = np.random.RandomState(0)
    y = draw.randint(0, 2, 300).astype(np.int32)
    x = (draw.randint(0, 100, (300, 6, 6, 1)) + 100 * y[:, None, None, None]).astype(np.uint8)
    return Dataset("halves", x[:200], y[:200], x[200:], y[200:], classes=2)

@pytest.fixture(scope="session")
def recipe():
    return Recipe("mine", optimizer="SGD", learning_rate=0.2, batch_size=20, epochs=2)

@pytest.fixture(scope="session")
def timing_recipe(recipe):
    return recipe
"""


def run_block(pytester, *arguments):
    result = pytester.runpytest("bench", "--benchmark-json=run.json", *arguments)
    return result, json.loads((pytester.path / "run.json").read_text())["dlcv04"]


def run_apart(pytester, *arguments):
    """As `pytester.runpytest_subprocess`, in a process forked from this one: what is imported stays imported."""
    printed = [pytester.path / "stdout", pytester.path / "stderr"]
    with printed[0].open("wb") as out, printed[1].open("wb") as err:
        code = Fork(arguments, stdout=out, stderr=err).wait()
    told = (path.read_text(encoding="utf-8").splitlines() for path in printed)
    return pytest.RunResult(code, *told, 0.0)


def command(*arguments):
    """Run a command of `dlcv04` in a process of its own, in the folder that one stands in."""
    program = [sys.executable, "-c", "from dlcv04.cli import main; main()"]
    return subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True)


def store(pytester, processes=5, part="timing"):
    assert pytester.runpytest("bench", "--benchmark-json=stored.json").ret == 0
    accept_processes(pytester.path, pytester.path / "stored.json", processes, part)


def with_slowdown(ratio):
    return FAKE_MACHINE.replace("SLOWDOWN = 1.0", f"SLOWDOWN = {ratio}")
