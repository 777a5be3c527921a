"""Where a run was made: hardware, software, commit, and the state of the clocks while it ran.

The machine class is a slug of the hardware alone, so that an upgrade of Keras or of the driver is compared
with what was stored before it. Versions are recorded beside it and shown as differences. Nothing here
imports a framework: versions come from the installed distributions' metadata, GPUs from `nvidia-smi`. A
fact that can't be read is left out; no function here raises because a machine lacks something.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import functools
import importlib.metadata
import operator
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from dlcv04.harness.schema import Commit, Environment
from dlcv04.lazy import LazyModule

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
_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")


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
    return bool(_gpus())


def chosen_device(asked: str) -> Device:
    """Return the device that was asked for; for "auto" the GPU, where there is one that can be used from here."""
    if asked == "auto":
        return "gpu" if gpu_present() and _has_cuda() else "cpu"
    return "gpu" if asked == "gpu" else "cpu"


def unused_gpu(asked: str) -> str:
    """Return why a GPU that is there is left alone, or ""."""
    if asked != "auto" or not gpu_present() or _has_cuda():
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
    facts = {"cpu": _cpu_model(), "cores": f"{_usable_cores():g}"}
    memory = _memory_gib()
    if memory:
        facts["memory"] = f"{memory:.0f} GiB"
    gpus = _gpus()
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
    gpus = _gpus()
    if gpus:
        facts["gpu driver"] = gpus[0].driver
        cuda = re.search(r"CUDA Version:\s*([\d.]+)", _nvidia_smi())
        if cuda:
            facts["cuda driver"] = cuda.group(1)
    facts |= {name: os.environ[name] for name in sorted(os.environ) if _matters(name)}
    facts |= {str(name): str(value) for name, value in (backend_facts or {}).items()}
    return facts


def collect(device: Device, backend_facts: Mapping[str, str] | None = None) -> Environment:
    """Return the environment of this process, as stored with a run.

    Args:
        device: what the run computes on.
        backend_facts: as for `software`. Where `nvidia-smi` knows no GPU, its "gpu" entry names the model.
    """
    facts = hardware()
    if device == "gpu" and "gpu" not in facts and backend_facts and backend_facts.get("gpu"):
        facts["gpu"] = str(backend_facts["gpu"])
    return Environment(machine_class=machine_class(device, facts), hardware=facts, software=software(backend_facts))


def differences(old: Environment, new: Environment) -> list[str]:
    """Return what changed between two environments, each as "tensorflow 2.20.0 -> 2.21.0"."""
    found = []
    if old.machine_class != new.machine_class:
        found.append(f"machine class {old.machine_class} -> {new.machine_class}")
    for before, after in ((old.hardware, new.hardware), (old.software, new.software)):
        for name in [*before, *(name for name in after if name not in before)]:
            if before.get(name) != after.get(name):
                found.append(f"{name} {before.get(name, 'absent')} -> {after.get(name, 'absent')}")
    return found


def commit(folder: Path | str = ".", ignored: Sequence[str] = ("baselines", "reports", ".benchmarks")) -> Commit:
    """Return the commit that `folder` is at; an empty one where git or the repository is absent.

    Args:
        folder: any folder of the repository.
        ignored: folders at the repository's top whose changes don't make it dirty. They hold results:
            storing the first of five processes must not make the tree of the second one dirty.
    """
    identity = _git(folder, "rev-parse", "HEAD")
    if not identity:
        return Commit()
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD") or ""
    exclusions = [f":(exclude,top){name}" for name in ignored]
    changes = _git(folder, "--no-optional-locks", "status", "--porcelain", "--", ":/", *exclusions)
    # A status that can't be read is no proof of a clean tree.
    return Commit(id=identity, branch="" if branch == "HEAD" else branch, dirty=changes != "")


def hardware_state() -> dict[str, float]:
    """Return a snapshot of what the clocks and the neighbours do now; what can't be read is left out.

    `load` (1 min average), `cpu total ticks` and `cpu steal ticks` (since boot: see `steal_share`), `cpu
    mhz` (mean over cores); with a GPU `gpu sm mhz`, `gpu max sm mhz`, `gpu memory mhz`, `gpu celsius`, `gpu
    watts` and `gpu throttle` (bits: see `throttle_reasons`), of the first visible GPU.
    """
    return _cpu_state() | _gpu_state()


def steal_share(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    """Return the fraction of CPU time that the hypervisor gave to others between two snapshots.

    None where it is unknown: not recorded (no Linux), or no tick passed.
    """
    names = ("cpu total ticks", "cpu steal ticks")
    if any(name not in state for name in names for state in (before, after)):
        return None
    total, steal = (after[name] - before[name] for name in names)
    return min(1.0, max(0.0, steal / total)) if total > 0 else None


#: Which of several readings of the clocks is the worst.
_WORST: dict[str, Callable[[list[float]], float]] = {
    "cpu mhz": min,
    "cpu steal": max,
    "gpu sm mhz": min,
    "gpu max sm mhz": max,
    "gpu memory mhz": min,
    "gpu celsius": max,
    "gpu watts": max,
    "gpu throttle": lambda bits: float(functools.reduce(operator.or_, map(int, bits))),
}


@dataclass
class LoadMeter:
    """How much of this machine other processes used while something was timed, and what its clocks did.

    Those of a GPU are read where `gpu` says that it is used: each reading starts `nvidia-smi`.

    A neighbour on the same cores slows a round in a way that no calibrator beside it sees fully: it comes and goes.
    """

    others_seconds: float = 0.0
    wall_seconds: float = 0.0
    readings: list[dict[str, float]] = field(default_factory=list)
    gpu: bool = True

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Add what happens inside to the meter; the clocks are read once it has ended, when they are still up."""
        before = _cpu_state()
        start, busy, own = time.perf_counter(), _busy_seconds(), _own_seconds()
        try:
            yield
        finally:
            self.wall_seconds += time.perf_counter() - start
            self.others_seconds += max(0.0, (_busy_seconds() - busy) - (_own_seconds() - own))
            state = hardware_state() if self.gpu else _cpu_state()
            if (steal := steal_share(before, state)) is not None:
                state["cpu steal"] = steal
            self.readings.append(state)

    @property
    def clocks(self) -> dict[str, float]:
        """The worst of all readings: lowest clocks, highest temperature, power and steal, every throttle bit.

        MHz, degrees Celsius, watts, a share from 0 to 1, and bits (`throttle_reasons`).
        """
        found = {name: [state[name] for state in self.readings if name in state] for name in _WORST}
        return {name: _WORST[name](values) for name, values in found.items() if values}

    @property
    def contention(self) -> float:
        """Others' use, the hypervisor's included, of the cores that this process may use, from 0 to 1.

        Cores that it may not use anyway are taken to bear the others' load first.
        """
        if self.wall_seconds == 0:
            return 0.0
        usable = _usable_cores()
        spare = max(0.0, (os.cpu_count() or 1) - usable)
        return min(1.0, max(0.0, self.others_seconds / self.wall_seconds - spare) / usable)


