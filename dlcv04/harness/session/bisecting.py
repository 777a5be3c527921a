"""`--dl-bisect`: the exit code that `git bisect run` understands, whatever ends the session.

git takes every code from 1 to 127 but 125 for "bad". pytest's own codes of a file that can't be imported, of wrong
usage or of nothing collected would blame a commit that can't be judged.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from dlcv04.harness.session import state
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness.judging import outcome
    from dlcv04.harness.session import children
else:
    children = LazyModule("dlcv04.harness.session.children")
    outcome = LazyModule("dlcv04.harness.judging.outcome")

#: What may end a session but Ctrl-C, which ends the whole bisection.
_ENDS = (Exception, SystemExit, pytest.skip.Exception, pytest.fail.Exception)
_SAID = {0: "all that was judged holds", 1: "violated or regressed"}


def is_asked(options: argparse.Namespace) -> bool:
    """Whether this session is a step of a bisection, and not a process that such a step started."""
    own = options.dl_round_server is None and options.dl_record is None
    return bool(options.dl_bisect) and own and not options.help


def load_conftests(parser: pytest.Parser, arguments: list[str]) -> Generator[None, object, object]:
    """Load the first conftests, and end with 125 where they or the arguments that they declare can't be read.

    Code that git exchanges within a second is not told apart by the times that Python's cached bytecode has of it: none
    is written.

    Raises:
        SystemExit: 125.
    """
    sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
    try:
        made = yield
        parser.parse(arguments)  # as pytest will do next, where no hook would see it fail
    except _ENDS as error:
        sys.stderr.write(f"{_text(error)}\n{_sentence(outcome.EXIT_UNTESTABLE)}\n")
        raise SystemExit(outcome.EXIT_UNTESTABLE) from error
    return made


def end(config: pytest.Config) -> Generator[None, int, int]:
    """Run the session, and return the code that says what git is to think of this commit."""
    try:
        code = yield
    except _ENDS as error:
        sys.stderr.write(f"{_text(error)}\n")
        code = pytest.ExitCode.USAGE_ERROR
    found = outcome.bisect_status(state.of(config).run if state.has_begun(config) else None, code)
    children.show(config, _sentence(found))
    return found


def _sentence(code: int) -> str:
    return f"--dl-bisect: {_SAID.get(code, 'nothing can be said of this commit')}. Exit code {code}."


def _text(error: BaseException) -> str:
    if isinstance(error, pytest.UsageError):
        return "\n".join(f"ERROR: {line}" for line in error.args)
    # A conftest's own error stands behind pytest's, which names the file.
    return "".join([*traceback.format_exception(error.__cause__ or error), f"ERROR: {error}"])
