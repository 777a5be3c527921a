"""Reports as files and as text: which renderer, which name, and never half a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlcv04 import atomic
from dlcv04.harness.report.renderers import exports, html_page, json_document, markdown
from dlcv04.harness.store.schema import Run
from dlcv04.harness.store.selftests import SelfTest

#: Reports that are one text, for standard output or a file.
TEXTS = ("markdown", "json", "github-action-benchmark", "bencher")


class ReportError(RuntimeError):
    """The report can't be written; the message names the folder and what to do."""


def write(run: Run, baselines: Sequence[Run], folder: Path, self_test: SelfTest | None = None) -> Path:
    """Write `<run id>.html` and its copy `latest.html` into `folder` and return the path of the first.

    Both are written whole or not at all: a reader never sees half a page.

    Raises:
        ReportError: the folder can't be made or written to.
    """
    page = html_page.render(run, baselines, self_test).encode("utf-8", "replace")
    folder = Path(folder)
    path = folder / f"{_file_name(run.id)}.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in (path, folder / "latest.html"):
            atomic.write(target, page)
    except OSError as error:
        raise ReportError(
            f"The report can't be written to {folder} ({error.strerror}): name another folder with --dl-report-dir."
        ) from error
    return path


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
