"""`dlcv04 selftest`: what this machine's noise is, and what the gate of `--dl-against` makes of it.

Process pairs of identical code give the spread between processes and, replayed, the rate of false alarms; pairs with a
planted slowdown, and the identical ones shifted, give the detection curve. Planted faults of learning show whether the
suite's claims and baselines notice them.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dlcv04.harness import against, environment, learning_faults
from dlcv04.harness.baselines import write_json
from dlcv04.harness.policy import Policy
from dlcv04.harness.process_pairs import Side, absolute_data, run_pair
from dlcv04.harness.round_server import PLANTED
from dlcv04.harness.schema import (
    Against,
    Environment,
    PairRounds,
    Planted,
    PlantedFault,
    Replayed,
    SelfTest,
    to_builtins,
)
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import statistics
else:
    statistics = LazyModule("dlcv04.harness.statistics")

SLOWDOWNS = (1.05, 1.10, 1.20)
#: Slowdowns of the replayed detection curve, in whole runs each; identical code gets more, its rate is small.
CURVE = (1.02, 1.03, 1.05, 1.07, 1.10, 1.15, 1.20)
IDENTICAL_RUNS, CURVE_RUNS = 1000, 400
FOLDER = "selftest"
_LONGEST_NAME = 255


class SelfTestError(ValueError):
    """A stored self-test can't be read."""


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


@dataclass(frozen=True)
class Rate:
    """Share of whole replayed runs that went red, of `runs`, with a 95 % interval (Clopper-Pearson)."""

    red: int
    runs: int

    @property
    def share(self) -> float:
        """Red runs over all."""
        return self.red / self.runs

    @property
    def bounds(self) -> statistics.Interval:
        """The share's 95 % interval."""
        return statistics.clopper_pearson(self.red, self.runs, 0.95)

    def __str__(self) -> str:
        return f"{self.share:.1%} [{self.bounds.low:.1%}, {self.bounds.high:.1%}], n = {self.runs}"


def measure(
    root: Path,
    arguments: Sequence[str],
    sizes: Sizes,
    *,
    machine_class: str,
    key: Mapping[str, str],
    told: Callable[[str], object],
    faults: Mapping[str, str],
) -> SelfTest:
    """Run the process pairs, identical and planted ones alternating so that a drift meets both, then planted faults.

    Args:
        root: the folder that pytest runs in.
        arguments: the suite and options of pytest.
        sizes: how many process pairs.
        machine_class: of this machine.
        key: backend, dtype policy, jit and profile.
        told: called with what is being done.
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
        told(f"process pair {number + 1} of {sizes.pairs} ({_describe(ratio)}){left}")
        old = Side("old", root, absolute_data())
        new = Side("new", root, {**absolute_data(), PLANTED: f"{(ratio or 1) - 1:.3f}"})
        found = list(run_pair(old, new, arguments, number=number, most_tests=sizes.tests))
        (identical if ratio is None else planted[ratio]).extend(found)
    spread = process_spread(identical)
    noticed = [_fault(root, arguments, name, describes, told) for name, describes in faults.items()]
    return SelfTest(
        id=f"{started:%Y%m%dT%H%M%S}",
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - start,
        key=dict(key),
        environment=Environment(
            machine_class=machine_class, hardware=environment.hardware(), software=environment.software()
        ),
        commit=environment.commit(root),
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
    root: Path, arguments: Sequence[str], name: str, describes: str, told: Callable[[str], object]
) -> PlantedFault | None:
    told(f"planted fault: {describes}")
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


def process_spread(identical: Sequence[PairRounds]) -> statistics.ProcessSpread:
    """Between-process sd pooled over benchmarks, which share their processes: df is the number of pairs less one."""
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for rounds in identical:
        groups.setdefault(rounds.key, []).append(rounds.log_ratios)
    return statistics.between_process_sd(groups.values(), df=max(map(len, groups.values())) - 1)


def replay(test: SelfTest, ratio: float, *, policy: Policy, runs: int = 1000, seed: int = 0) -> tuple[Rate, Rate]:
    """Whole runs redrawn from the pairs of identical code, all benchmarks slowed by `ratio` after the fact.

    Each run draws as many process pairs as the last look has, with replacement, and which side of each is called new.

    Returns:
        Runs in which any benchmark was red, and single benchmarks that were red.
    """
    rng, numbers = random.Random(seed), sorted({rounds.pair for rounds in test.identical})
    by_pair = {number: [r for r in test.identical if r.pair == number] for number in numbers}
    reds: list[list[bool]] = []
    for _ in range(runs):
        chosen = [
            _swapped(by_pair[rng.choice(numbers)], rng.random() < 0.5, place) for place in range(against.LOOKS[-1])
        ]
        run = _as_against(test, [_slowed(rounds, ratio) for pair in chosen for rounds in pair])
        reds.append([against.judge(run, *name, policy).verdict == "REGRESSED" for name in against.benchmarks(run)])
    return Rate(sum(map(any, reds)), runs), Rate(sum(map(sum, reds)), sum(map(len, reds)))


def with_replays(test: SelfTest, policy: Policy) -> SelfTest:
    """The self-test with its false alarms and its detection curve, by this version's judge."""
    found = [_replayed(test, 1.0, policy, IDENTICAL_RUNS)]
    found += [_replayed(test, ratio, policy, CURVE_RUNS) for ratio in CURVE]
    return msgspec.structs.replace(test, replayed=found)


