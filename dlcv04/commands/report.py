"""``dlcv04 report``: rebuilds the report of a saved run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv04.commands.options import Format
from dlcv04.commands.speech import project, say, stop


def report(
    run: Path,
    stored: Annotated[list[Path] | None, typer.Argument(help="baselines to show beside it")] = None,
    out: Annotated[
        Path | None, typer.Option(help="html: a folder (default: reports); else a file (default: standard output)")
    ] = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="a page for people, a text, or data for programs. Of RUN alone: github-action-benchmark, an array for "
            "its tool customSmallerIsBetter, accuracies as 1 - accuracy; bencher, Bencher Metric Format, as they are",
        ),
    ] = "html",
) -> None:
    """Rebuild the report of a saved run, from files alone."""
    from dlcv04.harness import report as reporting
    from dlcv04.harness.judging import replay
    from dlcv04.harness.store import selftests
    from dlcv04.harness.store.reading import RunFileError, read_run

    places = project()
    try:
        shown, beside = read_run(run), [read_run(path) for path in stored or []]
        if sentence := replay.untrue(shown):
            say(sentence, err=True)
        self_test = selftests.latest(places.baselines, shown.environment.machine_class, shown.key)
        if form in ("github-action-benchmark", "bencher"):
            for sentence in reporting.left_out(form, shown):
                say(sentence, err=True)
        if form == "html":
            say(f"report: {reporting.write(shown, beside, out or places.reports, self_test)}")
        elif out is None:
            say(reporting.text(form, shown, beside, self_test), nl=False)
        else:
            say(f"report: {reporting.write_text(reporting.text(form, shown, beside, self_test), out)}")
    except (RunFileError, selftests.SelfTestError, reporting.ReportError) as error:
        stop(str(error))
