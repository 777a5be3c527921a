"""``dlcv04 judge``: judges a stored run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv04.commands.speech import project, say, stop


def judge(
    runs: Annotated[list[Path], typer.Argument(help="a stored run; several are processes of the same code")],
    against: Annotated[list[Path] | None, typer.Option(help="a stored run to compare with; repeatable")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="INCONCLUSIVE fails, as with --dl-strict")] = False,
) -> None:
    """Judge a stored run again, from files alone.

    Verdicts and exit code are the same on any machine. With several runs, the claims of the first are judged, and the
    times of all. Exit 0: all held or passed. 1: something
    failed. 7: nothing was comparable.
    """
    from dlcv04.harness.judging import replay
    from dlcv04.harness.report.renderers import terminal
    from dlcv04.harness.store import baselines, files
    from dlcv04.harness.store.reading import RunFileError, read_run

    try:
        first, *others = [read_run(run) for run in runs]
        stored = baselines.as_stored(against, first.environment.machine_class, project().baselines) if against else None
    except (RunFileError, files.BaselineError) as error:
        stop(str(error))
    judged = replay.rejudge(first, stored, strict=strict, companions=others)
    for line in terminal.lines(judged):
        say(line)
    raise typer.Exit(judged.exit_status)
