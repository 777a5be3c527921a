"""Process pairs in a pytest session: of `--dl-against`, and of single tests that look slower than what is stored."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from dlcv04.harness import against, child_sessions, process_pairs
from dlcv04.harness.schema import Against, Recheck
from dlcv04.harness.selftest import SelfTestError
from dlcv04.harness.suite import Suite
from dlcv04.harness.suspects import Suspect


def measure(config: pytest.Config, suite: Suite, tests: list[str], *, of: int) -> Against:
    """Run the process pairs of this session.

    Args:
        config: the session's.
        suite: gets the wall time they took.
        tests: node ids of the timing tests to run.
        of: how many timing tests the suite has, `-k` or not.

    Raises:
        RevisionError: REV names no commit, or a path of the command line lies outside the repository's tree.
        PairError: a worker failed.
    """
    rev = config.getoption("dl_against")
    commit = against.resolve(config.rootpath, rev)
    return _measure(config, suite, tests, _folders(config), rev=rev, commit=commit, of=of)


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
    for one in found:
        if one.why:
            continue
        commit = next((commit for commit in one.commits if against.is_known(config.rootpath, commit)), "")
        if commit in done or (suite.against is not None and commit == suite.against.commit):
            continue
        done[commit] = _recheck(config, suite, test, commit, gated) if commit else _unknown(test, one)
    return list(done.values())


def _unknown(test: str, one: Suspect) -> Recheck:
    names = ", ".join(commit[:12] for commit in one.commits)
    return Recheck(test=test, why=f"git has no commit {names} here (a shallow clone, or no repository)")


def _recheck(config: pytest.Config, suite: Suite, test: str, commit: str, gated: int) -> Recheck:
    short, path = commit[:12], test.partition("::")[0]
    missing = Recheck(test=test, why=f"{short} has no such test, or not with these arms")
    if not against.has_file(config.rootpath, commit, path):
        return missing
    name = test.rpartition("::")[2]
    child_sessions.teller(config)(f"{name} looks slower than what is stored, so process pairs against {short} decide")
    try:
        pairs = _measure(config, suite, [test], [path], rev=short, commit=commit, gated=gated)
    except (process_pairs.PairError, against.RevisionError, SelfTestError) as error:
        child_sessions.show(config, str(error))
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
) -> Against:
    """Process pairs of `tests`, found below `paths`, in a checkout of the commit and in the working tree."""
    start = time.perf_counter()
    try:
        with against.worktree(config.rootpath, commit) as tree:
            return against.measure(
                process_pairs.Side("old", tree, process_pairs.absolute_data()),
                process_pairs.Side("new", config.rootpath, process_pairs.absolute_data()),
                [*paths, "--rootdir=.", *child_sessions.options(config)],
                rev=rev,
                commit=commit,
                tests=max(1, of),
                wanted=tests,
                spread=against.known_spread(config.rootpath / "baselines", suite.machine_class, suite.key),
                policy=suite.policy,
                told=child_sessions.teller(config),
                gated=gated,
            )
    finally:
        suite.spend("process pairs", time.perf_counter() - start)


def _folders(config: pytest.Config) -> list[str]:
    """What both workers collect: the paths of the command line, relative to each one's tree."""
    folders = []
    for argument in config.args:
        path, _, rest = argument.partition("::")
        resolved = (config.invocation_params.dir / path).resolve()
        if not resolved.is_relative_to(config.rootpath):
            raise against.RevisionError(
                f"--dl-against: {path} lies outside {config.rootpath}, so REV has no such file."
            )
        folders.append("::".join(filter(None, (str(resolved.relative_to(config.rootpath)), rest))))
    return folders
