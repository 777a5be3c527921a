"""``dlcv04 accept``: one saved run becomes a baseline, once."""

import subprocess
import sys
from pathlib import Path

from tests.commands.asking import Command

accept = Command("accept").asked


def test_a_saved_run_by_its_number(fake_suite):
    subprocess.run([sys.executable, "-m", "pytest", "bench", "-q", "--benchmark-save=x"], check=True)
    result = accept("0001", "--reason", "slower on purpose")
    assert result.exit_code == 0, result.output
    assert [path.name for path in Path("baselines/cpu-fake-2-cores").glob("*.json")] == ["0001_run.json"]
    again = accept("0001", "--reason", "again")
    assert again.exit_code == 2 and "a run counts once" in again.output


def test_an_unknown_run_is_answered_with_what_is_saved(fake_suite):
    result = accept("0007", "--reason", "x")
    assert result.exit_code == 2 and "no run is saved" in result.output


def test_a_cut_run_is_named(folder):
    Path("cut.json").write_text('{"dlcv04": {"schema"')
    assert "cut.json" in Command("accept").refused("cut.json", "--reason", "x")
