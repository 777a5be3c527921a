"""What assertions of every kind share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING, Final, TypeVar

from dlcv04.harness.judging.metrics import Metric
from dlcv04.harness.store.schema import Assertion, ClaimVerdict, SeedCurve, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dlcv04.harness import stats

    Values = TypeVar("Values", Sequence[float], npt.NDArray[np.float64])
else:
    np = LazyModule("numpy")
    stats = LazyModule("dlcv04.harness.stats")


UNDECIDED: Final = "CONTINUE"


@dataclass(frozen=True)
class ArmSeeds:
    """One arm of an assertion over seeds: its name, its curves in order of seed, its validation pictures."""

    name: str
    curves: Sequence[SeedCurve]
    images: int = 0

    def values(self, metric: Metric) -> list[float]:
        """The metric of each seed, NaN where it diverged or lacks the figure."""
        return [metric.value(curve) for curve in self.curves]

    def answers(self, pictures: int) -> npt.NDArray[np.float64]:
        """1 or 0 a seed and validation picture, shape (seeds, pictures); NaN all along for a seed that diverged."""
        rows = [[float(sign) for sign in curve.answers] or [math.nan] * pictures for curve in self.curves]
        return np.array(rows, dtype=np.float64).reshape(len(rows), pictures)


@dataclass(frozen=True)
class Judged:
    """An assertion, and whether further rounds or seeds could change its verdict."""

    assertion: Assertion
    undecided: bool


def final(verdict: str) -> ClaimVerdict:
    """A sequential rule's verdict when no more data come: undecided is INCONCLUSIVE."""
    return "INCONCLUSIVE" if verdict == UNDECIDED else verdict  # type: ignore[return-value]


def exp(value: float) -> float | None:
    """A bound on the log scale as a ratio, None where it is unbounded."""
    return finite(math.exp(value)) if math.isfinite(value) else None


def detectable(differences: Sequence[float], alpha: float) -> float | None:
    """Smallest mean difference that so many values of this spread show in four of five runs, None if unknown."""
    n = len(differences)
    if n < 2 or not all(map(math.isfinite, differences)):
        return None
    return finite(stats.minimum_detectable_effect(stdev(differences) / math.sqrt(n), n - 1, alpha))