def _replayed(test: SelfTest, ratio: float, policy: Policy, runs: int) -> Replayed:
    whole, single = replay(test, ratio, policy=policy, runs=runs)
    return Replayed(
        ratio=ratio,
        red_runs=whole.red,
        runs=whole.runs,
        red=single.red,
        benchmarks=single.runs,
        promised=policy.alpha_times,
    )


def live(test: SelfTest, planted: Planted, policy: Policy) -> Rate:
    """Benchmarks that were red in the live pairs of a planted slowdown, taken four at a time: what two looks show."""
    numbers = sorted({rounds.pair for rounds in planted.pairs})
    red, total, size = 0, 0, against.LOOKS[1]
    for first in range(0, len(numbers) - size + 1, size):
        four = numbers[first : first + size]
        run = _as_against(test, [rounds for rounds in planted.pairs if rounds.pair in four])
        verdicts = [against.judge(run, *name, policy).verdict for name in against.benchmarks(run)]
        red, total = red + verdicts.count("REGRESSED"), total + len(verdicts)
    return Rate(red, total)


def smallest_seen(test: SelfTest, policy: Policy) -> float:
    """The slowdown (ratio) that the last look shows as red in 4 of 5 runs, from the design."""
    variance = (test.process_sd**2 + test.rounds_sd**2) / against.LOOKS[-1]
    arms = len({rounds.key for rounds in test.identical}) / test.tests
    alpha = policy.alpha_times / test.tests / arms / len(against.LOOKS)
    return math.exp(statistics.minimum_detectable_effect(math.sqrt(variance), test.process_df, alpha))


def _as_against(test: SelfTest, pairs: list[PairRounds]) -> Against:
    return Against(
        rev="itself",
        commit="",
        tests=test.tests,
        process_sd=test.process_sd,
        process_df=test.process_df,
        process_source="self-test",
        pairs=pairs,
    )


def _swapped(pair: Sequence[PairRounds], swap: bool, place: int) -> list[PairRounds]:
    return [
        msgspec.structs.replace(
            rounds,
            pair=place,
            old_seconds=rounds.new_seconds if swap else rounds.old_seconds,
            new_seconds=rounds.old_seconds if swap else rounds.new_seconds,
        )
        for rounds in pair
    ]


def _slowed(rounds: PairRounds, ratio: float) -> PairRounds:
    return msgspec.structs.replace(rounds, new_seconds=[seconds * ratio for seconds in rounds.new_seconds])


def lines(test: SelfTest, policy: Policy) -> list[str]:
    """The result in sentences: spread, realised false alarms beside promised ones, detection, smallest slowdown."""
    numbers = len({rounds.pair for rounds in test.identical})
    told = [
        f"between processes: sd {test.process_point:.1%} (95 % limit {test.process_upper95:.1%}) from {numbers} pairs "
        f"of identical code; the gate uses {test.process_sd:.1%} on {test.process_df:g} degrees of freedom",
        f"rounds: a pair's mean is known to {test.rounds_sd:.1%} by its rounds alone",
    ]
    live_rates = {planted.ratio: live(test, planted, policy) for planted in test.planted}
    for found in test.replayed or with_replays(test, policy).replayed:
        if found.ratio == 1.0:
            rate, promised = Rate(found.red_runs, found.runs), f"promised {found.promised:.1%}"
            told.append(f"false alarms: whole runs red {rate} (replayed from these pairs), {promised}")
        else:
            seen, live_seen = Rate(found.red, found.benchmarks), _live_text(live_rates.get(found.ratio))
            told.append(f"slowed by {found.ratio - 1:.0%}: a benchmark red {seen} (replayed){live_seen}")
    smallest, pairs = smallest_seen(test, policy) - 1, against.LOOKS[-1]
    told.append(f"smallest slowdown seen in 4 of 5 runs of {pairs} process pairs: {smallest:.1%}")
    return told + [f"planted fault, {fault.describes}: {said_of(fault)}" for fault in test.faults]


def said_of(fault: PlantedFault) -> str:
    """Whether a planted fault was noticed, and by which verdicts."""
    counted = Counter([*(f"claim {word}" for word in fault.claims), *(f"figure {word}" for word in fault.figures)])
    found = ", ".join(f"{count} x {what}" for what, count in counted.items())
    return f"{'noticed' if fault.noticed else 'NOT noticed'} ({found})"


def _live_text(rate: Rate | None) -> str:
    return f"; live {rate.red} of {rate.runs}" if rate is not None and rate.runs else ""


# -- stored with the machine class ---------------------------------------------------------------------------


def store(test: SelfTest, root: Path) -> Path:
    """Keep a self-test beside its machine class's baselines, under a new name; return its file."""
    folder = root / test.environment.machine_class / FOLDER
    return write_json(folder, test.id, to_builtins(test))


def latest(root: Path, machine_class: str, key: Mapping[str, str]) -> SelfTest | None:
    """The newest self-test of this machine class and key, or None.

    Raises:
        SelfTestError: one was cut or edited by hand; the message names it.
    """
    if Path(machine_class).name != machine_class or len(machine_class.encode("utf-8", "replace")) > _LONGEST_NAME:
        return None  # a run from elsewhere may say anything here; such a name was never a folder of ours
    for path in sorted((root / machine_class / FOLDER).glob("*.json"), reverse=True):
        try:
            test = msgspec.json.decode(path.read_bytes(), type=SelfTest)
        except (OSError, msgspec.DecodeError) as error:
            raise SelfTestError(f"{path} can't be read ({error}): restore it from git or delete it.") from error
        if test.key == dict(key):
            return test
    return None
