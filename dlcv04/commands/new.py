"""``dlcv04 new``: a small example project."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from dlcv04.commands.speech import say, stop


def new(folder: Annotated[Path, typer.Argument(help="a folder that is new or empty")]) -> None:
    """Write a small example project.

    It has its own data, its own networks, and three claims about them with their controls.
    """
    from dlcv04 import example

    try:
        for path in example.write(folder):
            say(f"written: {path}")
    except example.ExampleError as error:
        stop(str(error))
    say(f"next: cd {shlex.quote(str(folder))} && pytest bench/")
