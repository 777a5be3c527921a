"""A worker of a process pair: it times one round whenever it is told to, and is silent in between.

`--dl-against` runs two of these, one of the old code and one of the new, and lets only one of them work at a time.
The messages are tuples over one inherited connection; the other end is `process_pairs.Worker`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from dlcv04.harness.measuring.blocks import ArmTimes

#: Raised with every change of the messages: two commits can only be paired if they speak the same.
PROTOCOL = 1


class RoundServer:
    """The worker's end of the connection.

    Args:
        descriptor: the inherited file descriptor of the connection.
    """

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)
        self._served: set[tuple[str, str]] = set()
        self._foreign = [Path(path) for path in os.environ.get(FOREIGN, "").split(os.pathsep) if path]
        self._looked_at: set[str] = set()
        self._planted = _planted(os.environ.get(PLANTED, "0"))

    def choose(self, tests: Sequence[str]) -> list[str]:
        """Say which tests there are and return those that are to run, in their order."""
        self._connection.send(("tests", PROTOCOL, list(tests)))
        wanted: list[str] = self._connection.recv()
        return wanted

    def serve(self, test: str, arm: ArmTimes) -> None:
        """Warm an arm up, then time rounds of it until told to go on. An arm is served once."""
        if (test, arm.name) in self._served:
            return
        self._served.add((test, arm.name))
        seconds = arm.block.warm_arm_up(arm.name)
        self._refuse_foreign()
        self._connection.send(("ready", test, arm.name, arm.workload.images_per_step, seconds))
        while (steps := self._connection.recv()) is not None:
            slow = 1 + self._planted.get(f"{test}<{arm.name}>", self._planted.get("", 0.0))
            self._connection.send(arm.block.time_once(arm.name, steps, slow))
        self._refuse_foreign()  # imported while it was timed

    def _refuse_foreign(self) -> None:
        """Tell the other end of a module that belongs to the other side, and end."""
        new = [(name, module) for name, module in list(sys.modules.items()) if name not in self._looked_at]
        self._looked_at.update(name for name, _ in new)
        for name, module in new:
            file = getattr(module, "__file__", None)
            if file and self._is_foreign(Path(file)):
                advice = "Install the project with `pip install -e .`, or put its folder into pytest's `pythonpath`."
                self._connection.send(("foreign", f"it imports {name} from {file}. {advice}"))
                raise SystemExit(4)

    def _is_foreign(self, file: Path) -> bool:
        return any(file.is_relative_to(place) and not in_environment(file, place) for place in self._foreign)


def in_environment(path: Path, place: Path) -> bool:
    """Whether a path inside `place` lies in a Python environment there, such as `.venv`, of this process or not."""
    prefix = Path(sys.prefix)
    of_ours = prefix.is_relative_to(place) and path.is_relative_to(prefix)
    return of_ours or "site-packages" in path.relative_to(place).parts


#: Folders that no module of a worker may come from, as PATH has them: the other side's code.
FOREIGN = "DLCV04_FOREIGN_CODE"


#: Slows the rounds of a worker: `0.1` all of them by 10 %, `FILE::TEST<ARM>=0.1;...` those of single arms.
#: `dlcv04 selftest` plants slowdowns with it.
PLANTED = "DLCV04_PLANTED_SLOWDOWN"


def _planted(text: str) -> dict[str, float]:
    """Fraction by arm; the empty name stands for all others."""
    parts = (part.rpartition("=") for part in text.split(";"))
    return {arm: float(fraction) for arm, _, fraction in parts}
