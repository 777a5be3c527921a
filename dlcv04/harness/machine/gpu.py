"""The cards of this machine, read by NVIDIA's bindings (NVML); no framework is imported.

NVML counts cards by PCI bus and knows nothing of `CUDA_VISIBLE_DEVICES`; what CUDA makes of that is done here again, so
that the card that is read is the card that is used.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import psutil
    import pynvml
else:
    psutil = LazyModule("psutil")
    pynvml = LazyModule("pynvml")

T = TypeVar("T")

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
IDLE = 0x001
#: What slows a card because it is too hot or gets too little power; a power cap is a card's usual state under load.
SLOWDOWNS = 0x008 | 0x020 | 0x040 | 0x080


# These three are states that someone chose or that end with the first kernel; the others slow a busy GPU.
_NOT_SLOWED = IDLE | 0x002 | 0x100

_DEV, _PROC = Path("/dev"), Path("/proc")
#: A driver that answers later hangs, and is not asked again.
PATIENCE_SECONDS = 10.0
_HANGS = threading.Event()


class Gpu(NamedTuple):
    """One visible GPU; `mig` is the slice's profile ("1g.10gb"), or "" for a whole GPU."""

    model: str
    memory_mib: float | None
    power_limit_watts: float | None
    driver: str
    mig: str


class Handles(NamedTuple):
    """NVML's handles of one visible card: `whole` has the clocks, `part` (the slice, or the same) the memory."""

    whole: Any
    part: Any


def gpu_present() -> bool:
    """Return whether a GPU is there to be used, without importing a framework.

    A GPU that `CUDA_VISIBLE_DEVICES` hides ("" or "-1") is not there. One that the driver's library does not tell of (a
    container may have CUDA alone) is, unless the driver hangs.
    """
    if _asked(lambda: True, False):
        return bool(gpus())
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in {"", "-1", "NoDevFiles"}
    return not (_HANGS.is_set() or hidden) and any(_DEV.glob("nvidia[0-9]*"))


def unread_card() -> str:
    """A sentence where there is a card that can't be read: another maker's, or one whose driver hangs; or ""."""
    if gpu_present():
        return ""
    if _HANGS.is_set():
        return (
            f"NVIDIA's driver did not answer within {PATIENCE_SECONDS:g} s: no card is read, and the run is the CPU's"
        )
    if not (_DEV / "kfd").exists():
        return ""
    return "AMD cards are not read: one may be here (/dev/kfd), and the run counts as the CPU's"


def throttle_reasons(state: Mapping[str, float]) -> list[str]:
    """Return the names of what slows the GPU's clocks in this snapshot; idling and chosen clocks do not."""
    return _names(int(state.get("gpu throttle", 0)) & ~_NOT_SLOWED)


def slowdowns(state: Mapping[str, float]) -> list[str]:
    """Of `throttle_reasons` those of heat and missing power, which no code is to blame for."""
    return _names(int(state.get("gpu throttle", 0)) & SLOWDOWNS)


def chosen_clocks(state: Mapping[str, float]) -> list[str]:
    """The settings that someone made which hold the clocks back in this snapshot."""
    return _names(int(state.get("gpu throttle", 0)) & _NOT_SLOWED & ~IDLE)


def _names(mask: int) -> list[str]:
    return [name for bit, name in THROTTLE_REASONS.items() if mask & bit]


def count_by_bus() -> None:
    """Let CUDA count cards as NVML does, unless the user chose an order; to be called before a framework starts."""
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


def unclear_order() -> str:
    """A sentence where CUDA counts unlike cards by speed, which NVML does not know; or ""."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    if os.environ.get("CUDA_DEVICE_ORDER") != "FASTEST_FIRST" or chosen.startswith(("GPU-", "MIG-")):
        return ""
    models: set[str] = _asked(lambda: {pynvml.nvmlDeviceGetName(card) for card in _cards()}, set())
    if len(models) < 2:
        return ""
    return (
        "CUDA_DEVICE_ORDER=FASTEST_FIRST among unlike cards: the card that is read may not be the one that is used. "
        "Set it to PCI_BUS_ID, or name the card by its UUID in CUDA_VISIBLE_DEVICES"
    )


def gpus() -> list[Gpu]:
    """The visible GPUs in CUDA's order; one at most where they are cut into slices."""
    return _asked(lambda: [_gpu(handles) for handles in _visible()], [])


def driver_facts() -> dict[str, str]:
    """The versions of the driver and of the CUDA that it brings, as "13.0"; empty where there is no driver."""
    driver = _asked(lambda: _get("nvmlSystemGetDriverVersion"), None)
    cuda = _asked(lambda: _get("nvmlSystemGetCudaDriverVersion"), None)
    found = {"gpu driver": driver, "cuda driver": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else ""}
    return {name: value for name, value in found.items() if value}


