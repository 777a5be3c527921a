"""The clock: interleaved arms, their warm-up, and the calibrator beside them.

All arms of a claim are timed within one process, round by round in random order, balanced in blocks of two (a
round and then its mirror image: A B B A), so that a drift of the machine meets every arm alike. Nothing but the
work and its barrier lies inside the clock.
"""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

#: Rounds of the calibrator for each interleaved round: its own noise must average out over a block.
CALIBRATOR_ROUNDS_EACH = 2


#: A round must be long against the clock's and the barrier's own cost; very fast arms get more steps a round.
SHORTEST_ROUND_SECONDS = 0.03


#: Steps of the largest arm beyond which rounds of equally many pictures are refused.
MOST_STEPS = 8


#: A first call costs a multiple of a steady one; two noisy steady rounds differ by less than this.
WARMUP_AGREEMENT = 0.5


WARMUP_ROUNDS = (2, 6)


#: An arm's energy is told where its rounds take so long together, and each so long: NVML's counter moves every 20 to
#: 100 ms, which is a tenth of a round at most.
ENERGY_SECONDS, ENERGY_ROUND_SECONDS = 5.0, 1.0


Clock = Callable[[], float]


class Meter(Protocol):
    """Watches the machine while rounds are timed."""

    @property
    def contention(self) -> float:
        """Share of the usable cores that other processes took, from 0 to 1."""

    @property
    def clocks(self) -> dict[str, float]:
        """What the machine's clocks did, by name."""

    @property
    def neighbours(self) -> list[str]:
        """Other processes that were on the card, in words."""

    def joules(self) -> float | None:
        """What the card's counter of energy says now; None where there is none."""

    def watching(self) -> AbstractContextManager[None]:
        """Watch what happens inside."""


class MeasureError(ValueError):
    """Arms were asked for in a way that can't be measured."""


