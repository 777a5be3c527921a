"""The record is the run: pytest, the stored run, the report and `judge` say the same of every test and of the whole."""

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from typer.testing import CliRunner

from dlcv04 import cli
from dlcv04.harness.judging import outcome
from dlcv04.harness.store.acceptance import may_accept
from dlcv04.harness.store.reading import read_run
from tests.conftest import FAKE_MACHINE, SUITE
from tests.harness.inner_runs import run_apart, run_block, store, with_slowdown

HEAD = """
import sys
import unittest
import pytest
from dlcv04 import claim, reference_everywhere

def one(name):
    return claim(name, control=reference_everywhere("a"))

@one("fine")
def test_0_fine(claim):
    claim.exactly(1, 1, of="a")
"""

VIOLATED = """
{mark}
@one("false")
def test_1(claim):
    claim.exactly(1, 2, of="a")
"""

OWN = """
{mark}
@one("own")
def test_1(claim):
    claim.exactly(1, 1, of="a")
    {body}
"""

OTHER = """
@one("never reached")
def test_2_later(claim):
    claim.exactly(1, 1, of="a")
"""

FIXTURE = """
@pytest.fixture
def around(claim):
    {setup}
    yield
    {teardown}

{mark}
@one("own")
def test_1(around, claim):
    claim.exactly(1, 1, of="a")
"""

IN_A_TESTCASE = """
class TestSizes(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def taken(self, claim):
        self.judge = claim

    @one("in a TestCase")
    {mark}
    def test_1(self):
        self.judge.exactly(1, 1, of="a")
        {body}
"""


def marked(mark, text, **parts):
    return text.format(mark=f"@pytest.mark.{mark}", **parts)


RED_THEN = VIOLATED.format(mark="")
EXIT = "\ndef test_1_exit():\n    pytest.exit('enough', returncode={code})\n"

