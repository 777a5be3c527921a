"""What is red, what is open, and the exit code: live, `dlcv04 judge` and the report agree over the whole grid."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest
from typer.testing import CliRunner

from dlcv04 import cli
from dlcv04.harness import plugin
from dlcv04.harness.judging import outcome, replay
from dlcv04.harness.report import model
from dlcv04.harness.session import ending_tests
from dlcv04.harness.store.schema import LEARNING, SECONDS, Claim, Comparison
from tests.harness.report.sample import changed, empty_run

VERDICTS = ("HOLDS", "VIOLATED", "INCONCLUSIVE")
COMPARISONS = ("PASS", "REGRESSED", "IMPROVED", "CHANGED", "INCONCLUSIVE", "NO_BASELINE", "MISSING", "STALE")
CONTROLS = ("BROKE", "SURVIVED", "CONTROL_WEAK", "NOT RUN")
TONES = {"red": "bad", "yellow": "unsure"}


def a_row(verdict, metric=SECONDS):
    return Comparison(
        test="bench/test_a.py::test_a", arm="a", metric=metric, direction="lower", unit="ratio", new=1.0, old=1.0,
        effect=1.0, low=0.9, high=1.1, gate=1.1, minimum_detectable_effect=1.1, n_new=5, n_old=5, verdict=verdict,
        method="m", reason="r",
    )  # fmt: skip


def a_kind(kind, verdict, *, stored):
    """A row of a figure of this kind that a claim asserts; where nothing is comparable, `stored` says if any is."""
    files = ["baselines/other/0001_run.json"] if stored else []
    return msgspec.structs.replace(a_row(verdict), kind=kind, asserted=True, baselines=files)


CHANGED = a_row("CHANGED", LEARNING)
ROWS = [
    [],
    *([a_row(verdict)] for verdict in COMPARISONS),
    [a_row("INCONCLUSIVE"), a_row("INCONCLUSIVE", LEARNING)],
    [a_row("PASS"), a_row("NO_BASELINE", LEARNING)],
    [a_row("REGRESSED"), a_row("INCONCLUSIVE", LEARNING)],
    [a_row("PASS"), CHANGED],
    [a_row("INCONCLUSIVE"), CHANGED],
    [a_row("NO_BASELINE"), a_row("NO_BASELINE", LEARNING)],
]


def a_claim(verdict="HOLDS", rows=(), **fields):
    values = {"sentence": "It holds", "reason": "why", "judged_from": "paper", "command": "pytest"}
    return Claim(test="bench/test_a.py::test_a", verdict=verdict, comparisons=list(rows), **{**values, **fields})


def a_control(control_verdict, verdict="VIOLATED", lacking=()):
    control = a_claim(verdict, is_control=True, control_verdict=control_verdict, lacking=list(lacking), control="other")
    return msgspec.structs.replace(control, test="bench/test_a.py::test_a[control]")


REAL = [a_claim(*found, judged=judged) for *found, judged in itertools.product(VERDICTS, ROWS, (True, False))]
EXPECTED = [a_claim(*found, expected="known") for found in itertools.product(VERDICTS, ROWS)]
TRIED = [a_control(*found) for found in itertools.product(CONTROLS, VERDICTS, ([], ["weights are missing"]))]
GRID = [*REAL, *EXPECTED, *TRIED]


def colour(claim, strict):
    """What the manual says, in other words than the program."""
    if claim.is_control:
        weak = "red" if strict and not claim.lacking else "yellow"
        return {"BROKE": "green", "CONTROL_WEAK": weak}.get(claim.control_verdict, "red")
    words = {claim.verdict} if claim.judged else {"NOT JUDGED"}
    words |= {row.verdict for row in claim.comparisons}
    expected = {"VIOLATED"} if claim.expected else set()
    if (words - expected) & {"REGRESSED", "VIOLATED", "MISSING", "STALE"}:
        return "red"
    if words & {"VIOLATED", "INCONCLUSIVE", "CHANGED"}:
        return "red" if strict else "yellow"
    compared = {row.verdict for row in claim.comparisons}
    alone = compared and compared == {"NO_BASELINE"}
    return "grey" if alone or not claim.judged else "green"


def has_nothing_to_compare(claims):
    rows = [row for claim in claims for row in claim.comparisons]
    return all(row.verdict == "NO_BASELINE" for row in rows)


def a_run(*claims, **fields):
    return changed(empty_run(), claims=list(claims), **fields)


class TestGrid:
    @pytest.mark.parametrize("strict", [False, True])
    def test_every_claim_has_the_colour_that_is_promised(self, strict):
        for claim in GRID:
            assert outcome.of_test(claim, strict=strict).colour == colour(claim, strict), claim

    @pytest.mark.parametrize("strict", [False, True])
    @pytest.mark.parametrize("asked", [False, True])
    @pytest.mark.parametrize("missing", [[], [a_row("MISSING")]])
    @pytest.mark.parametrize("failures", [[], ["bench/test_a.py::test_b: ValueError: no"]])
    def test_the_report_is_red_exactly_where_the_exit_code_is_1(self, strict, asked, missing, failures):
        for claim in GRID:
            run = a_run(claim, strict=strict, missing=missing, failures=failures)
            found, shown = outcome.exit_status(run, asked=asked), model.build(run)
            red = bool(missing or failures) or colour(claim, strict) == "red"
            nothing = 7 if asked and has_nothing_to_compare(run.claims) else 0
            assert found == (1 if red else nothing), claim
            assert (shown.headline.tone == "bad") == red, claim
            assert (shown.headline.tone == "unsure") == (not red and colour(claim, strict) == "yellow"), claim

    @pytest.mark.parametrize("strict", [False, True])
    def test_a_red_report_says_what_is_red_and_an_undecided_one_what_is_open(self, strict):
        for claim in GRID:
            view = model.build(a_run(claim, strict=strict))
            worst = next(
                (c.badge.tone for tone in ("bad", "unsure") for c in view.concerns if c.badge.tone == tone), ""
            )
            assert worst == TONES.get(colour(claim, strict), ""), claim
            counted = {tile.tone for tile in view.tiles} & {"bad", "unsure"}
            assert counted == {concern.badge.tone for concern in view.concerns}, claim

    @pytest.mark.parametrize("strict", [False, True])
    @pytest.mark.parametrize("lost", [[], ["times"], ["learning"], ["exact"], ["times", "learning"]])
    def test_a_kind_that_was_gated_and_had_nothing_to_be_held_against_is_no_green_tick(self, lost, strict):
        """Live, report and `judge` ask the same functions; a kind of which nothing is stored is none that is lost."""
        names = {"times": "time", "learning": "figure of learning", "exact": "exact figure"}
        kinds = [a_kind(kind, "NO_BASELINE" if kind in lost else "PASS", stored=True) for kind in names]
        new = [a_kind(kind, "NO_BASELINE", stored=False) for kind in names]
        for claim in REAL:
            run = a_run(claim, a_claim(rows=[*kinds, *new]), strict=strict)
            found, view = outcome.exit_status(run, asked=True), model.build(run)
            red, open_ = (colour(claim, strict) == wanted for wanted in ("red", "yellow"))
            assert outcome.lost_kinds(run) == lost
            assert found == (1 if red else 7 if lost and strict else 0), claim
            assert view.headline.tone == ("bad" if red else "unsure" if lost or open_ else "good"), claim
            said = f"No {' and no '.join(names[kind] for kind in lost)} could be compared"
            assert view.headline.text.startswith(said) == bool(lost)
            assert any(concern.title == said for concern in view.concerns) == bool(lost)

    @pytest.mark.parametrize("strict", [False, True])
    def test_an_interrupted_run_is_undecided_at_best_and_keeps_its_exit_code(self, strict):
        for claim in GRID:
            for code in (0, 2, 3, 42):
                run = a_run(
                    claim, strict=strict, interrupted="Ctrl-C", not_run=["bench/test_a.py::test_b"], exit_status=code
                )
                red = strict or colour(claim, strict) == "red"
                assert outcome.exit_status(run, asked=False) == (code or int(red)), claim
                view = model.build(run)
                assert view.headline.tone == ("bad" if red else "unsure"), claim
                assert "interrupted (Ctrl-C), 1 test not run to the end: test_b" in view.headline.text

    @pytest.mark.parametrize("strict", [False, True])
    @pytest.mark.parametrize("failures", [[], ["bench/test_a.py::test_b: ValueError: no"]])
    def test_a_bisection_blames_no_commit_for_what_is_open_or_failed_otherwise(self, strict, failures):
        for claim in GRID:
            run = a_run(claim, strict=strict, failures=failures)
            code = outcome.exit_status(run, asked=False)
            words = {claim.verdict} if claim.judged and not claim.expected else set()
            words |= {row.verdict for row in claim.comparisons}
            bad = words & {"VIOLATED", "REGRESSED", *(["CHANGED"] if strict else [])} and not claim.is_control
            held = not failures and claim.judged and not claim.is_control and colour(claim, strict) in ("green", "grey")
            assert outcome.bisect_status(run, code) == (1 if bad else 0 if held else 125), claim
            assert outcome.bisect_status(run, 3) == 125

    def test_a_bisection_learns_nothing_of_a_session_without_claims_or_without_what_was_stored(self):
        assert outcome.bisect_status(None, 0) == outcome.bisect_status(a_run(), 0) == 125
        lost = a_run(a_claim(rows=[a_kind("times", "NO_BASELINE", stored=True), a_kind("exact", "PASS", stored=True)]))
        assert outcome.exit_status(lost, asked=True) == 0 and outcome.bisect_status(lost, 0) == 125
        assert outcome.bisect_status(a_run(a_claim(), interrupted="Ctrl-C"), 0) == 125
        assert outcome.bisect_status(a_run(a_claim()), 0) == 0

    def test_a_violated_claim_below_its_profile_explains_no_failure(self):
        below = a_claim("VIOLATED", judged=False)
        run = a_run(below, failures=[below.test])
        assert "1 test ended with an error" in model.build(run).headline.text
        above = a_run(msgspec.structs.replace(below, judged=True), failures=[below.test])
        assert "ended with an error" not in model.build(above).headline.text


SUITE = """
import pytest
from dlcv04 import claim, reference_everywhere

