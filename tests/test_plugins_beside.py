"""The plugins that people have beside us, really installed: each works, or is refused with one sentence.

They are the extra `ecosystem`. `.ci/run` puts them into an environment of their own (stage "plugins beside us") and
requires them; anywhere else the tests are skipped where one is missing. All seven are loaded in every run below.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from dlcv04 import example
from tests.conftest import FAKE_MACHINE, SUITE, THREE_VERDICTS, accept_processes

#: As pytest's header names them, and the module that each is.
PLUGINS = {
    "xdist": "xdist",
    "cov": "pytest_cov",
    "randomly": "pytest_randomly",
    "rerunfailures": "pytest_rerunfailures",
    "html": "pytest_html",
    "profiling": "pytest_profiling",
    "playwright": "pytest_playwright",
}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

COMPUTED = """
from dlcv04 import claim, planted

@claim("A sum is the same forwards and backwards", control=planted("one more", lambda arm: lambda seed: arm(seed) + 1))
def test_sums(computed, claim):
    values = computed(forwards=lambda seed: sum(range(9)), backwards=lambda seed: sum(reversed(range(9))))
    claim.identical(values.forwards, values.backwards, within=1e-9)
"""
ONE_TIMED = SUITE + COMPUTED.replace("from dlcv04 import claim, planted", "from dlcv04 import planted")
PLAIN = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_plain(number):
    assert number < 6
"""


