"""`--dl-bisect`: the exit code that `git bisect run` understands, whatever ends the session."""

import sys

import pytest

from tests.conftest import FAKE_MACHINE, SUITE
from tests.harness.inner_runs import run_apart, store, with_slowdown

COUNT = """
from dlcv04 import claim, planted

@claim("Two", control=planted("one more", lambda arm: arm))
def test_two(claim):
    {body}
"""

#: `run_apart`'s code of a process that left `main` by SystemExit.
LEFT = 255
#: What ends a session, with the code that pytest has of it and the one that git is to get.
ENDINGS = {
    "holds": (COUNT.format(body="claim.exactly(2, 2, of='a')"), 0, 0),
    "violated": (COUNT.format(body="claim.exactly(3, 2, of='a')"), 1, 1),
    "an error": (COUNT.format(body="raise ValueError"), 1, 125),
    "a failed fixture": (COUNT.format(body="pass").replace("(claim):", "(claim, nowhere):"), 1, 125),
    "a skip": (COUNT.format(body="import pytest; pytest.skip('no card')"), 0, 125),
    "an import": ("import nowhere_at_all\n" + COUNT.format(body="pass"), 2, 125),
    "a syntax error": ("def broken(:\n", 2, 125),
    "no claim": ("def test_plain(): pass\n", 0, 125),
    "no test": ("", 5, 125),
    "a claim that can't be collected": (COUNT.format(body="pass").replace("(claim):", "():"), 4, 125),
    "an exit": (COUNT.format(body="import pytest; pytest.exit('x', returncode=0)"), 0, 125),
    "an exit with 1": (COUNT.format(body="import pytest; pytest.exit('x', returncode=1)"), 1, 125),
    "its conftest": (SUITE, 4, 125),
}


def apart(pytester, *arguments):
    """`run_apart`, in a process that may end before pytest's `main` returns."""
    result = run_apart(pytester, *arguments)
    return pytester.runpytest_subprocess(*arguments) if result.ret == LEFT else result


@pytest.mark.parametrize("ending", ENDINGS)
def test_whatever_ends_a_session_has_a_code_for_git(suite, ending):
    text, plain, told = ENDINGS[ending]
    pytester = suite(text, "import nowhere_at_all\n" if ending == "its conftest" else FAKE_MACHINE)
    assert run_apart(pytester, "bench").ret == plain
    result = apart(pytester, "bench", "--dl-bisect")
    assert result.ret == told, result.stdout.str() + result.stderr.str()
    last = [line for line in result.outlines + result.errlines if line.startswith("--dl-bisect: ")]
    assert last == [line for line in last if line.endswith(f"Exit code {told}.")] and len(last) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone/test_it.py"], "gone"),
        (["bench/test_it.py::test_gone"], "test_gone"),
        (["bench", "--of-a-conftest-that-was-not-yet-written"], "unrecognized"),
        (["bench", "--dl-against=nonsense"], "--dl-against nonsense"),
        (["bench", "-k", "nothing"], "1 deselected"),
        (["bench", "--benchmark-disable"], "Benchmarks are disabled"),
        (["bench", "--collect-only"], "test_longer_is_slower"),
    ],
)
def test_wrong_usage_blames_no_commit(suite, arguments, said):
    result = apart(suite(), *arguments, "--dl-bisect")
    assert result.ret == 125
    assert said in result.stdout.str() + result.stderr.str()


def test_a_conftest_that_fails_is_shown_with_its_place(suite):
    result = apart(suite(machine="import nowhere_at_all\n"), "bench", "--dl-bisect")
    assert result.ret == 125 and "No module named 'nowhere_at_all'" in result.stderr.str()
    assert "conftest.py" in result.stderr.str()


@pytest.mark.parametrize(("slowdown", "told"), [(1.0, 0), (1.5, 1)])
def test_a_regression_is_bad(suite, slowdown, told):
    store(suite())
    pytester = suite(machine=with_slowdown(slowdown))
    assert run_apart(pytester, "bench", "--benchmark-compare", "--dl-bisect").ret == told


def test_what_nothing_stored_is_comparable_with_is_passed_over(suite):
    assert run_apart(suite(), "bench", "--benchmark-compare", "--dl-bisect").ret == 125


def test_help_is_help(suite):
    assert run_apart(suite(), "bench", "--dl-bisect", "--help").ret == 0


def test_a_step_writes_no_bytecode(suite, monkeypatch):
    """git may exchange a file for one of the same size within a second: Python would run the old one's bytecode."""
    pytester = suite("import helper\n" + COUNT.format(body="claim.exactly(helper.COUNT, 2, of='a')"))
    (pytester.path / "bench/helper.py").write_text("COUNT = 2\n")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    command = [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider"]
    assert pytester.run(*command, "--dl-bisect").ret == 0
    assert not [*pytester.path.rglob("*.pyc")]
    assert pytester.run(*command).ret == 0
    assert [*pytester.path.rglob("*.pyc")]
