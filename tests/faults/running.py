"""How the rows of a table are run: as tests, slow ones by `.ci/nightly`, and a command asked in one process."""

import pytest
from typer.testing import CliRunner

from dlcv04.cli import app


def rows(found):
    """The rows as a test's parameters."""
    return [pytest.param(row, id=row.name, marks=[pytest.mark.nightly] if row.slow else []) for row in found]


def asked(*arguments):
    """What a command says and its exit code: one sentence, never a traceback."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.output, result.exit_code


def refused(*arguments):
    """The same, where the whole answer must be one line."""
    said, code = asked(*arguments)
    assert len(said.strip().splitlines()) == 1 and said.strip().isprintable(), said
    return said, code
