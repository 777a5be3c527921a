"""What a pytest session hands to the pytest processes that it starts, and what it tells of them."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable
from typing import Any

import pytest

from dlcv04.harness.measuring import fresh_process
from dlcv04.harness.policy import DEFAULTS
from dlcv04.harness.session.suite import Suite
from dlcv04.harness.store.reading import decode_run
from dlcv04.harness.store.schema import Arm


class RepeatError(RuntimeError):
    """A test that ran to its end here did not do so in a fresh process; with the end of what it printed."""


def _given(config: pytest.Config, *, defaults: bool) -> list[str]:
    """The options of `policy.DEFAULTS` as this session has them, with or without the ones that nobody changed."""
    found = {name: config.getoption(f"dl_{name}") for name in DEFAULTS}
    return [f"--dl-{name}={value}" for name, value in found.items() if defaults or value != DEFAULTS[name]]


def command_for(config: pytest.Config, test: str) -> str:
    """What a person types to repeat one test as it ran here: at the same sizes, on the same kind of data and device."""
    return " ".join(["pytest", shlex.quote(test), *_given(config, defaults=False)])


def options(config: pytest.Config) -> list[str]:
    """The options that decide what is measured: plugins (a planted fault is one), profile, device and data.

    Where an ini file distributes the tests or traces them, this session was told not to, and so are the others.
    """
    plugins = [part for name in config.option.plugins or [] for part in ("-p", name)]
    undone = {"xdist": "-n0", "_cov": "--no-cov"}
    return [
        *plugins,
        *(given for plugin, given in undone.items() if config.pluginmanager.hasplugin(plugin)),
        *_given(config, defaults=True),
    ]


def teller(config: pytest.Config) -> Callable[[str], None]:
    """Progress: on a terminal one line that changes, elsewhere a line a step (not its parts, which have a colon)."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")

    def tell(what: str) -> None:
        if reporter is None:
            return
        if reporter.isatty:
            reporter.rewrite(f"dlcv04: {what}", erase=True)
        elif ":" not in what:
            reporter.write_line(f"dlcv04: {what}")

    return tell


def show(config: pytest.Config, text: str) -> None:
    """Write what a process printed, whatever it is, also while pytest captures what a test prints."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None:
        with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
            reporter.write_line(text)


def time_again(config: pytest.Config, suite: Suite, test: str) -> list[Arm]:
    """Time one test in a fresh process, with a baseline's number of rounds.

    Args:
        config: the session's.
        suite: gets the wall time it took.
        test: node id.

    Returns:
        The timed arms of that process.

    Raises:
        RepeatError: the process saved no run of this test.
    """
    teller(config)(f"{test.rpartition('::')[2]} may be slower than the stored times, so it is timed in a fresh process")
    suite.before_timing()
    start = time.perf_counter()
    arguments = [str(config.rootpath / test), f"--rootdir={config.rootpath}", "--dl-record=timing", *options(config)]
    done = fresh_process.run(arguments, config.invocation_params.dir)
    suite.spend("fresh processes of slower times", time.perf_counter() - start)
    run = decode_run(done.document["dlcv04"], "the fresh process's run") if done.document else None
    arms = [arm for arm in run.arms if arm.test == test and arm.round_seconds] if run else []
    if not arms:
        raise RepeatError(f"{done.printed}\n{test} was not timed in a fresh process: see what it printed above.")
    return arms