class Workload(Protocol):
    """What the experiment hands over to be timed: `run_steps(count)` starts work, `barrier()` waits for its end.

    `prepare()` comes before each round, outside the clock. `noisy` marks work with a host pipeline of its own;
    `compile_seconds` is what compiling took, None where unknown.
    """

    @property
    def images_per_step(self) -> int:
        """Pictures that one step processes."""

    @property
    def noisy(self) -> bool:
        """Whether its rounds vary more than a loop over data on the device."""

    @property
    def compile_seconds(self) -> float | None:
        """Seconds of tracing and compiling, where the work measured them itself."""

    def prepare(self) -> None:
        """Make ready what the next round needs."""

    def run_steps(self, count: int) -> None:
        """Start `count` steps; they may still be running on the device when this returns."""

    def barrier(self) -> None:
        """Return when everything that was started has finished."""


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """A collection inside a round would be charged to its arm; among millions of records that are kept it is idle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def time_round(workload: Workload, steps: int, clock: Clock = time.perf_counter) -> float:
    """Seconds that `steps` steps take, from an idle device to an idle device."""
    workload.prepare()
    workload.barrier()
    start = clock()
    workload.run_steps(steps)
    workload.barrier()
    return clock() - start


def _passed(seconds: float, what: str) -> float:
    """The seconds, if time went on meanwhile.

    Raises:
        MeasureError: the clock stood still, or went back.
    """
    if not 0 < seconds < math.inf:
        raise MeasureError(
            f"{what} took {seconds:g} s: the clock stood still or was set back meanwhile, or nothing was done. Nothing "
            "can be said of its time: run again, and let the work of a round last longer than the clock's tick."
        )
    return seconds


@dataclass
class ArmTimes:
    """One arm's rounds in an interleaved block; `block` is where further rounds come from.

    `joules` are what rounds took of a card's energy, by round, where it is counted. `peaks` are the bytes that training
    took at its peak in each of some fresh processes; empty until `measure_peaks`.
    """

    name: str
    block: InterleavedBlock = field(repr=False)
    workload: Workload = field(repr=False)
    rounds: dict[int, float] = field(default_factory=dict)
    joules: dict[int, float] = field(default_factory=dict)
    warmup: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def measure_peaks(self) -> list[int]:
        """Measure the peaks, once; empty where this arm's can't be."""
        if not self.peaks:
            self.peaks = self.block.peaks_of(self.name)
        return self.peaks

    @property
    def joules_per_1000_images(self) -> float | None:
        """Energy; None unless all rounds were counted, and are long enough for a counter that moves every 0.1 s."""
        counted = len(self.joules) == len(self.rounds) and sum(self.seconds) >= ENERGY_SECONDS
        if not counted or min(self.seconds) < ENERGY_ROUND_SECONDS:
            return None
        images = len(self.rounds) * self.block.steps_of(self.name) * self.workload.images_per_step
        return sum(self.joules.values()) / images * 1000

    @property
    def seconds(self) -> list[float]:
        """Raw seconds of the timed rounds, in the order of their rounds."""
        return [self.rounds[index] for index in sorted(self.rounds)]

    @property
    def compile_seconds(self) -> float:
        """What the first call cost beyond a steady one: tracing, compiling, choosing kernels."""
        if self.workload.compile_seconds is not None:
            return self.workload.compile_seconds
        return max(0.0, self.warmup[0] - min(self.warmup)) if self.warmup else 0.0


class InterleavedBlock:
    """Arms that are timed in turn.

    Args:
        workloads: what to time, by arm name.
        steps: steps of one round for the arm with the most pictures a step; the others take as many more as give the
            same number of pictures. Doubled for all while the fastest arm's round is shorter than
            `SHORTEST_ROUND_SECONDS`.
        calibrator: a fixed kernel, timed beside the arms; its seconds are in `calibrator_seconds`.
        seed: draws the order of the arms.
        meter: watches what other processes do to the machine meanwhile.
        prepare: called before anything is timed, to end what would disturb it.
        peaks_of: bytes that training an arm takes at its peak, in each of some processes.
    """

    def __init__(
        self,
        workloads: Mapping[str, Workload],
        *,
        steps: int,
        calibrator: Callable[[], None] | None = None,
        seed: int = 0,
        clock: Clock = time.perf_counter,
        meter: Meter | None = None,
        prepare: Callable[[], None] = lambda: None,
        peaks_of: Callable[[str], list[int]] = lambda name: [],
    ) -> None:
        if not workloads:
            raise MeasureError("There is no arm to time: pass at least one, as epoch_time(base=network).")
        self.arms = {name: ArmTimes(name, self, workload) for name, workload in workloads.items()}
        self.steps = steps
        self._factors = _equal_pictures({name: workload.images_per_step for name, workload in workloads.items()})
        self.calibrator_seconds: list[float] = []
        self._calibrator = calibrator
        self._meter = meter
        self._prepare = prepare
        self.peaks_of = peaks_of
        self._clock = clock
        self._random = random.Random(seed)
        self._next_round = 0
        self._mirror: list[str] = []

    def steps_of(self, name: str) -> int:
        """Steps of one round of an arm."""
        return self.steps * self._factors[name]

    def warm_up(self) -> None:
        """Run every arm until two rounds in a row agree within 50 % (2 to 6 rounds), then fix the steps a round."""
        for arm in self.arms.values():
            while not _is_steady(arm.warmup):
                arm.warmup.append(time_round(arm.workload, self.steps_of(arm.name), self._clock))
        fastest = min(min(arm.warmup) for arm in self.arms.values())
        while 0 < fastest < SHORTEST_ROUND_SECONDS:
            self.steps, fastest = self.steps * 2, fastest * 2
        if self._calibrator:
            self._calibrator()

    def warm_arm_up(self, name: str) -> float:
        """Run one arm until it is steady; return the seconds of its last step."""
        arm = self.arms[name]
        while not _is_steady(arm.warmup):
            arm.warmup.append(time_round(arm.workload, 1, self._clock))
        return arm.warmup[-1]

    def time_once(self, name: str, steps: int, slow: float = 1.0) -> float:
        """Seconds of one round outside the block's own rounds; `slow` above 1 plants a slowdown of that ratio."""
        workload = self.arms[name].workload
        with no_garbage_collection():
            if slow == 1.0:
                return _passed(time_round(workload, steps, self._clock), f"A round of {name!r}")
            return _passed(time_round(_Slowed(workload, slow), steps, self._clock), f"A round of {name!r}")

    def run(self, rounds: int, only: Sequence[str] | None = None) -> None:
        """Time `rounds` more rounds of all arms, or of those named in `only`; first call warms up."""
        self._prepare()
        if self._next_round == 0:
            self.warm_up()
        with self._meter.watching() if self._meter else nullcontext():
            self._run_rounds(rounds, list(only or self.arms))

    @property
    def contention(self) -> float:
        """Share of the usable cores that other processes took while rounds were timed, 0 where nobody watched."""
        return self._meter.contention if self._meter else 0.0

    @property
    def neighbours(self) -> list[str]:
        """Other processes that were on the card while rounds were timed."""
        return self._meter.neighbours if self._meter else []

    def _joules(self, arm: ArmTimes) -> float | None:
        """The card's counter, where the arm's rounds are long enough for it to say something."""
        short = min(arm.warmup) < ENERGY_ROUND_SECONDS / 2
        return None if short or self._meter is None else self._meter.joules()

    @property
    def clocks(self) -> dict[str, float]:
        """What the machine's clocks did while rounds were timed, empty where nobody watched."""
        return self._meter.clocks if self._meter else {}

    def _run_rounds(self, rounds: int, names: list[str]) -> None:
        for _ in range(rounds):
            with no_garbage_collection():
                for name in self._order(names):
                    arm = self.arms[name]
                    before = self._joules(arm)
                    seconds = time_round(arm.workload, self.steps_of(name), self._clock)
                    arm.rounds[self._next_round] = _passed(seconds, f"A round of {name!r}")
                    if before is not None and (after := self._joules(arm)) is not None:
                        arm.joules[self._next_round] = after - before
                self._calibrate()
            self._next_round += 1

    def _order(self, names: list[str]) -> list[str]:
        if self._mirror and set(self._mirror) == set(names):
            order, self._mirror = self._mirror, []
            return order
        order = self._random.sample(names, len(names))
        self._mirror = order[::-1]
        return order

    def _calibrate(self) -> None:
        if self._calibrator is None:
            return
        for _ in range(CALIBRATOR_ROUNDS_EACH):
            start = self._clock()
            self._calibrator()
            self.calibrator_seconds.append(_passed(self._clock() - start, "The calibrator"))

    def log_ratios(self, treatment: str, reference: str) -> list[float]:
        """Log of seconds(treatment)/seconds(reference), one figure a round in which both were timed."""
        new, old = self.arms[treatment].rounds, self.arms[reference].rounds
        return [math.log(new[index] / old[index]) for index in sorted(new.keys() & old.keys())]


