"""What the clocks and the neighbours did while something was timed."""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlcv04.harness.machine import cpu, gpu, probing
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import psutil
    import pynvml
else:
    psutil = LazyModule("psutil")
    pynvml = LazyModule("pynvml")


def hardware_state() -> dict[str, float]:
    """Return a snapshot of what the clocks and the neighbours do now; what can't be read is left out.

    `load` (1 min average), `cpu total ticks` and `cpu steal ticks` (since boot: see `steal_share`), `cpu
    mhz` (mean over cores); with a GPU `gpu sm mhz`, `gpu max sm mhz`, `gpu memory mhz`, `gpu celsius`, `gpu
    watts`, `gpu used mib` and `gpu throttle` (bits: see `throttle_reasons`), of the first visible GPU.
    """
    return _cpu_state() | gpu.gpu_state()


def steal_share(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """Return the fraction of CPU time that the hypervisor gave to others between two snapshots.

    None where it is unknown: not recorded (no Linux), or no tick passed.
    """
    names = ("cpu total ticks", "cpu steal ticks")
    if any(name not in state for name in names for state in (before, after)):
        return None
    total, steal = (after[name] - before[name] for name in names)
    return min(1.0, max(0.0, steal / total)) if total > 0 else None


#: Which of several readings of the clocks is the worst.
_WORST: dict[str, Callable[[list[float]], float]] = {
    "cpu mhz": min,
    "cpu steal": max,
    "gpu sm mhz": min,
    "gpu max sm mhz": max,
    "gpu memory mhz": min,
    "gpu celsius": max,
    "gpu watts": max,
    "gpu used mib": max,
    "gpu throttle": lambda bits: float(functools.reduce(operator.or_, map(int, bits))),
}


#: Between two readings of a card, and how many come between two looks for other processes, which read /proc too.
SAMPLE_SECONDS, SAMPLES_A_LOOK = 0.1, 10


@dataclass
class LoadMeter:
    """How much of this machine other processes used while something was timed, and what its clocks did.

    Those of a GPU are read all the time, by a thread, where `gpu` says that it is used; `neighbours` are the other
    processes that were on it.

    A neighbour on the same cores slows a round in a way that no calibrator beside it sees fully: it comes and goes.
    """

    others_seconds: float = 0.0
    wall_seconds: float = 0.0
    readings: list[dict[str, float]] = field(default_factory=list)
    gpu: bool = True
    neighbours: list[str] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Add what happens inside to the meter; the CPU's clocks are read once it has ended, when they are still up."""
        before = _cpu_state()
        start, busy, own = time.perf_counter(), _busy_seconds(), _own_seconds()
        try:
            with self._sampling() if self.gpu and gpu.gpu_present() else contextlib.nullcontext():
                yield
        finally:
            self.wall_seconds += time.perf_counter() - start
            self.others_seconds += max(0.0, (_busy_seconds() - busy) - (_own_seconds() - own))
            state = _cpu_state()
            if (steal := steal_share(before, state)) is not None:
                state["cpu steal"] = steal
            self.readings.append(state)

    @contextmanager
    def _sampling(self) -> Iterator[None]:
        """Read the card in a thread: if the driver hangs, only that thread does."""
        ended = threading.Event()

        def sample() -> None:
            with contextlib.suppress(pynvml.NVMLError):
                for number in itertools.count():
                    last = ended.wait(SAMPLE_SECONDS)
                    # Of a block that is shorter than a sample there is the last reading alone.
                    self._read_card(keep_idle=last and not any("gpu sm mhz" in state for state in self.readings))
                    if last or number % SAMPLES_A_LOOK == 0:
                        self._look_for_neighbours()
                    if last:
                        return

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(gpu.PATIENCE_SECONDS)

    def _read_card(self, *, keep_idle: bool) -> None:
        """One reading; the clocks of a card that waits for work say nothing of the work."""
        state = gpu.read_state()
        if keep_idle or not int(state.get("gpu throttle", 0)) & gpu.IDLE:
            self.readings.append(state)

    def _look_for_neighbours(self) -> None:
        """Each process is named once, as it was first seen: its memory changes."""
        known = {_without_memory(name) for name in self.neighbours}
        self.neighbours += [name for name in gpu.read_neighbours() if _without_memory(name) not in known]

    def joules(self) -> float | None:
        """The card's counter of energy, where a card is used and has one."""
        return gpu.joules() if self.gpu else None

    @property
    def clocks(self) -> dict[str, float]:
        """The worst of all readings: lowest clocks, highest temperature, power and steal, every throttle bit.

        MHz, degrees Celsius, watts, a share from 0 to 1, and bits (`throttle_reasons`).
        """
        found = {name: [state[name] for state in self.readings if name in state] for name in _WORST}
        return {name: _WORST[name](values) for name, values in found.items() if values}

    @property
    def contention(self) -> float:
        """Others' use, the hypervisor's included, of the cores that this process may use, from 0 to 1.

        Cores that it may not use anyway are taken to bear the others' load first.
        """
        if self.wall_seconds == 0:
            return 0.0
        usable = cpu.usable_cores()
        spare = max(0.0, (os.cpu_count() or 1) - usable)
        return min(1.0, max(0.0, self.others_seconds / self.wall_seconds - spare) / usable)


def _without_memory(neighbour: str) -> str:
    return neighbour.partition(" (")[0]


def _busy_seconds() -> float:
    """CPU seconds of all cores since boot that were not idle."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _own_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _cpu_state() -> dict[str, float]:
    state: dict[str, float] = {}
    with contextlib.suppress(AttributeError, OSError):  # Windows has no load average
        state["load"] = os.getloadavg()[0]
    fields = probing.read_text(probing.PROC / "stat").partition("\n")[0].split()
    ticks = [probing.number(field) or 0.0 for field in fields[1:9]]
    if fields[:1] == ["cpu"] and len(ticks) == 8:
        # user nice system idle iowait irq softirq steal; guest time is already inside user (proc(5))
        state |= {"cpu total ticks": sum(ticks), "cpu steal ticks": ticks[7]}
    clocks = [
        probing.number(value)
        for value in re.findall(r"^cpu MHz\s*:\s*(\S+)", probing.read_text(probing.PROC / "cpuinfo"), re.M)
    ]
    known = [clock for clock in clocks if clock]
    if known:
        state["cpu mhz"] = sum(known) / len(known)
    return state
