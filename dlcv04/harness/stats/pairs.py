"""REGRESSION of times by process pairs: old and new code in fresh processes that take turns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlcv04.harness.stats import basics, stored
from dlcv04.harness.stats.basics import Floats, StatisticsError, TrimmedMean
from dlcv04.harness.stats.results import ComparisonResult
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import scipy
else:
    scipy = LazyModule("scipy")


#: sd of the log ratio of two identical fresh processes, before `selftest` has measured it.
PRIOR_PROCESS_SD = 0.025


PRIOR_PROCESS_DF = 10.0


#: sd of a process of a card of one's own about its session's mean, log seconds. Measured: 1.2 % on H100s, by JAX.
PRIOR_CARD_PROCESS_SD = 0.012


#: sd between sessions of a card, log seconds: half the range of H100s of several machines, .97 to 1.13 of their mean.
PRIOR_CARD_SESSION_SD = 0.075


#: no machine is trusted to repeat a process better than this (log units).
FLOOR_PROCESS_SD = 0.005


@dataclass(frozen=True)
class ProcessSpread:
    """Between-process sd of the log ratio of two identical fresh processes.

    Attributes:
        sd: The value a gate uses (`s0`): the upper 80 % limit, at least `FLOOR_PROCESS_SD`.
        df: Degrees of freedom (`d0`).
        point: Point estimate; 0 where the rounds alone explain the spread.
        upper95: Upper end of the two-sided 95 % interval.
        within: Expected sd of a pair's trimmed mean from its rounds alone.
    """

    sd: float
    df: float
    point: float
    upper95: float
    within: float


def between_process_sd(groups: Iterable[Sequence[Floats]], *, df: float | None = None) -> ProcessSpread:
    """Between-process sd of the log ratio of identical processes, from A/A process pairs, pooled over benchmarks.

    A pair's rounds give its trimmed mean y_g and the variance q_g of that from the rounds. The spread of y_g about the
    benchmark's mean, less the mean q, is the process's own; its limits come from chi-square limits of the total.

    Args:
        groups: One entry a benchmark: its process pairs, each the log ratios x_gk of its rounds in order. At least two
            pairs a benchmark, 20 in all to be worth using.
        df: Degrees of freedom to count on, where benchmarks share their processes and so their luck: the number of
            process pairs less one. Without it all benchmarks' are added up.

    Returns:
        `ProcessSpread`; `sd` is the upper 80 % limit (1.17 x the point at 20 df and no round noise), at least 0.5 %.
    """
    square_sum, pooled, within = 0.0, 0, []
    for pairs in groups:
        parts = [basics.trimmed_mean(pair) for pair in pairs]
        means = np.array([part.mean for part in parts])
        square_sum += float(((means - means.mean()) ** 2).sum())
        pooled += len(means) - 1
        within += [part.se**2 for part in parts]
    if pooled < 1 or not np.isfinite(within).all():
        raise StatisticsError("between_process_sd: needs at least two process pairs of at least two rounds each.")
    noise = float(np.mean(within))

    def net(total: float) -> float:
        return math.sqrt(max(0.0, total - noise))

    variance, df = square_sum / pooled, float(df or pooled)
    upper80, upper95 = (net(variance * df / (2 * float(scipy.special.gammaincinv(df / 2, p)))) for p in (0.2, 0.025))
    return ProcessSpread(max(upper80, FLOOR_PROCESS_SD), df, net(variance), upper95, math.sqrt(noise))


def process_pair_gate(
    pairs: Sequence[Floats],
    *,
    alpha: float,
    s0: float = PRIOR_PROCESS_SD,
    d0: float = PRIOR_PROCESS_DF,
    gate: float = 1.10,
    smallest: float = 1.03,
    looks: Sequence[int] = (2, 4),
    pass_levels: Sequence[float] = (0.995, 0.95),
) -> ComparisonResult:
    """Judge a change of code from fresh process pairs (old, new), rounds interleaved: the rule of `--dl-against`.

    With y_g the trimmed mean of pair g, q_g its variance from the rounds (Yuen 1974), at G pairs: V = max((s0^2 +
    mean q)/G, var(y)/G), nu by Satterthwaite. REGRESSED iff ybar > t[1 - alpha/looks; nu] sqrt(V), ybar >
    log(smallest) and every y_g > 0; IMPROVED mirrored; PASS iff ybar + t sqrt(V) < log(gate) at the look's pass
    level. The second look is the confirmation in fresh processes; the first look's data stay in. Early PASS spends
    no alpha.

    Safe with heavy tails and slow rounds; with a slow state that sticks to a process only if `s0` was measured where it
    occurs.

    Args:
        pairs: Log ratios log(new/old) of the rounds of each process pair, in the order the pairs ran.
        alpha: This comparison's share of the run's false alarms, over all looks (`split_alpha(.01, m)`).
        s0: Between-process sd from `between_process_sd`; the default is the shipped prior.
        d0: Degrees of freedom of `s0`.
        gate: Ratio that PASS must exclude: 1.10 on a shared CPU, 1.03 on an exclusive GPU.
        smallest: Ratio below which a slowdown is never an alarm.
        looks: Numbers of process pairs at which to judge.
        pass_levels: One-sided level of PASS at each look.

    Returns:
        At the first look that decides, else CONTINUE, or INCONCLUSIVE after the last look.
    """
    basics.check_alpha(alpha=alpha, **{f"1 - pass_levels[{i}]": 1 - level for i, level in enumerate(pass_levels)})
    if not s0 > 0 or not d0 > 0:
        raise StatisticsError(f"process_pair_gate: s0 = {s0} with d0 = {d0}; both must be above 0.")
    if len(looks) != len(pass_levels) or looks[0] < 2:
        raise StatisticsError(f"process_pair_gate: looks {tuple(looks)} need one pass level each and at least 2 pairs.")
    parts = [basics.trimmed_mean(pair) for pair in pairs[:1]]
    effect = parts[0].mean if parts else math.nan
    result = ComparisonResult(
        "CONTINUE", effect, -math.inf, math.inf, math.inf, math.nan, 0.0, f"first look at {looks[0]} process pairs"
    )
    for look, level in zip(looks, pass_levels, strict=True):
        if look > len(pairs):
            return result
        parts += [basics.trimmed_mean(pair) for pair in pairs[len(parts) : look]]
        if any(part.df < 1 for part in parts):
            raise StatisticsError("process_pair_gate: a process pair has fewer than two rounds left after trimming.")
        result = _gate_look(parts, alpha / len(looks), 1 - level, s0, d0, gate, smallest, look == looks[-1])
        if result.verdict != "CONTINUE":
            return result
    return result


def smallest_slowdown_by_pairs(
    rounds: float,
    *,
    alpha: float,
    s0: float = PRIOR_PROCESS_SD,
    d0: float = PRIOR_PROCESS_DF,
    smallest: float = 1.03,
    looks: Sequence[int] = (2, 4),
) -> float:
    """The slowdown (a ratio above 1) that `process_pair_gate` shows as REGRESSED by its last look in 4 of 5 runs.

    Args:
        rounds: standard error of a pair's figure from its own rounds, log units.
        alpha: as for `process_pair_gate`.
        s0: the same.
        d0: the same.
        smallest: the same.
        looks: the same.
    """
    modelled = s0**2 + rounds**2
    df = modelled**2 / (s0**4 / d0) if d0 else 0.0
    se = math.sqrt(modelled / looks[-1])
    return math.exp(basics.detectable_above(se, df, alpha / len(looks), math.log(smallest)))


def _gate_look(
    parts: list[TrimmedMean],
    alpha: float,
    pass_alpha: float,
    s0: float,
    d0: float,
    gate: float,
    smallest: float,
    final: bool,
) -> ComparisonResult:
    count = len(parts)
    y = np.array([part.mean for part in parts])
    rounds = float(np.mean([part.se**2 for part in parts]))
    effect, modelled = basics.mean(y), s0**2 + rounds
    df = modelled**2 / (s0**4 / d0 + rounds**2 / (count * min(part.df for part in parts)))
    se = math.sqrt(max(modelled, float(y.var(ddof=1))) / count)
    strict, usual = basics.upper_t(alpha, df) * se, basics.upper_t(pass_alpha, df) * se
    # A pair that points the other way takes the evidence away, on either side.
    low = effect - strict if (y > 0).all() else min(effect - strict, 0.0)
    high = effect + strict if (y < 0).all() else max(effect + strict, 0.0)
    verdict, reason = stored.two_sided_verdict(effect, low, high, math.log(smallest), effect + usual, math.log(gate))
    if verdict == "INCONCLUSIVE" and not final:
        verdict = "CONTINUE"
    detectable = basics.detectable_above(se, df, alpha, math.log(smallest))
    return ComparisonResult(
        verdict, effect, low, effect + usual, detectable, se, df, f"{reason} ({count} process pairs)"
    )
