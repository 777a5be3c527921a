"""What a run says inside a GitHub job: annotations beside the code, and the job's summary.

Annotations are workflow commands, lines on standard output (docs.github.com, "Workflow commands for GitHub Actions");
the summary is Markdown appended to the file that `GITHUB_STEP_SUMMARY` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcv04 import plaintext
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report import model
from dlcv04.harness.report.model import tone
from dlcv04.harness.report.renderers import markdown
from dlcv04.harness.store.schema import Run

#: GitHub shows so many annotations of one kind a step, and so many bytes of summary.
MOST_ANNOTATIONS = 10
MOST_SUMMARY_BYTES = 1024 * 1024

_LEVELS = {tone.RED: "error", tone.UNDECIDED: "warning"}


@dataclass(frozen=True)
class Place:
    """Where a claim's test stands: a path from the repository's root, and a line counted from 1."""

    file: str
    line: int


def commands(run: Run, places: Mapping[str, Place]) -> list[str]:
    """Workflow commands for what is red or unsure, worst first; what exceeds GitHub's limit is counted in a notice.

    Args:
        run: the run.
        places: of tests by node id; a test without one is annotated without a place.
    """
    view = model.build(run)
    by_level: dict[str, list[str]] = {"error": [], "warning": []}
    tests = {card.anchor: card.test for card in view.cards}
    for concern in view.concerns:
        level = _LEVELS.get(concern.badge.tone)
        if level is None:
            continue
        title = f"{concern.badge.text}: {fmt.shorten(concern.title, 220)}"
        text = "; ".join(filter(None, (fmt.shorten(concern.text, 800), *concern.differences[:3]))) or title
        by_level[level].append(_command(level, title, text, places.get(tests.get(concern.anchor, ""))))
    lines = [line for found in by_level.values() for line in found[:MOST_ANNOTATIONS]]
    hidden = sum(max(0, len(found) - MOST_ANNOTATIONS) for found in by_level.values())
    if hidden:
        lines.append(_command("notice", "dlcv04", f"{hidden} more are in the report.", None))
    return lines


def _command(level: str, title: str, text: str, place: Place | None) -> str:
    properties = {"title": title}
    if place is not None:
        properties = {"file": place.file, "line": str(place.line), **properties}
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {written}::{_data(text)}"


def _data(text: str) -> str:
    return plaintext.plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def append_summary(path: Path, run: Run, baselines: Sequence[Run]) -> str:
    """Append the run's Markdown to a job's summary; what others wrote stays.

    Returns:
        Why nothing was written, as a sentence; empty where it was.
    """
    text = "\n" + markdown.render(run, baselines)
    try:
        used = path.stat().st_size if path.exists() else 0
        if used + len(text.encode()) > MOST_SUMMARY_BYTES:
            text = f"\n{markdown.headline(model.build(run, baselines))}\n\nToo long for this page: see the report.\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"The job's summary {path} can't be written ({error.strerror}): GITHUB_STEP_SUMMARY names it."
    return ""
