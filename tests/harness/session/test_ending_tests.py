"""How a test ends in inner runs: verdicts, controls, comparisons with stored runs."""

import xml.etree.ElementTree as ElementTree

import pytest

from dlcv04.harness.judging import outcome
from dlcv04.harness.judging.replay import rejudge
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.reading import decode_run
from tests.conftest import FAKE_MACHINE, SUITE
from tests.harness.inner_runs import TWO_CLAIMS, run_block, store, with_slowdown

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


DECLARED = """
from dlcv04 import claim, planted, reference_everywhere

BY = 1.10
PAIRS = 8
FACTOR = 2

def alike(arm):
    FACTOR
    return arm

@claim("The long arm is slower", control=CONTROL, judged_from="smoke")
def test_longer_is_slower(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.long, than=times.short, by=BY, pairs=PAIRS)
"""


def asserted(claim):
    """The stored comparisons of figures that the claim is about."""
    return [row for row in claim["comparisons"] if row["asserted"]]


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

    def test_a_claim_below_its_profile_is_not_run_but_listed(self, suite):
        later = TWO_CLAIMS.replace('@claim("The longest arm is slower", ', '@claim("Later", judged_from="paper", ')
        result, block = run_block(suite(later), "--dl-controls", "--dl-strict")
        assert result.ret == 0
        result.assert_outcomes(passed=2, deselected=2)
        waiting = [claim for claim in block["claims"] if not claim["judged"]]
        assert [(claim["sentence"], claim["assertions"]) for claim in waiting] == [("Later", [])]
        result.stdout.fnmatch_lines(
            [
                "dlcv04: 1 claim waits for a larger profile (1 for paper): not run",
                "The only claim holds, 1 claim waits for a larger profile (1 for paper); 1 of 1 control broke*",
            ]
        )
        again = rejudge(decode_run(block, "the run"), None)
        assert outcome.exit_status(again, asked=False) == 0

    def test_a_run_whose_claims_all_wait_says_so(self, suite):
        pytester = suite(SUITE.replace("published=", 'judged_from="standard", published='))
        result = pytester.runpytest("bench")
        assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
        result.stdout.fnmatch_lines(["1 claim waits for a larger profile (1 for standard)."])

    def test_a_stored_claim_that_waits_now_is_stale(self, suite):
        """Else a claim could be taken out of every run without a word."""
        pytester = suite(TWO_CLAIMS)
        store(pytester, part="portable", processes=1)
        suite(TWO_CLAIMS.replace('@claim("The longest arm is slower", ', '@claim("Later", judged_from="paper", '))
        result = pytester.runpytest("bench", "--benchmark-compare")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*STALE*test_longest_is_slower*judged from smoke -> paper*"])

    def test_a_claim_that_another_backend_must_judge_is_not_run_but_listed(self, suite):
        elsewhere = 'judged_on={"jax gpu"}, elsewhere="XLA is slow on a CPU", '
        later = TWO_CLAIMS.replace('@claim("The longest arm is slower", ', f'@claim("Later", {elsewhere}')
        result, block = run_block(suite(later), "--dl-controls", "--dl-strict")
        assert result.ret == 0
        result.assert_outcomes(passed=2, deselected=2)
        waiting = [claim for claim in block["claims"] if not claim["judged"]]
        needs = "jax on a gpu (XLA is slow on a CPU)"
        assert [(claim["sentence"], claim["waits_for"]) for claim in waiting] == [("Later", needs)]
        result.stdout.fnmatch_lines(
            [
                "dlcv04: 1 claim waits for another backend or device: not run",
                "The only claim holds, 1 claim waits for another backend or device; 1 of 1 control broke*",
            ]
        )
        assert outcome.exit_status(rejudge(decode_run(block, "the run"), None), asked=False) == 0

    def test_a_stored_claim_that_another_backend_must_judge_now_is_stale(self, suite):
        pytester = suite(TWO_CLAIMS)
        store(pytester, part="portable", processes=1)
        elsewhere = 'judged_on={"jax gpu"}, elsewhere="slow", '
        suite(
            TWO_CLAIMS.replace(
                '@claim("The longest arm is slower", ', f'@claim("The longest arm is slower", {elsewhere}'
            )
        )
        result = pytester.runpytest("bench", "--benchmark-compare")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*STALE*test_longest_is_slower*judged on * on a cpu -> jax on a gpu*"])

    def test_a_claims_command_repeats_it_at_the_same_sizes(self, suite):
        """Of the same claim at smoke, or on other data, nothing of this run would come back."""
        pytester = suite()
        plain = f"pytest {run_block(pytester)[1]['claims'][0]['test']}"
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
        assert pytester.runpytest("bench", "--dl-controls").ret == pytest.ExitCode.NO_TESTS_COLLECTED
        _, block = run_block(pytester, "--dl-controls", "--dl-profile=standard")
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
        verdicts = [row["verdict"] for row in asserted(block["claims"][0])]
        assert verdicts == ["PASS", "PASS"]
        assert all(row["n_old"] == 5 for row in asserted(block["claims"][0]))

    def test_a_slowdown_of_all_arms_turns_the_test_red(self, suite):
        pytester = suite()
        store(pytester)
        result, block = run_block(suite(machine=with_slowdown(1.3)), "--benchmark-compare")
        assert result.ret == 1
        assert block["claims"][0]["verdict"] == "HOLDS"
        assert {row["verdict"] for row in asserted(block["claims"][0])} == {"REGRESSED"}
        result.stdout.fnmatch_lines(
            ["*may be slower than the stored times*", "*REGRESSED: *seconds an epoch: *stored, ratio 1.*"]
        )

    def test_a_slowdown_is_timed_again_in_fresh_processes_and_stored_with_them(self, suite):
        pytester = suite()
        store(pytester)
        _, block = run_block(suite(machine=with_slowdown(1.3)), "--benchmark-compare")
        assert {row["n_new"] for row in asserted(block["claims"][0])} == {3}
        assert [arm["name"] for arm in block["repeats"]] == ["short", "long"] * 2
        run = decode_run(block, "the run")
        stored = Store(pytester.path / "baselines").load(machine_class="cpu-fake-2-cores").as_stored(str)
        again = [row for row in rejudge(run, stored).comparisons if row.asserted]
        assert [row.verdict for row in again] == ["REGRESSED", "REGRESSED"]

    def test_a_comparison_that_the_ini_file_asks_for_ends(self, suite):
        pytester = suite()
        store(pytester)
        suite(machine=with_slowdown(1.3))
        pytester.makeini("[pytest]\naddopts = --benchmark-compare -q\n")
        _, block = run_block(pytester)
        assert {row["n_new"] for row in asserted(block["claims"][0])} == {3}

    def test_one_slow_process_is_not_red(self, suite):
        pytester = suite()
        store(pytester)
        here_alone = with_slowdown('1.0 if any("dl-record" in word for word in __import__("sys").argv) else 1.5')
        result, block = run_block(suite(machine=here_alone), "--benchmark-compare")
        rows = asserted(block["claims"][0])
        assert result.ret == 0 and {row["n_new"] for row in rows} == {3}
        assert {row["verdict"] for row in rows} == {"INCONCLUSIVE"}

    def test_a_fresh_process_that_fails_is_an_error_with_what_it_printed(self, suite):
        pytester = suite()
        store(pytester)
        broken = with_slowdown('1 / 0 if any("dl-record" in word for word in __import__("sys").argv) else 1.5')
        result, _ = run_block(suite(machine=broken), "--benchmark-compare")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*ZeroDivisionError*", "*was not timed in a fresh process*"])

    def test_a_time_that_no_change_of_code_makes_is_changed_and_red_if_strict(self, suite):
        pytester = suite()
        store(pytester)
        for options, code in ((), 0), (("--dl-strict",), 1):
            result, block = run_block(suite(machine=with_slowdown(0.6)), "--benchmark-compare", *options)
            assert result.ret == code
            assert {row["verdict"] for row in asserted(block["claims"][0])} == {"CHANGED"}

    def test_nothing_stored_ends_with_seven(self, suite):
        result, block = run_block(suite(), "--benchmark-compare")
        assert result.ret == 7
        assert {row["verdict"] for row in asserted(block["claims"][0])} == {"NO_BASELINE"}
        result.stdout.fnmatch_lines(["*dlcv04 baseline*Exit code 7*"])

    def test_another_machine_class_is_incomparable(self, suite):
        pytester = suite()
        store(pytester)
        other = FAKE_MACHINE.replace("cpu-fake-2-cores", "cpu-other-8-cores")
        result, block = run_block(suite(machine=other), "--benchmark-compare")
        assert result.ret == 7
        rows = asserted(block["claims"][0])
        assert {row["verdict"] for row in rows} == {"NO_BASELINE"}
        assert "cpu-fake-2-cores" in rows[0]["reason"]

    def test_fewer_than_five_processes_are_inconclusive(self, suite):
        pytester = suite()
        store(pytester, processes=2)
        _, block = run_block(pytester, "--benchmark-compare")
        rows = asserted(block["claims"][0])
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
        result, block = run_block(suite(SUITE.replace("by=1.10", "by=1.20")), "--benchmark-compare")
        assert result.ret == 1
        assert "STALE" in {row["verdict"] for row in asserted(block["claims"][0])}
        comment = SUITE.replace("    times =", '    """A docstring."""  # and a comment\n    times =')
        assert suite(comment).runpytest("bench", "--benchmark-compare").ret == 0

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("BY = 1.10", "BY = 1.20", "ORDER 1 margin 1.1 -> 1.2"),
            ("PAIRS = 8", "PAIRS = 20", "ORDER 1 pairs 8 -> 20"),
            ('"short"', '"long"', "the arm `short` stands in every arm's place"),
            ("FACTOR = 2", "FACTOR = 3", "the control's code"),
            ("return arm", "return [arm][0]", "the control's code"),
            ('judged_from="smoke"', 'judged_from="paper"', "judged from smoke -> paper"),
        ],
    )
    def test_whatever_a_claim_declares_is_held_against_what_is_stored(self, suite, old, new, said):
        """None of these stands in the test's own body."""
        control = 'planted("alike", alike)' if "code" in said else 'reference_everywhere("short")'
        source = DECLARED.replace("CONTROL", control)
        assert old in source
        store(suite(source))
        changed = suite(source.replace(old, new))
        result, block = run_block(changed, "--benchmark-compare")
        assert result.ret == 1
        rows = [*block["claims"][0]["comparisons"], *block["missing"]]
        (row,) = [row for row in rows if row["verdict"] == "STALE"]
        assert said in row["reason"]

    def test_selecting_tests_changes_no_verdict(self, suite):
        pytester = suite(TWO_CLAIMS)
        store(pytester)
        _, whole = run_block(pytester, "--benchmark-compare")
        _, part = run_block(pytester, "--benchmark-compare", "-k", "longest")
        detectable = {row["arm"]: row["minimum_detectable_effect"] for row in asserted(whole["claims"][1])}
        for row in asserted(part["claims"][0]):
            assert row["minimum_detectable_effect"] == pytest.approx(detectable[row["arm"]], rel=0.02)

    def test_a_cut_baseline_is_red_and_the_others_compare(self, suite):
        pytester = suite()
        store(pytester, processes=6)
        file = sorted((pytester.path / "baselines" / "cpu-fake-2-cores").glob("*.json"))[0]
        file.write_bytes(file.read_bytes()[:1000])
        result, block = run_block(pytester, "--benchmark-compare")
        assert result.ret == 1 and [row["verdict"] for row in block["missing"]] == ["MISSING"]
        assert asserted(block["claims"][0])[0]["n_old"] == 5
        result.stdout.fnmatch_lines([f"*MISSING: *{file.name} was cut or is not JSON*"])
