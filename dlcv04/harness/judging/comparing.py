"""All comparisons of one test: with stored runs, and with a commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcv04.harness.judging.comparisons import Context
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import (
    Against,
    Arm,
    Claim,
    Comparison,
)
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness.judging import pair_gate, suspects
else:
    pair_gate = LazyModule("dlcv04.harness.judging.pair_gate")
    suspects = LazyModule("dlcv04.harness.judging.suspects")


def comparisons(
    claim: Claim, arms: Sequence[Arm], context: Context | None, against: Against | None, policy: Policy
) -> list[Comparison]:
    """A claim's arms against what is stored (with a context) and against a commit (with its process pairs)."""
    rows = suspects.settled(claim, arms, context, against) if context is not None else []
    if against is not None:
        rows += [row for arm in arms if (row := pair_gate.compare(arm, against, policy)) is not None]
    return rows
