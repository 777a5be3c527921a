"""The processor: its model, the cores that may be used, the memory."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from dlcv04.harness.machine import probing

_CGROUP = Path("/sys/fs/cgroup")


def cpu_model() -> str:
    """The processor's name; where a virtual machine hides the model ("AMD EPYC"), with its family and model number."""
    found: dict[str, str] = {}
    for line in probing.read_text(probing.PROC / "cpuinfo").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), " ".join(value.split()))
    model = found.get("model name", "")
    if not model:
        return platform.processor() or platform.machine() or "unknown"
    numbered = any(character.isdigit() for character in model) or "model" not in found
    return model if numbered else f"{model} family {found.get('cpu family', '?')} model {found['model']}"


def usable_cores() -> float:
    """Cores that this process may use: by affinity, and by the quota of its control groups."""
    try:
        cores = float(len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS, Windows
        cores = float(os.cpu_count() or 1)
    quota = _cgroup_quota()
    return min(cores, round(quota, 1) or 0.1) if quota else cores


def _cgroup_quota() -> float | None:
    """CPUs' worth of time that control groups v2 or v1 allow: the tightest of this group and its parents."""
    quotas = []
    for folder in _cgroup_folders(""):
        fields = probing.read_text(folder / "cpu.max").split()
        if len(fields) == 2:
            quotas.append(_ratio(fields[0], fields[1]))
    for folder in [*_cgroup_folders("cpu,cpuacct"), *_cgroup_folders("cpu")]:
        quotas.append(
            _ratio(probing.read_text(folder / "cpu.cfs_quota_us"), probing.read_text(folder / "cpu.cfs_period_us"))
        )
    return min((quota for quota in quotas if quota), default=None)


def _cgroup_folders(controller: str) -> list[Path]:
    root = _CGROUP / controller if controller else _CGROUP
    relative = ""
    for line in probing.read_text(probing.PROC / "self" / "cgroup").splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3 and fields[1] == controller:
            relative = fields[2].strip("/")
    folder = root / relative if ".." not in relative else root
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]


def _ratio(quota: str, period: str) -> float | None:
    numerator, denominator = probing.number(quota), probing.number(period)
    return numerator / denominator if numerator and denominator and numerator > 0 else None


def memory_gib() -> float | None:
    """The machine's memory in GiB, None where it is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return None
