"""Faults planted in the learning of a suite."""

import msgspec
import pytest

from dlcv04.harness.selftest import learning_faults, sentences
from tests.conftest import FAKE_MACHINE
from tests.harness.learner import LEARNER
from tests.harness.selftest.made import POLICY, a_test

LEARNS = """
from dlcv04 import claim, reference_everywhere

@claim("Better", control=reference_everywhere("a"))
def test_better(learning, claim):
    arms = learning(a=[0.2, 0.3], b=[0.4, 0.5])
    claim.better(arms.b, than=arms.a, by=0.02)
"""


def plant(root, name="tenth_rate"):
    return learning_faults.plant(root, ["bench", "--dl-data=embedded"], name, "a tenth of the rate")


def test_a_suite_that_does_not_notice_a_planted_fault_is_told_so(suite):
    """Its learner has no optimizer at all, so the fault reaches nothing, and the claim goes on holding."""
    found = plant(suite(LEARNS, FAKE_MACHINE + LEARNER.replace("def learn(", "def learning(")).path)
    assert found.claims == ["HOLDS"] and not found.noticed
    test = msgspec.structs.replace(a_test(0.01), faults=[found])
    assert sentences.lines(test, POLICY)[-1] == (
        "planted fault, a tenth of the rate: NOT noticed (1 x claim HOLDS, 2 x figure NO_BASELINE)"
    )


def test_a_suite_without_learning_has_nothing_to_plant_in(suite):
    assert plant(suite().path) is None


def test_a_fault_that_breaks_the_suite_is_an_error(suite):
    with pytest.raises(learning_faults.FaultError, match="could not be run with the fault nothing"):
        plant(suite(LEARNS, FAKE_MACHINE).path, "nothing")