def _busy_seconds() -> float:
    """CPU seconds of all cores since boot that were not idle."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _own_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def throttle_reasons(state: Mapping[str, float]) -> list[str]:
    """Return the names of what slows the GPU's clocks in this snapshot; idling and chosen clocks do not."""
    mask = int(state.get("gpu throttle", 0)) & ~_NOT_SLOWED
    return [name for bit, name in THROTTLE_REASONS.items() if mask & bit]


# ---------------------------------------------------------------------------------------------- CPU


def _cpu_model() -> str:
    """The processor's name; where a virtual machine hides the model ("AMD EPYC"), with its family and model number."""
    found: dict[str, str] = {}
    for line in _read(_PROC / "cpuinfo").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), " ".join(value.split()))
    model = found.get("model name", "")
    if not model:
        return platform.processor() or platform.machine() or "unknown"
    numbered = any(character.isdigit() for character in model) or "model" not in found
    return model if numbered else f"{model} family {found.get('cpu family', '?')} model {found['model']}"


def _usable_cores() -> float:
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
        fields = _read(folder / "cpu.max").split()
        if len(fields) == 2:
            quotas.append(_ratio(fields[0], fields[1]))
    for folder in [*_cgroup_folders("cpu,cpuacct"), *_cgroup_folders("cpu")]:
        quotas.append(_ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")))
    return min((quota for quota in quotas if quota), default=None)


def _cgroup_folders(controller: str) -> list[Path]:
    root = _CGROUP / controller if controller else _CGROUP
    relative = ""
    for line in _read(_PROC / "self" / "cgroup").splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3 and fields[1] == controller:
            relative = fields[2].strip("/")
    folder = root / relative if ".." not in relative else root
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]


def _ratio(quota: str, period: str) -> float | None:
    numerator, denominator = _number(quota), _number(period)
    return numerator / denominator if numerator and denominator and numerator > 0 else None


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return None


