"""The judge's pytest plugin through its public door: inner runs of pytest, their outcomes and exit codes."""

import json
import xml.etree.ElementTree as ElementTree

import msgspec
import pytest

from dlcv04.harness.judging.replay import rejudge
from dlcv04.harness.store import selftests
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.reading import decode_run
from tests.conftest import FAKE_MACHINE, SUITE, accept_processes
from tests.harness.test_selftest import a_test

SLOWER_IS_FALSE = """
from dlcv04 import claim, reference_everywhere

@claim("The short arm is slower", control=reference_everywhere("short"))
def test_wrong(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.short, than=times.long, by=1.10)
"""
AT_THE_MARGIN = """
from dlcv04 import claim, reference_everywhere

@claim("The other arm is slower", control=reference_everywhere("one"))
def test_open(epoch_time, machine, claim):
    times = epoch_time(one=machine.arm(0.1), other=machine.arm(0.11))
    claim.slower(times.other, than=times.one, by=1.10)
"""
WEIGHTS_MISSING = """
from dlcv04 import claim, reference_everywhere

@claim("Trained weights are better", control=reference_everywhere("random"))
def test_trained(claim):
    claim.lacks("weights are missing: install them")
"""
TWO_CLAIMS = """
from dlcv04 import claim, reference_everywhere

@claim("The long arm is slower", control=reference_everywhere("short"))
def test_longer_is_slower(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.long, than=times.short, by=1.10)

@claim("The longest arm is slower", control=reference_everywhere("short"))
def test_longest_is_slower(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), longest=machine.arm(0.4))
    claim.slower(times.longest, than=times.short, by=1.10)
"""


def run_block(pytester, *arguments):
    result = pytester.runpytest("bench", "--benchmark-json=run.json", *arguments)
    return result, json.loads((pytester.path / "run.json").read_text())["dlcv04"]


def store(pytester, processes=5):
    assert pytester.runpytest("bench", "--benchmark-json=stored.json").ret == 0
    accept_processes(pytester.path, pytester.path / "stored.json", processes)


def with_slowdown(ratio):
    return FAKE_MACHINE.replace("SLOWDOWN = 1.0", f"SLOWDOWN = {ratio}")