#: Name -> (source, options, exit code, tone of the report).
CASES = {
    "fail": (OWN.format(mark="", body="pytest.fail('no')"), [], 1, "bad"),
    "assert": (OWN.format(mark="", body="assert False"), [], 1, "bad"),
    "sys.exit": (OWN.format(mark="", body="sys.exit(0)"), [], 1, "bad"),
    "late fixture": (
        OWN.format(mark="", body="request.getfixturevalue('nope')").replace("test_1(", "test_1(request, "), [], 1, "bad"
    ),
    "setup": (FIXTURE.format(mark="", setup="raise ValueError('no')", teardown=""), [], 1, "bad"),
    "teardown": (FIXTURE.format(mark="", setup="", teardown="raise ValueError('no')"), [], 1, "bad"),
    "teardown after red": (
        FIXTURE.format(mark="", setup="", teardown="raise ValueError('no')").replace("1, 1", "1, 2"), [], 1, "bad"
    ),
    "async": (OWN.format(mark="", body="pass").replace("def test_1", "async def test_1"), [], 1, "bad"),
    "skip in the body": (OWN.format(mark="", body="pytest.skip('no file')"), [], 0, "unsure"),
    "skip in the body, strict": (OWN.format(mark="", body="pytest.skip('no file')"), ["--dl-strict"], 1, "bad"),
    "skip mark": (marked("skip(reason='no file')", OWN, body="pass"), [], 0, "unsure"),
    "skip mark, strict": (marked("skip(reason='no file')", OWN, body="pass"), ["--dl-strict"], 1, "bad"),
    "skip in setup": (FIXTURE.format(mark="", setup="pytest.skip('no file')", teardown=""), [], 0, "unsure"),
    "skip, controls": (marked("skip(reason='no file')", OWN, body="pass"), ["--dl-controls", "-k", "test_1"], 0,
                       "unsure"),
    "xfail": (marked("xfail(reason='known')", VIOLATED), [], 0, "unsure"),
    "xfail without a reason": (marked("xfail", VIOLATED), [], 0, "unsure"),
    "xfail, dl-strict": (marked("xfail(reason='known')", VIOLATED), ["--dl-strict"], 1, "bad"),
    "xfail strict": (marked("xfail(reason='known', strict=True)", VIOLATED), [], 0, "unsure"),
    "xfail of a true claim": (marked("xfail(reason='known')", OWN, body="pass"), [], 0, "good"),
    "xfail strict of a true claim": (marked("xfail(reason='known', strict=True)", OWN, body="pass"), [], 1, "bad"),
    "xfail raises another": (marked("xfail(raises=ValueError)", VIOLATED), [], 1, "bad"),
    "xfail raises this": (marked("xfail(raises=ValueError)", OWN, body="raise ValueError('no')"), [], 0, "unsure"),
    "xfail, not this time": (marked("xfail(False, reason='elsewhere')", VIOLATED), [], 1, "bad"),
    "xfail not run": (marked("xfail(run=False, reason='crashes')", VIOLATED), [], 0, "unsure"),
    "xfail not run, strict": (marked("xfail(run=False, reason='crashes')", VIOLATED), ["--dl-strict"], 1, "bad"),
    "xfail of an error": (marked("xfail", OWN, body="1 / 0"), [], 0, "unsure"),
    "xfail of setup": (
        marked("xfail(reason='known')", FIXTURE, setup="raise ValueError('no')", teardown=""), [], 0, "unsure"
    ),
    "pytest.xfail": (OWN.format(mark="", body="pytest.xfail('known')"), [], 0, "unsure"),
    "pytest.xfail in setup": (FIXTURE.format(mark="", setup="pytest.xfail('known')", teardown=""), [], 0, "unsure"),
    "runxfail": (marked("xfail(reason='known')", VIOLATED), ["--runxfail"], 1, "bad"),
    "pytest.xfail, runxfail": (OWN.format(mark="", body="pytest.xfail('known')"), ["--runxfail"], 0, "good"),
    "xfail, controls": (marked("xfail(reason='known')", VIOLATED), ["--dl-controls", "-k", "test_1"], 1, "bad"),
    "a failing subtest": (
        OWN.format(mark="", body="with subtests.test('a'): assert False").replace("test_1(", "test_1(subtests, "),
        [], 1, "bad",
    ),
    "a skipping subtest": (
        OWN.format(mark="", body="with subtests.test('a'): pytest.skip('x')").replace("test_1(", "test_1(subtests, "),
        [], 0, "good",
    ),
    "an ordinary test": ("\ndef test_1():\n    assert False\n", [], 1, "bad"),
    "an ordinary test's teardown": (
        "\n@pytest.fixture\ndef around():\n    yield\n    1 / 0\n\ndef test_1(around):\n    pass\n", [], 1, "bad"
    ),
    "Ctrl-C in a claim": (OWN.format(mark="", body="raise KeyboardInterrupt") + OTHER, [], 2, "unsure"),
    "Ctrl-C after red": (RED_THEN + "\ndef test_1_stop():\n    raise KeyboardInterrupt\n" + OTHER, [], 2, "bad"),
    "exit 0 after red": (RED_THEN + EXIT.format(code=0) + OTHER, [], 1, "bad"),
    "exit 0 after red, last": (RED_THEN + EXIT.format(code=0), [], 1, "bad"),
    "exit 0 without red": (EXIT.format(code=0) + OTHER, [], 0, "unsure"),
    "exit 0 without red, strict": (EXIT.format(code=0) + OTHER, ["--dl-strict"], 1, "bad"),
    "exit without a code": ("\ndef test_1_exit():\n    pytest.exit('enough')\n" + OTHER, [], 2, "unsure"),
    "exit 42": (EXIT.format(code=42) + OTHER, [], 42, "bad"),
    "exit 1": (EXIT.format(code=1) + OTHER, [], 1, "bad"),
    "-x": (RED_THEN + OTHER, ["-x"], 1, "bad"),
    "--maxfail, in the last test": (RED_THEN, ["--maxfail=1"], 1, "bad"),
    "--stepwise": (RED_THEN + OTHER, ["--stepwise"], 2, "bad"),
    "a TestCase that takes the fixture": (IN_A_TESTCASE.format(mark="", body="self.fail('no')"), [], 1, "bad"),
    "a TestCase that is expected to fail": (
        IN_A_TESTCASE.format(mark="@unittest.expectedFailure", body="self.fail('no')"), [], 0, "unsure"
    ),
    "a TestCase that skips": (IN_A_TESTCASE.format(mark="", body="self.skipTest('no')"), [], 0, "unsure"),
}  # fmt: skip