def _cpu_state() -> dict[str, float]:
    state: dict[str, float] = {}
    with contextlib.suppress(AttributeError, OSError):  # Windows has no load average
        state["load"] = os.getloadavg()[0]
    fields = _read(_PROC / "stat").partition("\n")[0].split()
    ticks = [_number(field) or 0.0 for field in fields[1:9]]
    if fields[:1] == ["cpu"] and len(ticks) == 8:
        # user nice system idle iowait irq softirq steal; guest time is already inside user (proc(5))
        state |= {"cpu total ticks": sum(ticks), "cpu steal ticks": ticks[7]}
    clocks = [_number(value) for value in re.findall(r"^cpu MHz\s*:\s*(\S+)", _read(_PROC / "cpuinfo"), re.M)]
    known = [clock for clock in clocks if clock]
    if known:
        state["cpu mhz"] = sum(known) / len(known)
    return state


# ---------------------------------------------------------------------------------------------- GPU


def _hidden() -> bool:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible is not None and visible.strip() in {"", "-1", "NoDevFiles"}


def _nvidia_smi(*arguments: str) -> str:
    """What `nvidia-smi` prints, or "" where it is absent, fails or hangs."""
    program = shutil.which("nvidia-smi")
    return (_run([program, *arguments]) or "") if program else ""


def _query(*fields: str) -> list[list[str]]:
    """Rows of `nvidia-smi --query-gpu`, fields stripped, of visible GPUs only."""
    answer = _nvidia_smi(f"--query-gpu=index,uuid,{','.join(fields)}", "--format=csv,noheader,nounits")
    rows = [[field.strip() for field in line.split(",")] for line in answer.splitlines()]
    whole = [row for row in rows if len(row) == len(fields) + 2]
    return [row[2:] for row in whole if _visible(row[0], row[1])]


def _visible(index: str, uuid: str) -> bool:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or "MIG-" in chosen:
        return True
    names = [name.strip() for name in chosen.split(",")]
    return any(name == index or (name.startswith("GPU-") and uuid.startswith(name)) for name in names)


def _gpus() -> list[Gpu]:
    if _hidden():
        return []
    rows = _query("name", "memory.total", "power.limit", "driver_version", "mig.mode.current")
    gpus = [
        Gpu(name, _number(memory), _number(power), driver, _mig_slice() if mig == "Enabled" else "")
        for name, memory, power, driver, mig in rows
    ]
    # CUDA gives a process one slice at most (CUDA programming guide, "MIG and CUDA").
    return [gpu for gpu in gpus if gpu.mig][:1] or gpus


def _mig_slice() -> str:
    """The profile of the slice that CUDA will use: the one that is made visible, else the first."""
    slices = re.findall(r"^\s*MIG\s+(\S+)\s+Device\s+\d+:\s*\(UUID:\s*([^)\s]+)\)", _nvidia_smi("-L"), re.M)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    named = [profile for profile, uuid in slices if chosen.startswith("MIG-") and uuid.startswith(chosen)]
    return next(iter(named or [profile for profile, _ in slices]), "enabled")


def _gpu_state() -> dict[str, float]:
    if _hidden():
        return {}
    names = ("gpu sm mhz", "gpu max sm mhz", "gpu memory mhz", "gpu celsius", "gpu watts", "gpu throttle")
    fields = ("clocks.sm", "clocks.max.sm", "clocks.mem", "temperature.gpu", "power.draw")
    # Drivers before 535 know the reasons by their old name only.
    rows = _query(*fields, "clocks_event_reasons.active") or _query(*fields, "clocks_throttle_reasons.active")
    values = [_number(field) for field in rows[0]] if rows else []
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}


# ------------------------------------------------------------------------------------------ helpers


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


def _git(folder: Path | str, *arguments: str) -> str | None:
    # Inside a git hook these point at the hook's repository, whatever folder is asked for.
    misleading = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}
    clean = {name: value for name, value in os.environ.items() if name not in misleading}
    program = shutil.which("git")
    if not program:
        return None
    return _run([program, "-C", str(folder), *arguments], clean)


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> str | None:
    """What a program prints, or None where it can't be started, fails or takes longer than 20 s."""
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> float | None:
    """A figure as `nvidia-smi` or the kernel prints it, hexadecimal too; None for "[N/A]" or "max"."""
    text = text.strip()
    try:
        number = float(int(text, 16)) if text.lower().startswith("0x") else float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _slug(kind: Device, *parts: str) -> str:
    text = " ".join(part for part in parts if part).lower()
    # Words that say nothing of the model, or repeat what its name says already.
    text = re.sub(r"\((r|tm|c)\)|\b(cpu|processor|hbm\w*|\d+-core)\b", " ", text)
    # Dots stay inside words only ("2.20ghz", "1g.10gb"): a folder's name is no place for "..".
    return re.sub(r"([^a-z0-9.]|(?<![a-z0-9])\.|\.(?![a-z0-9]))+", "-", f"{kind} {text}")[:120].strip("-.")
