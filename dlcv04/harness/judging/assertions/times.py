"""ORDER: interleaved times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcv04.harness.judging.assertions import common
from dlcv04.harness.judging.assertions.common import UNDECIDED, Judged
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Assertion, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats

else:
    stats = LazyModule("dlcv04.harness.stats")


def order(
    log_ratios: Sequence[float], names: tuple[str, str], by: float, policy: Policy, *, min_pairs: int, reason: str = ""
) -> Judged:
    """ORDER: a round of the first arm takes at least `by` times as long as one of the second.

    Args:
        log_ratios: of the rounds that both arms were timed in, in order.
        names: treatment and reference.
        by: the margin, a ratio above 1.
        policy: error rates and the cap.
        min_pairs: no verdict before so many, stored as the assertion's one look; a control is judged once, at its n.
        reason: what a reader should know of the arms.
    """
    result = stats.order_test(
        log_ratios,
        by,
        alpha_holds=policy.alpha_holds,
        alpha_violated=policy.alpha_violated,
        min_pairs=min_pairs,
        cap=policy.max_pairs,
    )
    _, standard_error, degrees = stats.trimmed_mean(log_ratios)
    smallest = stats.minimum_detectable_effect(standard_error, degrees, policy.alpha_holds)
    made = Assertion(
        kind="ORDER",
        sentence=f"an epoch of {names[0]} takes at least {by:g} times as long as one of {names[1]}",
        treatment=names[0],
        reference=names[1],
        unit="ratio",
        margin=by,
        effect=common.exp(result.effect),
        low=common.exp(result.low),
        high=common.exp(result.high),
        n=result.n,
        n_unit="pairs",
        minimum_detectable_effect=finite(math.exp(smallest)),
        verdict=common.final(result.verdict),
        method="symmetric e-process over interleaved pairs, near bound 95 %, far bound 99 %, "
        "valid at any stopping time",
        reason=reason,
        looks=[min_pairs],
    )
    return Judged(made, result.verdict == UNDECIDED)