class Ended:
    """An inner run, and all that tells of it."""

    def __init__(self, pytester, *options, strict=False):
        self.result = run_apart(pytester, "bench", "--benchmark-json=run.json", "--junitxml=junit.xml", *options)
        self.run = read_run(pytester.path / "run.json")
        judged = CliRunner().invoke(cli.app, ["judge", "run.json", *(["--strict"] if strict else [])])
        self.judged, self.judge_code = judged.output, judged.exit_code
        printed = CliRunner().invoke(cli.app, ["report", "run.json", "--format", "json"]).output
        self.report = json.loads(printed)
        self.headline, self.tone = self.report["headline"]["text"], self.report["headline"]["tone"]
        self.page = (pytester.path / "reports" / "latest.html").read_text()
        self.cases = ElementTree.parse(pytester.path / "junit.xml").getroot()


@pytest.fixture
def ended(suite):
    def run(source, *options):
        return Ended(suite(HEAD + source), *options, strict="--dl-strict" in options)

    return run


@pytest.mark.parametrize("name", CASES)
def test_pytest_the_stored_run_the_report_and_judge_say_the_same(ended, name):
    source, options, code, tone = CASES[name]
    found = ended(source, *options)
    told = found.result.stdout.str()
    assert found.result.ret == code, told
    assert (found.run.exit_status, found.judge_code, found.tone) == (code, code, tone), told + found.judged
    assert (code == 1) <= outcome.is_red(found.run)
    assert re.search(rf'<html[^>]*tone-{tone}|class="[^"]*\b{tone}\b', found.page)
    assert "failed" in told or "error" in told or found.tone != "bad" or found.run.interrupted
    assert ("interrupted" in found.headline) == bool(found.run.interrupted)
    assert ("was interrupted" in told) == bool(found.run.interrupted) or code == 42  # pytest gives no summary then
    red = found.cases.findall(".//failure") + found.cases.findall(".//error")
    assert bool(red) == (tone == "bad") or found.run.interrupted


def test_an_expected_violation_says_so_everywhere(ended):
    found = ended(marked("xfail(reason='known since May')", VIOLATED))
    (claim,) = [claim for claim in found.run.claims if claim.test.endswith("test_1")]
    assert (claim.verdict, claim.expected) == ("VIOLATED", "known since May")
    assert "1 violated as expected" in found.headline
    assert "expected (xfail: known since May)" in found.judged
    assert "Expected to fail (xfail: known since May)" in found.page
    (case,) = [case for case in found.cases.iter("testcase") if case.get("name") == "test_1"]
    assert case.find("skipped") is not None
    assert may_accept(found.run) is None or "violated" not in may_accept(found.run)
    found.result.assert_outcomes(passed=1, xfailed=1)


def test_a_claim_that_skips_itself_is_shown_with_its_reason(ended):
    found = ended(OWN.format(mark="", body="pytest.skip('no such file here')"))
    (claim,) = [claim for claim in found.run.claims if claim.test.endswith("test_1")]
    assert (claim.verdict, claim.lacking) == ("INCONCLUSIVE", ["skipped: no such file here"])
    assert "skipped: no such file here" in found.judged and "skipped: no such file here" in found.page
    found.result.stdout.fnmatch_lines(["*1 passed, 1 inconclusive*"])


def test_a_claim_that_is_skipped_and_red_for_it_has_no_second_error(ended):
    found = ended(marked("skip(reason='no file')", OWN, body="pass"), "--dl-strict")
    assert found.run.failures == [] and "ended with an error" not in found.headline


def test_a_stored_claim_that_is_skipped_is_red(suite):
    pytester = suite()
    store(pytester)
    skipped = SUITE.replace("@claim", "import pytest\n@pytest.mark.skip(reason='slow')\n@claim")
    result, block = run_block(suite(skipped), "--benchmark-compare")
    assert result.ret == block["exit_status"] == 1
    assert {row["verdict"] for row in block["claims"][0]["comparisons"]} == {"MISSING"}
    assert (block["failures"], block["missing"]) == ([], [])


def test_an_interrupted_run_names_what_was_not_run_and_is_no_baseline(ended):
    found = ended("\ndef test_1_stop():\n    raise KeyboardInterrupt\n" + OTHER)
    assert (found.run.interrupted, found.run.not_run) == (
        "Ctrl-C", ["bench/test_it.py::test_1_stop", "bench/test_it.py::test_2_later"],
    )  # fmt: skip
    assert "interrupted (Ctrl-C), 2 tests not run to the end: test_1_stop, test_2_later" in found.headline
    assert "it ended early" in may_accept(found.run)
    assert found.report["run"]["not_run"] == found.run.not_run