def _equal_pictures(images: Mapping[str, int]) -> dict[str, int]:
    """How many steps of each arm give equally many pictures.

    Raises:
        MeasureError: only very many steps would.
    """
    common = math.lcm(*images.values())
    if common > MOST_STEPS * max(images.values()):
        raise MeasureError(
            f"Rounds of equally many pictures would need {common:,} of them, with {images} pictures a step: choose "
            "batch sizes that divide each other."
        )
    return {name: common // own for name, own in images.items()}


@dataclass(frozen=True)
class _Slowed:
    """A workload that goes on working, at nothing, for a fraction of the time its steps took: a planted slowdown."""

    inner: Workload
    ratio: float
    noisy: bool = False
    compile_seconds: float | None = None

    @property
    def images_per_step(self) -> int:
        return self.inner.images_per_step

    def prepare(self) -> None:
        self.inner.prepare()

    def run_steps(self, count: int) -> None:
        start = time.perf_counter()
        self.inner.run_steps(count)
        self.inner.barrier()
        now = time.perf_counter()
        end = now + (self.ratio - 1) * (now - start)
        while time.perf_counter() < end:
            pass

    def barrier(self) -> None:
        self.inner.barrier()


def _is_steady(warmup: list[float]) -> bool:
    least, most = WARMUP_ROUNDS
    if len(warmup) < least:
        return False
    if len(warmup) >= most:
        return True
    last, previous = warmup[-1], warmup[-2]
    return abs(last - previous) <= WARMUP_AGREEMENT * min(last, previous)
