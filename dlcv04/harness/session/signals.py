"""SIGTERM ends a session as Ctrl-C does, so that a cancelled job has its verdicts; neither disturbs its end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any, NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def _terminate(number: int, frame: Any) -> NoReturn:
    raise Terminated("SIGTERM")


def terminate_as_ctrl_c() -> None:
    """From now on SIGTERM is raised like Ctrl-C, unless somebody else listens to it, or this is no main thread."""
    with contextlib.suppress(ValueError):
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _terminate)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM do nothing the first time: what is decided gets written. The second time they act.

    Afterwards SIGTERM is what it was before `terminate_as_ctrl_c`.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours = {number for number, handler in before.items() if handler in (signal.default_int_handler, _terminate)}

    def hold(number: int, frame: Any) -> None:
        signal.signal(number, before[signal.Signals(number)])

    with contextlib.suppress(ValueError):
        for number in ours:
            signal.signal(number, hold)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            for number in ours:
                signal.signal(number, signal.SIG_DFL if number is signal.SIGTERM else before[number])
