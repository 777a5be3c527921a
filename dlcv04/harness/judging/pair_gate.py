"""The gate of `--dl-against`: a verdict from the rounds of process pairs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dlcv04.harness.judging.comparisons import row
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import SECONDS, Against, Arm, Comparison
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


#: Process pairs after which to judge. The third look is for slowdowns of about 10 % where processes differ by 2 %: four
#: pairs show four of five of them there, eight nearly all. Unchanged code seldom gets that far.
LOOKS = (2, 4, 8)


#: One-sided level of PASS at each look: together they let a slowdown of the gate's size pass in at most 6 %.
PASS_LEVELS = (0.995, 0.975, 0.97)


def benchmarks(against: Against) -> list[tuple[str, str]]:
    """Every benchmark that was measured, in order."""
    return list(dict.fromkeys(rounds.key for rounds in against.pairs))


def judge(against: Against, test: str, arm: str, policy: Policy) -> stats.ComparisonResult:
    """The gate's verdict on one benchmark: a pure function of its rounds.

    The budget is split over the suite's timing tests, and a test's share over its arms, or over all stored times: `-k`
    changes neither.
    """
    arms = sum(1 for name, _ in benchmarks(against) if name == test)
    shares = against.gated or against.tests * arms
    pairs = [rounds.log_ratios for rounds in against.pairs if rounds.key == (test, arm)]
    return stats.process_pair_gate(
        pairs,
        alpha=policy.alpha_times / shares,
        s0=against.process_sd,
        d0=against.process_df,
        gate=policy.gate_against,
        smallest=policy.smallest_seconds,
        looks=LOOKS,
        pass_levels=PASS_LEVELS,
    )


def named(against: Against) -> str:
    """The commit as it was asked for, and its id where that says something else."""
    short = against.commit[:12]
    return short if against.rev == short else f"{against.rev} ({short})"


def compare(arm: Arm, against: Against, policy: Policy) -> Comparison | None:
    """The row of one arm, or None where the pairs did not time it."""
    mine = [rounds for rounds in against.pairs if rounds.key == (arm.test, arm.name)]
    if not mine:
        return None
    result = judge(against, arm.test, arm.name, policy)
    images = arm.images_per_epoch or mine[0].images_per_step

    def epoch(side: str) -> float:
        logs = [
            math.log(value / rounds.steps / rounds.images_per_step * images)
            for rounds in mine
            for value in getattr(rounds, side)
        ]
        return math.exp(stats.trimmed_mean(logs).mean)

    return row(
        arm,
        SECONDS,
        unit="ratio",
        new=epoch("new_seconds"),
        old=epoch("old_seconds"),
        effect=math.exp(result.effect),
        low=math.exp(result.low),
        high=math.exp(result.high),
        gate=policy.gate_against,
        minimum_detectable_effect=math.exp(result.minimum_detectable),
        n_new=len(mine),
        n_old=len(mine),
        verdict="INCONCLUSIVE" if result.verdict == "CONTINUE" else result.verdict,
        method=f"{len(mine)} fresh process pairs against {against.rev}, {len(mine[0].old_seconds)} pairs of rounds "
        f"each; between-process sd {against.process_sd:.1%} on {against.process_df:g} degrees of freedom "
        f"({against.process_source})",
        reason="",
        baselines=[named(against)],
    )