def is_persistent() -> bool | None:
    """Whether the driver keeps the first visible card awake between runs; None where it can't tell."""
    mode = _asked(lambda: _get("nvmlDeviceGetPersistenceMode", first.whole) if (first := _first()) else None, None)
    return None if mode is None else bool(mode)


def gpu_state() -> dict[str, float]:
    """What the first visible GPU does now, as `load.hardware_state` names it; empty where there is none."""
    return _asked(read_state, {})


def read_state() -> dict[str, float]:
    """The same for a thread that may hang in it.

    Raises:
        pynvml.NVMLError: the driver does not answer.
    """
    handles = _first()
    if handles is None:
        return {}
    card, clock = handles.whole, functools.partial(_get, "nvmlDeviceGetClockInfo", handles.whole)
    watts, memory = _get("nvmlDeviceGetPowerUsage", card), _get("nvmlDeviceGetMemoryInfo", handles.part)
    found = {
        "gpu sm mhz": clock(pynvml.NVML_CLOCK_SM),
        "gpu max sm mhz": _get("nvmlDeviceGetMaxClockInfo", card, pynvml.NVML_CLOCK_SM),
        "gpu memory mhz": clock(pynvml.NVML_CLOCK_MEM),
        "gpu celsius": _get("nvmlDeviceGetTemperature", card, pynvml.NVML_TEMPERATURE_GPU),
        "gpu watts": None if watts is None else watts / 1000,
        # The newer name, "clocks event reasons", is unknown to drivers before 535; this one to none.
        "gpu throttle": _get("nvmlDeviceGetCurrentClocksThrottleReasons", card),
        "gpu used mib": None if memory is None else memory.used / 2**20,
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def joules() -> float | None:
    """Energy that the first visible card took since its driver was loaded; None for a slice, whose card is shared.

    NVML updates the counter every 20 to 100 ms, by the card.
    """

    def read() -> float | None:
        handles = _first()
        if handles is None or handles.part is not handles.whole:
            return None
        used = _get("nvmlDeviceGetTotalEnergyConsumption", handles.whole)
        return None if used is None else used / 1000

    return _asked(read, None)


# -- other processes on the card ---------------------------------------------------------------------------------------


def neighbours() -> list[str]:
    """The processes on the first visible card that are not this run's, as "process 4711 (train.py, 2,048 MiB)"."""
    return _asked(read_neighbours, [])


def read_neighbours() -> list[str]:
    """The same for a thread that may hang in it.

    This run's are this process, those that started it and those that it started. In a container NVML may give pids of
    another namespace, where none can be known as ours: then as many as ours hold the card open are taken to be ours.

    Raises:
        pynvml.NVMLError: the driver does not answer.
    """
    handles = _first()
    listed = (_get("nvmlDeviceGetComputeRunningProcesses", handles.part) if handles else None) or []
    if not listed:
        return []
    this = psutil.Process()
    if this.pid in {each.pid for each in listed}:
        return [_neighbour(each) for each in listed if not _is_ours(this, each.pid)]
    return _of_another_namespace(tuple(each.pid for each in listed))


@functools.lru_cache(maxsize=1)  # asked again and again; to find a process's children all of a machine are read
def _of_another_namespace(pids: tuple[int, ...]) -> list[str]:
    this = psutil.Process()
    family = [this, *this.parents(), *this.children(recursive=True)]
    others = len(pids) - max(1, sum(_holds_a_card(each.pid) for each in family))
    if others <= 0:
        return []
    named = ", ".join(map(str, pids))
    return [f"{others} of the processes {named} (pids of another namespace, which can't be told from this run's)"]


def _is_ours(this: psutil.Process, pid: int) -> bool:
    """Whether a process is this one, started it or was started by it."""
    with contextlib.suppress(psutil.Error):
        return pid == this.pid or psutil.Process(pid) in this.parents() or this in psutil.Process(pid).parents()
    return False


def _neighbour(process: Any) -> str:
    name = Path(str(_get("nvmlSystemGetProcessName", process.pid) or "").partition(" ")[0]).name
    memory = f"{process.usedGpuMemory / 2**20:,.0f} MiB" if process.usedGpuMemory else ""
    about = ", ".join(filter(None, [name, memory]))
    return f"process {process.pid} ({about})" if about else f"process {process.pid}"


def _holds_a_card(pid: int) -> bool:
    with contextlib.suppress(OSError):
        links = [os.readlink(link) for link in (_PROC / str(pid) / "fd").iterdir()]  # noqa: PTH115
        return any(re.fullmatch(r"/dev/nvidia\d+", link) for link in links)
    return False


# -- which card --------------------------------------------------------------------------------------------------------


def chosen_places(visible: str | None, uuids: list[str]) -> list[int]:
    """The places of the cards that CUDA shows a process, in its order, as `CUDA_VISIBLE_DEVICES` has it.

    An entry that names no card hides what follows it, and one that is there twice hides everything. Numbers are read
    as C's strtoul does ("1gpu" is 1), and a UUID by its beginning, where that is one card's alone.

    Args:
        visible: the variable; None where it is not set.
        uuids: of all cards (and behind them of their slices), in NVML's order; numbers count those of "GPU-" alone.
    """
    if visible is None:
        return [place for place, uuid in enumerate(uuids) if not uuid.startswith("MIG-")]
    found: list[int] = []
    kind = visible.strip()[:4]
    for entry in (entry.strip() for entry in visible.split(",")):
        if kind in ("GPU-", "MIG-"):
            places = [i for i, uuid in enumerate(uuids) if entry.startswith(kind) and uuid.startswith(entry)]
        else:
            number = re.match(r"\+?(\d+)", entry)
            cards = sum(not uuid.startswith("MIG-") for uuid in uuids)
            places = [int(number[1])] if number and int(number[1]) < cards else []
        if len(places) != 1:
            break
        if places[0] in found:
            return []
        found += places
    return found


def _cards() -> list[Any]:
    return [pynvml.nvmlDeviceGetHandleByIndex(place) for place in range(pynvml.nvmlDeviceGetCount())]


def _slices(card: Any) -> list[Any]:
    mode = _get("nvmlDeviceGetMigMode", card)
    if not mode or not mode[0]:
        return []
    places = range(_get("nvmlDeviceGetMaxMigDeviceCount", card) or 0)
    found = [_get("nvmlDeviceGetMigDeviceHandleByIndex", card, place) for place in places]
    return [part for part in found if part is not None]


def _visible() -> list[Handles]:
    """The cards that CUDA shows this process; of cut ones one slice at most (CUDA programming guide, "MIG")."""
    cards = _cards()
    parts = {place: _slices(card) for place, card in enumerate(cards)}
    all_of_them = [Handles(card, card) for card in cards]
    all_of_them += [Handles(cards[place], part) for place, found in parts.items() for part in found]
    uuids = [str(_get("nvmlDeviceGetUUID", handles.part) or "") for handles in all_of_them]
    found = []
    for place in chosen_places(os.environ.get("CUDA_VISIBLE_DEVICES"), uuids):
        first_slice = next(iter(parts.get(place, [])), None)
        found.append(all_of_them[place] if first_slice is None else Handles(cards[place], first_slice))
    return [handles for handles in found if handles.part is not handles.whole][:1] or found


@functools.cache
def _first() -> Handles | None:
    """The card that is used, for as long as this process lives: CUDA reads the variable once, too."""
    return next(iter(_visible()), None)


def _gpu(handles: Handles) -> Gpu:
    memory, power = (
        _get("nvmlDeviceGetMemoryInfo", handles.whole),
        _get("nvmlDeviceGetPowerManagementLimit", handles.whole),
    )
    name = "" if handles.part is handles.whole else str(_get("nvmlDeviceGetName", handles.part) or "")
    cut = "enabled" if (_get("nvmlDeviceGetMigMode", handles.whole) or [0])[0] else ""
    profile = re.search(r"\bMIG (\S+)", name)
    return Gpu(
        str(_get("nvmlDeviceGetName", handles.whole) or "unknown"),
        None if memory is None else memory.total / 2**20,
        None if power is None else power / 1000,
        str(_get("nvmlSystemGetDriverVersion") or ""),
        profile[1] if profile else cut,
    )


# -- asking the driver -------------------------------------------------------------------------------------------------


def _get(function: str, *arguments: Any) -> Any:
    """What NVML says, or None where this card, driver or version of the bindings can't tell."""
    try:
        return getattr(pynvml, function)(*arguments)
    except errors():
        return None


def errors() -> tuple[type[Exception], ...]:
    """What the bindings raise where a driver does not answer or lacks a function; none are there without them."""
    return OSError, AttributeError, pynvml.NVMLError, pynvml.NVMLLibraryMismatchError


def _could_be() -> bool:
    """Whether there are signs of a driver: without, the bindings are not even imported."""
    return any(_DEV.glob("nvidia[0-9]*")) or (_DEV / "dxg").exists() or shutil.which("nvidia-smi") is not None


def _asked(work: Callable[[], T], otherwise: T) -> T:
    """What `work` reads, or `otherwise` where there is no driver, it fails, or it hangs: then it is not asked again."""
    if _HANGS.is_set() or not _could_be():
        return otherwise
    found: list[T] = []

    def ask() -> None:
        with contextlib.suppress(ImportError), contextlib.suppress(*errors()):
            pynvml.nvmlInit()
            found.append(work())

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    if thread.is_alive():
        _HANGS.set()
    return found[0] if found else otherwise