@pytest.mark.parametrize("point", range({points}))
@claim("It holds", control=reference_everywhere("a"))
def test_a(point, claim):
    pass
"""


class Live:
    """Sessions whose claims end as the grid has it; `judge` and `report` read the runs that they saved."""

    def __init__(self, make_suite, monkeypatch):
        self._suite, self._monkeypatch = make_suite, monkeypatch
        # What is stored again stays as it was stored: only what becomes of it is under test.
        monkeypatch.setattr(replay, "_rejudged", lambda claim, *context: claim)

    def run(self, claims, *arguments):
        """Run one test a claim; return each test's report, and the session's exit code."""

        def ended(item, suite, *rest):
            claim = msgspec.structs.replace(claims[item.callspec.params["point"]], test=item.nodeid)
            if claim.is_control != ending_tests.items.is_control(item):
                claim = a_claim() if claim.is_control else a_control("BROKE")
            suite.add(msgspec.structs.replace(claim, test=item.nodeid), [])
            return claim

        self._monkeypatch.setattr(ending_tests, "_claim", ended)
        self._monkeypatch.setattr(ending_tests, "_control", ended)
        controls = any(claim.is_control for claim in claims)
        pytester = self._suite(SUITE.format(points=len(claims)))
        options = ["--benchmark-json=run.json", *(["--dl-controls"] if controls else []), *arguments]
        session = pytester.inline_run("bench", *options)
        reports = [one for one in session.getreports("pytest_runtest_logreport") if one.when == "call"]
        return [one for one in reports if one.nodeid.endswith("control]") == controls], int(session.ret)


@pytest.fixture
def live(suite, monkeypatch):
    return Live(suite, monkeypatch)


def judged_again(*options):
    return CliRunner().invoke(cli.app, ["judge", "run.json", *options]).exit_code


def reported():
    printed = CliRunner().invoke(cli.app, ["report", "run.json", "--format", "json"]).output
    return json.loads(printed)["headline"]["tone"]


def shown_as(report):
    """Outcome and letter as pytest's terminal shows them; "" where the letter is pytest's own."""
    status = plugin.pytest_report_teststatus(report)
    return report.outcome, status[1] if status else ""


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("red", [False, True])
@pytest.mark.parametrize("claims", [REAL, TRIED], ids=["claims", "controls"])
def test_live_judge_and_report_agree(live, claims, red, strict):
    chosen = [claim for claim in claims if (colour(claim, strict) == "red") == red]
    reports, code = live.run(chosen, *(["--dl-strict"] if strict else []))
    assert len(reports) == len(chosen)
    for claim, report in zip(chosen, reports, strict=True):
        found = outcome.of_test(claim, strict=strict)
        skipped = found.colour == "yellow" or found.word == "NOT JUDGED"
        letter = "" if red else outcome.LETTERS.get(found.word, ("", ""))[1]
        assert shown_as(report) == ("failed" if red else "skipped" if skipped else "passed", letter), claim
        assert report.dl_verdict == found.word
    assert code == judged_again(*(["--strict"] if strict else [])) == int(red)
    assert (reported() == "bad") == red


@pytest.mark.parametrize("strict", [False, True])
def test_where_nothing_is_comparable_all_three_say_so(live, strict):
    def fits(claim):
        return colour(claim, strict) != "red" and claim.comparisons and has_nothing_to_compare([claim])

    options = ["--strict"] if strict else []
    _, code = live.run([*filter(fits, REAL)], "--benchmark-compare", *(f"--dl-{name[2:]}" for name in options))
    assert code == 7 and judged_again("--against", "run.json", *options) == 7
    assert reported() != "bad"


def test_two_open_figures_of_a_claim_below_its_profile_are_red_under_strict_everywhere(live):
    """Live it was green, by `dlcv04 judge` red, and undecided in the report."""
    rows = [a_row("INCONCLUSIVE"), a_row("INCONCLUSIVE", LEARNING)]
    for verdict in VERDICTS:
        _, code = live.run([a_claim(verdict, rows, judged=False)], "--dl-strict")
        assert (code, judged_again("--strict"), reported()) == (1, 1, "bad")


BREAKING = """
import pytest
from dlcv04 import claim, reference_everywhere

