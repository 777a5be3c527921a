"""The GPU, read through `nvidia-smi`; no framework is imported."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dlcv04.harness.machine import probing

#: Bits of NVML's `clocksEventReasons` (nvml.h, `nvmlClocksEventReason*`).
THROTTLE_REASONS: dict[int, str] = {
    0x001: "idle",
    0x002: "application clocks",
    0x004: "software power cap",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "software thermal slowdown",
    0x040: "hardware thermal slowdown",
    0x080: "hardware power brake",
    0x100: "display clocks",
}


# These three are states that someone chose or that end with the first kernel; the others slow a busy GPU.
_NOT_SLOWED = 0x001 | 0x002 | 0x100


_DEV = Path("/dev")


class Gpu(NamedTuple):
    """One visible GPU; `mig` is the slice's profile ("1g.10gb"), or "" for a whole GPU."""

    model: str
    memory_mib: float | None
    power_limit_watts: float | None
    driver: str
    mig: str


def gpu_present() -> bool:
    """Return whether a GPU is there to be used, without importing a framework.

    A GPU that `CUDA_VISIBLE_DEVICES` hides ("" or "-1") is not there.
    """
    if _hidden():
        return False
    if any(_DEV.glob("nvidia[0-9]*")):
        return True
    return bool(gpus())


def throttle_reasons(state: Mapping[str, float]) -> list[str]:
    """Return the names of what slows the GPU's clocks in this snapshot; idling and chosen clocks do not."""
    mask = int(state.get("gpu throttle", 0)) & ~_NOT_SLOWED
    return [name for bit, name in THROTTLE_REASONS.items() if mask & bit]


def _hidden() -> bool:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible is not None and visible.strip() in {"", "-1", "NoDevFiles"}


def nvidia_smi(*arguments: str) -> str:
    """What `nvidia-smi` prints, or "" where it is absent, fails or hangs."""
    program = shutil.which("nvidia-smi")
    return (probing.run_program([program, *arguments]) or "") if program else ""


def _query(*fields: str) -> list[list[str]]:
    """Rows of `nvidia-smi --query-gpu`, fields stripped, of visible GPUs only."""
    answer = nvidia_smi(f"--query-gpu=index,uuid,{','.join(fields)}", "--format=csv,noheader,nounits")
    rows = [[field.strip() for field in line.split(",")] for line in answer.splitlines()]
    whole = [row for row in rows if len(row) == len(fields) + 2]
    return [row[2:] for row in whole if _visible(row[0], row[1])]


def _visible(index: str, uuid: str) -> bool:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or "MIG-" in chosen:
        return True
    names = [name.strip() for name in chosen.split(",")]
    return any(name == index or (name.startswith("GPU-") and uuid.startswith(name)) for name in names)


def gpus() -> list[Gpu]:
    """The visible GPUs; one at most where they are cut into slices."""
    if _hidden():
        return []
    rows = _query("name", "memory.total", "power.limit", "driver_version", "mig.mode.current")
    gpus = [
        Gpu(name, probing.number(memory), probing.number(power), driver, _mig_slice() if mig == "Enabled" else "")
        for name, memory, power, driver, mig in rows
    ]
    # CUDA gives a process one slice at most (CUDA programming guide, "MIG and CUDA").
    return [gpu for gpu in gpus if gpu.mig][:1] or gpus


def _mig_slice() -> str:
    """The profile of the slice that CUDA will use: the one that is made visible, else the first."""
    slices = re.findall(r"^\s*MIG\s+(\S+)\s+Device\s+\d+:\s*\(UUID:\s*([^)\s]+)\)", nvidia_smi("-L"), re.M)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    named = [profile for profile, uuid in slices if chosen.startswith("MIG-") and uuid.startswith(chosen)]
    return next(iter(named or [profile for profile, _ in slices]), "enabled")


def gpu_state() -> dict[str, float]:
    """What the first visible GPU does now, as `load.hardware_state` names it; empty where there is none."""
    if _hidden():
        return {}
    names = ("gpu sm mhz", "gpu max sm mhz", "gpu memory mhz", "gpu celsius", "gpu watts", "gpu throttle")
    fields = ("clocks.sm", "clocks.max.sm", "clocks.mem", "temperature.gpu", "power.draw")
    # Drivers before 535 know the reasons by their old name only.
    rows = _query(*fields, "clocks_event_reasons.active") or _query(*fields, "clocks_throttle_reasons.active")
    values = [probing.number(field) for field in rows[0]] if rows else []
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}
