"""The `dlcv04` command: help is instant, wrong input is one sentence, and a failed baseline stores nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcv04.cli import app

runner = CliRunner()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLCV04_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("command", ["doctor", "fetch", "train", "baseline", "accept", "report"])
def test_every_command_has_help_with_an_example(command):
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0 and "Example" in result.output


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from typer.testing import CliRunner; from dlcv04.cli import app; "
        "CliRunner().invoke(app, ['--help']); "
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'pandas') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_doctor_says_what_was_found_and_what_to_do(folder):
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "embedded" in result.output and "dlcv04 fetch mnist" in result.output and "machine class" in result.output


def test_an_unknown_network_is_answered_with_the_nearest(folder):
    result = runner.invoke(app, ["train", "bse"])
    assert result.exit_code == 2 and "did you mean 'base'?" in result.output


def test_real_data_that_is_not_there(folder):
    result = runner.invoke(app, ["train", "base", "--data", "real"])
    assert result.exit_code == 2 and "dlcv04 fetch mnist" in result.output


@pytest.mark.parametrize("command", [["report"], ["accept", "--reason", "x"]])
def test_a_cut_run_is_named(folder, command):
    Path("cut.json").write_text('{"dlcv04": {"schema"')
    result = runner.invoke(app, [*command, "cut.json"])
    assert result.exit_code == 2 and "cut.json" in result.output


def test_a_baseline_whose_process_fails_stores_nothing(folder):
    Path("bench").mkdir()
    Path("bench/test_x.py").write_text("def test_x(): assert False\n")
    result = runner.invoke(app, ["baseline", "--reason", "x", "--processes", "1"])
    assert result.exit_code == 1 and "nothing was stored" in result.output
    assert not Path("baselines").exists()
