"""What is refused or put in order before the first test runs."""

import pytest

from tests.conftest import FAKE_MACHINE, SUITE
from tests.harness.inner_runs import TWO_CLAIMS, run_block, store


class TestOptions:
    def test_the_swallowed_path_is_refused(self, suite):
        result = suite().runpytest("--benchmark-compare", "bench")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*Put the path first: pytest bench --benchmark-compare*"])

    @pytest.mark.parametrize(
        ("option", "what"), [("--dl-seeds=1", "seeds: * from 2 up"), ("--dl-workers=-1", "processes: * from 0 up")]
    )
    def test_a_number_that_is_none_is_a_sentence(self, suite, option, what):
        result = suite().runpytest("bench", option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*is not a number of {what}*"])

    def test_benchmark_only_runs_the_claims(self, suite):
        result = suite().runpytest("bench", "--benchmark-only")
        assert result.ret == 0
        result.assert_outcomes(passed=1)

    @pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-skip", "--benchmark-compare-fail=mean:5%"])
    def test_options_that_would_judge_nothing_are_refused(self, suite, option):
        result = suite().runpytest("bench", option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*Drop*"])

    def test_a_gpu_that_is_not_there_is_an_error_at_once(self, suite, monkeypatch):
        monkeypatch.setenv("PATH", "/nonexistent")
        result = suite().runpytest("bench", "--dl-device", "gpu")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*no GPU was found*"])

    def test_a_selector_that_matches_nothing_names_what_exists(self, suite):
        pytester = suite()
        store(pytester, processes=1)
        result = pytester.runpytest("bench", "--benchmark-compare=9999")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*9999*0001*"])

    def test_a_claim_without_control_cannot_be_collected(self, suite):
        result = suite("from dlcv04 import claim\n@claim('x', control=None)\ndef test_x(claim): ...\n").runpytest(
            "bench"
        )
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*has no control*"])

    def test_the_fixture_without_the_decorator_cannot_be_collected(self, suite):
        result = suite("def test_x(claim): ...\n").runpytest("bench")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*is no claim yet*"])

    FOREIGN = """
import pytest

@pytest.fixture
def claim():
    return {"amount": 100}

def test_paid(claim):
    assert claim["amount"] == 100

@pytest.mark.claim("an insurance's")
def test_marked():
    pass
"""

    def test_a_fixture_or_marker_of_that_name_that_is_another_is_left_alone(self, suite):
        result = suite(self.FOREIGN).runpytest("bench", "-W", "ignore")
        result.assert_outcomes(passed=2)
        assert "dlcv04: " not in result.stdout.str()

    def test_it_may_stand_beside_claims(self, suite):
        pytester = suite()
        (pytester.path / "bench/test_foreign.py").write_text(self.FOREIGN)
        result = pytester.runpytest("bench", "-W", "ignore")
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines(["dlcv04: 1 claim, *"])

    def test_a_fixture_that_takes_ours_is_ours(self, suite):
        own = "\n@pytest.fixture\ndef claim(claim):\n    claim.own = True\n    return claim\n"
        result = suite("import pytest\n" + SUITE + own).runpytest("bench")
        result.stdout.fnmatch_lines(["HOLDS *The long arm is slower*"])

    def test_a_suite_without_claims_keeps_pytest_benchmarks_own_comparison(self, suite):
        pytester = suite("def test_plain(benchmark): benchmark(lambda: 1)\n")
        assert pytester.runpytest("bench", "--benchmark-autosave").ret == 0
        result = pytester.runpytest("bench", "--benchmark-compare")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["*test_plain (NOW)*"])


def test_reruns_are_refused(suite):
    """As pytest-rerunfailures has it."""
    option = "def pytest_addoption(parser):\n    parser.addoption('--reruns', type=int)\n"
    result = suite(SUITE, FAKE_MACHINE + option).runpytest("bench", "--reruns=2")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--reruns would run a red claim again until it is green*"])
    assert suite(SUITE, FAKE_MACHINE + option).runpytest("bench").ret == 0


def test_without_pytest_benchmark_claims_are_refused_and_others_left_alone(suite):
    result = suite().runpytest("bench", "-p", "no:benchmark")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*pytest-benchmark is switched off (-p no:benchmark*"])
    assert "INTERNALERROR" not in result.stdout.str()
    suite("def test_ordinary(): pass\n").runpytest("bench", "-p", "no:benchmark").assert_outcomes(passed=1)


def test_half_of_the_plugin_is_refused_with_a_sentence(suite):
    result = suite().runpytest_subprocess("bench", "-p", "no:dlcv04_harness")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*Half of dlcv04 is switched off*add -p no:dlcv04.*"])


def test_a_control_follows_its_claim_whoever_orders_the_tests(suite):
    """As pytest-randomly and pytest's own --ff may put it first, where it could not take its claim's n."""
    backwards = "\n\ndef pytest_collection_modifyitems(items):\n    items.reverse()\n"
    result, block = run_block(suite(TWO_CLAIMS, FAKE_MACHINE + backwards), "--dl-controls")
    names = [claim["test"].partition("::test_")[2] for claim in block["claims"]]
    assert names == [f"{name}{end}" for name in ("longest_is_slower", "longer_is_slower") for end in ("", "[control]")]
    assert result.ret == 0
    alone, _ = run_block(suite(), "--dl-controls", "-k", "control")
    alone.assert_outcomes(passed=1)


WEAK = """
import numpy as np
import pytest
from dlcv04 import claim, planted

def values(name, mean):
    return lambda seed: np.random.default_rng(len(name)).normal(mean, 1.0, 20)

@pytest.fixture(params=["f"])
def one(request):
    return request.param

def pytest_generate_tests(metafunc):
    if "made" in metafunc.fixturenames:
        metafunc.parametrize("made", ["m", "control"])

@claim("Higher", control=planted("nothing at all", lambda arm: arm))
def test_plain(computed, claim):
    found = computed(a=values("a", 0.3), b=values("bb", 0.0))
    claim.higher(found.a, than=found.b, by=0.3)

@pytest.mark.parametrize("size", ["x"])
@claim("Higher", control=planted("nothing at all", lambda arm: arm))
def test_parametrised(size, computed, claim):
    test_plain(computed, claim)

@claim("Higher", control=planted("nothing at all", lambda arm: arm))
def test_by_fixture_and_plugin(one, made, computed, claim):
    test_plain(computed, claim)
"""


def test_a_control_finds_its_claim_whatever_gives_the_test_its_parameters(suite):
    """By its id, which ends with the word: one that found no claim could not be told to be weak."""
    result, block = run_block(suite(WEAK), "--dl-controls")
    controls = {one["test"].partition("::")[2]: one["control_verdict"] for one in block["claims"] if one["is_control"]}
    ids = ("plain[control]", "parametrised[x-control]")
    ids += tuple(f"by_fixture_and_plugin[{made}-f-control]" for made in ("m", "control"))
    assert controls == dict.fromkeys((f"test_{name}" for name in ids), "CONTROL_WEAK"), result.stdout.str()


def test_a_claim_in_a_testcase_is_refused_with_a_sentence_that_fits(suite):
    method = """
import unittest
from dlcv04 import claim, reference_everywhere

class TestSizes(unittest.TestCase):
    @claim("Something", control=reference_everywhere("a"))
    def test_sizes(self):
        self.assertTrue(True)
"""
    result = suite(method).runpytest("bench")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_sizes is a method of a unittest.TestCase, which takes no fixtures*"])
