"""REACH: epochs until a curve reaches its target, and the ratio of two of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlcv04.harness.stats.basics import Floats, StatisticsError


@dataclass(frozen=True)
class EpochsToTarget:
    """Epochs until a curve first reaches its target; `censored` if it never did within the budget."""

    epochs: float
    censored: bool


def epochs_to_target(curve: Floats, target: float, budget: float, *, higher_is_better: bool = True) -> EpochsToTarget:
    """Epochs until `curve` first reaches `target`, interpolated within the epoch; a miss is censored at the budget.

    Args:
        curve: Metric after epoch 1, 2, ...; NaN never reaches a target. A curve that ends early (diverged) is a miss.
        target: Level to reach.
        budget: Epochs allowed; later ones are not looked at.
        higher_is_better: False for a loss.
    """
    if not budget > 0:
        raise StatisticsError(f"budget = {budget} epochs: needs a number above 0.")
    sign = 1.0 if higher_is_better else -1.0
    values, goal = sign * np.asarray(curve, dtype=np.float64), sign * target
    reached = np.flatnonzero(values >= goal)
    if not len(reached):
        return EpochsToTarget(float(budget), True)
    first = int(reached[0])
    epochs = first + 1.0
    if first and np.isfinite(values[first - 1]) and np.isfinite(values[first]):
        epochs = first + float((goal - values[first - 1]) / (values[first] - values[first - 1]))
    return EpochsToTarget(epochs, False) if epochs <= budget else EpochsToTarget(float(budget), True)


def reach_log_ratio(reference: float, treatment: float, budget: float) -> float:
    """log(min(T_ref, budget) / min(T_treatment, budget)): above 0 where the treatment reached its target sooner.

    A miss is inf, NaN or anything over the budget; it counts as the budget, so both missed is a tie of exactly 0.
    """
    if not budget > 0:
        raise StatisticsError(f"budget = {budget} epochs: needs a number above 0.")
    spent = [budget if math.isnan(t) else min(t, budget) for t in (reference, treatment)]
    if min(spent) <= 0:
        raise StatisticsError(f"epochs to target must be above 0, got {reference} and {treatment}.")
    return math.log(spent[0] / spent[1])
