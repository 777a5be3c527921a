"""Whole runs redrawn from a self-test's pairs: false alarms and detection."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from dlcv04.harness.judging import pair_gate
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Against, PairRounds
from dlcv04.harness.store.selftests import Planted, Replayed, SelfTest
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


#: Slowdowns of the replayed detection curve, in whole runs each; identical code gets more, its rate is small.
CURVE = (1.02, 1.03, 1.05, 1.07, 1.10, 1.15, 1.20)


IDENTICAL_RUNS, CURVE_RUNS = 1000, 400


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
    def bounds(self) -> stats.Interval:
        """The share's 95 % interval."""
        return stats.clopper_pearson(self.red, self.runs, 0.95)

    def __str__(self) -> str:
        return f"{self.share:.1%} [{self.bounds.low:.1%}, {self.bounds.high:.1%}], n = {self.runs}"


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
            _swapped(by_pair[rng.choice(numbers)], rng.random() < 0.5, place) for place in range(pair_gate.LOOKS[-1])
        ]
        run = _as_against(test, [_slowed(rounds, ratio) for pair in chosen for rounds in pair])
        reds.append([pair_gate.judge(run, *name, policy).verdict == "REGRESSED" for name in pair_gate.benchmarks(run)])
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
    red, total, size = 0, 0, pair_gate.LOOKS[1]
    for first in range(0, len(numbers) - size + 1, size):
        four = numbers[first : first + size]
        run = _as_against(test, [rounds for rounds in planted.pairs if rounds.pair in four])
        verdicts = [pair_gate.judge(run, *name, policy).verdict for name in pair_gate.benchmarks(run)]
        red, total = red + verdicts.count("REGRESSED"), total + len(verdicts)
    return Rate(red, total)


def smallest_seen(test: SelfTest, policy: Policy) -> float:
    """The slowdown (ratio) that the last look shows as red in 4 of 5 runs, from the design."""
    variance = (test.process_sd**2 + test.rounds_sd**2) / pair_gate.LOOKS[-1]
    arms = len({rounds.key for rounds in test.identical}) / test.tests
    alpha = policy.alpha_times / test.tests / arms / len(pair_gate.LOOKS)
    return math.exp(stats.minimum_detectable_effect(math.sqrt(variance), test.process_df, alpha))


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
