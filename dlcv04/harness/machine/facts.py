"""Where a run was made: hardware, software, commit, and the state of the clocks while it ran.

The machine class is a slug of the hardware alone, so that an upgrade of Keras or of the driver is compared
with what was stored before it. Versions are recorded beside it and shown as differences. Nothing here
imports a framework: versions come from the installed distributions' metadata, GPUs from NVIDIA's bindings. A
fact that can't be read is left out; no function here raises because a machine lacks something.
"""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from dlcv04.harness.machine import cpu, gpu
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import psutil
else:
    psutil = LazyModule("psutil")

Device = Literal["cpu", "gpu"]


#: Distributions whose versions are recorded; of alternatives under one name, the first that is installed.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "dlcv04": ("dlcv04",),
    "numpy": ("numpy",),
    "keras": ("keras", "keras-nightly"),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-rocm", "tf-nightly"),
    "jax": ("jax",),
    "jaxlib": ("jaxlib",),
    "torch": ("torch",),
    "pytest": ("pytest",),
    "pytest-benchmark": ("pytest-benchmark",),
    "cuda-runtime": ("nvidia-cuda-runtime-cu13", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12"),
    "cudnn": ("nvidia-cudnn-cu13", "nvidia-cudnn-cu12"),
}


#: Environment variables that change what is computed or how fast, besides all of TensorFlow's `TF_*`.
VARIABLES = (
    "KERAS_BACKEND",
    "XLA_FLAGS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_TF32_OVERRIDE",
)


# Terraform shares the prefix and keeps credentials in such variables; stored runs are committed and
# published.
_NOT_TENSORFLOW = re.compile(
    r"TF_(VAR|TOKEN|CLI|CLOUD|HTTP|LOG|DATA_DIR|INPUT|IN_AUTOMATION|PLUGIN|REGISTRY|WORKSPACE|CPP)(_|$)"
    r"|TOKEN|SECRET|PASSWORD|CREDENTIAL|(^|_)KEY(_|$)"
)


def chosen_device(asked: str) -> Device:
    """Return the device that was asked for; for "auto" the GPU, where there is one that can be used from here."""
    if asked == "auto":
        return "gpu" if gpu.gpu_present() and _has_cuda() else "cpu"
    return "gpu" if asked == "gpu" else "cpu"


def unused_gpu(asked: str) -> str:
    """Return why a GPU that is there is left alone, or how far it can be read; or ""."""
    if asked != "cpu" and (said := gpu.unread_card() or gpu.unclear_order()):
        return said
    if asked != "auto" or not gpu.gpu_present() or _has_cuda():
        return ""
    return "a GPU is here and is not used: cuDNN is not installed (pip install dlcv04[gpu])"


def _has_cuda() -> bool:
    """Whether CUDA's library of networks is installed, as a package or in the system; no framework is asked."""
    return bool(_version(DISTRIBUTIONS["cudnn"]) or ctypes.util.find_library("cudnn"))


def hardware() -> dict[str, str]:
    """Return the hardware as printable facts.

    `cpu` (model), `cores` (usable: affinity and cgroup quota, "1.5" where the quota is no whole number),
    `memory` (GiB); with a GPU also `gpu` (model), `gpu count`, `gpu memory`, `gpu power limit` (W) and `gpu
    mig` (the slice).
    """
    facts = {"cpu": cpu.cpu_model(), "cores": f"{cpu.usable_cores():g}"}
    memory = cpu.memory_gib()
    if memory:
        facts["memory"] = f"{memory:.0f} GiB"
    gpus = gpu.gpus()
    if gpus:
        first = gpus[0]
        facts["gpu"] = first.model
        facts["gpu count"] = str(len(gpus))
        if first.memory_mib:
            facts["gpu memory"] = f"{first.memory_mib / 1024:.0f} GiB"
        if first.power_limit_watts:
            facts["gpu power limit"] = f"{first.power_limit_watts:.0f} W"
        if first.mig:
            facts["gpu mig"] = first.mig
        others = sorted({gpu.model for gpu in gpus} - {first.model})
        if others:
            facts["gpu others"] = ", ".join(others)
    return facts


def machine_class(device: Device, hardware: Mapping[str, str]) -> str:
    """Return the folder name under which this hardware's clocks are stored.

    On a GPU: model, MIG slice, count and power limit ("gpu-nvidia-h100-80gb-x1-700w"); else CPU model and
    usable cores ("cpu-amd-epyc-2-cores"). Made of `a-z0-9.-` alone, the same after a reboot, and without
    the host's name.

    Args:
        device: what the run computes on.
        hardware: facts as `hardware()` returns them.
    """
    if device == "gpu":
        parts = [hardware.get("gpu", "unknown"), hardware.get("gpu others", "")]
        if hardware.get("gpu mig"):
            parts.append(f"mig {hardware['gpu mig']}")
        parts.append(f"x{hardware.get('gpu count', '1')}")
        parts.append(hardware.get("gpu power limit", "").replace(" ", ""))
        return _slug("gpu", *parts)
    return _slug("cpu", hardware.get("cpu", "unknown"), hardware.get("cores", "1"), "cores")


def booted() -> str:
    """When the machine started, UTC, as `2026-11-28T07:46:00+00:00`."""
    return datetime.fromtimestamp(psutil.boot_time(), UTC).isoformat(timespec="seconds")


def software(backend_facts: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return versions of everything that can change a figure, and the environment variables that matter.

    Args:
        backend_facts: what the backend reports of itself (dtype policy, jit, build of XLA ...), added at
            the end; they win over what is read here.
    """
    facts = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for name, distributions in DISTRIBUTIONS.items():
        version = _version(distributions)
        if version:
            facts[name] = version
    facts["os"] = _operating_system()
    facts["kernel"] = platform.release()
    if gpu.gpu_present():
        facts |= gpu.driver_facts()
    facts |= {name: os.environ[name] for name in sorted(os.environ) if _matters(name)}
    facts |= {str(name): str(value) for name, value in (backend_facts or {}).items()}
    return facts


def _matters(name: str) -> bool:
    return name in VARIABLES or (name.startswith("TF_") and not _NOT_TENSORFLOW.search(name))


def _version(distributions: Sequence[str]) -> str:
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except (OSError, AttributeError):
        return f"{platform.system()} {platform.mac_ver()[0] or platform.version()}".strip()


def _slug(kind: Device, *parts: str) -> str:
    text = " ".join(part for part in parts if part).lower()
    # Words that say nothing of the model, or repeat what its name says already.
    text = re.sub(r"\((r|tm|c)\)|\b(cpu|processor|hbm\w*|\d+-core)\b", " ", text)
    # Dots stay inside words only ("2.20ghz", "1g.10gb"): a folder's name is no place for "..".
    return re.sub(r"([^a-z0-9.]|(?<![a-z0-9])\.|\.(?![a-z0-9]))+", "-", f"{kind} {text}")[:120].strip("-.")