class TestVerdicts:
    def test_a_true_claim_holds_and_is_green(self, suite):
        result, block = run_block(suite())
        assert result.ret == 0
        assert block["claims"][0]["verdict"] == "HOLDS"
        assertion = block["claims"][0]["assertions"][0]
        assert assertion["low"] > 1.10 and assertion["n"] >= 8 and 1.8 < assertion["effect"] < 2.2
        result.stdout.fnmatch_lines(["*1 claim, profile smoke, data: no data, on the CPU*about*s", "HOLDS*long arm*"])

    def test_a_false_claim_is_a_failed_test(self, suite):
        result, block = run_block(suite(SLOWER_IS_FALSE), "--junitxml=junit.xml")
        assert result.ret == 1
        assert block["claims"][0]["verdict"] == "VIOLATED"
        result.stdout.fnmatch_lines(["*VIOLATED: The short arm is slower*"])
        case = ElementTree.parse("junit.xml").getroot().find(".//testcase")
        assert case.find("failure") is not None
        properties = {p.get("name"): p.get("value") for p in case.iter("property")}
        assert properties["dl_verdict"] == "VIOLATED"

    def test_an_effect_at_the_margin_is_inconclusive_and_never_green(self, suite):
        pytester = suite(AT_THE_MARGIN)
        result, block = run_block(pytester, "--junitxml=junit.xml")
        assert result.ret == 0
        assert block["claims"][0]["verdict"] == "INCONCLUSIVE"
        assert block["claims"][0]["assertions"][0]["n"] == 60
        result.stdout.fnmatch_lines(["*1 inconclusive*"])
        assert "1 passed" not in result.stdout.str()
        case = ElementTree.parse("junit.xml").getroot().find(".//testcase")
        assert "INCONCLUSIVE" in case.find("skipped").get("message")

    def test_strict_fails_what_is_inconclusive(self, suite):
        result, _ = run_block(suite(AT_THE_MARGIN), "--dl-strict")
        assert result.ret == 1

    def test_a_claim_below_its_profile_shows_figures_and_no_verdict(self, suite):
        pytester = suite(SLOWER_IS_FALSE.replace("control=", 'judged_from="paper", control='))
        result, block = run_block(pytester, "--dl-strict")
        assert result.ret == 0
        assert block["claims"][0]["judged"] is False
        result.stdout.fnmatch_lines(["*1 figures only*"])

    def test_a_claims_command_repeats_it_at_the_same_sizes(self, suite):
        """Of the same claim at smoke, or on other data, nothing of this run would come back."""
        pytester = suite()
        plain = f"pytest '{run_block(pytester)[1]['claims'][0]['test']}'"
        assert run_block(pytester)[1]["claims"][0]["command"] == plain
        asked = ("--dl-profile=paper", "--dl-data=embedded", "--dl-device=cpu")
        _, block = run_block(pytester, *asked, "--dl-controls", "--dl-strict")
        assert block["claims"][0]["command"] == " ".join((plain, *asked))
        assert block["profile"] == "paper"

    def test_what_is_missing_leaves_a_claim_open_and_says_so(self, suite):
        pytester = suite(WEIGHTS_MISSING)
        result, block = run_block(pytester, "--dl-controls")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["*INCONCLUSIVE*weights are missing: install them*", "*1 inconclusive*"])
        real, control = block["claims"]
        assert (real["verdict"], real["lacking"]) == ("INCONCLUSIVE", ["weights are missing: install them"])
        assert control["control_verdict"] == "CONTROL_WEAK"
        again = rejudge(decode_run(block, "the run"), None)
        assert [claim.verdict for claim in again.claims] == ["INCONCLUSIVE", "INCONCLUSIVE"]
        assert pytester.runpytest("bench", "--dl-strict").ret == 1

    def test_a_control_below_its_claims_profile_is_not_run(self, suite):
        pytester = suite(SUITE.replace("published=", 'judged_from="standard", published='))
        result, block = run_block(pytester, "--dl-controls", "--dl-strict")
        assert result.ret == 0 and len(block["claims"]) == 1
        result, block = run_block(pytester, "--dl-controls", "--dl-profile=standard")
        assert [claim["is_control"] for claim in block["claims"]] == [False, True]

    def test_a_claim_may_ask_for_more_pairs_and_its_control_has_as_many(self, suite):
        pytester = suite(SUITE.replace("by=1.10)", "by=1.10, pairs=20)"))
        result, block = run_block(pytester, "--dl-controls")
        assert result.ret == 0
        assert [claim["assertions"][0]["n"] for claim in block["claims"]] == [20, 20]
        run = decode_run(block, "the run")
        assert [c.assertions for c in rejudge(run, None).claims] == [c.assertions for c in run.claims]
        assert run_block(suite(SUITE), "-q")[1]["claims"][0]["assertions"][0]["n"] == 8

    def test_more_pairs_than_a_claim_may_take_are_refused(self, suite):
        result = suite(SUITE.replace("by=1.10)", "by=1.10, pairs=61)")).runpytest("bench")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*takes 60 pairs at most*"])

    def test_a_failing_line_in_the_test_is_recorded(self, suite):
        result, block = run_block(suite(SLOWER_IS_FALSE + "    assert 1 == 2, 'own check'\n"))
        assert result.ret == 1
        assert "own check" in block["failures"][0]

    def test_arms_of_two_blocks_are_refused_with_a_sentence(self, suite):
        pytester = suite(
            SLOWER_IS_FALSE.replace(
                "claim.slower(times.short, than=times.long",
                """
    later = epoch_time(long=machine.arm(0.2))
    claim.slower(times.short, than=later.long""",
            )
        )
        result, _ = run_block(pytester)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*timed in two blocks*one epoch_time*"])

    def test_exitfirst_and_last_failed_see_the_verdict(self, suite):
        pytester = suite(SLOWER_IS_FALSE + TWO_CLAIMS)
        pytester.runpytest("bench", "-x").assert_outcomes(failed=1)
        pytester.runpytest("bench", "--lf").assert_outcomes(failed=1)


