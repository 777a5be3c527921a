"""What the site's build makes itself: the figures of `judging.md`, and the reference pages of command and options."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import figures  # beside this file: mkdocs puts a hook's folder first
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures that are made, in the place of stored copies."""
    made = {**_figures(), "reference/command.md": _command(), "reference/options.md": _options()}
    for name, content in made.items():
        if (stored := files.get_file_from_path(name)) is not None:
            files.remove(stored)
        files.append(File.generated(config, name, content=content))
    return files


def _figures() -> dict[str, bytes]:
    """The pictures, simulated anew."""
    with tempfile.TemporaryDirectory() as folder:
        figures.write(Path(folder))
        return {f"figures/{path.name}": path.read_bytes() for path in Path(folder).glob("*.svg")}


def _command() -> str:
    """Every command with its arguments and options, as typer documents it."""
    command = [sys.executable, "-m", "typer", "dlcv04.cli", "utils", "docs", "--name", "dlcv04"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return printed.replace("# `dlcv04`", "# The command `dlcv04`", 1)


class _Options:
    """Stands where pytest's parser would, and keeps what the plugin tells it."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, Any]] = {}

    def getgroup(self, name: str, description: str = "") -> _Options:
        return self

    def addoption(self, name: str, **settings: Any) -> None:
        self.told[name] = settings

    def addini(self, name: str, **settings: Any) -> None:
        self.told[f"{name} (in the ini file)"] = {"help": settings["help"]}


def _options() -> str:
    """The options of `pytest bench/`, read from the plugin that adds them."""
    from dlcv04.harness import plugin

    options = _Options()
    plugin.pytest_addoption(options)  # type: ignore[arg-type]
    return "\n".join(
        [
            "# Options of `pytest`",
            "",
            "| option | what it does |",
            "|---|---|",
            *_rows(options.told),
            "",
            "What pytest-benchmark's own options do in a suite with claims: "
            "[the `--benchmark-*` options](../benchmark-options.md).",
            "",
        ]
    )


def _rows(told: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, settings in told.items():
        # argparse.SUPPRESS marks what only the package itself uses.
        if settings.get("help", "").startswith("=="):
            continue
        values = "\\|".join(settings.get("choices", ())) or settings.get("metavar", "")
        yield f"| `{f'{name} {values}'.strip()}` | {settings['help']} |".replace("|`", "` |")
