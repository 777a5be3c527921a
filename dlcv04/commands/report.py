"""``dlcv04 report``: rebuilds the report of a saved run, or shows several beside each other or over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv04.commands.options import Format, Page
from dlcv04.commands.speech import project, say, stop


def report(
    runs: Annotated[list[Path], typer.Argument(help="files of saved runs or baselines")],
    page: Annotated[Page | None, typer.Option(help="which page to write (default: chosen by the files)")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="html: a folder (default: reports) or an .html file; else a file (default: standard output)"),
    ] = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="a page, a text, or data for other programs. For one run only: github-action-benchmark (an array for "
            "customSmallerIsBetter, with accuracies as 1 - accuracy) and bencher (Bencher Metric Format)",
        ),
    ] = "html",
) -> None:
    """Rebuild the report of a saved run, or show several runs.

    The files decide which page is written. One run, or a saved run followed by baselines, gives the report of that run
    (--page run). Two to four runs are shown side by side and compared with the first (--page side-by-side). Five or
    more give trends: each figure over the commits (--page trends).
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
        if beside and form in ("github-action-benchmark", "bencher"):
            stop(f"{form} takes the figures of one run, and {len(found)} files were given: give one.")
        wanted = page or reporting.page_of(found)
        for run in {"run": [shown], "side-by-side": found}.get(wanted, []):
            if sentence := replay.untrue(run):
                say(sentence, err=True)
        if wanted != "run":
            if form != "html":
                stop(f"The {wanted} page is HTML only: add `--page run` for the report of the first run as {form}.")
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
