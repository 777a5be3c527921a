"""The fixture `claim` in a worker of a process pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlcv04.harness.claims.recorder import ClaimRecorder
from dlcv04.harness.measuring.blocks import ArmTimes


@dataclass
class ServingRecorder(ClaimRecorder):
    """The fixture `claim` inside a worker: where a claim would time its arms, it serves them; it judges nothing."""

    server: Any = None
    test: str = ""

    def slower(self, treatment: ArmTimes, *, than: ArmTimes, by: float, pairs: int = 0) -> None:
        """Serve both arms."""
        self.server.serve(self.test, than)
        self.server.serve(self.test, treatment)

    def needs_more_memory(self, treatment: ArmTimes, *, than: ArmTimes, by: float) -> None:
        """Memory is not timed."""

    def _over_seeds(self, arms: Any, failures: int, judge: Any, metric: Any = None) -> None:
        """Learning is not timed."""

    def _over_values(self, judge: Any) -> None:
        """Values are not timed."""

    def _exact(self, **_: Any) -> None:
        """Exact figures are not timed."""
