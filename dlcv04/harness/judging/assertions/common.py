"""What assertions of every kind share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dlcv04.harness.judging.metrics import Metric
from dlcv04.harness.store.schema import Assertion, ClaimVerdict, SeedCurve, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

else:
    np = LazyModule("numpy")


UNDECIDED: Final = "CONTINUE"


class EqualSeedsError(ValueError):
    """Different seeds of an arm gave the same curve."""


@dataclass(frozen=True)
class ArmSeeds:
    """One arm of an assertion over seeds.

    Attributes:
        name: of the arm.
        curves: in order of seed; one where the arm is deterministic.
        images: validation pictures that its accuracies are shares of, 0 where unknown.
        train_images: the same of its training accuracies.
        classes: the label of each validation picture, in the order of the answers; empty where unknown.
        deterministic: whether it says that no seed changes it.
    """

    name: str
    curves: Sequence[SeedCurve]
    images: int = 0
    train_images: int = 0
    classes: Sequence[int] = ()
    deterministic: bool = False

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


def refuse_equal_seeds(arm: ArmSeeds) -> None:
    """Refuse an arm of which two seeds gave the same curve: they are one observation, not two.

    Curves without a loss are coarse, so only five equal ones are refused.

    Raises:
        EqualSeedsError: there are such; the seeds are named.
    """
    seen: dict[tuple[tuple[float | None, ...], ...], list[int]] = {}
    for curve in arm.curves:
        if not arm.deterministic and curve.status == "ok" and curve.epochs:
            seen.setdefault(tuple(epoch.learnt for epoch in curve.epochs), []).append(curve.seed)
    for figures, seeds in seen.items():
        coarse = all(epoch[0] is None and epoch[2] is None for epoch in figures)
        if len(seeds) >= (5 if coarse else 2):
            raise EqualSeedsError(
                f"The arm {arm.name!r} gave the same curve with the seeds {', '.join(map(str, seeds))}: it ignores "
                "the seed, so these are one observation. Let the seed draw its weights and its pictures, or declare "
                "it with trained(network, deterministic=True)."
            )
