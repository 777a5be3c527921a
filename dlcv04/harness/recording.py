"""Recording a baseline: the suite in fresh processes, stored together or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from dlcv04.harness import fresh_process
from dlcv04.harness.baselines import Candidate, Part, may_accept
from dlcv04.harness.policy import Policy
from dlcv04.harness.schema import Arm, Run, decode_run
from dlcv04.harness.timing_gate import TimingGate, level


class RecordingError(RuntimeError):
    """A process failed, or its run does not deserve to be a baseline; nothing was stored."""


@dataclass(frozen=True)
class Power:
    """What the gate sees of one benchmark: its stored seconds an epoch and the smallest slowdown seen in 4 of 5 runs.

    `smallest` is a ratio above 1, from the design and not from an observed effect.
    """

    benchmark: str
    seconds: float
    smallest: float


def record(
    part: Part, options: Sequence[str], *, suite: str, forced: bool, name: str, started: Callable[[], object]
) -> Candidate:
    """Run one half of the suite in a fresh process.

    Args:
        part: "timing" or "portable" (learning curves and exact figures).
        options: further options of pytest.
        suite: the folder of the claims.
        forced: record in spite of what `may_accept` says.
        name: the readable half of the stored file's name.
        started: called just before the process starts.

    Raises:
        RecordingError: the process failed or its run may not be accepted; with the end of what it printed.
    """
    half = "learning" if part == "portable" else "timing"
    started()
    done = fresh_process.run([suite, f"--dl-record={half}", *options])
    if done.code != 0 or done.document is None:
        raise RecordingError(f"{done.printed}\nThe {half} process failed: nothing was stored.")
    refusal = may_accept(decode_run(done.document["dlcv04"], "the recorded run"))
    if refusal and not forced:
        raise RecordingError(f"{refusal} Nothing was stored.")
    return Candidate(done.document, part, forced, name)


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