class TestControls:
    def test_a_control_breaks_a_real_claim_and_is_counted(self, suite):
        result, block = run_block(suite(), "--dl-controls")
        assert result.ret == 0
        control = block["claims"][1]
        assert control["is_control"] and control["control_verdict"] == "BROKE"
        assert control["assertions"][0]["n"] == block["claims"][0]["assertions"][0]["n"]
        result.stdout.fnmatch_lines(["*1 of 1 control broke its claim*"])

    def test_a_claim_that_survives_its_control_is_red(self, suite):
        pytester = suite(
            TWO_CLAIMS.replace('reference_everywhere("short")', "CONTROL").replace(
                "from dlcv04 import claim, reference_everywhere",
                "from dlcv04 import claim, planted\nCONTROL = planted('nothing at all', lambda arm: arm)",
            )
        )
        result, block = run_block(pytester, "--dl-controls")
        assert result.ret == 1
        assert [c["control_verdict"] for c in block["claims"] if c["is_control"]] == ["SURVIVED", "SURVIVED"]
        result.stdout.fnmatch_lines(["*CONTROL SURVIVED*"])

    def test_a_control_that_changed_nothing_did_not_run(self, suite):
        pytester = suite("""
from dlcv04 import claim, reference_everywhere

@claim("Two is two", control=reference_everywhere("one"))
def test_two(claim):
    claim.exactly(2, 2, of="two")
""")
        result, block = run_block(pytester, "--dl-controls")
        assert result.ret == 1
        assert block["claims"][1]["control_verdict"] == "NOT RUN"

    def test_an_uninformative_control_is_weak(self, suite):
        half = 'planted("a third longer", lambda arm: arm)'
        pytester = suite(
            AT_THE_MARGIN.replace('reference_everywhere("one")', half).replace("reference_everywhere", "planted")
        )
        result, block = run_block(pytester, "--dl-controls", "--dl-strict")
        assert result.ret == 1
        assert block["claims"][1]["control_verdict"] == "CONTROL_WEAK"


