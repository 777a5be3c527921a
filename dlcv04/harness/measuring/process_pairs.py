"""Pairs of fresh processes, old code and new, that take turns: at any moment only one of them times a round.

One process pair measures the whole suite. What differs between two processes of the same code (addresses, kernels
chosen at the first call, thread placement) is drawn anew with each pair: that is why pairs, and not rounds, are the
samples of the gate.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from dlcv04.harness.machine import git
from dlcv04.harness.measuring.round_server import FOREIGN, PROTOCOL
from dlcv04.harness.store.schema import PairRounds
from dlcv04.scratch import Scratch

#: Seconds of one round and rounds of one process pair; `.ci/round_lengths.py` measures other lengths.
ROUND_SECONDS = 0.06


PAIRS_OF_ROUNDS = 20


#: pytest's exit codes of a worker that served all it had: all passed, or there was nothing to run.
_ENDED_WELL = frozenset({0, 5})


class PairError(RuntimeError):
    """A worker failed or does not fit its partner; the message has the end of what it printed."""


class SideError(PairError):
    """A side does not run its own code, or can't: the message says what to do."""


@dataclass(frozen=True)
class Side:
    """One side of a pair.

    Attributes:
        name: in messages.
        root: the folder that its pytest runs in.
        environment: variables of its own.
        paths: what its pytest collects.
        folders: that it imports from before all others, beside `root`.
        foreign: where none of its modules may come from.
    """

    name: str
    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    paths: Sequence[str] = ()
    folders: Sequence[Path] = ()
    foreign: Sequence[Path] = ()