@pytest.fixture(autouse=True)
def installed():
    missing = [name for name in PLUGINS.values() if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("DLCV04_ECOSYSTEM") == "required":
        pytest.fail(f"DLCV04_ECOSYSTEM=required, but {', '.join(missing)} can't be imported")
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install dlcv04[ecosystem]")


def block(pytester):
    return json.loads((pytester.path / "run.json").read_text())["dlcv04"]


def refused(result, sentence):
    """Exit 4 with one sentence, no traceback, and nothing that looks like a result."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])
    printed = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in printed and "Traceback" not in printed and "report:" not in printed


def test_a_run_is_as_it_is_without_them_and_pytest_html_shows_its_outcomes(suite):
    pytester = suite(THREE_VERDICTS)
    (pytester.path / "bench" / "test_plain.py").write_text(PLAIN)
    options = ("--html=page.html", "--self-contained-html", "--junitxml=junit.xml", "--benchmark-json=run.json")
    result = pytester.runpytest_subprocess("bench", *options, "--randomly-dont-reorganize")
    assert result.ret == 1
    loaded = next(line for line in result.outlines if line.startswith("plugins: "))
    assert all(f" {name}-" in loaded for name in PLUGINS)
    assert [claim["verdict"] for claim in block(pytester)["claims"]] == ["HOLDS", "VIOLATED", "INCONCLUSIVE"]
    result.stdout.fnmatch_lines(["report: *", "*1 failed, 7 passed, 1 inconclusive*"])
    cases = ElementTree.parse(pytester.path / "junit.xml").getroot().iter("testcase")
    verdicts = {p.get("value") for case in cases for p in case.iter("property") if p.get("name") == "dl_verdict"}
    assert verdicts == {"HOLDS", "VIOLATED", "INCONCLUSIVE"}
    # pytest-html knows pytest's own outcomes alone; INCONCLUSIVE is skipped there, with its sentence, and never passed.
    page = (pytester.path / "page.html").read_text()
    assert re.search(r"1 Failed.*7 Passed.*1 Skipped", page, re.DOTALL)
    assert "INCONCLUSIVE: Hardly slower" in page and "VIOLATED: The long arm is not slower" in page


class TestRandomly:
    def test_a_control_runs_right_behind_its_claim_and_at_its_n(self, suite):
        """With this seed pytest-randomly puts two of the three controls before their claims."""
        pytester = suite(THREE_VERDICTS)
        pytester.runpytest_subprocess("bench", "--dl-controls", "--randomly-seed=1", "--benchmark-json=run.json")
        claims = block(pytester)["claims"]
        assert [claim["test"].partition("::")[2] for claim in claims[::2]] != ["longer_is_slower", "false", "unsure"]
        assert len(claims) == 6
        for real, control in zip(claims[::2], claims[1::2], strict=True):
            assert control["is_control"] and control["test"] == f"{real['test']}[control]"
            assert control["assertions"][0]["n"] == real["assertions"][0]["n"]

    def test_its_seeds_change_no_curve(self, tmp_path):
        """The example project's learning claim, bit for bit."""
        example.write(tmp_path / "mine")
        curves = []
        for option in ("--randomly-dont-reset-seed", "--randomly-seed=5"):
            command = [sys.executable, "-m", "pytest", "bench/test_mine.py", "-q", option]
            command += ["--dl-seeds=2", "-k", "better", "--benchmark-json=run.json"]
            done = subprocess.run(command, cwd=tmp_path / "mine", capture_output=True, text=True)
            document = json.loads((tmp_path / "mine" / "run.json").read_text())["dlcv04"]
            found = [curve for arm in document["arms"] for curve in arm["curves"]]
            assert len(found) == 4, done.stdout + done.stderr
            for epoch in (epoch for curve in found for epoch in curve["epochs"]):
                del epoch["train_seconds"]
            curves.append(found)
        assert curves[0] == curves[1]


class TestXdist:
    def test_claims_are_refused_on_its_workers(self, suite):
        result = suite().runpytest_subprocess("bench", "-n2")
        refused(result, "Benchmarks are disabled (*pytest-xdist's -n*), *PYTEST_ADDOPTS=-n0*")

    def test_tests_without_claims_are_distributed_as_ever(self, suite):
        result = suite(PLAIN).runpytest_subprocess("bench", "-n2")
        assert result.ret == 0
        result.assert_outcomes(passed=6)

    def test_one_process_serves_claims_whatever_the_ini_file_says(self, suite):
        """Its fresh processes too: here five are stored, then all is slower, so two more are timed."""
        pytester = suite()
        pytester.makeini("[pytest]\naddopts = -n2 --cov=bench --cov-report=\n")
        one = ("bench", "-n0", "--no-cov")
        assert pytester.runpytest_subprocess(*one, "--benchmark-json=run.json").ret == 0
        accept_processes(pytester.path, pytester.path / "run.json")
        suite(machine=FAKE_MACHINE.replace("SLOWDOWN = 1.0", "SLOWDOWN = 1.5"))
        result = pytester.runpytest_subprocess(*one, "--benchmark-compare", "--benchmark-json=run.json")
        rows = [row for row in block(pytester)["claims"][0]["comparisons"] if row["metric"] == "seconds an epoch"]
        assert result.ret == 1
        assert {(row["verdict"], row["n_new"]) for row in rows} == {("REGRESSED", 3)}


@pytest.mark.parametrize("option", ["--cov=bench", "--profile"])
def test_coverage_and_profilers_are_not_timed_and_disturb_no_other_claim(suite, option):
    pytester = suite(ONE_TIMED)
    result = pytester.runpytest_subprocess("bench", option, "--benchmark-json=run.json")
    assert result.ret == 1
    assert [claim["verdict"] for claim in block(pytester)["claims"]] == ["HOLDS"]
    theirs = "bench*test_it.py*%" if option.startswith("--cov") else "Profiling (from *"
    result.stdout.fnmatch_lines_random(["A tracer is active (coverage, a profiler or a debugger)*", theirs])
    result.stdout.fnmatch_lines(["*1 failed, 1 passed*"])
    assert "another exception" not in result.stdout.str()


class TestReruns:
    SENTENCE = "would run a red claim again until it is green, and then no error rate holds. *"

    def test_of_the_command_line_are_refused(self, suite):
        refused(suite().runpytest_subprocess("bench", "--force-reruns=2"), f"--force-reruns {self.SENTENCE}")

    def test_of_the_ini_file_are_refused_and_can_be_switched_off(self, suite):
        pytester = suite()
        pytester.makeini("[pytest]\nreruns = 1\n")
        refused(pytester.runpytest_subprocess("bench"), f"`reruns` in the ini file {self.SENTENCE}")
        assert pytester.runpytest_subprocess("bench", "--reruns=0").ret == 0

    def test_of_a_marker_are_refused(self, suite):
        marked = SUITE.replace("@claim", "import pytest\n\n@pytest.mark.flaky(reruns=2)\n@claim")
        result = suite(marked).runpytest_subprocess("bench")
        refused(result, f"The marker `flaky` of bench/test_it.py::test_longer_is_slower {self.SENTENCE}")

    def test_of_tests_without_claims_go_on(self, suite):
        result = suite(PLAIN.replace("< 6", "< 5")).runpytest_subprocess("bench", "--reruns=1")
        result.assert_outcomes(passed=5, failed=1)
        result.stdout.fnmatch_lines(["*1 rerun*"])


class TestPlaywright:
    def test_its_options_stand_beside_ours(self, suite):
        options = ("--browser=chromium", "--device=iPhone 13", "--output=shots", "--tracing=off")
        result = suite().runpytest_subprocess("bench", *options, "--dl-device=cpu", "--dl-report-dir=out")
        assert result.ret == 0
        result.assert_outcomes(passed=1)

    def test_a_claim_is_judged_while_its_browser_and_event_loop_are_up(self, suite):
        if CHROMIUM is None:
            pytest.skip("no Chromium on PATH")
        pytester = suite(
            "def test_a_page(page):\n    page.goto('data:text/html,<title>here</title>')\n"
            "    assert page.title() == 'here'\n" + SUITE
        )
        with (pytester.path / "conftest.py").open("a") as conftest:
            conftest.write(
                "\n@pytest.fixture(scope='session')\ndef browser_type_launch_args():\n"
                f"    return {{'executable_path': {CHROMIUM!r}, 'args': ['--no-sandbox', '--disable-gpu']}}\n"
            )
        result = pytester.runpytest_subprocess("bench", "-p", "no:randomly", "--benchmark-json=run.json")
        assert result.ret == 0
        result.assert_outcomes(passed=2)
        assert block(pytester)["claims"][0]["verdict"] == "HOLDS"
