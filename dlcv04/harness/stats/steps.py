"""Steps in a history of levels."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dlcv04.harness.stats import basics
from dlcv04.harness.stats.basics import Floats


@dataclass(frozen=True)
class Step:
    """A change of level: history[index] is the first value of the new level; levels are segment medians."""

    index: int
    before: float
    after: float


#: Price of a step by the number of runs, up to the first number that is listed. Few successive differences say little
#: of the noise, so few runs need a plainer step; an even number of them has an odd number of differences, whose median
#: is the noisier. Simulated for normal and Student t3 noise: a history of mere noise shows a step in 1 of 100.
_PRICES = ((5, 6.0), (6, 7.0), (7, 5.0), (8, 5.4), (10, 4.5), (12, 4.1), (14, 3.8), (19, 3.5))
_LEAST_PRICE = 3.0
_ROUNDING = 1e-9


def detect_steps(history: Floats, *, min_length: int = 2, penalty: float | None = None) -> tuple[Step, ...]:
    """Where the level of a series of stored values changed: exact L1 segmentation with a BIC-like penalty.

    Minimises sum |x - median of its segment| / b + penalty * log(n) * (segments - 1) by dynamic programming, as
    asv's step_detect does; b is the noise's mean absolute deviation, from the median absolute successive
    difference, so that a step does not inflate it. In L1 two values cost their difference wherever the level lies, so
    a single wild run is no step. The library ruptures has this cost too, but no rule for the penalty of so few runs.

    Args:
        history: Values in the order of their runs (log seconds, or a metric), shape (n,).
        min_length: Fewest runs at one level.
        penalty: Price of a step. Unless given it is such that white noise of 5 to 100 runs, normal or Student t3,
            shows a step in about 1 % of histories or fewer; slowly drifting noise shows more.

    Returns:
        Steps in order; empty for fewer than 2 * min_length values or a level that never changed.
    """
    x = basics.finite_array(history, "detect_steps", at_least=0)
    if min_length < 1 or len(x) < 2 * min_length:
        return ()
    if penalty is None:
        penalty = next((price for runs, price in _PRICES if len(x) <= runs), _LEAST_PRICE)
    differences = np.abs(np.diff(x))
    # Normal noise: median |difference| = .6745 sqrt(2) sd, mean |deviation| = sqrt(2 / pi) sd.
    scale = float(np.median(differences)) / (0.6745 * math.sqrt(2)) * math.sqrt(2 / math.pi)
    if scale == 0:
        scale = float(differences.mean()) or 1.0
    # What differs by less was the same before it was rounded.
    scale = max(scale, _ROUNDING * (float(np.abs(x).max()) + 1e-3))
    starts = _segment_starts((x / scale).tolist(), min_length, penalty * math.log(len(x)))
    levels = [float(np.median(part)) for part in np.split(x, starts)]
    return tuple(Step(at, a, b) for at, a, b in zip(starts, levels[:-1], levels[1:], strict=True))


def _segment_starts(x: list[float], min_length: int, price: float) -> list[int]:
    """Starts of all segments but the first in the cheapest segmentation."""
    n = len(x)
    best, previous = [-price] + [math.inf] * n, [0] * (n + 1)
    for start in range(n - min_length + 1):
        if math.isinf(best[start]):
            continue
        for length, cost in enumerate(_median_costs(x[start:]), start=1):
            total = best[start] + cost + price
            if length >= min_length and total < best[start + length]:
                best[start + length], previous[start + length] = total, start
    starts, end = [], n
    while previous[end]:
        end = previous[end]
        starts.append(end)
    return starts[::-1]


def _median_costs(x: list[float]) -> Iterable[float]:
    """Sum of |x_j - median(x_1..x_i)| over j <= i, for i = 1, 2, ...: two heaps about the median and their sums."""
    lower: list[float] = []
    upper: list[float] = []
    low_sum = high_sum = 0.0
    for value in x:
        shifted = heapq.heappushpop(upper, value)
        high_sum += value - shifted
        heapq.heappush(lower, -shifted)
        low_sum += shifted
        if len(lower) > len(upper) + 1:
            moved = -heapq.heappop(lower)
            heapq.heappush(upper, moved)
            low_sum, high_sum = low_sum - moved, high_sum + moved
        middle = -lower[0] if len(lower) > len(upper) else 0.0
        yield high_sum - low_sum + middle