class TestComparing:
    def test_identical_code_passes_against_five_stored_processes(self, suite):
        pytester = suite()
        store(pytester)
        result, block = run_block(pytester, "--benchmark-compare")
        assert result.ret == 0
        verdicts = [row["verdict"] for row in block["claims"][0]["comparisons"]]
        assert verdicts == ["PASS", "PASS"]
        assert all(row["n_old"] == 5 for row in block["claims"][0]["comparisons"])

    def test_a_slowdown_of_all_arms_turns_the_test_red(self, suite):
        pytester = suite()
        store(pytester)
        result, block = run_block(suite(machine=with_slowdown(1.3)), "--benchmark-compare")
        assert result.ret == 1
        assert block["claims"][0]["verdict"] == "HOLDS"
        assert {row["verdict"] for row in block["claims"][0]["comparisons"]} == {"REGRESSED"}
        result.stdout.fnmatch_lines(
            ["*looks slower than what is stored*", "*REGRESSED: *seconds an epoch: *stored, ratio 1.*"]
        )

    def test_a_slowdown_is_timed_again_in_fresh_processes_and_stored_with_them(self, suite):
        pytester = suite()
        store(pytester)
        _, block = run_block(suite(machine=with_slowdown(1.3)), "--benchmark-compare")
        assert {row["n_new"] for row in block["claims"][0]["comparisons"]} == {3}
        assert [arm["name"] for arm in block["repeats"]] == ["short", "long"] * 2
        run = decode_run(block, "the run")
        stored = Store(pytester.path / "baselines").load(machine_class="cpu-fake-2-cores").as_stored(str)
        assert [row.verdict for row in rejudge(run, stored).comparisons] == ["REGRESSED", "REGRESSED"]

    def test_a_comparison_that_the_ini_file_asks_for_ends(self, suite):
        pytester = suite()
        store(pytester)
        suite(machine=with_slowdown(1.3))
        pytester.makeini("[pytest]\naddopts = --benchmark-compare -q\n")
        _, block = run_block(pytester)
        assert {row["n_new"] for row in block["claims"][0]["comparisons"]} == {3}

    def test_one_slow_process_is_not_red(self, suite):
        pytester = suite()
        store(pytester)
        here_alone = with_slowdown('1.0 if any("dl-record" in word for word in __import__("sys").argv) else 1.5')
        result, block = run_block(suite(machine=here_alone), "--benchmark-compare")
        rows = block["claims"][0]["comparisons"]
        assert result.ret == 0 and {row["n_new"] for row in rows} == {3}
        assert {row["verdict"] for row in rows} == {"INCONCLUSIVE"}

    def test_a_fresh_process_that_fails_is_an_error_with_what_it_printed(self, suite):
        pytester = suite()
        store(pytester)
        broken = with_slowdown('1 / 0 if any("dl-record" in word for word in __import__("sys").argv) else 1.5')
        result, _ = run_block(suite(machine=broken), "--benchmark-compare")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*ZeroDivisionError*", "*was not timed in a fresh process*"])

    def test_an_improvement_is_said(self, suite):
        pytester = suite()
        store(pytester)
        result, block = run_block(suite(machine=with_slowdown(0.6)), "--benchmark-compare")
        assert result.ret == 0
        assert {row["verdict"] for row in block["claims"][0]["comparisons"]} == {"IMPROVED"}

    def test_nothing_stored_ends_with_seven(self, suite):
        result, block = run_block(suite(), "--benchmark-compare")
        assert result.ret == 7
        assert {row["verdict"] for row in block["claims"][0]["comparisons"]} == {"NO_BASELINE"}
        result.stdout.fnmatch_lines(["*dlcv04 baseline*Exit code 7*"])

    def test_another_machine_class_is_incomparable(self, suite):
        pytester = suite()
        store(pytester)
        from tests.conftest import FAKE_MACHINE

        other = FAKE_MACHINE.replace("cpu-fake-2-cores", "cpu-other-8-cores")
        result, block = run_block(suite(machine=other), "--benchmark-compare")
        assert result.ret == 7
        rows = block["claims"][0]["comparisons"]
        assert {row["verdict"] for row in rows} == {"INCOMPARABLE"}
        assert "cpu-fake-2-cores" in rows[0]["reason"]

    def test_fewer_than_five_processes_are_inconclusive(self, suite):
        pytester = suite()
        store(pytester, processes=2)
        _, block = run_block(pytester, "--benchmark-compare")
        rows = block["claims"][0]["comparisons"]
        assert {row["verdict"] for row in rows} == {"INCONCLUSIVE"}
        assert "2 stored processes" in rows[0]["reason"]

    def test_a_stored_test_that_is_gone_fails_the_whole_suite_only(self, suite):
        pytester = suite(TWO_CLAIMS)
        store(pytester)
        gone = suite(TWO_CLAIMS.split('@claim("The longest')[0])
        result, block = run_block(gone, "--benchmark-compare")
        assert result.ret == 1
        assert [row["verdict"] for row in block["missing"]] == ["MISSING"]
        result.stdout.fnmatch_lines(["*MISSING*test_longest_is_slower*"])
        assert gone.runpytest("bench", "--benchmark-compare", "-k", "longer").ret == 0

    def test_changed_test_code_is_stale(self, suite):
        pytester = suite()
        store(pytester)
        from tests.conftest import SUITE

        result, block = run_block(suite(SUITE.replace("by=1.10", "by=1.20")), "--benchmark-compare")
        assert result.ret == 1
        assert "STALE" in {row["verdict"] for row in block["claims"][0]["comparisons"]}
        comment = SUITE.replace("    times =", '    """A docstring."""  # and a comment\n    times =')
        assert suite(comment).runpytest("bench", "--benchmark-compare").ret == 0

    def test_selecting_tests_changes_no_verdict(self, suite):
        pytester = suite(TWO_CLAIMS)
        store(pytester)
        _, whole = run_block(pytester, "--benchmark-compare")
        _, part = run_block(pytester, "--benchmark-compare", "-k", "longest")
        detectable = {row["arm"]: row["minimum_detectable_effect"] for row in whole["claims"][1]["comparisons"]}
        for row in part["claims"][0]["comparisons"]:
            assert row["minimum_detectable_effect"] == pytest.approx(detectable[row["arm"]], rel=0.02)

    def test_a_cut_baseline_is_named_and_the_others_compare(self, suite):
        pytester = suite()
        store(pytester, processes=6)
        file = sorted((pytester.path / "baselines" / "cpu-fake-2-cores").glob("*.json"))[0]
        file.write_bytes(file.read_bytes()[:1000])
        result, block = run_block(pytester, "--benchmark-compare")
        assert result.ret == 0
        assert block["claims"][0]["comparisons"][0]["n_old"] == 5
        result.stdout.fnmatch_lines([f"*{file.name}*"])


