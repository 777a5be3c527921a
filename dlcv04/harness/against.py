"""`--dl-against REV`: the working tree against a commit, in alternating fresh processes of one machine.

Two process pairs, then two and four more for what they leave open (Bonferroni over the looks); a later look is the
confirmation in fresh processes. Nothing is stored between runs, so any runner serves.
"""

from __future__ import annotations

import contextlib
import functools
import math
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcv04.harness.judge import SECONDS, row
from dlcv04.harness.policy import Policy
from dlcv04.harness.process_pairs import Side, run_pair
from dlcv04.harness.schema import Against, Arm, Comparison
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import statistics
else:
    statistics = LazyModule("dlcv04.harness.statistics")

#: Process pairs after which to judge. The third look is for slowdowns of about 10 % where processes differ by 2 %: four
#: pairs show four of five of them there, eight nearly all. Unchanged code seldom gets that far.
LOOKS = (2, 4, 8)
#: One-sided level of PASS at each look: together they let a slowdown of the gate's size pass in at most 6 %.
PASS_LEVELS = (0.995, 0.975, 0.97)

Told = Callable[[str], object]


class RevisionError(ValueError):
    """There is no such commit, or no repository."""


@dataclass(frozen=True)
class ProcessSd:
    """Between-process sd of a log ratio, its degrees of freedom, and where they come from."""

    sd: float
    df: float
    source: str


def known_spread(root: Path, machine_class: str, key: Mapping[str, str]) -> ProcessSd:
    """What this machine class's newest self-test found, or the shipped prior; `root` is the baselines' folder."""
    from dlcv04.harness import selftest

    test = selftest.latest(root, machine_class, key)
    if test is None:
        source = "shipped prior; `dlcv04 selftest` measures it"
        return ProcessSd(statistics.PRIOR_PROCESS_SD, statistics.PRIOR_PROCESS_DF, source)
    return ProcessSd(test.process_sd, test.process_df, f"self-test of {test.started[:10]}")


def resolve(root: Path, rev: str) -> str:
    """The full id of the commit that `rev` names.

    Raises:
        RevisionError: it names none, or `root` is in no git repository.
    """
    done = _git(root, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    if done.returncode == 0:
        return done.stdout.strip()
    if _git(root, "rev-parse", "--git-dir").returncode != 0:
        raise RevisionError(f"--dl-against {rev}: {root} is in no git repository, so there is nothing to compare with.")
    raise RevisionError(f"--dl-against {rev}: git knows no such commit here; try HEAD, HEAD~1, a branch or a tag.")


def is_known(root: Path, commit: str) -> bool:
    """Whether git has this commit here: a shallow clone has none but the newest."""
    return _git(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def has_file(root: Path, commit: str, path: str) -> bool:
    """Whether a commit has a file; `path` is relative to `root`."""
    return _git(root, "cat-file", "-e", f"{commit}:./{path}").returncode == 0


@contextlib.contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """A checkout of `commit` beside the working tree, gone afterwards; yields the folder that corresponds to `root`."""
    inside = Path(_git(root, "rev-parse", "--show-prefix").stdout.strip())
    with tempfile.TemporaryDirectory(prefix="dlcv04-against-") as folder:
        tree = Path(folder) / "tree"
        _git(root, "worktree", "prune")
        done = _git(root, "worktree", "add", "--detach", str(tree), commit)
        if done.returncode != 0:
            raise RevisionError(f"git could not check {commit[:12]} out: {done.stderr.strip()}")
        try:
            yield tree / inside
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)


def measure(
    old: Side,
    new: Side,
    arguments: Sequence[str],
    *,
    rev: str,
    commit: str,
    tests: int,
    wanted: Sequence[str],
    spread: ProcessSd,
    policy: Policy,
    told: Told,
    gated: int = 0,
) -> Against:
    """Run process pairs until every benchmark is decided, or the last look is reached.

    Args:
        old: the reference's side.
        new: the working tree's side.
        arguments: of pytest, for both.
        rev: the commit as it was asked for.
        commit: its full id.
        tests: timing tests of the whole suite, which share the budget.
        wanted: the timing tests to run.
        spread: between processes.
        policy: error rates and gates.
        told: called with what is being done.
        gated: the stored times that share the budget, where the pairs decide one that looked slower than those.

    Raises:
        PairError: a worker failed.
    """
    found = Against(
        rev=rev,
        commit=commit,
        tests=tests,
        process_sd=spread.sd,
        process_df=spread.df,
        process_source=spread.source,
        gated=gated,
    )
    open_tests = list(wanted)
    for number in range(LOOKS[-1]):
        if number in LOOKS:
            open_tests = [test for test in wanted if _is_open(found, test, policy)]
        if not open_tests or (number and not found.pairs):
            break
        what = f"process pair {number + 1} of {LOOKS[0]} to {LOOKS[-1]}"
        told(what)
        timed = functools.partial(_tell_arm, told, what)
        found.pairs.extend(run_pair(old, new, arguments, number=number, tests=open_tests, told=timed))
    return found


def _tell_arm(told: Told, what: str, arm: str) -> None:
    told(f"{what}: {arm}")


def _is_open(found: Against, test: str, policy: Policy) -> bool:
    return any(judge(found, test, arm, policy).verdict == "CONTINUE" for name, arm in benchmarks(found) if name == test)


def benchmarks(against: Against) -> list[tuple[str, str]]:
    """Every benchmark that was measured, in order."""
    return list(dict.fromkeys(rounds.key for rounds in against.pairs))


def judge(against: Against, test: str, arm: str, policy: Policy) -> statistics.ComparisonResult:
    """The gate's verdict on one benchmark: a pure function of its rounds.

    The budget is split over the suite's timing tests, and a test's share over its arms, or over all stored times: `-k`
    changes neither.
    """
    arms = sum(1 for name, _ in benchmarks(against) if name == test)
    shares = against.gated or against.tests * arms
    pairs = [rounds.log_ratios for rounds in against.pairs if rounds.key == (test, arm)]
    return statistics.process_pair_gate(
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
        return math.exp(statistics.trimmed_mean(logs).mean)

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
