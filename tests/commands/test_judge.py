"""``dlcv04 judge``: a saved run's verdicts again. tests/harness/test_replay.py has what is judged."""

import subprocess
import sys
from pathlib import Path

from tests.commands.asking import Command

judge = Command("judge")


def test_a_saved_run(fake_suite):
    subprocess.run([sys.executable, "-m", "pytest", "bench", "-q", "--benchmark-json=run.json"], check=True)
    lines = judge("run.json")
    assert any("HOLDS" in line for line in lines)


def test_a_cut_run_is_named():
    Path("cut.json").write_text('{"dlcv04": {"schema"')
    assert "cut.json" in judge.refused("cut.json")
