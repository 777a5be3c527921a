"""Arms that learn: one learning curve a seed, trained only when a claim asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from dlcv04.harness.schema import EpochRow, SeedCurve

Train = Callable[[int], SeedCurve]


@dataclass(frozen=True)
class Metric:
    """A figure drawn from one learning curve; `higher` says which way is better."""

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


#: The mean over epochs judges a whole curve ("worse at every epoch") without picking the epoch afterwards.
MEAN_VAL_ACCURACY = Metric("mean validation accuracy over epochs", _mean_val_accuracy)
FINAL_VAL_ACCURACY = Metric("final validation accuracy", lambda epochs: epochs[-1].val_accuracy if epochs else None)
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
