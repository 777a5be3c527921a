"""The options of `pytest bench/`, read once."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dlcv04.harness.policy import DATA, DEFAULTS, DEVICES, PROFILES
from dlcv04.harness.session import benchmark_adapter
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness.session import places
    from dlcv04.harness.store import reading
else:
    places = LazyModule("dlcv04.harness.session.places")
    reading = LazyModule("dlcv04.harness.store.reading")


@dataclass(frozen=True)
class Options:
    """The command line of a session.

    Attributes:
        profile: sizes of the run.
        device: "auto", "cpu" or "gpu".
        data: "auto", "real" or "embedded".
        seeds: cap on the seeds of a learning claim, None without one.
        workers: processes that train, 0 for this one, None for what the device has.
        executor: where they run: "loky" for this machine, "ray", or the address of a Ray cluster.
        controls: whether every claim's control runs too.
        report_dir: folder of the reports.
        strict: whether what is INCONCLUSIVE fails.
        bisect: whether the exit code is one for `git bisect run`.
        against: the commit of `--dl-against`, None without it.
        compare: the value of `--benchmark-compare`: None without it, True without a value.
        round_server: file descriptor of the other end, in a worker of a process pair.
        part: the half of the suite to run, "timing" or "learning"; None for all of it.
        record: the same, to be stored as a baseline.
    """

    profile: str
    device: str
    data: str
    seeds: int | None
    workers: int | None
    executor: str
    controls: bool
    report_dir: str
    strict: bool
    bisect: bool
    against: str | None
    compare: str | bool | None
    round_server: int | None
    part: str | None
    record: str | None

    @property
    def compares(self) -> bool:
        """Whether stored runs are compared with."""
        return self.compare is not None

    @property
    def half(self) -> str | None:
        """The half of the suite that runs: "timing" or "learning", None for all of it."""
        return self.record or self.part

    @classmethod
    def of(cls, config: pytest.Config) -> Options:
        """Read the command line, and take `--benchmark-compare` over before pytest-benchmark reads it."""
        named = {name: config.getoption(f"dl_{name}") for name in cls.__dataclass_fields__ if name != "compare"}
        return cls(compare=benchmark_adapter.take_comparison_over(config), **named)


def add(parser: pytest.Parser) -> None:
    """Declare the options, all prefixed `--dl-`."""
    group = parser.getgroup("dlcv04", "judging claims about learning (dlcv04)")
    group.addoption(
        "--dl-profile", choices=PROFILES, default=DEFAULTS["profile"], help="size of the run (default: smoke)"
    )
    group.addoption(
        "--dl-device",
        choices=DEVICES,
        default=DEFAULTS["device"],
        help="where to run; gpu without a GPU is an error, never a skip (default: auto)",
    )
    group.addoption(
        "--dl-data",
        choices=DATA,
        default=DEFAULTS["data"],
        help="data: real where it is found, else the embedded stand-in; real makes its absence an error",
    )
    group.addoption("--dl-seeds", type=_count("seeds", 2), metavar="N", help="cap on the seeds of a learning claim")
    group.addoption(
        "--dl-workers",
        type=_count("processes", 0),
        metavar="N",
        help="processes of one thread each that train, on the CPU (default: the usable cores, 12 at most); curves do "
        "not depend on N; 0 trains in pytest's own process, with all its threads",
    )
    group.addoption(
        "--dl-executor",
        type=_executor,
        default="loky",
        metavar="WHERE",
        help="where these processes run: loky (this machine, default), ray (the cluster that RAY_ADDRESS names, else a "
        "local one) or ray://host:port",
    )
    group.addoption(
        "--dl-controls",
        action="store_true",
        help="also run every claim's control: an intervention on which the claim must not hold",
    )
    group.addoption("--dl-report-dir", default="reports", metavar="DIR", help="folder of the HTML reports")
    group.addoption("--dl-strict", action="store_true", help="an INCONCLUSIVE verdict fails the run")
    group.addoption(
        "--dl-bisect",
        action="store_true",
        help="exit codes for `git bisect run`: 0 all held, 1 violated or regressed, 125 (skip it) anything else",
    )
    group.addoption(
        "--dl-against",
        metavar="REV",
        help="gate times against a commit: its checkout and the working tree in alternating fresh processes",
    )
    parser.addini(
        "dl_against_links",
        type="linelist",
        help="files and folders that git does not have and tests read: linked into the checkout of --dl-against",
    )
    group.addoption("--dl-round-server", type=int, help=argparse.SUPPRESS)
    group.addoption("--dl-part", choices=("timing", "learning"), help=argparse.SUPPRESS)
    group.addoption(
        "--dl-record",
        choices=("timing", "learning"),
        help="used by `dlcv04 baseline`: measure one part at fixed n, with no early stop",
    )


def _executor(text: str) -> str:
    if text in ("loky", "ray") or re.fullmatch(r"ray://[^\s/]+:\d+", text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is none of loky, ray and ray://host:port")


def _count(what: str, least: int) -> Callable[[str], int]:
    """Reads a number of something from the command line; argparse shows the sentence of this type of error alone."""

    def read(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {what}: give a whole number from {least} up")
        return int(text)

    return read


def names_commit(config: pytest.Config) -> bool:
    """Whether the command's own arguments ask for `--dl-against`: then a suite that has lost its claims is no pass."""
    return any(str(argument).startswith("--dl-against") for argument in config.invocation_params.args)


def asks_to_compare(config: pytest.Config) -> bool:
    """Whether the command's own arguments ask for `--benchmark-compare`."""
    return any(str(argument).partition("=")[0] == "--benchmark-compare" for argument in config.invocation_params.args)


def has_baselines(config: pytest.Config, options: Options) -> bool:
    """Whether runs are compared and a claim was accepted here: then a suite without claims may have lost them.

    A folder `baselines/` of somebody else's has no such manifest.
    """
    if not options.compares:
        return False
    path = places.of(config).baselines / "manifest.json"
    return path.is_file() and path.stat().st_size <= reading.LARGEST and b'"retired"' in path.read_bytes()


def check(options: Options) -> None:
    """Refuse at once what can't be right, before anything is collected.

    Raises:
        pytest.UsageError: a path stands where a stored run is named, or there is no GPU for `--dl-device gpu`.
    """
    named = options.compare
    if isinstance(named, str) and (named.endswith(".py") or "::" in named or Path(named).is_dir()):
        raise pytest.UsageError(
            f"--benchmark-compare took {named!r} as the run to compare with. Put the path first: "
            f"pytest {shlex.quote(named)} --benchmark-compare"
        )
    if options.device == "gpu":
        from dlcv04.harness.machine import gpu

        if not gpu.gpu_present():
            raise pytest.UsageError(
                "--dl-device gpu: no GPU was found on this machine (NVML lists none). Run on a GPU machine, or "
                "use --dl-device cpu."
            )
