"""A suite in a process of its own: pytest, what it printed, and the run it saved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcv04.harness.machine import git
from dlcv04.scratch import Scratch

#: So much of what a process printed is shown where it failed.
_SHOWN = 3000


@dataclass(frozen=True)
class Finished:
    """A process that has ended: its exit code, the end of what it printed, and the file it saved, if it saved one."""

    code: int
    printed: str
    document: dict[str, Any] | None


def run(arguments: Sequence[str], root: Path | None = None) -> Finished:
    """Run pytest in `root` (else here) and read the run that it saved; its report goes where nobody looks."""
    with Scratch() as folder:
        out = Path(folder) / "run.json"
        command = [sys.executable, "-m", "pytest", *arguments, "-q"]
        done = subprocess.run(
            [*command, f"--benchmark-json={out}", f"--dl-report-dir={folder}"],
            cwd=root,
            env=git.clean_environment(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        document = json.loads(out.read_bytes()) if out.exists() else None
    return Finished(done.returncode, (done.stdout + done.stderr)[-_SHOWN:], document)
