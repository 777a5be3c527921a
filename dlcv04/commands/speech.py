"""How a command speaks to people: lines, one sentence where it stops, a bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

from dlcv04 import plaintext

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

    from dlcv04.harness.policy import Device
    from dlcv04.harness.session.places import Places

#: Exit code where Keras or its framework is missing: pytest's for what can't be run as asked.
NO_FRAMEWORK = 4


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Write text without what would drive a terminal or a CI service: names in it come from files."""
    typer.echo(plaintext.plain(text), err=err, nl=nl)


def stop(sentence: str, code: int = 2) -> NoReturn:
    """Say why on standard error, on one line whatever names are in it, and exit."""
    stop_after(plaintext.one_line(sentence), code)


def stop_after(text: str, code: int = 2) -> NoReturn:
    """The same in several lines, such as what a process printed that ended too early."""
    say(text, err=True)
    raise typer.Exit(code)


class PlainSpoken(TyperGroup):
    """Commands that answer a wrong value with one sentence, without the usage, and that answer Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if type(error) is not typer.BadParameter:  # a missing value: the usage helps
                raise
            # typer's checker puts "Value error" before a wrong choice, and ends some sentences with a full stop.
            stop(error.format_message().replace(": Value error, ", ": ").rstrip(".") + ".")
        except KeyboardInterrupt:
            stop("Stopped.", 130)
        except (ImportError, ValueError) as error:
            from dlcv04 import missing

            if sentence := missing.sentence(error):
                stop(sentence, NO_FRAMEWORK)
            raise


@contextmanager
def refusing() -> Iterator[None]:
    """What was asked for does not fit, or a file can't be read or written: say so, and exit with 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        from dlcv04 import missing

        if missing.sentence(error):
            raise  # the command says so
        stop(str(error))


def select_device(device: Device) -> None:
    """Settle on a device, or stop where it is not there, nor any framework."""
    from dlcv04 import backends, missing

    if lack := missing.lack():
        stop(lack, NO_FRAMEWORK)
    try:
        backends.select_device(device)
    except (backends.DeviceError, backends.BackendError) as error:
        stop(str(error))


def project(suite: str = "bench") -> Places:
    """Where the project keeps its files that one stands in; stops where its ini file can't be read."""
    import pytest

    from dlcv04.harness.session import places

    try:
        return places.here(suite)
    except (pytest.UsageError, ValueError) as error:
        stop(f"pytest's settings can't be read: {error}")


def bar(*columns: ProgressColumn) -> Progress:
    """A progress bar on standard error, which shows nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