def test_a_run_that_its_author_ended_is_no_baseline_either(ended):
    found = ended(EXIT.format(code=0) + OTHER)
    assert found.run.interrupted == "pytest.exit: enough"
    assert "it ended early" in may_accept(found.run)
    assert may_accept(ended(OTHER).run) is None


CRASH = """
def pytest_runtest_logfinish(nodeid):
    if "test_1" in nodeid:
        raise ValueError("broken on purpose")
"""


def test_a_crashed_session_is_red_and_says_of_what_it_crashed(suite):
    found = Ended(suite(HEAD + OWN.format(mark="", body="pass") + OTHER, FAKE_MACHINE + CRASH))
    assert found.result.ret == found.judge_code == found.run.exit_status == 3
    assert found.tone == "bad" and "INTERNALERROR: ValueError: broken on purpose" in found.headline


def test_a_file_that_cant_be_collected_is_red_where_pytest_goes_on(suite):
    pytester = suite(HEAD)
    (pytester.path / "bench" / "test_broken.py").write_text("import no_such_module")
    found = Ended(pytester, "--continue-on-collection-errors")
    assert (found.result.ret, found.judge_code, found.tone) == (1, 1, "bad")
    assert "test_broken.py" in found.judged


XFAILED = """
import pytest
from dlcv04 import claim, reference_everywhere

@pytest.mark.xfail(reason="known")
@claim("The short arm is slower", control=reference_everywhere("short"))
def test_wrong(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.short, than=times.long, by=1.10)
"""


def test_xfail_never_excuses_what_regressed(suite):
    pytester = suite(XFAILED)
    store(pytester)
    result, block = run_block(pytester, "--benchmark-compare")
    assert result.ret == 0 and block["claims"][0]["expected"] == "known"
    result, block = run_block(suite(XFAILED, with_slowdown(1.3)), "--benchmark-compare")
    assert result.ret == block["exit_status"] == 1
    assert {row["verdict"] for row in block["claims"][0]["comparisons"] if row["asserted"]} == {"REGRESSED"}
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*REGRESSED: *"])


def test_a_control_is_judged_whatever_its_claim_is_expected_to_do(suite):
    broken = XFAILED.replace("times.short, than=times.long", "times.long, than=times.short")
    strict = broken.replace('reason="known"', 'reason="known", strict=True')
    result, block = run_block(suite(strict), "--dl-controls")
    words = [claim["control_verdict"] for claim in block["claims"]]
    assert words == ["", "BROKE"]
    result.assert_outcomes(failed=1, passed=1)  # the claim holds, which strict xfail fails; its control broke it


MADE_TO_PASS = """
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome = "passed"
    return report
"""


def test_a_violated_claim_fails_also_where_a_plugin_lets_every_test_pass(suite):
    found = Ended(suite(HEAD + RED_THEN, FAKE_MACHINE + MADE_TO_PASS))
    assert (found.result.ret, found.judge_code, found.tone) == (1, 1, "bad")
    found.result.assert_outcomes(passed=1, failed=1)


FAILED_BY_A_PLUGIN = """
@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    done = yield
    item.session.testsfailed += 1
    return done
"""


def test_a_failure_that_a_plugin_counted_is_red_everywhere(suite):
    found = Ended(suite(HEAD, FAKE_MACHINE + FAILED_BY_A_PLUGIN))
    assert (found.result.ret, found.judge_code, found.tone) == (1, 1, "bad")
    assert "a failed test that has no record" in found.judged


HIDES = """
def pytest_sessionfinish(session):
    {}
"""


@pytest.mark.parametrize("how", ["session.exitstatus = 0", "pytest.exit('all is well', returncode=0)"])
def test_a_hook_that_ends_the_session_with_0_makes_no_red_run_green(suite, how):
    found = Ended(suite(HEAD + RED_THEN, FAKE_MACHINE + HIDES.format(how)))
    assert (found.result.ret, found.judge_code, found.tone) == (1, 1, "bad")


def test_ctrl_c_between_two_tests_is_an_interruption(suite):
    between = "\ndef pytest_runtest_logfinish(nodeid):\n    raise KeyboardInterrupt\n"
    found = Ended(suite(HEAD + OTHER, FAKE_MACHINE + between))
    assert (found.result.ret, found.judge_code, found.tone) == (2, 2, "unsure")
    assert found.run.not_run == ["bench/test_it.py::test_2_later"]
