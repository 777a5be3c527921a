"""What the gate of stored times sees of each benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from dlcv04.harness import stats
from dlcv04.harness.judging.pair_gate import LOOKS
from dlcv04.harness.judging.stored_times import TimingGate, level, rounds_error
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Arm, Run


@dataclass(frozen=True)
class Power:
    """What the gate sees of one benchmark: its stored seconds an epoch and the smallest slowdowns seen in 4 of 5 runs.

    `smallest` is that of the stored processes alone, `by_pairs` that of process pairs where they decide: ratios above
    1, from the design and not from an observed effect.
    """

    benchmark: str
    seconds: float
    smallest: float
    by_pairs: float


def power(stored: Sequence[Run], like: Run, *, pair_sd: float, pair_df: float) -> list[Power]:
    """What the gate sees of each benchmark of `like` by the `stored` timing runs, which share its key and class.

    `pair_sd` is the sd of the log ratio of two processes, on `pair_df` degrees of freedom.
    """
    gate = TimingGate(stored, Policy(profile=like.profile))
    wanted = {arm.fullname: arm.key for arm in like.arms if gate.is_gated(arm)}
    by_name: dict[str, list[Arm]] = {}
    for run in stored:
        for arm in filter(gate.is_gated, run.arms):
            if wanted.get(arm.fullname) == arm.key:
                by_name.setdefault(f"{arm.test.split('::')[-1]}<{arm.name}>", []).append(arm)

    def by_pairs(arms: Sequence[Arm]) -> float:
        rounds = math.sqrt(2) * rounds_error([level(arm) for arm in arms])
        return stats.smallest_slowdown_by_pairs(rounds, alpha=gate.alpha, s0=pair_sd, d0=pair_df, looks=LOOKS)

    return [Power(name, _seconds(arms), gate.smallest_slowdown(arms), by_pairs(arms)) for name, arms in by_name.items()]


def _seconds(arms: Sequence[Arm]) -> float:
    return math.exp(mean(level(arm).seconds for arm in arms))
