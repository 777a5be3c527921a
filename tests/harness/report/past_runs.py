"""Stored runs of the sample, a day apart: the past that a history is drawn from."""

from __future__ import annotations

import math
import random

import msgspec

from dlcv04.harness.store.schema import Acceptance, Commit, Run
from tests.harness.report.sample import sample_baselines


def accepted(reason: str = "first", *, pins: bool = False, forced: bool = False) -> Acceptance:
    return Acceptance(
        reason=reason, accepted="2026-01-01T00:00:00+00:00", commit=Commit(), part="timing", pins=pins, forced=forced
    )


def stored(count: int, *, slower_from: int | None = None, ratio: float = 1.06) -> list[Run]:
    """Stored runs of January 2026, a day apart, with 1 % noise; from run `slower_from` on every arm is slower."""
    first, found = sample_baselines()[0], []
    for number in range(count):
        rng = random.Random(number)
        factor = math.exp(rng.gauss(0, 0.01)) * (ratio if slower_from is not None and number >= slower_from else 1)
        arms = [
            msgspec.structs.replace(arm, round_seconds=[s * factor for s in arm.round_seconds]) for arm in first.arms
        ]
        started = f"2026-01-{number + 1:02d}T10:00:00+00:00"
        found.append(
            msgspec.structs.replace(first, id=f"run-{number}", started=started, arms=arms, acceptance=accepted())
        )
    return found
