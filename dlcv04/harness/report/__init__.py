"""The reports of a run: one view model, several renderers (HTML, Markdown, terminal)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dlcv04.harness.report import html
from dlcv04.harness.schema import Run, SelfTest


class ReportError(RuntimeError):
    """The report can't be written; the message names the folder and what to do."""


def write(run: Run, baselines: Sequence[Run], folder: Path, self_test: SelfTest | None = None) -> Path:
    """Write `<run id>.html` and its copy `latest.html` into `folder` and return the path of the first.

    Both are written whole or not at all: a reader never sees half a page.

    Raises:
        ReportError: the folder can't be made or written to.
    """
    page = html.render(run, baselines, self_test).encode("utf-8", "replace")
    folder = Path(folder)
    path = folder / f"{file_name(run.id)}.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in (path, folder / "latest.html"):
            _replace(target, page)
    except OSError as error:
        raise ReportError(
            f"The report can't be written to {folder} ({error.strerror}): name another folder with --dl-report-dir."
        ) from error
    return path


def file_name(run_id: str) -> str:
    """`run_id` with everything that could leave the folder or upset a file system turned into `-`."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in run_id).strip(".-")
    return safe[:120] or "run"


def _replace(target: Path, content: bytes) -> None:
    """Write `content` beside `target` and move it there in one step."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes files for their owner alone; a report is meant to be read and uploaded by others.
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
