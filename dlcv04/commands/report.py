"""``dlcv04 report``: rebuilds the report of a saved run, or shows several beside each other or over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv04.commands.options import Format, Page
from dlcv04.commands.speech import project, say, stop


def report(
    runs: Annotated[list[Path], typer.Argument(help="files of saved runs or baselines")],
    page: Annotated[Page | None, typer.Option(help="the page, where another than these files mean is wanted")] = None,
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
    """Rebuild the report of a saved run, or show several.

    What is shown depends on the files: one run, or a saved run followed by baselines, is that run's report beside
    those baselines (--page run). Two to four runs stand side by side, the first one the one that the others are
    compared with (--page side-by-side). Five or more are trends, each figure over the commits (--page trends).
    """
    from dlcv04.harness import report as reporting
    from dlcv04.harness.judging import replay
    from dlcv04.harness.measuring.blocks import no_garbage_collection
    from dlcv04.harness.store import selftests
    from dlcv04.harness.store.reading import RunFileError, read_run

    places = project()
    try:
        with no_garbage_collection():
            shown, *beside = found = [read_run(path) for path in runs]
        wanted = page or reporting.page_of(found)
        for run in {"run": [shown], "side-by-side": found}.get(wanted, []):
            if sentence := replay.untrue(run):
                say(sentence, err=True)
        if wanted != "run":
            if form != "html":
                stop(f"These files are shown as {wanted}, which is a page: `--page run` gives the first one as {form}.")
            say(f"{wanted}: {reporting.write_several(wanted, found, out or places.reports)}")
            return
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
