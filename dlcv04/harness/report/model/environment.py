"""The machine, its software and the run's key, beside those of the stored runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dlcv04.harness.machine.gpu import throttle_reasons
from dlcv04.harness.store.schema import Run


@dataclass(frozen=True)
class EnvironmentRow:
    """One property of the machine or its software, now and in the stored runs."""

    group: str
    name: str
    now: str
    stored: str
    differs: bool


def environment(run: Run, baselines: Sequence[Run]) -> tuple[EnvironmentRow, ...]:
    """Every property of the machine, its software and the run's key, beside those of the stored runs."""
    rows = [_row("machine", "machine class", [_machine(b) for b in baselines], _machine(run))]
    for group, pick in (("hardware", _hardware), ("software", _software), ("key", _key)):
        stored = [pick(b) for b in baselines]
        names = dict.fromkeys([*pick(run), *(name for values in stored for name in values)])
        rows += [
            _row(group, name, [s.get(name, "absent") for s in stored], pick(run).get(name, "absent")) for name in names
        ]
    # The clocks themselves move from run to run; that something slowed them is a difference.
    if now := throttled(run):
        rows.append(_row("clocks", "GPU throttled", [throttled(b) or "unknown" for b in baselines], now))
    return tuple(rows)


def throttled(run: Run) -> str:
    """What slowed the GPU's clocks in any timed arm, "no", or "" where no GPU was read."""
    read = [arm.clocks for arm in run.arms if "gpu throttle" in arm.clocks]
    if not read:
        return ""
    return ", ".join(dict.fromkeys(reason for clocks in read for reason in throttle_reasons(clocks))) or "no"


def _row(group: str, name: str, stored: Sequence[str], now: str) -> EnvironmentRow:
    seen = Counter(stored)
    text = ", ".join(value if len(seen) == 1 else f"{value} ({count}×)" for value, count in sorted(seen.items()))
    return EnvironmentRow(group, name, now, text, any(value != now for value in seen))


def _machine(run: Run) -> str:
    return run.environment.machine_class


def _hardware(run: Run) -> dict[str, str]:
    return run.environment.hardware


def _software(run: Run) -> dict[str, str]:
    return run.environment.software


def _key(run: Run) -> dict[str, str]:
    return run.key
