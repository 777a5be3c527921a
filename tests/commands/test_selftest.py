"""``dlcv04 selftest``: wrong input is one sentence; tests/harness/test_selftest.py has what is measured."""

from pathlib import Path

import pytest

from dlcv04.harness.measuring.process_pairs import PairError
from dlcv04.harness.selftest import running
from tests.commands.asking import Command

selftest = Command("selftest")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--identical", "3"], "Invalid value for '--identical': "),
        (["--data", "reel"], "'reel' is not one of 'auto', 'real', 'embedded'."),
    ],
)
def test_sizes_and_data_that_there_are_not(arguments, sentence):
    assert sentence in selftest.refused(*arguments)


def test_a_pair_that_fails_stores_nothing(monkeypatch):
    def failing(*_, **__):
        raise PairError("The suite failed.")

    monkeypatch.setattr(running, "run_self_test", failing)
    result = selftest.asked("--quick", "--device", "cpu")
    assert result.exit_code == 1 and result.stderr == "The suite failed.\nNothing was stored.\n"
    assert not Path("baselines").exists()
