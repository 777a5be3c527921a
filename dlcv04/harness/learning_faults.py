"""Planted faults of learning: a suite's learning part in a fresh process, with a fault in it, and what it said."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dlcv04.harness.judge import LEARNING
from dlcv04.harness.schema import PlantedFault, Run, read_run
from dlcv04.harness.suite import EXIT_NOTHING_COMPARABLE, is_too_good

NO_TESTS = 5


class FaultError(RuntimeError):
    """The suite could not be run with a fault in it; with the end of what it printed."""


def plant(root: Path, arguments: Sequence[str], name: str, describes: str) -> PlantedFault | None:
    """Run the learning claims of a suite with one fault, compared with what is stored for them.

    Args:
        root: the folder that pytest runs in.
        arguments: the suite and options of pytest.
        name: the plugin that plants it, a module of `dlcv04.faults`.
        describes: what it does.

    Returns:
        What was said, or None where the suite has no claim about learning.

    Raises:
        FaultError: the process broke down.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run.json"
        options = ["-q", "-p", f"dlcv04.faults.{name}", "--dl-part=learning", "--benchmark-compare"]
        options += [f"--benchmark-json={out}", f"--dl-report-dir={folder}", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", *arguments, *options]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode == NO_TESTS:
            return None
        if done.returncode not in {0, 1, EXIT_NOTHING_COMPARABLE} or not out.exists():
            printed = (done.stdout + done.stderr)[-3000:]
            raise FaultError(f"{printed}\nThe suite could not be run with the fault {name}.")
        return said(read_run(out), name, describes)


def said(run: Run, name: str, describes: str) -> PlantedFault:
    """The verdicts of a run's judged claims and of its learning figures."""
    figures = [row for row in run.comparisons if row.metric == LEARNING]
    return PlantedFault(
        name=name,
        describes=describes,
        claims=[claim.verdict for claim in run.claims if claim.judged],
        figures=["TOO GOOD" if is_too_good(row) else row.verdict for row in figures],
    )
