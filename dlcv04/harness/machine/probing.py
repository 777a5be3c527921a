"""Reading files of the system that may not be there."""

from __future__ import annotations

from pathlib import Path

#: Where Linux says what it knows of its processes and processors.
PROC = Path("/proc")


def read_text(path: Path) -> str:
    """A file's text, or "" where it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def number(text: str) -> float | None:
    """A figure as the kernel prints it; None for "[N/A]" or "max"."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
