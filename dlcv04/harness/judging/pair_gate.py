"""The gate of `--dl-against`: a verdict from the rounds of process pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dlcv04.harness.judging.comparisons import row
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import SECONDS, Against, Arm, Comparison, Unpaired
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


def rows(test: str, arms: Iterable[Arm], against: Against, policy: Policy) -> list[Comparison]:
    """Every row of one test: of the arms that were timed in pairs, and of what was to be timed and was not."""
    by_name = {arm.name: arm for arm in arms}
    timed = [by_name.get(arm, Arm(test=test, name=arm)) for name, arm in benchmarks(against) if name == test]
    found = [made for arm in timed if (made := compare(arm, against, policy)) is not None]
    found += unpaired(test, against)
    told = {made.arm for made in found}
    left = [name for name, arm in by_name.items() if arm.round_seconds and not told & {name, ""}]
    return found + [_untimed(Unpaired(test=test, arm=name, only=""), against) for name in left]


def unpaired(test: str, against: Against) -> list[Comparison]:
    """The rows of what of a test was to be timed in pairs and was not."""
    return [_untimed(one, against) for one in against.unpaired if one.test == test]


def _untimed(one: Unpaired, against: Against) -> Comparison:
    what, rev = "arm" if one.arm else "test", named(against)
    reason = {
        "old": f"{rev} times this {what}, and the working tree does not: it is gone, was renamed or skips itself. "
        "Restore it, or compare with a commit that does without it",
        "new": f"new: {rev} has no such {what}" + (", or skips the test" if one.arm else ""),
        "": f"no process pair timed this {what}, neither of {rev} nor of the working tree",
    }[one.only]
    return row(
        Arm(test=one.test, name=one.arm),
        SECONDS,
        verdict="MISSING" if one.only == "old" else "NO_BASELINE",
        method=f"process pairs against {against.rev}",
        reason=reason,
        baselines=[rev],
    )


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
