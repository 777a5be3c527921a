"""REACH: epochs until a curve reaches its target, and what two of them say of their ratio."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dlcv04.harness.stats.basics import Floats, StatisticsError


class EpochsToTarget(NamedTuple):
    """When a curve reached its target: not before `low`, and by `high`, epochs.

    Equal where it was seen. One that arrives within its first epoch was seen to be there at its end alone (`low` is 0);
    one that never did has a `high` of infinity.
    """

    low: float
    high: float

    @property
    def missed(self) -> bool:
        """Whether it never arrived."""
        return math.isinf(self.high)

    @property
    def epochs(self) -> float:
        """One figure to draw: the epochs it took, or the budget that it missed."""
        return self.low if self.missed else self.high


def epochs_to_target(curve: Floats, target: float, budget: float, *, higher_is_better: bool = True) -> EpochsToTarget:
    """Epochs until `curve` first reaches `target`, interpolated within the epoch; a miss is censored at the budget.

    Args:
        curve: Metric after epoch 1, 2, ...; NaN never reaches a target. A curve that ends early (diverged) is a miss.
        target: Level to reach.
        budget: Epochs allowed; later ones are not looked at.
        higher_is_better: False for a loss.

    Raises:
        StatisticsError: no budget.
    """
    if not budget > 0:
        raise StatisticsError(f"budget = {budget} epochs: needs a number above 0.")
    sign = 1.0 if higher_is_better else -1.0
    values, goal = sign * np.asarray(curve, dtype=np.float64), sign * target
    reached = np.flatnonzero(values >= goal)
    if not len(reached):
        return EpochsToTarget(float(budget), math.inf)
    first = int(reached[0])
    if first == 0:
        return EpochsToTarget(0.0, 1.0) if budget >= 1 else EpochsToTarget(float(budget), math.inf)
    epochs = first + 1.0
    if np.isfinite(values[first - 1]) and np.isfinite(values[first]):
        epochs = first + float((goal - values[first - 1]) / (values[first] - values[first - 1]))
    return EpochsToTarget(epochs, epochs) if epochs <= budget else EpochsToTarget(float(budget), math.inf)


def reach_ratio(reference: EpochsToTarget, treatment: EpochsToTarget) -> tuple[float, float]:
    """What is known of T_reference / T_treatment: it is at least the first figure and at most the second.

    A reference that never arrived leaves it unbounded above: it surely exceeds budget / T_treatment. A treatment that
    never arrived leaves it unbounded below. Where neither did, nothing is known.
    """
    least = reference.low / treatment.high
    if reference.missed and not treatment.missed:
        # It arrived after the budget if at all, so the ratio is larger than this and never equal.
        least = math.nextafter(least, math.inf)
    most = math.inf if reference.missed or treatment.low == 0 else reference.high / treatment.low
    return (least if least > 0 else -math.inf), most
