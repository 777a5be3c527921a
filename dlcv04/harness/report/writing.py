"""Reports as files and as text: which renderer, which name, and never half a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dlcv04 import atomic
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.sides import MOST_SIDES
from dlcv04.harness.report.renderers import exports, html_page, json_document, markdown, side_by_side, trends_page
from dlcv04.harness.store.schema import Run
from dlcv04.harness.store.selftests import SelfTest

#: Reports that are one text, for standard output or a file.
TEXTS = ("markdown", "json", "github-action-benchmark", "bencher")
#: Pages of several runs.
SEVERAL = ("side-by-side", "trends")


class ReportError(RuntimeError):
    """The report can't be written; the message names the folder and what to do."""


def write(run: Run, baselines: Sequence[Run], out: Path, self_test: SelfTest | None = None) -> Path:
    """Write `<run id>.html` and its copy `latest.html` into the folder `out` and return the path of the first.

    Where `out` ends in `.html` the page is that one file. Pages are written whole or not at all.

    Raises:
        ReportError: `out` can't be made or written to.
    """
    name = f"{_file_name(run.id)}.html"
    return _save(html_page.render(run, baselines, self_test), out, (name, "latest.html"))


def write_several(page: str, runs: Sequence[Run], out: Path) -> Path:
    """Write what several runs say, as one of `SEVERAL`, into a folder or an `.html` file and return the page's path.

    Raises:
        ReportError: there are too many or too few runs for this page, or `out` can't be written to.
    """
    if page == "side-by-side" and not 2 <= len(runs) <= MOST_SIDES:
        raise ReportError(
            f"{fmt.plural(len(runs), 'run')} can't stand side by side, 2 to {MOST_SIDES} can: name other files, or "
            "`--page trends`."
        )
    html = {"side-by-side": side_by_side, "trends": trends_page}[page].render(runs)
    return _save(html, out, (f"{page}.html",))


def page_of(runs: Sequence[Run]) -> str:
    """Which page is meant by these runs, unless one is named.

    A saved run before accepted ones is reported beside them; other runs are equals: a few side by side, more as trends.
    """
    if len(runs) == 1 or (runs[0].acceptance is None and all(run.acceptance is not None for run in runs[1:])):
        return "run"
    return "side-by-side" if len(runs) <= MOST_SIDES else "trends"


def _save(html: str, out: Path, names: Iterable[str]) -> Path:
    page, out = html.encode("utf-8", "replace"), Path(out)
    paths = [out] if out.suffix == ".html" and not out.is_dir() else [out / name for name in names]
    try:
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        for path in paths:
            atomic.write(path, page)
    except OSError as error:
        raise ReportError(
            f"The report can't be written to {out} ({error.strerror}): name another folder (--dl-report-dir, or --out "
            "of `dlcv04 report`)."
        ) from error
    return paths[0]


def text(form: str, run: Run, baselines: Sequence[Run], self_test: SelfTest | None = None) -> str:
    """The report in one of the forms of `TEXTS`; what other programs read has this run's figures alone."""
    if form == "github-action-benchmark":
        return exports.github_action_benchmark(run)
    if form == "bencher":
        return exports.bencher(run)
    return json_document.render(run, baselines, self_test) if form == "json" else markdown.render(run, baselines)


def write_text(report: str, path: Path) -> Path:
    """Write a report that is text to a file, whole or not at all, and return its path.

    Raises:
        ReportError: the file can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, report.encode("utf-8", "replace"))
    except OSError as error:
        raise ReportError(f"The report can't be written to {path} ({error.strerror}): name another file.") from error
    return path


def _file_name(run_id: str) -> str:
    """`run_id` with everything that could leave the folder or upset a file system turned into `-`."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in run_id).strip(".-")
    return safe[:120] or "run"
