"""NVIDIA's bindings on a machine that is a JSON file: see `tests/fakes/__init__.py`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0


class NVMLError(Exception):
    """What every call raises that the driver can't answer."""


def _system():
    try:
        state = json.loads(Path(os.environ["FAKE_NVML"]).read_text())
    except (KeyError, OSError) as error:
        raise NVMLError("Driver Not Loaded") from error
    time.sleep(state["hang"] + state["call_seconds"])
    return state


def _card(handle, function):
    state = _system()
    number = handle[0]
    if number >= len(state["cards"]) or function in state["cards"][number]["missing"]:
        raise NVMLError("Not Supported")
    return state["cards"][number]


def nvmlInit():
    _system()


def nvmlDeviceGetCount():
    return len(_system()["cards"])


def nvmlDeviceGetHandleByIndex(number):
    return (number, None)


def nvmlSystemGetDriverVersion():
    return _system()["driver"]


def nvmlSystemGetCudaDriverVersion():
    return _system()["cuda"]


def nvmlSystemGetProcessName(pid):
    for card in _system()["cards"]:
        for process in card["processes"]:
            if process["pid"] == pid and process["name"]:
                return process["name"]
    raise NVMLError("Not Found")


def _slices(handle, function):
    return list(_card(handle, function)["mig"].items())


def nvmlDeviceGetName(handle):
    card = _card(handle, "nvmlDeviceGetName")
    return card["name"] if handle[1] is None else f"{card['name']} MIG {_slices(handle, '')[handle[1]][1]}"


def nvmlDeviceGetUUID(handle):
    card = _card(handle, "nvmlDeviceGetUUID")
    return card["uuid"] if handle[1] is None else _slices(handle, "")[handle[1]][0]


def nvmlDeviceGetMigMode(handle):
    on = int(bool(_card(handle, "nvmlDeviceGetMigMode")["mig"]))
    return [on, on]


def nvmlDeviceGetMaxMigDeviceCount(handle):
    _card(handle, "nvmlDeviceGetMaxMigDeviceCount")
    return 7


def nvmlDeviceGetMigDeviceHandleByIndex(handle, number):
    if number >= len(_slices(handle, "nvmlDeviceGetMigDeviceHandleByIndex")):
        raise NVMLError("Not Found")
    return (handle[0], number)


def nvmlDeviceGetMemoryInfo(handle):
    card = _card(handle, "nvmlDeviceGetMemoryInfo")
    return SimpleNamespace(total=card["memory_mib"] << 20, used=card["used_mib"] << 20)


def nvmlDeviceGetPowerManagementLimit(handle):
    return int(_card(handle, "nvmlDeviceGetPowerManagementLimit")["power_limit"] * 1000)


def nvmlDeviceGetClockInfo(handle, kind):
    card = _card(handle, "nvmlDeviceGetClockInfo")
    return card["sm_mhz"] if kind == NVML_CLOCK_SM else card["memory_mhz"]


def nvmlDeviceGetMaxClockInfo(handle, kind):
    return _card(handle, "nvmlDeviceGetMaxClockInfo")["max_sm_mhz"]


def nvmlDeviceGetTemperature(handle, kind):
    return _card(handle, "nvmlDeviceGetTemperature")["celsius"]


def nvmlDeviceGetPowerUsage(handle):
    return int(_card(handle, "nvmlDeviceGetPowerUsage")["watts"] * 1000)


def nvmlDeviceGetCurrentClocksThrottleReasons(handle):
    return _card(handle, "nvmlDeviceGetCurrentClocksThrottleReasons")["throttle"]


def nvmlDeviceGetPersistenceMode(handle):
    return _card(handle, "nvmlDeviceGetPersistenceMode")["persistence"]


def nvmlDeviceGetComputeRunningProcesses(handle):
    card = _card(handle, "nvmlDeviceGetComputeRunningProcesses")
    found = [SimpleNamespace(pid=each["pid"], usedGpuMemory=each["memory_mib"] << 20) for each in card["processes"]]
    return found + [SimpleNamespace(pid=os.getpid(), usedGpuMemory=512 << 20)] * card["lists_us"]


def nvmlDeviceGetTotalEnergyConsumption(handle):
    """Millijoules at this card's watts since the system's clock began."""
    return int(_card(handle, "nvmlDeviceGetTotalEnergyConsumption")["watts"] * 1000 * time.monotonic())
