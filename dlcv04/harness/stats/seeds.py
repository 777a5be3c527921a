"""PAIRED and EQUIVALENT: differences by seed, judged at pre-set looks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dlcv04.harness.stats import basics
from dlcv04.harness.stats.basics import Floats, StatisticsError
from dlcv04.harness.stats.results import ClaimVerdict, SequentialResult


def sign_flip_p(x: Floats, margin: float = 0.0) -> float:
    """Exact one-sided p value of "the mean exceeds `margin`" over all 2^n sign flips of x - margin (Fisher 1935).

    Its smallest value is 2^-n. n is at most 20.
    """
    centred = basics.finite_array(x, "sign_flip_p") - margin
    if len(centred) > 20:
        raise StatisticsError(f"sign_flip_p: {len(centred)} observations are too many to enumerate; give at most 20.")
    sums = np.zeros(1)
    for value in centred:
        sums = np.concatenate([sums + value, sums - value])
    tolerance = 1e-12 * float(np.abs(centred).sum())
    return float((sums >= centred.sum() - tolerance).mean())


def t_bounds(x: NDArray[np.float64], alpha_low: float, alpha_high: float) -> tuple[float, float, float]:
    """Mean and its one-sided t bounds; bit-equal observations give an interval of length zero."""
    n = len(x)
    mean = float(x[0]) if (x == x[0]).all() else float(x.mean())
    if n < 2:
        return mean, -math.inf, math.inf
    se = 0.0 if (x == x[0]).all() else float(x.std(ddof=1)) / math.sqrt(n)
    return mean, mean - basics.half_width(alpha_low, n - 1, se), mean + basics.half_width(alpha_high, n - 1, se)


def _diverged(x: NDArray[np.float64], margin: float) -> SequentialResult | None:
    """Verdict for differences that are not finite: they can never be dropped, nor help the claim."""
    lost = int((np.isnan(x) | np.isneginf(x)).sum())
    if lost:
        reason = f"{lost} of {len(x)} seeds diverged, which counts against the claim"
        return SequentialResult("VIOLATED", -math.inf, -math.inf, -math.inf, margin, len(x), reason)
    endless = int(np.isposinf(x).sum())
    if endless:
        reason = f"the reference diverged in {endless} of {len(x)} seeds, so there is no difference to judge"
        return SequentialResult("INCONCLUSIVE", math.nan, -math.inf, math.inf, margin, len(x), reason)
    return None


def group_sequential_t(
    differences: Floats,
    margin: float,
    looks: Sequence[int] = (3, 5, 8),
    alpha_holds: float = 0.05,
    alpha_violated: float = 0.01,
) -> SequentialResult:
    """One-sided paired t at looks fixed in advance, each error rate split equally over them (Jennison, Turnbull 1999).

    The first look that decides, decides; seeds after it only count if one of them diverged. Between looks and
    before the first the verdict is CONTINUE, after the last INCONCLUSIVE. Bit-equal arms (all differences 0) are
    VIOLATED against any margin above 0. A difference that is NaN or -inf (the treatment diverged) is VIOLATED: the
    mean is -inf. A +inf (the reference diverged) can't be judged and is INCONCLUSIVE. Skewed to the left at the
    boundary it is anti-conservative: give logs or logits.

    Args:
        differences: treatment - reference by seed, positive in the direction of the claim, in seed order, shape (n,).
        margin: Smallest difference that matters, in the differences' units.
        looks: Numbers of seeds at which to judge, strictly increasing, at least 2 each.
        alpha_holds: Chance of HOLDS at a true difference of `margin`, over all looks.
        alpha_violated: Chance of VIOLATED at a true difference of `margin`, over all looks.

    Raises:
        StatisticsError: impossible looks or error rates.
    """
    basics.check_alpha(alpha_holds=alpha_holds, alpha_violated=alpha_violated)
    if not looks or looks[0] < 2 or any(a >= b for a, b in itertools.pairwise(looks)):
        raise StatisticsError(f"looks = {tuple(looks)} must be increasing numbers of seeds, at least 2 each.")
    x = np.asarray(differences, dtype=np.float64)[: looks[-1]]
    if (result := _diverged(x, margin)) is not None:
        return result
    reached = [look for look in looks if look <= len(x)]
    if not reached:
        effect = float(x.mean()) if len(x) else math.nan
        return SequentialResult("CONTINUE", effect, -math.inf, math.inf, margin, len(x), f"first look at {looks[0]}")
    for look in reached:
        seen = x[:look]
        effect, low, high = t_bounds(seen, alpha_holds / len(looks), alpha_violated / len(looks))
        verdict: ClaimVerdict = "HOLDS" if low > margin else "VIOLATED" if high < margin else "CONTINUE"
        if verdict != "CONTINUE":
            break
    if verdict == "CONTINUE" and look == looks[-1]:
        verdict = "INCONCLUSIVE"
    flip_p = sign_flip_p(seen, margin) if 5 <= look <= 20 else None
    reason = f"t at look {look} of {', '.join(map(str, looks))}"
    return SequentialResult(verdict, effect, low, high, margin, look, reason, flip_p)


def tost(differences: Floats, margin: float, alpha: float = 0.05, alpha_violated: float = 0.01) -> SequentialResult:
    """Two one-sided t tests: is the mean difference within +-`margin`? (Schuirmann 1987), at n fixed in advance.

    HOLDS iff the interval of level 1 - 2 alpha lies inside (-margin, margin); VIOLATED iff the one-sided bound at
    `alpha_violated` lies outside on either side, or a difference is not finite. `low`, `high` are the former interval.
    To judge at several looks pass a share of the error rates.
    """
    basics.check_alpha(alpha=alpha, alpha_violated=alpha_violated)
    if not margin > 0:
        raise StatisticsError(f"margin = {margin}: two arms are equal only within a margin above 0.")
    x = np.asarray(differences, dtype=np.float64)
    if not len(x):
        return SequentialResult("CONTINUE", math.nan, -math.inf, math.inf, margin, 0, "no seed yet")
    if not np.isfinite(x).all():
        lost = int((~np.isfinite(x)).sum())
        return SequentialResult("VIOLATED", math.nan, -math.inf, math.inf, margin, len(x), f"{lost} seeds diverged")
    effect, low, high = t_bounds(x, alpha, alpha)
    _, far_low, far_high = t_bounds(x, alpha_violated / 2, alpha_violated / 2)
    verdict: ClaimVerdict = "INCONCLUSIVE"
    if -margin < low and high < margin:
        verdict = "HOLDS"
    elif far_low > margin or far_high < -margin:
        verdict = "VIOLATED"
    flip_p = max(sign_flip_p(x, -margin), sign_flip_p(-x, -margin)) if 5 <= len(x) <= 20 else None
    return SequentialResult(verdict, effect, low, high, margin, len(x), f"two one-sided t tests, n = {len(x)}", flip_p)
