"""Claims as people write them: parameters of every origin, methods, generated tests, source that can't be read."""

import shlex
import subprocess
import sys

import pytest

from dlcv04.harness.report.renderers import html_page
from dlcv04.harness.store.reading import read_run
from tests.conftest import accept_processes
from tests.harness.inner_runs import command, run_block

HEAD = """
import functools
import numpy as np
import pytest
from dlcv04 import claim, planted

ONE = planted("one more", lambda arm: lambda seed: arm(seed) + 1, only="a")
NOTHING = planted("nothing at all", lambda arm: arm)

def same(computed, claim):
    values = computed(a=lambda seed: np.arange(5.0), b=lambda seed: np.arange(5.0))
    claim.identical(values.a, values.b, within=0)

def values(name, mean):
    return lambda seed: np.random.default_rng(len(name)).normal(mean, 1.0, 20)

def higher(computed, claim):
    found = computed(a=values("a", 0.3), b=values("bb", 0.0))
    claim.higher(found.a, than=found.b, by=0.3)
"""

UNREADABLE = '''
test_lambda = claim("By lambda", control=ONE)(lambda computed, claim: same(computed, claim))

exec("""
@claim("By exec", control=ONE)
def test_exec(computed, claim):
    same(computed, claim)
""")

def prepared(computed, claim, extra):
    same(computed, claim)

test_partial = claim("By partial", control=ONE)(functools.partial(prepared, extra=1))

class TestText:
    @claim("With a text", control=ONE)
    def test_flush_left(self, computed, claim):
        text = """
not indented
"""
        same(computed, claim)

    @staticmethod
    @claim("Static", control=ONE)
    def test_static(computed, claim):
        same(computed, claim)
'''


EXECUTED = """
made = {"np": np}
exec("def arm(seed):\\n    return np.arange(5.0)\\ndef plus(arm):\\n    return lambda seed: arm(seed) + 1\\n", made)

@claim("Of executed code", control=planted("one more", made["plus"], only="a"))
def test_executed(computed, claim):
    values = computed(a=made["arm"], b=lambda seed: np.arange(5.0))
    claim.identical(values.a, values.b, within=0)
"""


def test_a_control_and_an_arm_may_be_executed_code_which_belongs_to_no_module(suite):
    result, _ = run_block(suite(HEAD + EXECUTED), "--dl-controls")
    assert result.ret == 0, result.stdout.str()


def test_source_that_can_not_be_read_is_judged_without_a_hash_and_said_to_be(suite):
    pytester = suite(HEAD + UNREADABLE)
    result, block = run_block(pytester, "--dl-controls")
    assert result.ret == 0, result.stdout.str()
    hashed = {one["test"].rpartition("::")[2]: one["source_hash"] for one in block["claims"] if not one["is_control"]}
    assert [name for name, code in hashed.items() if code] == ["test_static"] and len(hashed) == 5
    said = "*can't be read, so changes to it go unnoticed (test_lambda, test_exec, test_partial, test_flush_left)."
    result.stdout.fnmatch_lines([said, "All 5 claims hold; 5 of 5 controls broke their claim."])
    accept_processes(pytester.path, pytester.path / "run.json", 1, "portable")
    again, block = run_block(pytester, "--benchmark-compare")
    assert again.ret == 0 and {row["verdict"] for one in block["claims"] for row in one["comparisons"]} == {"PASS"}


ORDERS = """
@pytest.mark.parametrize("size", ["", "x-", "-x", "control", "a::b", "[", "a]b", "two words"])
@claim("Any id", control=NOTHING)
def test_id(size, computed, claim):
    higher(computed, claim)

@claim("By a hook that comes last", control=NOTHING)
def test_last(made, computed, claim):
    higher(computed, claim)

@pytest.fixture
def given(request):
    return request.param

@pytest.mark.parametrize("given", [1, 2], indirect=True)
@claim("Indirect", control=NOTHING)
def test_indirect(given, computed, claim):
    higher(computed, claim)

@pytest.mark.parametrize("size", [pytest.param(1, marks=claim("One", control=NOTHING))])
def test_marked(size, computed, claim):
    higher(computed, claim)

class TestMethods:
    @pytest.fixture(autouse=True, params=["q"])
    def prepared(self):
        pass

    @claim("A method", control=NOTHING)
    def test_method(self, computed, claim):
        higher(computed, claim)
"""
LAST = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc):
    if "made" in metafunc.fixturenames:
        metafunc.parametrize("made", ["m", "control"])
