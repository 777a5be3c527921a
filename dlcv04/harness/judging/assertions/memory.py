"""ORDER of memory: peaks of processes that each trained one arm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dlcv04.harness.judging.assertions import common
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Assertion, ClaimVerdict, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats

else:
    stats = LazyModule("dlcv04.harness.stats")

#: The figure's name.
PEAK_MEMORY: Final = "peak memory"


@dataclass(frozen=True)
class Noise:
    """How peaks of processes that do the same differ, and what a comparison with stored ones must see.

    Attributes:
        sd: standard deviation of a process's log peak.
        df: its degrees of freedom.
        smallest: ratio below which more memory is never an alarm.
        gate: ratio that a PASS must exclude.
    """

    sd: float
    df: float
    smallest: float
    gate: float


#: A process's own memory on a CPU depends on when threads free theirs. Measured: the pooled standard deviation of 36
#: processes of two nets was 3.9 % (2.4 % and 5.4 %).
_CPU = Noise(sd=0.05, df=30.0, smallest=1.05, gate=1.25)
#: A card's allocator counts bytes. No spread has been measured: this is room for another order of the operations.
_CARD = Noise(sd=0.005, df=10.0, smallest=1.05, gate=1.05)


def noise(machine_class: str) -> Noise:
    """That of a machine class."""
    return _CARD if machine_class.startswith("gpu") else _CPU


def needs_more(
    peaks: tuple[Sequence[float], Sequence[float]],
    names: tuple[str, str],
    by: float,
    policy: Policy,
    machine_class: str,
) -> Assertion:
    """ORDER: training the first arm takes at least `by` times the memory of the second; a t interval of log ratios.

    Args:
        peaks: bytes of the processes of treatment and reference.
        names: of these two.
        by: the margin, a ratio above 1.
        policy: error rates.
        machine_class: decides how processes differ.
    """
    known = noise(machine_class)
    new, old = ([math.log(peak) for peak in side] for side in peaks)
    effect = sum(new) / len(new) - sum(old) / len(old)
    error = known.sd * math.sqrt(1 / len(new) + 1 / len(old))
    low = effect - stats.upper_t(policy.alpha_holds, known.df) * error
    high = effect + stats.upper_t(policy.alpha_violated, known.df) * error
    margin = math.log(by)
    verdict: ClaimVerdict = "HOLDS" if low > margin else "VIOLATED" if high < margin else "INCONCLUSIVE"
    smallest = stats.minimum_detectable_effect(error, known.df, policy.alpha_holds)
    return Assertion(
        kind="ORDER",
        sentence=f"training {names[0]} takes at least {by:g} times the memory of {names[1]}",
        treatment=names[0],
        reference=names[1],
        unit="ratio",
        margin=by,
        effect=common.exp(effect),
        low=common.exp(low),
        high=common.exp(high),
        n=len(new),
        n_unit="processes",
        minimum_detectable_effect=finite(math.exp(smallest)),
        verdict=verdict,
        method=f"peaks of fresh processes, whose sd is {known.sd:.1%} ({known.df:g} degrees of freedom), near bound "
        "95 %, far bound 99 %",
        metric=PEAK_MEMORY,
    )
