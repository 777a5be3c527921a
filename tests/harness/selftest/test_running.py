"""`dlcv04 selftest`: on a machine of ours whose spread between processes is known."""

import pytest
from typer.testing import CliRunner

from dlcv04.cli import app
from tests.conftest import FAKE_MACHINE
from tests.harness.selftest.made import a_test


@pytest.mark.parametrize("true", [0.01, 0.03])
def test_the_spread_between_processes_is_found_with_the_pairs_degrees_of_freedom(true):
    test = a_test(true)
    assert test.process_df == 19
    assert test.process_point == pytest.approx(true, abs=0.007)
    assert test.process_sd > test.process_point and test.process_upper95 > test.process_sd


@pytest.mark.end_to_end
def test_the_command_measures_stores_and_says(suite, monkeypatch):
    # So quiet that four pairs of processes, which tell little of the spread between them, see 20 % whatever is drawn.
    machine = FAKE_MACHINE.replace("random.Random(1)", "random.Random()").replace("NOISE = 0.05", "NOISE = 0.01")
    planted = "import os\nSLOWDOWN = 1 + float(os.environ.get('DLCV04_PLANTED_SLOWDOWN', 0))"
    folder = suite(machine=machine.replace("SLOWDOWN = 1.0", planted)).path
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, ["selftest", "--identical", "4", "--planted", "4", "--quick"])
    assert result.exit_code == 0, result.output
    assert "process pair 16 of 16" in result.output and "min left" in result.output
    assert "live 2 of 2" in result.output
    stored = list((folder / "baselines").glob("*/selftest/*.json"))
    assert len(stored) == 1
