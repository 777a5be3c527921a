"""Planted faults of learning: a suite's learning part in a fresh process, with a fault in it, and what it said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlcv04.harness.judging.outcome import EXIT_NOTHING_COMPARABLE
from dlcv04.harness.measuring import fresh_process
from dlcv04.harness.store.reading import decode_run
from dlcv04.harness.store.schema import LEARNING, Run
from dlcv04.harness.store.selftests import PlantedFault

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
    options = ["-p", f"dlcv04.faults.{name}", "--dl-part=learning", "--benchmark-compare", "-p", "no:cacheprovider"]
    done = fresh_process.run([*arguments, *options], root)
    if done.code == NO_TESTS:
        return None
    if done.code not in {0, 1, EXIT_NOTHING_COMPARABLE} or done.document is None:
        raise FaultError(f"{done.printed}\nThe suite could not be run with the fault {name}.")
    return summarised(decode_run(done.document.get("dlcv04"), f"the run with the fault {name}"), name, describes)


def summarised(run: Run, name: str, describes: str) -> PlantedFault:
    """The verdicts of a run's judged claims and of its learning figures."""
    figures = [row for row in run.comparisons if row.metric == LEARNING]
    return PlantedFault(
        name=name,
        describes=describes,
        claims=[claim.verdict for claim in run.claims if claim.judged],
        figures=[row.verdict for row in figures],
    )
