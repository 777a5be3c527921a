"""What the gate of stored times sees of each benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from dlcv04.harness.judging.stored_times import TimingGate, level
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Arm, Run


@dataclass(frozen=True)
class Power:
    """What the gate sees of one benchmark: its stored seconds an epoch and the smallest slowdown seen in 4 of 5 runs.

    `smallest` is a ratio above 1, from the design and not from an observed effect.
    """

    benchmark: str
    seconds: float
    smallest: float


def power(stored: Sequence[Run], like: Run) -> list[Power]:
    """What the gate sees of each benchmark of `like` by the `stored` timing runs, which share its key and class."""
    gate = TimingGate(stored, Policy(profile=like.profile))
    wanted = {arm.fullname: arm.key for arm in like.arms if gate.is_gated(arm)}
    by_name: dict[str, list[Arm]] = {}
    for run in stored:
        for arm in filter(gate.is_gated, run.arms):
            if wanted.get(arm.fullname) == arm.key:
                by_name.setdefault(f"{arm.test.split('::')[-1]}<{arm.name}>", []).append(arm)
    return [Power(name, _seconds(arms), gate.smallest_slowdown(arms)) for name, arms in by_name.items()]


def _seconds(arms: Sequence[Arm]) -> float:
    return math.exp(mean(level(arm).seconds for arm in arms))
