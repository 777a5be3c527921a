"""``dlcv04 fetch``: downloads a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv04.commands.speech import say, stop


def fetch(name: str, to: Annotated[Path | None, typer.Option(help="folder (default: Keras's cache)")] = None) -> None:
    """Download a data set, and verify its checksum.

    A test run never uses the network.
    """
    from dlcv04.datasets import DataError
    from dlcv04.datasets import fetch as fetching

    try:
        say(f"stored: {fetching.fetch(name, to)}")
    except (DataError, fetching.FetchError) as error:
        stop(str(error), 1)
