"""REGRESSION of learning: new seeds against stored ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dlcv04.harness.stats import basics, stored
from dlcv04.harness.stats.basics import Floats, StatisticsError
from dlcv04.harness.stats.results import ComparisonResult, ComparisonVerdict


def level_shift_test(
    new: Floats,
    old: Floats,
    *,
    alpha: float,
    margin: float,
    gate: float | None = None,
    higher_is_better: bool = True,
    new_seeds: Sequence[int] | None = None,
    old_seeds: Sequence[int] | None = None,
    sd: float | None = None,
    df: float = 0.0,
) -> ComparisonResult:
    """Compare a learning metric of new seeds with that of stored seeds.

    Where every new seed is stored and has the bit-same value, nothing changed: effect exactly 0, PASS. Otherwise the
    new mean is predicted from the stored seeds, with the sd pooled over both (and `sd`, if given): REGRESSED iff it is
    worse at level 1 - alpha and by more than `margin`; PASS iff the 95 % bound of the worsening is below `gate`;
    IMPROVED is REGRESSED mirrored. A new value that is not finite is REGRESSED.

    Where all new seeds are stored, with other values (another processor or version rounds differently), the effect is
    the mean difference by seed, and its own spread decides PASS (paired t, n - 1 df). An alarm never rests on the
    spread of a few differences: for it new and stored values are taken as independent, which is the worst case.

    Args:
        new: Metric by new seed, shape (n_new,).
        old: Metric by stored seed, shape (n_old,).
        alpha: This comparison's share of the run's false alarms.
        margin: Smallest change that matters, in the metric's units, above 0.
        gate: The worsening that PASS excludes; the margin if not given.
        higher_is_better: False for a loss or for epochs to a target.
        new_seeds: Seeds of `new`; without them nothing can be bit-equal.
        old_seeds: Seeds of `old`.
        sd: Between-seed sd pooled over other benchmarks or history, if there is one.
        df: Degrees of freedom of `sd`.

    Returns:
        Effect, low and high are new - old in the metric's own direction; `minimum_detectable` is a size.

    Raises:
        StatisticsError: no values on one side, not one seed a value, or an impossible margin or error rate.
    """
    basics.check_alpha(alpha=alpha)
    if not margin > 0:
        raise StatisticsError(f"margin = {margin}: give the smallest change of the metric that matters, above 0.")
    fresh, stored = np.asarray(new, dtype=np.float64), np.asarray(old, dtype=np.float64)
    if not len(fresh) or not len(stored):
        raise StatisticsError(
            f"level_shift_test: {len(fresh)} new and {len(stored)} stored seeds; both need at least one."
        )
    sides: tuple[tuple[ComparisonVerdict, NDArray[np.float64], str], ...] = (
        ("REGRESSED", fresh, "new"),
        ("INCONCLUSIVE", stored, "stored"),
    )
    for verdict, values, what in sides:
        if lost := int((~np.isfinite(values)).sum()):
            return _unmeasured(verdict, f"{lost} of {len(values)} {what} seeds diverged")
    se, dof = _shift_error(fresh, stored, sd, df)
    detectable = basics.detectable_above(se, dof, alpha, margin)
    if _bit_equal(fresh, stored, new_seeds, old_seeds):
        return ComparisonResult("PASS", 0.0, 0.0, 0.0, detectable, se, dof, "bit-equal to the stored seeds")
    differences = _by_seed(fresh, stored, new_seeds, old_seeds)
    if differences is None:
        effect, widths = float(fresh.mean() - stored.mean()), (_width(alpha, dof, se), _width(0.05, dof, se))
    else:
        n = len(differences)
        # sd * sqrt(2 / n): the differences' standard error if equal seeds had nothing in common.
        se *= math.sqrt((2 / n) / (1 / n + 1 / len(stored)))
        own = float(differences.std(ddof=1)) / math.sqrt(n)
        effect, widths = float(differences.mean()), (_width(alpha, dof, se), _width(0.05, n - 1, own))
        detectable = basics.detectable_above(se, dof, alpha, margin)
    verdict, low, high, reason = _shift_verdict(
        effect, widths, margin, margin if gate is None else gate, higher_is_better
    )
    return ComparisonResult(verdict, effect, low, high, detectable, se, dof, reason)


def _bit_equal(
    fresh: NDArray[np.float64],
    stored: NDArray[np.float64],
    new_seeds: Sequence[int] | None,
    old_seeds: Sequence[int] | None,
) -> bool:
    if new_seeds is None or old_seeds is None:
        return False
    if len(new_seeds) != len(fresh) or len(old_seeds) != len(stored):
        raise StatisticsError("level_shift_test: give one seed for each value, or no seeds at all.")
    known = dict(zip(old_seeds, stored.tolist(), strict=True))
    return all(known.get(seed) == value for seed, value in zip(new_seeds, fresh.tolist(), strict=True))


def _unmeasured(verdict: ComparisonVerdict, reason: str) -> ComparisonResult:
    return ComparisonResult(verdict, math.nan, -math.inf, math.inf, math.inf, math.nan, 0.0, reason)


def _width(alpha: float, df: float, se: float) -> float:
    return basics.half_width(alpha, df, se) if df > 0 else math.inf


def _by_seed(
    fresh: NDArray[np.float64],
    stored: NDArray[np.float64],
    new_seeds: Sequence[int] | None,
    old_seeds: Sequence[int] | None,
) -> NDArray[np.float64] | None:
    """New less stored value by seed, or None where a new seed is not stored or there are fewer than two."""
    if new_seeds is None or old_seeds is None or len(fresh) < 2:
        return None
    known = dict(zip(old_seeds, stored.tolist(), strict=True))
    if not all(seed in known for seed in new_seeds):
        return None
    return fresh - np.array([known[seed] for seed in new_seeds])


def _shift_verdict(
    effect: float, widths: tuple[float, float], margin: float, gate: float, higher_is_better: bool
) -> tuple[ComparisonVerdict, float, float, str]:
    """Verdict, low and high in the metric's own direction, and the reason; `widths` are those of alarm and PASS."""
    strict, usual = widths
    worse = -effect if higher_is_better else effect
    verdict, reason = stored.two_sided_verdict(worse, worse - strict, worse + strict, margin, worse + usual, gate)
    low, high = (effect - usual, effect + strict) if higher_is_better else (effect - strict, effect + usual)
    return verdict, low, high, reason


def _shift_error(
    fresh: NDArray[np.float64], stored: NDArray[np.float64], sd: float | None, df: float
) -> tuple[float, float]:
    """Standard error of new mean - old mean, with its df: sd pooled over both groups and the one given."""
    square_sum = sum(float(((group - group.mean()) ** 2).sum()) for group in (fresh, stored))
    dof = float(len(fresh) + len(stored) - 2)
    if sd is not None:
        square_sum, dof = square_sum + sd**2 * df, dof + df
    if dof <= 0:
        return math.nan, 0.0
    return math.sqrt(square_sum / dof * (1 / len(fresh) + 1 / len(stored))), dof
