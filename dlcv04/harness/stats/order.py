"""ORDER: two interleaved arms of one process, judged by a symmetric e-process under optional stopping."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcv04.harness.stats import basics
from dlcv04.harness.stats.basics import Floats, StatisticsError
from dlcv04.harness.stats.results import SequentialResult

_BETS = (0.5, 1.0, 2.0, 4.0)


_BET_LIMIT = 6.0


_MARGIN_STEPS = np.geomspace(1e-3, 20.0, 34)


def _prefix_medians(size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of size[..., :i] at place i; the first two places are left at 0."""
    work, medians = size.copy(), np.zeros_like(size)
    for i in range(2, size.shape[-1]):
        prefix = work[..., :i]
        prefix.sort(axis=-1)
        medians[..., i] = 0.5 * (prefix[..., (i - 1) // 2] + prefix[..., i // 2])
    return medians


def sign_flip_e_process(x: Floats) -> NDArray[np.float64]:
    """E_1..E_n: evidence, after each observation, that `x` is not symmetric about (or below) zero.

    E_n = mean over d in {.5, 1, 2, 4} of prod_i 2 / (1 + exp(-z_i(d))), with z_i(d) = d sign(x_i) for i <= 2, else
    2 d x_i / median|x_1..x_{i-1}| clipped to +-6. Given |x_i| and the past, the two signs of a symmetric x_i
    average each factor to 1, so E is a nonnegative martingale and P(sup_n E_n >= 1/alpha) <= alpha at any stopping
    rule (Ville 1939; Ramdas et al. 2020, section on symmetric distributions). No variance is assumed; one
    observation at most doubles E.

    Args:
        x: Observations along the last axis, shape (..., n); leading axes are independent sequences.

    Returns:
        Array of x's shape.
    """
    return _both_e_processes(np.asarray(x, dtype=np.float64))[0]


def _both_e_processes(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The e-processes of x and of -x: they share their scales, and their factors add up to 2."""
    scale = _prefix_medians(np.abs(x))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit = np.where(scale > 0, 2 * x / scale, np.sign(x) * 2 * _BET_LIMIT)
    # The smallest bet is a half: beyond this every bet is at its limit.
    unit = np.clip(unit, -2 * _BET_LIMIT, 2 * _BET_LIMIT)
    unit[..., :2] = np.sign(x[..., :2])
    upper, lower = np.zeros_like(x), np.zeros_like(x)
    for bet in _BETS:
        factor = 2 / (1 + np.exp(-np.clip(bet * unit, -_BET_LIMIT, _BET_LIMIT)))
        upper += np.cumprod(factor, axis=-1)
        lower += np.cumprod(2 - factor, axis=-1)
    return upper / len(_BETS), lower / len(_BETS)


def _first_crossing(e: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """For each row of e-processes, the first n that reaches 1/alpha; inf where none does."""
    crossed = e >= 1 / alpha
    return np.where(crossed.any(axis=-1), crossed.argmax(axis=-1) + 1.0, math.inf)


def _sharpen(x: NDArray[np.float64], rejected: float, kept: float, alpha: float) -> float:
    """Between a rejected and a kept centre: the last of the run of rejected ones that starts at the first."""
    direction = 1.0 if kept > rejected else -1.0
    for _ in range(2):
        between = np.linspace(rejected, kept, 14)
        held = (sign_flip_e_process(direction * (x - between[1:-1, None])) < 1 / alpha).all(axis=-1)
        first_kept = int(held.argmax()) + 1 if held.any() else 13
        rejected, kept = float(between[first_kept - 1]), float(between[first_kept])
    return rejected


@dataclass(frozen=True)
class OrderTest:
    """Sequential test of "the treatment takes more than `margin` times as long", valid at any stopping time.

    The sign-flip e-process runs on x - m for every candidate centre m, and on m - x. A centre is rejected from below
    once its e-process has ever reached 1/alpha_holds; `low` is the end of the run of rejected centres that starts at
    -inf (so every centre under it is rejected), `high` its mirror image at 1/alpha_violated. Both are confidence bounds
    that hold at all n at once.

    What it withstands: any law of the pairs that is symmetric about the true effect given the past, heavy tails and
    slow modes of single rounds included. What it does not: a component that sticks to the process for the whole
    run, which two arms of one process share and two processes do not.

    Attributes:
        margin: The ratio that matters, e.g. 1.05.
        alpha_holds: Chance of HOLDS where the true ratio is the margin or less.
        alpha_violated: Chance of VIOLATED where the true ratio is the margin or more.
        min_pairs: No verdict before this many pairs.
        cap: INCONCLUSIVE after this many; later pairs are not looked at.
    """

    margin: float
    alpha_holds: float = 0.05
    alpha_violated: float = 0.01
    min_pairs: int = 8
    cap: int = 60

    def __post_init__(self) -> None:
        """Refuses settings that no run could satisfy."""
        basics.check_alpha(alpha_holds=self.alpha_holds, alpha_violated=self.alpha_violated)
        if not (math.isfinite(self.margin) and self.margin > 0):
            raise StatisticsError(f"margin = {self.margin} must be a ratio above 0, e.g. 1.05 for 5 % slower.")
        if not 1 <= self.min_pairs <= self.cap:
            raise StatisticsError(f"min_pairs = {self.min_pairs} must lie between 1 and the cap of {self.cap} pairs.")

    def judge(self, log_ratios: Floats) -> SequentialResult:
        """The verdict at the first pair that decides, or after all of them.

        Calling it after every pair, or once with all of them, gives the same verdict.

        Args:
            log_ratios: log(treatment seconds / reference seconds) of each interleaved pair, in order, shape (n,).

        Raises:
            StatisticsError: a log ratio is not finite.
        """
        margin = math.log(self.margin)
        x = basics.finite_array(log_ratios, "order_test", at_least=0)[: self.cap]
        if not len(x):
            return SequentialResult("CONTINUE", math.nan, -math.inf, math.inf, margin, 0, "no pair yet")
        below, above = margin - _MARGIN_STEPS[::-1], margin + _MARGIN_STEPS
        grid = np.concatenate([below, [margin], above])
        above_centre, below_centre = _both_e_processes(x - grid[:, None])
        from_below = _first_crossing(above_centre, self.alpha_holds)
        from_above = _first_crossing(below_centre, self.alpha_violated)
        middle = len(below)
        holds_at = max(from_below[: middle + 1].max(), self.min_pairs)
        violated_at = max(from_above[middle:].max(), self.min_pairs)
        n = int(min(holds_at, violated_at, len(x)))
        low = self._bound(x[:n], grid, from_below <= n, self.alpha_holds)
        high = self._bound(x[:n], grid[::-1], (from_above <= n)[::-1], self.alpha_violated)
        effect = basics.trimmed_mean(x[:n]).mean
        if violated_at <= n:
            high = min(high, math.nextafter(margin, -math.inf))
            return SequentialResult("VIOLATED", effect, low, high, margin, n, f"e-process crossed at pair {n}")
        if holds_at <= n:
            low = max(low, math.nextafter(margin, math.inf))
            return SequentialResult("HOLDS", effect, low, high, margin, n, f"e-process crossed at pair {n}")
        if n >= self.cap:
            return SequentialResult("INCONCLUSIVE", effect, low, high, margin, n, f"cap of {self.cap} pairs reached")
        return SequentialResult("CONTINUE", effect, low, high, margin, n, "e-process undecided")

    @staticmethod
    def _bound(x: NDArray[np.float64], grid: NDArray[np.float64], rejected: NDArray[np.bool_], alpha: float) -> float:
        outward = -math.inf if grid[0] < grid[-1] else math.inf
        if not rejected[0]:
            return outward
        if rejected.all():
            return float(grid[-1])
        last = int(rejected.argmin()) - 1
        return _sharpen(x, float(grid[last]), float(grid[last + 1]), alpha)


def order_test(
    log_ratios: Floats,
    margin: float,
    *,
    alpha_holds: float = 0.05,
    alpha_violated: float = 0.01,
    min_pairs: int = 8,
    cap: int = 60,
) -> SequentialResult:
    """Judge log ratios of randomised interleaved pairs against a ratio `margin`; see `OrderTest`.

    The effect is the 20 % trimmed mean log ratio; `low`, `high` and the result's `margin` are log ratios too.
    """
    return OrderTest(margin, alpha_holds, alpha_violated, min_pairs, cap).judge(log_ratios)
