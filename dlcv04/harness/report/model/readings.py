"""What was read from the machine while the run went on: clocks, calibrator and overhead."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.environment import throttled
from dlcv04.harness.report.model.facts import Fact
from dlcv04.harness.store.schema import Run

#: How a reading of the clocks is shown: its name, a figure's form, and the unit of the range.
_READINGS = {
    "gpu sm mhz": ("GPU clock", "{:,.0f}", "MHz"),
    "gpu memory mhz": ("GPU memory clock", "{:,.0f}", "MHz"),
    "gpu celsius": ("GPU temperature", "{:.0f}", "°C"),
    "gpu watts": ("GPU power", "{:.0f}", "W"),
    "gpu used mib": ("GPU memory in use", "{:,.0f}", "MiB"),
    "cpu mhz": ("CPU clock", "{:,.0f}", "MHz"),
    "cpu steal": ("Taken by the hypervisor", "{:.1%}", ""),
}


def clocks(run: Run) -> tuple[Fact, ...]:
    """The worst readings of each timed block, from the least to the most of all blocks."""
    facts = []
    for name, (label, form, unit) in _READINGS.items():
        if values := [arm.clocks[name] for arm in run.arms if name in arm.clocks]:
            ends = dict.fromkeys(form.format(value).replace("%", " %") for value in (min(values), max(values)))
            facts.append(Fact(label, f"{' to '.join(ends)} {unit}".strip()))
    if reasons := throttled(run):
        facts.append(Fact("GPU throttled", reasons, warn=reasons != "no"))
    if others := dict.fromkeys(name for arm in run.arms for name in arm.neighbours):
        facts.append(Fact("Others on the card", "; ".join(others), warn=True))
    return tuple(facts)


def calibrator(run: Run, baselines: Sequence[Run]) -> tuple[Fact, ...]:
    """The calibrator's times, and this run's against those of the stored runs."""
    rounds = _calibrator_rounds(run)
    if not rounds:
        return ()
    middle = statistics.median(rounds)
    facts = [
        Fact("Rounds", str(len(rounds))),
        Fact("Median", fmt.seconds(middle)),
        Fact("Range", f"{fmt.seconds(min(rounds))} to {fmt.seconds(max(rounds))}"),
    ]
    if len(rounds) > 1 and middle:
        facts.append(Fact("Spread (sd / median)", f"{100 * statistics.stdev(rounds) / middle:.1f} %"))
    stored = [statistics.median(found) for b in baselines if (found := _calibrator_rounds(b))]
    if stored and middle:
        usual = statistics.median(stored)
        facts.append(Fact("Stored runs", f"median {fmt.seconds(usual)}, this run at {middle / usual:.2f} of it"))
    return tuple(facts)


def _calibrator_rounds(run: Run) -> list[float]:
    """All rounds of the calibrator; arms that were measured in one block share theirs, which count once."""
    blocks = dict.fromkeys((arm.test, tuple(arm.calibrator_seconds)) for arm in run.arms)
    return [value for _, block in blocks for value in block if math.isfinite(value) and value > 0]


def overhead(run: Run) -> tuple[Fact, ...]:
    """What was neither training nor evaluation, longest first, with its share of the run."""
    ordered = sorted(run.overhead_seconds.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Fact(name, fmt.seconds(value) + (f" ({100 * value / run.seconds:.1f} %)" if run.seconds > 0 else ""))
        for name, value in ordered
    )
