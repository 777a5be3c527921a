"""Pairs of fresh processes, old code and new, that take turns: at any moment only one of them times a round.

One process pair measures the whole suite. What differs between two processes of the same code (addresses, kernels
chosen at the first call, thread placement) is drawn anew with each pair: that is why pairs, and not rounds, are the
samples of the gate.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from dlcv04.harness.machine import git
from dlcv04.harness.measuring.round_server import PROTOCOL
from dlcv04.harness.store.schema import PairRounds

#: Seconds of one round and rounds of one process pair; `.ci/round_lengths.py` measures other lengths.
ROUND_SECONDS = 0.06


PAIRS_OF_ROUNDS = 20


class PairError(RuntimeError):
    """A worker failed or does not fit its partner; the message has the end of what it printed."""


@dataclass(frozen=True)
class Side:
    """One side of a pair: its name in messages, its tree, and environment variables of its own."""

    name: str
    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class Ready(NamedTuple):
    """An arm that a worker has warmed up: seconds of one step, pictures of one step."""

    test: str
    arm: str
    images_per_step: int
    step_seconds: float


class Worker:
    """One process of a pair: pytest in a tree, serving rounds."""

    def __init__(self, side: Side, arguments: Sequence[str], log: Path) -> None:
        self.side, self.log = side, log
        ours, theirs = socket.socketpair()
        path = os.pathsep.join(filter(None, (str(side.root), os.environ.get("PYTHONPATH", ""))))
        command = [sys.executable, "-m", "pytest", *arguments, f"--dl-round-server={theirs.fileno()}"]
        with theirs, log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, "-q", "-p", "no:cacheprovider"],
                cwd=side.root,
                env={**git.clean_environment(), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **side.environment},
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
            )
        self._connection = Connection(ours.detach())

    def receive(self) -> Any:
        """The worker's next message; None where it has ended well.

        Raises:
            PairError: it has ended otherwise.
        """
        try:
            return self._connection.recv()
        except (EOFError, ConnectionResetError):
            code = self.process.wait()
            if code == 0:
                return None
            raise PairError(self._complaint(code)) from None

    def send(self, message: Any) -> None:
        """Tell the worker something.

        Raises:
            PairError: it is gone.
        """
        try:
            self._connection.send(message)
        except OSError:
            raise PairError(self._complaint(self.process.wait())) from None

    def tests(self) -> list[str]:
        """The worker's first message: what it could time."""
        message = self.receive()
        if message is None or message[0] != "tests" or message[1] != PROTOCOL:
            raise PairError(f"The {self.side.name} code speaks another protocol of pairs: compare nearer commits.")
        return list(message[2])

    def ready(self) -> Ready | None:
        """The next arm it has warmed up, or None at its end."""
        message = self.receive()
        return None if message is None else Ready(*message[1:])

    def time(self, steps: int) -> float:
        """Seconds of one round."""
        self.send(steps)
        return float(self.receive())

    def end(self) -> None:
        """Wait for it a little, then end it."""
        self._connection.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _complaint(self, code: int) -> str:
        printed = self.log.read_text(errors="replace")
        if "unrecognized arguments" in printed:
            return f"The {self.side.name} code's dlcv04 is too old to be paired: it knows no --dl-round-server."
        return f"{printed[-3000:]}\nThe process of the {self.side.name} code ended with exit status {code}."


def absolute_data() -> dict[str, str]:
    """The environment variables that name data, made absolute: the two trees lie in different places."""
    names = ("DLCV04_DATA", "DLCV04_BUILDINGS")
    return {name: str(Path(os.environ[name]).resolve()) for name in names if os.environ.get(name)}


def run_pair(
    old: Side,
    new: Side,
    arguments: Sequence[str],
    *,
    number: int,
    tests: Sequence[str] | None = None,
    most_tests: int | None = None,
    rounds: int = PAIRS_OF_ROUNDS,
    round_seconds: float = ROUND_SECONDS,
    tell: Callable[[str], object] = lambda what: None,
) -> Iterator[PairRounds]:
    """Measure the suite once with a fresh process of each side.

    Args:
        old: the reference.
        new: what is judged.
        arguments: of pytest, the same for both.
        number: which pair this is, from 0: seeds the order, alternates which process starts first.
        tests: those to time; None for all that both sides have.
        most_tests: no more than the first so many of them.
        rounds: pairs of rounds for each arm, in random order, balanced in blocks of two.
        round_seconds: the least length of a round; equal steps on both sides.
        tell: called with the arm that is being timed.

    Yields:
        One record for each arm that both sides have.

    Raises:
        PairError: a worker failed.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers = {}
        for side in (old, new) if number % 2 == 0 else (new, old):
            workers[side.name] = worker = Worker(side, arguments, folder / f"{side.name}.log")
            stack.callback(worker.end)
        pair = (workers[old.name], workers[new.name])
        known = [worker.tests() for worker in pair]
        common = [test for test in known[1] if test in known[0] and (tests is None or test in tests)][:most_tests]
        for worker in pair:
            worker.send(common)
        order = random.Random(number)
        for readies in _arms_of_both(pair, common):
            tell(f"{readies[0].test.split('::')[-1]}<{readies[0].arm}>")
            yield _time_arm(pair, readies, order, number, rounds, round_seconds)


def _arms_of_both(pair: tuple[Worker, Worker], tests: Sequence[str]) -> Iterator[tuple[Ready, Ready]]:
    """Arms in the order both sides come to them; where the sides differ within a test, the rest of it is left out."""
    place = {test: index for index, test in enumerate(tests)}
    left = [worker.ready() for worker in pair]
    while left[0] is not None and left[1] is not None:
        first, second = left[0], left[1]
        if first[:2] == second[:2]:
            yield first, second
            behind = [0, 1]
        else:
            positions = [place[ready.test] for ready in (first, second)]
            behind = [i for i in (0, 1) if positions[i] == min(positions)]
        for i in behind:
            pair[i].send(None)
            left[i] = pair[i].ready()
    for i, ready in enumerate(left):
        while ready is not None:
            pair[i].send(None)
            ready = pair[i].ready()


def _time_arm(
    pair: tuple[Worker, Worker],
    readies: tuple[Ready, Ready],
    order: random.Random,
    number: int,
    rounds: int,
    round_seconds: float,
) -> PairRounds:
    fastest = min(ready.step_seconds for ready in readies)
    steps = max(1, math.ceil(round_seconds / fastest)) if fastest > 0 else 1
    seconds: tuple[list[float], list[float]] = ([], [])
    for index in range(rounds):
        if index % 2 == 0:
            turns = order.sample((0, 1), 2)
        else:
            turns.reverse()
        for i in turns:
            seconds[i].append(pair[i].time(steps))
    ready = readies[1]
    return PairRounds(
        test=ready.test,
        arm=ready.arm,
        pair=number,
        steps=steps,
        images_per_step=ready.images_per_step,
        old_seconds=seconds[0],
        new_seconds=seconds[1],
    )
