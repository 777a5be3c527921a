"""What each arm of a claim costs, as text, and the times of the same arm in stored runs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcv04.harness.judging.assertions import PEAK_MEMORY
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.facts import Fact
from dlcv04.harness.store.schema import ENERGY, Arm, Run


@dataclass(frozen=True)
class ArmRow:
    """What one arm costs: parameters, memory and time, every value already text."""

    name: str
    network: str
    parameters: str
    macs: str
    weights: str
    optimizer: str
    activations: str
    epoch: str
    images_per_second: str
    compiled: str
    peak_memory: str
    energy: str
    facts: tuple[Fact, ...]
    values: str = ""


def arm_row(arm: Arm) -> ArmRow:
    """One arm as text."""
    times, peaks = arm.epoch_seconds, [v for f in arm.figures if f.name == PEAK_MEMORY for v in f.values if v]
    facts = [Fact(str(name), _flat(value)) for name, value in sorted(arm.facts.items())]
    return ArmRow(
        name=arm.name + (" (noisy)" if arm.noisy else ""),
        network=arm.network,
        parameters=fmt.number(arm.parameters),
        macs=fmt.number(arm.macs),
        weights=fmt.data_size(arm.weight_bytes),
        optimizer=fmt.data_size(arm.optimizer_bytes),
        activations=fmt.data_size(arm.activation_bytes),
        epoch=fmt.seconds(statistics.median(times)) if times else fmt.ABSENT,
        images_per_second=fmt.number(arm.images_per_second and round(arm.images_per_second)),
        compiled=fmt.seconds(arm.compile_seconds),
        peak_memory=fmt.data_size(round(statistics.median(peaks))) if peaks else fmt.ABSENT,
        energy=next((f"{v:,.0f} J" for f in arm.figures if f.name == ENERGY for v in f.values if v), ""),
        facts=tuple(facts),
        values=_values(arm),
    )


def _values(arm: Arm) -> str:
    """What an arm is that was neither timed nor trained, and the mean of its values where they are stored."""
    if arm.parameters is not None or arm.round_seconds or arm.curves:
        return ""
    mean = f"mean {fmt.number(statistics.fmean(arm.values))} of {len(arm.values):,} values" if arm.values else ""
    return ", ".join(filter(None, (arm.network, mean))) or "computed"


def _flat(value: object) -> str:
    """A fact's value on one line; nested facts as `name=value` pairs."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={_flat(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_flat(inner) for inner in value)
    return fmt.number(value) if isinstance(value, float) else str(value)


#: Seconds an epoch of the arms of stored runs, by `arm_key`.
Times = Mapping[tuple[str, str, str], Sequence[float]]


def stored_times(run: Run, baselines: Sequence[Run]) -> Times:
    """Seconds an epoch of every arm in the stored runs of this run's key."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for baseline in baselines:
        for arm in baseline.arms if baseline.key == run.key else []:
            found.setdefault(arm_key(arm), []).extend(arm.epoch_seconds)
    return found


def arm_key(arm: Arm) -> tuple[str, str, str]:
    """What makes an arm of one run comparable with that of another: test, name and the arm's own key."""
    return arm.test, arm.name, repr(sorted(arm.key.items()))