@pytest.fixture
def broken(claim):
    {setup}
    yield
    {teardown}

@claim("It holds", control=reference_everywhere("a"))
def test_a(broken, claim):
    claim.exactly(1, 1, of="a")
    {body}
"""


@pytest.mark.parametrize("where", ["setup", "body", "teardown"])
@pytest.mark.parametrize("how", ["raise ValueError('no')", "pytest.fail('no')"])
def test_whatever_ends_a_test_is_red_in_all_three(suite, where, how):
    """A test that ends outside its verdict failed live alone: its run said nothing of it."""
    parts = {"setup": "pass", "body": "pass", "teardown": "pass", where: how}
    session = suite(BREAKING.format(**parts)).inline_run("bench", "--benchmark-json=run.json")
    assert (int(session.ret), judged_again(), reported()) == (1, 1, "bad")


def test_a_violated_claim_is_violated_first_whatever_else_is_red():
    """A run whose only failures are REGRESSED may be accepted."""
    row = a_row("REGRESSED")
    claim = Claim(test="t", sentence="x", verdict="VIOLATED", reason="y", comparisons=[row, row])
    found = outcome.of_claim(claim, strict=False)
    assert (found.word, found.colour) == ("VIOLATED", "red")
    assert [line.partition(":")[0] for line in found.text.splitlines()] == ["VIOLATED", "REGRESSED", "REGRESSED"]
