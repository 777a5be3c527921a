"""Arms that learn: one learning curve a seed, trained only when a claim asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from dlcv04.harness.schema import EpochRow, SeedCurve

Train = Callable[[int], SeedCurve]


@dataclass(frozen=True)
class Metric:
    """A figure drawn from one learning curve; `higher` says which way is better.

    Ready-made are `MEAN_VAL_ACCURACY` (over the epochs; what `claim.better` uses) and `FINAL_VAL_ACCURACY`.

    Attributes:
        name: what the verdict calls it.
        of: the figure of a curve's epochs, each with `train_seconds`, `train_loss`, `train_accuracy`, `val_loss` and
            `val_accuracy`; None where it does not exist.
        higher: whether more is better.
        unit: "points" for a difference of fractions, else any word.

    Examples:
        >>> best = Metric("best validation accuracy", lambda epochs: max(epoch.val_accuracy for epoch in epochs))
        >>> loss = Metric("final loss", lambda epochs: epochs[-1].val_loss, higher=False, unit="nats")
        >>> def test_wide_is_better(learning, claim):
        ...     curves = learning(narrow=narrow_net, wide=wide_net)
        ...     claim.better(curves.wide, than=curves.narrow, by=0.01, of=FINAL_VAL_ACCURACY)
        ...     claim.better(curves.wide, than=curves.narrow, by=0.05, of=loss)
    """

    name: str
    of: Callable[[list[EpochRow]], float | None]
    higher: bool = True
    unit: str = "points"

    def value(self, curve: SeedCurve) -> float:
        """The figure of one seed, NaN where it diverged or lacks it."""
        value = self.of(curve.epochs) if curve.status == "ok" else None
        return float("nan") if value is None else value


def _mean_val_accuracy(epochs: list[EpochRow]) -> float | None:
    values = [epoch.val_accuracy for epoch in epochs if epoch.val_accuracy is not None]
    return fmean(values) if len(values) == len(epochs) and epochs else None


MEAN_VAL_ACCURACY = Metric("mean validation accuracy over epochs", _mean_val_accuracy)
"""Judges a whole curve ("worse at every epoch") without picking the epoch afterwards."""
FINAL_VAL_ACCURACY = Metric("final validation accuracy", lambda epochs: epochs[-1].val_accuracy if epochs else None)
"""The accuracy after the last epoch, as `claim.better(a, than=b, by=0.01, of=FINAL_VAL_ACCURACY)`."""
#: What `dlcv04 judge` can compute again from stored curves.
METRICS = (MEAN_VAL_ACCURACY, FINAL_VAL_ACCURACY)


@dataclass
class ArmCurves:
    """One arm's learning curves by seed; `block` trains further seeds for all arms alike."""

    name: str
    block: SeededBlock = field(repr=False)
    train: Train = field(repr=False)
    curves: dict[int, SeedCurve] = field(default_factory=dict)

    def values(self, metric: Metric) -> list[float]:
        """The metric of every seed trained so far, NaN where a curve diverged or lacks the figure."""
        drawn = (self.curves[seed] for seed in sorted(self.curves))
        return [metric.value(curve) for curve in drawn]

    @property
    def diverged(self) -> list[SeedCurve]:
        """Curves whose loss became NaN or infinite."""
        return [curve for curve in self.curves.values() if curve.status == "diverged"]


class SeededBlock:
    """Arms trained over the same seeds: `first_seed`, `first_seed` + 1, ... without holes."""

    def __init__(self, trainers: Mapping[str, Train], *, first_seed: int = 0) -> None:
        self.arms = {name: ArmCurves(name, self, train) for name, train in trainers.items()}
        self.first_seed = first_seed

    def run(self, seeds: int) -> None:
        """Train until every arm has `seeds` seeds."""
        for seed in range(self.first_seed, self.first_seed + seeds):
            for arm in self.arms.values():
                if seed not in arm.curves:
                    arm.curves[seed] = arm.train(seed)
