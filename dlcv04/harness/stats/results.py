"""What a method answers: an effect, its interval and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ClaimVerdict: TypeAlias = Literal["HOLDS", "VIOLATED", "INCONCLUSIVE", "CONTINUE"]


ComparisonVerdict: TypeAlias = Literal["PASS", "REGRESSED", "IMPROVED", "INCONCLUSIVE", "CONTINUE"]


@dataclass(frozen=True)
class SequentialResult:
    """Verdict on a claim, with the evidence at the moment it was decided.

    Attributes:
        verdict: HOLDS, VIOLATED, INCONCLUSIVE, or CONTINUE while more observations may still decide.
        effect: Estimate from the `n` observations, on the scale of the observations (log ratio for times).
        low: Lower confidence bound at the level of HOLDS; -inf while there is none.
        high: Upper confidence bound at the level of VIOLATED; inf while there is none.
        margin: The claim's margin on the scale of the observations. HOLDS iff low > margin, VIOLATED iff high < margin,
            by more than half a step of a figure that has one.
        n: How many observations the verdict and the interval rest on.
        decided_by: The rule that spoke, in words.
    """

    verdict: ClaimVerdict
    effect: float
    low: float
    high: float
    margin: float
    n: int
    decided_by: str


@dataclass(frozen=True)
class ComparisonResult:
    """Verdict on a new run against other runs.

    Attributes:
        verdict: PASS, REGRESSED, IMPROVED, INCONCLUSIVE, or CONTINUE while a further look is planned.
        effect: new - old: a log ratio for times, the metric's own units for learning.
        low: Lower confidence bound of the effect.
        high: Upper confidence bound of the effect. The bound on the side of a regression's size is at 95 %, the bound
            that a REGRESSED needs to clear zero is at `1 - alpha`.
        minimum_detectable: The true worsening (positive, same scale) seen with 80 % power; from the design.
        se: Standard error of the effect.
        df: Degrees of freedom of `se`.
        reason: Why this verdict, in words.
    """

    verdict: ComparisonVerdict
    effect: float
    low: float
    high: float
    minimum_detectable: float
    se: float
    df: float
    reason: str