@dataclass
class Offered:
    """What two sides have to time, old and new, as `run_pair` comes to know it: their tests, and by test their arms."""

    tests: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    arms: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)

    def add(self, other: Offered) -> None:
        """Take in what the processes of another pair had."""
        self.tests = other.tests
        for test, arms in other.arms.items():
            for mine, more in zip(self.arms.setdefault(test, ([], [])), arms, strict=True):
                mine += [arm for arm in more if arm not in mine]


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
        self.has_ended, self._last = False, ""
        # pytest writes it when all tests have ended: a process that went away in their midst has none.
        self._finished = log.with_suffix(".xml")
        ours, theirs = socket.socketpair()
        path = os.pathsep.join([*map(str, (side.root, *side.folders)), *filter(None, [os.environ.get("PYTHONPATH")])])
        own = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", FOREIGN: os.pathsep.join(map(str, side.foreign))}
        command = [sys.executable, "-m", "pytest", *arguments, *side.paths, f"--dl-round-server={theirs.fileno()}"]
        with theirs, log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, "-q", "-p", "no:cacheprovider", f"--junitxml={self._finished}"],
                cwd=side.root,
                env={**git.clean_environment(), **own, **side.environment},
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
            self.has_ended = True
            if code in _ENDED_WELL and self._finished.exists():
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
        """The worker's first message: what it could time; nothing where it has no claims and has ended."""
        message = self.receive()
        if message is None:
            return []
        if message[0] != "tests" or message[1] != PROTOCOL:
            raise PairError(
                f"The {self.side.name} code uses another version of the pair protocol: compare commits closer to each "
                "other."
            )
        return list(message[2])

    def ready(self) -> Ready | None:
        """The next arm it has warmed up, or None at its end."""
        message = self.receive()
        if message is None:
            return None
        if message[0] == "foreign":
            raise SideError(f"The {self.side.name} code is not what would be timed: {message[1]}")
        ready = Ready(*message[1:])
        self._last = ready.test
        return ready

    def time(self, steps: int) -> float:
        """Seconds of one round.

        Raises:
            PairError: it has ended in the midst of it.
        """
        self.send(steps)
        seconds = self.receive()
        if seconds is None:
            raise PairError(self._complaint(0))
        return float(seconds)

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
        if "unrecognized arguments: --dl-round-server" in printed:
            return f"The {self.side.name} code's dlcv04 is too old to be paired: it has no --dl-round-server."
        midst = f" before its tests had ended, after it came to {self._last}" if self._last else ""
        return f"{printed[-3000:]}\nThe process of the {self.side.name} code ended with exit status {code}{midst}."


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
    plan: Sequence[tuple[str, str]] | None = None,
    offered: Offered | None = None,
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
        plan: the arms to time (test and arm), in an order in which both sides come to them; None for all that both
            come to at the same time.
        offered: is told what each side has.
        rounds: pairs of rounds for each arm, in random order, balanced in blocks of two.
        round_seconds: the least length of a round; equal steps on both sides.
        tell: called with the arm that is being timed.

    Yields:
        One record for each arm that was timed.

    Raises:
        PairError: a worker failed.
    """
    offered = Offered() if offered is None else offered
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(Scratch()))
        workers = {}
        for side in (old, new) if number % 2 == 0 else (new, old):
            workers[side.name] = worker = Worker(side, arguments, folder / f"{side.name}.log")
            stack.callback(worker.end)
        pair = (workers[old.name], workers[new.name])
        known = offered.tests = (pair[0].tests(), pair[1].tests())
        common = [test for test in known[1] if test in known[0] and (tests is None or test in tests)][:most_tests]
        for worker in pair:
            if not worker.has_ended:
                worker.send(common)
        if not common:
            return
        order = random.Random(number)
        queues = (_Queue(pair[0], 0, offered), _Queue(pair[1], 1, offered))
        for readies in _at_the_same_time(queues, common) if plan is None else _planned(queues, plan):
            tell(f"{readies[0].test.split('::')[-1]}<{readies[0].arm}>")
            yield _time_arm(pair, readies, order, number, rounds, round_seconds)


class _Queue:
    """The arms that one worker comes to, one after the other; each stands in what is offered."""

    def __init__(self, worker: Worker, side: int, offered: Offered) -> None:
        self._worker, self._side, self._arms = worker, side, offered.arms
        self._take()

    def go_on(self) -> None:
        """Leave the arm at the head, timed or not."""
        self._worker.send(None)
        self._take()

    def _take(self) -> None:
        self.head = self._worker.ready()
        if self.head is not None:
            arms = self._arms.setdefault(self.head.test, ([], []))[self._side]
            if self.head.arm not in arms:
                arms.append(self.head.arm)

    def drain(self) -> None:
        """Leave all that is left."""
        while self.head is not None:
            self.go_on()


def _at_the_same_time(queues: tuple[_Queue, _Queue], tests: Sequence[str]) -> Iterator[tuple[Ready, Ready]]:
    """Arms that both sides come to at the same time.

    Where the sides differ within a test, both are left: nobody knows yet what either comes to next. What both have is
    in what they offered, and can be timed by another process pair, which has a plan.
    """
    place = {test: index for index, test in enumerate(tests)}
    old, new = queues
    while old.head is not None and new.head is not None:
        if old.head[:2] == new.head[:2]:
            yield old.head, new.head
        positions = [place[old.head.test], place[new.head.test]]
        for queue, position in zip(queues, positions, strict=True):
            if position == min(positions):
                queue.go_on()
    old.drain()
    new.drain()


def _planned(queues: tuple[_Queue, _Queue], plan: Sequence[tuple[str, str]]) -> Iterator[tuple[Ready, Ready]]:
    """The arms of the plan, in its order; what either side does not come to ends it."""
    old, new = queues
    for key in plan:
        for queue in queues:
            while queue.head is not None and queue.head[:2] != key:
                queue.go_on()
        if old.head is None or new.head is None:
            break
        yield old.head, new.head
        old.go_on()
        new.go_on()
    old.drain()
    new.drain()


def plan_of(offered: Offered, done: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """Arms that both sides have and that were not timed, as many as both come to in the same order."""
    plan = []
    for test, (old, new) in offered.arms.items():
        left = {arm for arm in old if arm in new and (test, arm) not in done}
        first, second = ([arm for arm in arms if arm in left] for arms in (old, new))
        for block in difflib.SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks():
            plan += [(test, arm) for arm in first[block.a : block.a + block.size]]
    return plan


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
