"""Reading files and programs of the system that may not be there."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

#: Where Linux says what it knows of its processes and processors.
PROC = Path("/proc")


def run_program(command: list[str], environment: Mapping[str, str] | None = None) -> str | None:
    """What a program prints, or None where it can't be started, fails or takes longer than 20 s."""
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def read_text(path: Path) -> str:
    """A file's text, or "" where it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def number(text: str) -> float | None:
    """A figure as `nvidia-smi` or the kernel prints it, hexadecimal too; None for "[N/A]" or "max"."""
    text = text.strip()
    try:
        number = float(int(text, 16)) if text.lower().startswith("0x") else float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
