"""Process pairs in a pytest session: of `--dl-against`, and of single tests that look slower than what is stored."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import pytest

from dlcv04.harness.judging import pair_gate
from dlcv04.harness.judging.pair_gate import LOOKS
from dlcv04.harness.judging.suspects import Suspect
from dlcv04.harness.machine import git
from dlcv04.harness.measuring import process_pairs, sides
from dlcv04.harness.measuring.process_pairs import Offered, Side, plan_of, run_pair
from dlcv04.harness.policy import Policy
from dlcv04.harness.session import children, places, selection, state
from dlcv04.harness.session.suite import Suite
from dlcv04.harness.store.schema import Against, Recheck, Unpaired
from dlcv04.harness.store.selftests import SelfTestError
from dlcv04.lazy import LazyModule
from dlcv04.scratch import Scratch

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


Tell = Callable[[str], object]
Asked = Callable[[str], bool]


@dataclass(frozen=True)
class ProcessSd:
    """Between-process sd of a log ratio, its degrees of freedom, and where they come from."""

    sd: float
    df: float
    source: str


def known_spread(root: Path, machine_class: str, key: Mapping[str, str]) -> ProcessSd:
    """What this machine class's newest self-test found, or the shipped prior; `root` is the baselines' folder."""
    from dlcv04.harness.store import selftests

    test = selftests.latest(root, machine_class, key)
    if test is None:
        source = "shipped prior; `dlcv04 selftest` measures it"
        on_card = machine_class.startswith("gpu")
        ratio = stats.PRIOR_CARD_PROCESS_SD * math.sqrt(2) if on_card else stats.PRIOR_PROCESS_SD
        return ProcessSd(ratio, stats.PRIOR_PROCESS_DF, source)
    return ProcessSd(test.process_sd, test.process_df, f"self-test of {test.started[:10]}")


def run_pairs(
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
    tell: Tell,
    gated: int = 0,
    asked: Asked | None = None,
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
        tell: called with what is being done.
        gated: the stored times that share the budget, where the pairs decide one that looked slower than those.
        asked: whether a test that the reference alone has was to be timed too; None where none was.

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
    open_tests, known = list(wanted), Offered()
    if not old.paths:
        return msgspec.structs.replace(found, unpaired=[Unpaired(test=test, only="new") for test in wanted])
    for number in range(LOOKS[-1]):
        if number in LOOKS:
            open_tests = [test for test in wanted if _is_open(found, test, policy)]
        surveys = number == 0 and asked is not None
        if not (open_tests or surveys) or (number and not found.pairs):
            break
        what = f"process pair {number + 1} of {LOOKS[0]} to {LOOKS[-1]}"
        tell(what)
        timed = functools.partial(_tell_arm, tell, what)
        offered = Offered()
        measured = list(run_pair(old, new, arguments, number=number, tests=open_tests, offered=offered, tell=timed))
        # Arms that the sides have in another order, or among others, are left to further processes.
        while plan := plan_of(offered, {rounds.key for rounds in measured}):
            of = list(dict.fromkeys(test for test, _ in plan))
            more = list(run_pair(old, new, arguments, number=number, tests=of, plan=plan, tell=timed))
            measured += more
            if not more:
                break
        found.pairs.extend(measured)
        known.add(offered)
    found.unpaired.extend(_unpaired(known, found, wanted, asked))
    return found


def _unpaired(offered: Offered, found: Against, wanted: Sequence[str], asked: Asked | None) -> Iterator[Unpaired]:
    """What was to be timed, and which side alone would have done it."""
    old, new = offered.tests
    gone = [test for test in old if test not in new and asked is not None and asked(test)]
    for test in dict.fromkeys([*wanted, *gone]):
        sides = offered.arms.get(test, ([], []))
        if test in old and test in new and (sides[0] or sides[1]):
            timed = {arm for name, arm in pair_gate.benchmarks(found) if name == test}
            for arm in dict.fromkeys([*sides[0], *sides[1]]):
                if arm not in timed:
                    yield Unpaired(test=test, arm=arm, only=_only(arm, *sides))
        else:
            yield Unpaired(test=test, only="" if test in old and test in new else _only(test, old, new))


def _only(name: str, old: Sequence[str], new: Sequence[str]) -> Literal["old", "new", ""]:
    if (name in old) == (name in new):
        return ""
    return "old" if name in old else "new"


def _tell_arm(tell: Tell, what: str, arm: str) -> None:
    tell(f"{what}: {arm}")


def _is_open(found: Against, test: str, policy: Policy) -> bool:
    return any(
        pair_gate.judge(found, test, arm, policy).verdict == "CONTINUE"
        for name, arm in pair_gate.benchmarks(found)
        if name == test
    )


def pair_with_commit(config: pytest.Config, suite: Suite, tests: list[str], *, rev: str, of: int) -> Against:
    """Run the process pairs of this session.

    Args:
        config: the session's.
        suite: gets the wall time they took.
        tests: node ids of the timing tests to run.
        rev: the commit, as the command line names it.
        of: how many timing tests the suite has, `-k` or not.

    Raises:
        RevisionError: REV names no commit, or a path of the command line lies outside the repository's tree.
        PairError: a worker failed.
    """
    commit = git.resolve(config.rootpath, rev)
    return _measure(config, suite, tests, _paths(config), rev=rev, commit=commit, of=of, asked=_asked(config))


def _asked(config: pytest.Config) -> Asked | None:
    """Whether a test that REV alone has was asked for: its folder or file is named, and nothing selects among tests."""
    whole = [(config.invocation_params.dir / path).resolve() for path in config.args if "::" not in path]
    if not whole or selection.leaves_out(config) or state.of(config).options.half is not None:
        return None

    def asked(test: str) -> bool:
        file = (config.rootpath / test.partition("::")[0]).resolve()
        return any(file.is_relative_to(path) for path in whole)

    return asked


def recheck(config: pytest.Config, suite: Suite, test: str, found: Sequence[Suspect], gated: int) -> list[Recheck]:
    """Run the process pairs of one test that looks slower than what is stored, against the commits that were stored.

    Args:
        config: the session's.
        suite: has the pairs of `--dl-against`, which are not run again; gets the wall time of others.
        test: node id.
        found: its arms that look slower.
        gated: how many stored times share the run's false-alarm budget.

    Returns:
        What was done; where pairs could not be run, why.
    """
    done: dict[str, Recheck] = {}
    for suspect in found:
        if suspect.why:
            continue
        commit = next((commit for commit in suspect.commits if git.is_known(config.rootpath, commit)), "")
        if commit in done or (suite.against is not None and commit == suite.against.commit):
            continue
        done[commit] = _recheck(config, suite, test, commit, gated) if commit else _unknown(config, test, suspect)
    return list(done.values())


def _unknown(config: pytest.Config, test: str, suspect: Suspect) -> Recheck:
    names = ", ".join(commit[:12] for commit in suspect.commits)
    unknown = f"git has no commit {names} here ({git.why_unknown(config.rootpath)})"
    return Recheck(test=test, why=git.unusable(config.rootpath) or unknown)


def _recheck(config: pytest.Config, suite: Suite, test: str, commit: str, gated: int) -> Recheck:
    short, path = commit[:12], test.partition("::")[0]
    missing = Recheck(test=test, why=f"{short} has no such test, or not with these arms")
    if not git.has_file(config.rootpath, commit, path):
        return missing
    name = test.rpartition("::")[2]
    children.teller(config)(f"{name} may be slower than the stored times, so process pairs with {short} decide")
    try:
        pairs = _measure(config, suite, [test], [path], rev=short, commit=commit, gated=gated)
    except (process_pairs.PairError, git.RevisionError, SelfTestError) as error:
        children.show(config, str(error))
        return Recheck(test=test, why=str(error).rpartition("\n")[2])
    return Recheck(test=test, against=pairs) if pairs.pairs else missing


def _measure(
    config: pytest.Config,
    suite: Suite,
    tests: list[str],
    paths: list[str],
    *,
    rev: str,
    commit: str,
    of: int = 1,
    gated: int = 0,
    asked: Asked | None = None,
) -> Against:
    """Process pairs of `tests`, found below `paths`, in a checkout of the commit and in the working tree."""
    suite.before_timing()
    start = time.perf_counter()
    try:
        with (
            git.worktree(config.rootpath, commit) as tree,
            Scratch() as built,
            _explained(config, tree),
        ):
            old, new = _sides(config, tree, Path(built), paths)
            return run_pairs(
                old,
                new,
                ["--rootdir=.", *children.options(config)],
                rev=rev,
                commit=commit,
                tests=max(1, of),
                wanted=tests,
                spread=known_spread(places.of(config).baselines, suite.machine_class, suite.key),
                policy=suite.policy,
                tell=children.teller(config),
                gated=gated,
                asked=asked,
            )
    finally:
        suite.spend("process pairs", time.perf_counter() - start)


@contextlib.contextmanager
def _explained(config: pytest.Config, tree: Path) -> Iterator[None]:
    """Say in one sentence that the old code failed for want of a file that git does not have."""
    try:
        yield
    except process_pairs.PairError as error:
        lost = sides.missing_in_checkout(str(error), config.rootpath, tree)
        if not lost:
            raise
        raise process_pairs.SideError(
            f"The old code looks for {lost}, which git does not have. If it is data, name it in pytest's ini option "
            f"`dl_against_links = {lost}`: the checkout then gets a link to it."
        ) from error


def _sides(config: pytest.Config, tree: Path, built: Path, paths: list[str]) -> tuple[Side, Side]:
    """The old side in a checkout's folder `tree` and the new one in the working tree, each importing its own code."""
    root, data = config.rootpath, process_pairs.absolute_data()
    top = git.toplevel(root)
    checkout = tree.parents[len(root.relative_to(top).parts) - 1] if root != top else tree
    links = config.getini("dl_against_links")
    sides.link(links, root, tree)
    own = sides.own_folders(top)
    replaced = sides.build_copies(top, root, checkout, built)
    old = Side(
        "old",
        tree,
        data,
        [path for path in paths if (tree / path).exists()],
        [built, *sides.mapped(own, top, checkout)],
        [top, *replaced],
    )
    return old, Side("new", root, data, paths, own, [checkout])


def _paths(config: pytest.Config) -> list[str]:
    """What both workers collect: the folders and files of the command line, relative to each one's tree."""
    paths = []
    for argument in config.args:
        path = argument.partition("::")[0]
        resolved = (config.invocation_params.dir / path).resolve()
        if not resolved.is_relative_to(config.rootpath):
            raise git.RevisionError(f"--dl-against: {path} lies outside {config.rootpath}, so REV has no such file.")
        paths.append(str(resolved.relative_to(config.rootpath)))
    return list(dict.fromkeys(paths))
