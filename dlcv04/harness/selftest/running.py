"""Running a self-test: process pairs of identical and of slowed code, and planted faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dlcv04.harness.machine import facts, git
from dlcv04.harness.measuring.process_pairs import Side, absolute_data, run_pair
from dlcv04.harness.measuring.round_server import PLANTED
from dlcv04.harness.selftest import learning_faults
from dlcv04.harness.store.schema import Environment, PairRounds
from dlcv04.harness.store.selftests import Planted, PlantedFault, SelfTest
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


SLOWDOWNS = (1.05, 1.10, 1.20)


@dataclass(frozen=True)
class Sizes:
    """How many process pairs: of identical code, of each planted slowdown; and of how many tests (None: all)."""

    identical: int = 20
    planted: int = 4
    tests: int | None = None

    @property
    def pairs(self) -> int:
        """Process pairs in all."""
        return self.identical + self.planted * len(SLOWDOWNS)


def run_self_test(
    root: Path,
    arguments: Sequence[str],
    sizes: Sizes,
    *,
    machine_class: str,
    key: Mapping[str, str],
    tell: Callable[[str], object],
    faults: Mapping[str, str],
) -> SelfTest:
    """Run the process pairs, identical and planted ones alternating so that a drift meets both, then planted faults.

    Args:
        root: the folder that pytest runs in.
        arguments: the suite and options of pytest.
        sizes: how many process pairs.
        machine_class: of this machine.
        key: backend, dtype policy, jit and profile.
        tell: called with what is being done.
        faults: name and description of each fault of learning to plant.

    Raises:
        PairError: a worker failed.
        FaultError: the suite could not be run with a fault in it.
    """
    start, started = time.perf_counter(), datetime.now(UTC)
    identical: list[PairRounds] = []
    planted: dict[float, list[PairRounds]] = {ratio: [] for ratio in SLOWDOWNS}
    for number, ratio in enumerate(_schedule(sizes)):
        spent = time.perf_counter() - start
        left = f", about {spent / number * (sizes.pairs - number) / 60:.0f} min left" if number else ""
        tell(f"process pair {number + 1} of {sizes.pairs} ({_describe(ratio)}){left}")
        old = Side("old", root, absolute_data())
        new = Side("new", root, {**absolute_data(), PLANTED: f"{(ratio or 1) - 1:.3f}"})
        found = list(run_pair(old, new, arguments, number=number, most_tests=sizes.tests))
        (identical if ratio is None else planted[ratio]).extend(found)
    spread = process_spread(identical)
    noticed = [_fault(root, arguments, name, describes, tell) for name, describes in faults.items()]
    return SelfTest(
        id=f"{started:%Y%m%dT%H%M%S}",
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - start,
        key=dict(key),
        environment=Environment(machine_class=machine_class, hardware=facts.hardware(), software=facts.software()),
        commit=git.commit(root),
        tests=len({rounds.test for rounds in identical}),
        process_sd=spread.sd,
        process_df=spread.df,
        process_point=spread.point,
        process_upper95=spread.upper95,
        rounds_sd=spread.within,
        identical=identical,
        planted=[Planted(ratio=ratio, pairs=pairs) for ratio, pairs in planted.items() if pairs],
        faults=[fault for fault in noticed if fault is not None],
    )


def _fault(
    root: Path, arguments: Sequence[str], name: str, describes: str, tell: Callable[[str], object]
) -> PlantedFault | None:
    tell(f"planted fault: {describes}")
    return learning_faults.plant(root, arguments, name, describes)


def _schedule(sizes: Sizes) -> list[float | None]:
    """None for a pair of identical code, else its planted ratio; spread evenly."""
    planted = [ratio for _ in range(sizes.planted) for ratio in SLOWDOWNS]
    order: list[float | None] = [None] * sizes.identical
    for index, ratio in enumerate(planted):
        order.insert(round((index + 1) * sizes.pairs / (len(planted) + 1)), ratio)
    return order


def _describe(ratio: float | None) -> str:
    return "identical code" if ratio is None else f"slowed by {ratio - 1:.0%}"


def process_spread(identical: Sequence[PairRounds]) -> stats.ProcessSpread:
    """Between-process sd pooled over benchmarks, which share their processes: df is the number of pairs less one."""
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for rounds in identical:
        groups.setdefault(rounds.key, []).append(rounds.log_ratios)
    return stats.between_process_sd(groups.values(), df=max(map(len, groups.values())) - 1)
