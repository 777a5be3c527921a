"""`--dl-against` in a pytest session: from its command line to the process pairs, with progress."""

from __future__ import annotations

import time

import pytest

from dlcv04.harness import against, child_sessions, process_pairs
from dlcv04.harness.schema import Against
from dlcv04.harness.suite import Suite


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
    with against.worktree(config.rootpath, commit) as tree:
        start = time.perf_counter()
        found = against.measure(
            process_pairs.Side("old", tree, process_pairs.absolute_data()),
            process_pairs.Side("new", config.rootpath, process_pairs.absolute_data()),
            _worker_arguments(config),
            rev=rev,
            commit=commit,
            tests=max(1, of),
            wanted=tests,
            spread=against.known_spread(config.rootpath / "baselines", suite.machine_class, suite.key),
            policy=suite.policy,
            told=child_sessions.teller(config),
        )
        suite.spend("process pairs", time.perf_counter() - start)
    return found


def _worker_arguments(config: pytest.Config) -> list[str]:
    """What both workers are called with: the same folders, relative to each one's tree, and the same options."""
    folders = []
    for argument in config.args:
        path, _, rest = argument.partition("::")
        resolved = (config.invocation_params.dir / path).resolve()
        if not resolved.is_relative_to(config.rootpath):
            raise against.RevisionError(
                f"--dl-against: {path} lies outside {config.rootpath}, so REV has no such file."
            )
        folders.append("::".join(filter(None, (str(resolved.relative_to(config.rootpath)), rest))))
    return [*folders, *child_sessions.options(config)]
