"""PAIRED by seed and by picture: both are random, and crossed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dlcv04.harness.stats import basics
from dlcv04.harness.stats.basics import Interval, StatisticsError
from dlcv04.harness.stats.results import ClaimVerdict, SequentialResult


def crossed_interval(per_image_paired_differences: NDArray[np.float64], level: float = 0.95) -> Interval:
    """Interval of a mean over seeds *and* test images: variance s_seed^2/n + s_img^2/N, Satterthwaite's df.

    s_seed is the sd of the n seed means, s_img that of the N image means. Both contain the interaction, so the interval
    is a little wide rather than narrow.

    Args:
        per_image_paired_differences: treatment - reference per seed (rows) and image (columns), shape (n >= 2, N >= 2).
        level: Two-sided level.

    Raises:
        StatisticsError: fewer than two seeds or images, or a difference that is not finite.
    """
    basics.check_alpha(half_of_the_rest=(1 - level) / 2)
    d = np.asarray(per_image_paired_differences, dtype=np.float64)
    if d.ndim != 2 or min(d.shape) < 2 or not np.isfinite(d).all():
        raise StatisticsError(f"crossed_interval: needs finite values for at least 2 seeds x 2 images, got {d.shape}.")
    seeds, images = d.shape
    seed_part = float(d.mean(axis=1).var(ddof=1)) / seeds
    image_part = float(d.mean(axis=0).var(ddof=1)) / images
    variance = seed_part + image_part
    mean, se = float(d.mean()), math.sqrt(variance)
    if variance == 0:
        return Interval(mean, mean, mean, level, 0.0, float(seeds - 1))
    df = variance**2 / (seed_part**2 / (seeds - 1) + image_part**2 / (images - 1))
    width = basics.half_width((1 - level) / 2, df, se)
    return Interval(mean, mean - width, mean + width, level, se, df)


def crossed_test(
    per_image_paired_differences: NDArray[np.float64],
    margin: float,
    *,
    alpha_holds: float = 0.05,
    alpha_violated: float = 0.01,
) -> SequentialResult:
    """Does the mean over seeds *and* test images exceed `margin`? One look, at n fixed in advance.

    Bounds are those of `crossed_interval`, each one-sided at its own error rate. To judge at several looks pass a share
    of the rates.

    Args:
        per_image_paired_differences: as for `crossed_interval`; a seed (row) that is not finite diverged.
        margin: The smallest mean that matters.
        alpha_holds: Chance of HOLDS at a true mean of `margin`.
        alpha_violated: Chance of VIOLATED there.

    Raises:
        StatisticsError: fewer than two seeds or images.
    """
    d = np.asarray(per_image_paired_differences, dtype=np.float64)
    lost = int((~np.isfinite(d)).any(axis=-1).sum())
    if lost:
        return SequentialResult("VIOLATED", math.nan, -math.inf, math.inf, margin, len(d), f"{lost} seeds diverged")
    near = crossed_interval(d, 1 - 2 * alpha_holds)
    far = crossed_interval(d, 1 - 2 * alpha_violated)
    verdict: ClaimVerdict = "HOLDS" if near.low > margin else "VIOLATED" if far.high < margin else "INCONCLUSIVE"
    rule = f"crossed t, {d.shape[0]} seeds x {d.shape[1]} images"
    return SequentialResult(verdict, near.estimate, near.low, far.high, margin, len(d), rule)
