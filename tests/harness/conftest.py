"""Inner runs with every kind of claim, and a committed suite."""

import pytest

from dlcv04.harness.store.reading import read_run
from tests.conftest import FAKE_MACHINE, Repository
from tests.harness.learner import KINDS, LEARNER
from tests.harness.two_trees import LIVELY, TWO


@pytest.fixture
def kinds(suite):
    """Run the claims of every kind: `kinds(*options, claims=KINDS)` gives the result and the saved run."""

    def run(*options, claims=KINDS):
        pytester = suite(claims, FAKE_MACHINE + LEARNER)
        result = pytester.runpytest("bench", "--benchmark-json=run.json", "--dl-data=embedded", *options)
        return result, read_run(pytester.path / "run.json")

    return run


@pytest.fixture
def committed(suite):
    """A committed suite."""
    made = Repository(suite(TWO, LIVELY))
    made.commit()
    return made
