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


def test_a_test_that_is_gone_is_retired_with_its_reason(fake_suite):
    subprocess.run([sys.executable, "-m", "pytest", "bench", "-q", "--benchmark-save=x"], check=True)
    accept("0001", "--reason", "first")
    compare = [sys.executable, "-m", "pytest", "bench", "-q", "--benchmark-compare"]
    Path("bench/test_it.py").write_text("def test_ordinary():\n    pass\n")
    assert subprocess.run(compare).returncode == 1
    assert "needs a reason" in Command("accept").refused(
        "--retire", "bench/test_it.py::test_longer_is_slower", "--reason", ""
    )
    assert "test_longer_is_slower" in Command("accept").refused("--retire", "test_longer", "--reason", "x")
    assert Command("accept")("--retire", "bench/test_it.py::test_longer_is_slower", "--reason", "renamed") == [
        "retired: bench/test_it.py::test_longer_is_slower, from 2 stored files"
    ]
    assert subprocess.run(compare).returncode in (0, 7)


def test_a_run_or_a_test_is_named(fake_suite):
    assert "but not both" in Command("accept").refused("--reason", "x")
    assert "but not both" in Command("accept").refused("0001", "--retire", "t", "--reason", "x")


def test_a_cut_run_is_named(folder):
    Path("cut.json").write_text('{"dlcv04": {"schema"')
    assert "cut.json" in Command("accept").refused("cut.json", "--reason", "x")