class TestOptions:
    def test_the_swallowed_path_is_refused(self, suite):
        result = suite().runpytest("--benchmark-compare", "bench")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*Put the path first: pytest bench --benchmark-compare*"])

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

    def test_a_suite_without_claims_keeps_pytest_benchmarks_own_comparison(self, suite):
        pytester = suite("def test_plain(benchmark): benchmark(lambda: 1)\n")
        assert pytester.runpytest("bench", "--benchmark-autosave").ret == 0
        result = pytester.runpytest("bench", "--benchmark-compare")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["*test_plain (NOW)*"])

    def test_a_run_that_only_counts_is_saved_too(self, suite):
        pytester = suite("""
from dlcv04 import claim, reference_everywhere

@claim("Two is two", control=reference_everywhere("one"))
def test_two(claim):
    claim.exactly(2, 2, of="two")
""")
        result, block = run_block(pytester, "--benchmark-autosave")
        assert result.ret == 0 and block["claims"][0]["verdict"] == "HOLDS"
        assert list((pytester.path / ".benchmarks").rglob("*.json"))


def test_the_report_is_written_and_its_path_printed(suite):
    pytester = suite()
    result = pytester.runpytest("bench", "--dl-report-dir=out")
    result.stdout.fnmatch_lines(["report: *out/*.html*"])
    assert "The long arm is slower" in (pytester.path / "out" / "latest.html").read_text()


def test_history_is_shown_without_a_comparison_and_judges_nothing(suite):
    pytester = suite()
    store(pytester)
    result, block = run_block(suite(machine=with_slowdown(1.5)))
    assert result.ret == 0 and block["compared_with"] == block["claims"][0]["comparisons"] == []
    page = (pytester.path / "reports" / "latest.html").read_text()
    assert page.count('class="spark none"') == 2 and "+50" in page
    assert "This run was not compared with any stored run" in page and "<h1" in page
    assert "stored run" not in page[page.index("<h1") : page.index("</h1>")]


def test_ctrl_c_before_the_first_claim_leaves_the_last_report(suite):
    pytester = suite()
    assert pytester.runpytest_subprocess("bench").ret == 0
    page = pytester.path / "reports" / "latest.html"
    before = page.read_bytes()
    result = suite("def test_first():\n    raise KeyboardInterrupt\n\n\n" + SUITE).runpytest_subprocess("bench")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "report:" not in result.stdout.str()
    assert page.read_bytes() == before