"""


def test_a_control_keeps_its_claim_whatever_its_parameters_are_called_and_whoever_gives_them(suite):
    """One that lost its claim could not be told to be weak, and was green."""
    pytester = suite(HEAD + ORDERS)
    (pytester.path / "bench/conftest.py").write_text(LAST)
    result, block = run_block(pytester, "--dl-controls")
    verdicts = [one["control_verdict"] for one in block["claims"] if one["is_control"]]
    assert len(block["claims"]) == 2 * len(verdicts) == 28
    assert set(verdicts) == {"CONTROL_WEAK"}, result.stdout.str()


EQUAL = """
@pytest.mark.parametrize("size", [1, 2])
@claim("Of one sentence, which is so long that the terminal has to cut it before its end", control=ONE)
def test_size(size, computed, claim):
    same(computed, claim)

def make():
    @claim("Made", control=ONE)
    def test(computed, claim):
        same(computed, claim)
    return test

test_first, test_second = make(), make()

@claim("Alone", control=ONE)
def test_alone(computed, claim):
    same(computed, claim)
"""


def test_equal_sentences_are_told_apart_wherever_they_stand(suite):
    pytester = suite(HEAD + EQUAL)
    result, _ = run_block(pytester)
    run = read_run(pytester.path / "run.json")
    names = ("… [1] ", "… [2] ", "Made test_first ", "Made test_second ", "Alone ")
    judged = command("judge", "run.json").stdout
    for text in (result.stdout.str(), judged):
        lines = [line for line in text.splitlines() if line.startswith("HOLDS")]
        assert len({line[:80] for line in lines}) == 5 and all(any(n in line for line in lines) for n in names), text
    markdown = command("report", "run.json", "--format", "markdown").stdout
    assert "its end \\[1\\] |" in markdown and "Made test\\_second |" in markdown and "Alone |" in markdown
    page = html_page.render(run)
    assert page.count('its end <span class="test">[') == 2 and "Alone</h3>" in page


def test_a_command_that_repeats_a_claim_or_a_run_can_be_pasted_into_a_shell(suite):
    claims = (
        HEAD
        + """
@pytest.mark.parametrize("s", ["it's", "$HOME `x`"])
@claim("Any", control=ONE)
def test_any(s, computed, claim):
    same(computed, claim)
"""
    )
    pytester = suite(claims)
    result = pytester.runpytest("bench", "--benchmark-json=run.json", "-k", "test_any and not nothing")
    assert result.ret == 0
    run = read_run(pytester.path / "run.json")
    written = [one.command for one in run.claims]
    assert [shlex.split(text)[1] for text in written] == [one.test for one in run.claims]
    assert "test_any and not nothing" in shlex.split(run.command)
    for text in written:
        done = subprocess.run(
            ["bash", "-c", text.replace("pytest", f"{shlex.quote(sys.executable)} -m pytest", 1)],
            cwd=pytester.path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


TIMED = """
from dlcv04 import claim, reference_everywhere

@pytest.mark.parametrize("kind", [dict, len], ids=["d", "l"])
@pytest.mark.parametrize("size", [1, 2])
@claim("The long arm is slower", control=reference_everywhere("short"))
def test_longer(size, kind, epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.long, than=times.short, by=1.10)
"""


@pytest.mark.parametrize("by", ["param:size", "param:kind"])
def test_pytest_benchmark_groups_saved_rows_by_a_parameter(suite, by):
    pytester = suite("import pytest\n" + TIMED)
    assert pytester.runpytest("bench", "--benchmark-json=run.json").ret == 0
    compared = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "run.json", f"--group-by={by}"],
        cwd=pytester.path,
        capture_output=True,
        text=True,
    )
    assert compared.returncode == 0, compared.stderr
    groups = {"param:size": ("size=1", "size=2"), "param:kind": ("kind=dict", "kind=len")}[by]
    assert all(f"benchmark '{group}': 4 tests" in compared.stdout for group in groups), compared.stdout
