"""A machine with cards that nobody has, for tests and for programs that they start.

`pynvml.py` beside this file stands in for NVIDIA's bindings: it reads its state from the JSON file that `FAKE_NVML`
names, at every call, so that a script changes a card while a run is on it. Nothing here ran on a real card.

Examples:
    Play a machine to a program::

        machine = Machine(tmp_path)                      # one idle H100
        run(..., env={**os.environ, **machine.environment})
        machine.has(card(throttle=0x40))                 # hot
        machine.has(card(processes=[neighbour(4711)]))   # somebody else is on the card
        machine.has(card(), card(uuid="GPU-bbbb-2"))     # two cards, in the order of the PCI bus
        machine.has(card(mig={"MIG-1": "1g.10gb"}))      # cut into slices
        machine.has(card(missing=["nvmlDeviceGetPowerUsage"]))  # the driver can't tell
        machine.has(hang=30)                             # the driver hangs for 30 s a call
        machine.has()                                    # a driver without a card

    "+20 %" is no matter of the card but of the code: slow the timed work itself.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def card(**changes: Any) -> dict[str, Any]:
    """An idle H100, or with `changes` another card: see the names below. `throttle` are NVML's bits of reasons.

    The process that asks is on the card too, unless `lists_us` is false, as for pids of another namespace.
    """
    usual = {
        "name": "NVIDIA H100 80GB HBM3",
        "uuid": "GPU-aaaa-1",
        "memory_mib": 81559,
        "used_mib": 1024,
        "power_limit": 700.0,
        "sm_mhz": 1980,
        "max_sm_mhz": 1980,
        "memory_mhz": 2619,
        "celsius": 41,
        "watts": 612.0,
        "throttle": 0,
        "persistence": 1,
        "processes": [],
        "lists_us": True,
        "mig": {},
        "missing": [],
    }
    unknown = changes.keys() - usual.keys()
    if unknown:
        raise TypeError(f"a fake card has no {sorted(unknown)}")
    return usual | changes


def neighbour(pid: int, name: str = "train.py", memory_mib: int = 2048) -> dict[str, Any]:
    """A process on a card that is not ours."""
    return {"pid": pid, "name": name, "memory_mib": memory_mib}


class Machine:
    """A folder that plays a machine with cards to every program that gets its `environment`."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.state = folder / "bin", folder / "nvml.json"
        self.programs.mkdir(parents=True, exist_ok=True)
        # Only that it is there is looked at.
        (self.programs / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
        (self.programs / "nvidia-smi").chmod(0o755)
        self.has(card())

    def has(self, *cards: dict[str, Any], **system: Any) -> None:
        """Put these cards in; `system`: `driver`, `cuda` (13000 is 13.0), `hang` and `call_seconds` a call."""
        state = {"driver": "580.95.05", "cuda": 13000, "hang": 0, "call_seconds": 0, **system, "cards": cards}
        new = self.state.with_suffix(".new")
        new.write_text(json.dumps(state))
        new.replace(self.state)

    @property
    def environment(self) -> dict[str, str]:
        """What a program must have in its environment to see these cards."""
        python = [str(HERE), os.environ.get("PYTHONPATH", "")]
        return {
            "FAKE_NVML": str(self.state),
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, python)),
        }