def test_ctrl_c_after_a_claim_reports_that_claim(suite):
    stopped = SUITE + "\n\ndef test_stopped():\n    raise KeyboardInterrupt\n"
    pytester = suite(stopped)
    result = pytester.runpytest_subprocess("bench")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "The long arm is slower" in (pytester.path / "reports" / "latest.html").read_text()


def test_the_report_shows_the_machines_self_test_and_an_unreadable_one_is_said(suite):
    pytester = suite()
    result, block = run_block(pytester, "--dl-report-dir=out")
    page = pytester.path / "out" / "latest.html"
    assert "No self-test of this machine class" in page.read_text()
    test = msgspec.structs.replace(a_test(0.01), key=block["key"])
    machine = msgspec.structs.replace(test.environment, machine_class="cpu-fake-2-cores")
    stored = selftests.keep(msgspec.structs.replace(test, environment=machine), pytester.path / "baselines")
    pytester.runpytest("bench", "--dl-report-dir=out")
    assert "Spread between processes" in page.read_text()
    stored.write_text("{")
    result = pytester.runpytest("bench", "--dl-report-dir=out")
    result.stdout.fnmatch_lines(["*x.json can't be read*", "report: *"])
    assert result.ret == 0 and "No self-test of this machine class" in page.read_text()


def test_rows_of_the_arms_stand_in_pytest_benchmarks_table_and_file(suite):
    pytester = suite()
    result = pytester.runpytest("bench", "--benchmark-json=run.json")
    result.stdout.fnmatch_lines(["*test_longer_is_slower<short>*", "*test_longer_is_slower<long>*"])
    rows = json.loads((pytester.path / "run.json").read_text())["benchmarks"]
    assert [row["fullname"].split("<")[1] for row in rows] == ["short>", "long>"]
    assert all(len(row["stats"]["data"]) == row["stats"]["rounds"] >= 8 for row in rows)


def test_reruns_are_refused(suite):
    """As pytest-rerunfailures has it."""
    option = "def pytest_addoption(parser):\n    parser.addoption('--reruns', type=int)\n"
    result = suite(SUITE, FAKE_MACHINE + option).runpytest("bench", "--reruns=2")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--reruns would run a red claim again until it is green*"])
    assert suite(SUITE, FAKE_MACHINE + option).runpytest("bench").ret == 0


@pytest.mark.parametrize("hook", ["settrace", "setprofile"])
def test_a_tracer_is_not_timed(suite, hook):
    traced = SUITE.replace("    times =", f"    import sys; sys.{hook}(lambda *_: None)\n    times =")
    result = suite(traced).runpytest_subprocess("bench")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*A tracer is active (coverage, a profiler or a debugger)*"])


def test_a_tool_of_sys_monitoring_is_not_timed(suite):
    """As coverage and cProfile may be from Python 3.12 on."""
    fake = "NS(DEBUGGER_ID=0, COVERAGE_ID=1, PROFILER_ID=2, get_tool={1: 'coverage.py'}.get)"
    watched = f"    import sys; from types import SimpleNamespace as NS; sys.monitoring = {fake}\n    times ="
    result = suite(SUITE.replace("    times =", watched)).runpytest_subprocess("bench")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["A tracer is active (coverage, a profiler or a debugger)*"])
    assert "another exception" not in result.stdout.str()


def test_a_control_follows_its_claim_whoever_orders_the_tests(suite):
    """As pytest-randomly and pytest's own --ff may put it first, where it could not take its claim's n."""
    backwards = "\n\ndef pytest_collection_modifyitems(items):\n    items.reverse()\n"
    result, block = run_block(suite(TWO_CLAIMS, FAKE_MACHINE + backwards), "--dl-controls")
    names = [claim["test"].partition("::test_")[2] for claim in block["claims"]]
    assert names == [f"{name}{end}" for name in ("longest_is_slower", "longer_is_slower") for end in ("", "[control]")]
    assert result.ret == 0
    alone, _ = run_block(suite(), "--dl-controls", "-k", "control")
    alone.assert_outcomes(passed=1)
