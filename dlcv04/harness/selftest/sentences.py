"""A self-test's result in sentences."""

from __future__ import annotations

from collections import Counter

from dlcv04.harness.judging import pair_gate
from dlcv04.harness.policy import Policy
from dlcv04.harness.selftest import replaying
from dlcv04.harness.selftest.replaying import Rate
from dlcv04.harness.store.selftests import PlantedFault, SelfTest


def lines(test: SelfTest, policy: Policy) -> list[str]:
    """The result in sentences: spread, realised false alarms beside promised ones, detection, smallest slowdown."""
    numbers = len({rounds.pair for rounds in test.identical})
    sentences = [
        f"between processes: sd {test.process_point:.1%} (95 % limit {test.process_upper95:.1%}) from {numbers} pairs "
        f"of identical code; the gate uses {test.process_sd:.1%} on {test.process_df:g} degrees of freedom",
        f"rounds: a pair's mean is known to {test.rounds_sd:.1%} by its rounds alone",
    ]
    live_rates = {planted.ratio: replaying.live(test, planted, policy) for planted in test.planted}
    for found in test.replayed or replaying.with_replays(test, policy).replayed:
        if found.ratio == 1.0:
            rate, promised = Rate(found.red_runs, found.runs), f"promised {found.promised:.1%}"
            sentences.append(f"false alarms: whole runs red {rate} (replayed from these pairs), {promised}")
        else:
            seen, live_seen = Rate(found.red, found.benchmarks), _live_text(live_rates.get(found.ratio))
            sentences.append(f"slowed by {found.ratio - 1:.0%}: a benchmark red {seen} (replayed){live_seen}")
    smallest, pairs = replaying.smallest_seen(test, policy) - 1, pair_gate.LOOKS[-1]
    sentences.append(f"smallest slowdown seen in 4 of 5 runs of {pairs} process pairs: {smallest:.1%}")
    return sentences + [f"planted fault, {fault.describes}: {describe_fault(fault)}" for fault in test.faults]


def describe_fault(fault: PlantedFault) -> str:
    """Whether a planted fault was noticed, and by which verdicts."""
    counted = Counter([*(f"claim {word}" for word in fault.claims), *(f"figure {word}" for word in fault.figures)])
    found = ", ".join(f"{count} x {what}" for what, count in counted.items())
    return f"{'noticed' if fault.noticed else 'NOT noticed'} ({found})"


def _live_text(rate: Rate | None) -> str:
    return f"; live {rate.red} of {rate.runs}" if rate is not None and rate.runs else ""
