"""A time that looks slower than stored ones: process pairs against the stored commit decide, else three processes."""

import json
import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.judging import suspects
from dlcv04.harness.judging.comparisons import Context
from dlcv04.harness.judging.replay import rejudge
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.reading import decode_run
from dlcv04.harness.store.schema import Against, Commit, PairRounds, Recheck, to_builtins
from dlcv04.harness.store.stored import Stored
from tests.conftest import FAKE_MACHINE, SUITE, Repository
from tests.harness.inner_runs import TWO_CLAIMS, with_slowdown
from tests.harness.judging.records import KEY, TEST, a_claim, a_run, timed

CLASS = "cpu-fake-2-cores"
light = pytest.mark.usefixtures("light_processes")


#: The same machine without a calibrator, and quiet: a card.
FAKE_CARD = FAKE_MACHINE.replace("machine.calibrate", "None").replace("NOISE = 0.05", "NOISE = 0.01")


class Project:
    """A committed suite on the fake machine; `run` is a later run of it."""

    def __init__(self, suite, claims=SUITE, machine=FAKE_MACHINE):
        self.pytester = suite(claims, machine)
        self.repository = Repository(self.pytester)
        self.commit = self.repository.commit()

    def store(self, commit=""):
        """Five stored processes, of this commit or, said to be, of another."""
        assert self.pytester.runpytest("bench", "--benchmark-json=stored.json").ret == 0
        for number in range(5):
            document = json.loads((self.pytester.path / "stored.json").read_text())
            document["dlcv04"]["id"] += str(number)
            if commit:
                document["dlcv04"]["commit"] = to_builtins(Commit(id=commit))
            Store(self.pytester.path / "baselines").accept(document, part="timing", reason="x", commit=Commit())

    def run(self, *options):
        """What a comparing run printed and its record."""
        result = self.pytester.runpytest("bench", "--benchmark-compare", "--benchmark-json=run.json", *options)
        self.code, self.printed = result.ret, result.stdout.str()
        return decode_run(json.loads((self.pytester.path / "run.json").read_text())["dlcv04"], "the run")

    def judged_again(self, run):
        """The same run, judged from its file and the stored ones."""
        loaded = Store(self.pytester.path / "baselines").load(machine_class=CLASS)
        return rejudge(run, loaded.as_stored(lambda path: str(path.relative_to(self.pytester.path))))


@pytest.fixture
def project(suite):
    """A committed suite with five stored processes of that commit."""
    made = Project(suite)
    made.store()
    return made


def times(run):
    """The comparisons of times; what the claim asserts of them is compared too, and is not asserted."""
    return [row for row in run.comparisons if row.asserted]


def verdicts(run):
    return {row.verdict for row in times(run)}


@light
def test_a_machine_that_became_slower_is_not_red(project, monkeypatch):
    monkeypatch.setenv("FAKE_DRIFT", "1.4")
    run = project.run()
    assert project.code == 0, project.printed
    (recheck,) = run.rechecks
    assert recheck.against.commit == project.commit and {p.pair for p in recheck.against.pairs} == {0, 1}
    assert run.repeats == []
    for row in times(run):
        assert (row.verdict, row.n_new, row.gate) == ("PASS", 2, Policy().gate_against)
        assert row.first_look == pytest.approx(1.4, rel=0.05) and row.effect == pytest.approx(1.0, rel=0.02)
        assert row.minimum_detectable_effect > 1 and row.low < row.effect < row.high
        assert "the machine is slower than it was, not the code" in row.reason and "1 against 5 processes" in row.reason
        assert f"against {project.commit[:12]}" in row.method
    assert "may be slower than the stored times, so process pairs with" in project.printed
    lines = [line for line in project.printed.splitlines() if "process pairs decide" in line]
    assert len(lines) == 2 and all("PASS" in line and "MDE" in line and "n = 2 / 2" in line for line in lines)
    report = (project.pytester.path / "reports/latest.html").read_text()
    assert "process pairs decide: no slower than" in report and "Seemed slower" in report
    again = project.judged_again(run)
    assert to_builtins(again)["claims"] == to_builtins(run)["claims"] and again.exit_status == 0
    assert project.repository.git("worktree", "list").count("\n") == 0


def test_a_slowdown_in_the_code_is_red_by_the_pairs(project, monkeypatch):
    monkeypatch.setenv("FAKE_DRIFT", "1.1")
    project.repository.change(with_slowdown(1.3))
    run = project.run()
    assert project.code == 1 and verdicts(run) == {"REGRESSED"}
    for row in times(run):
        assert row.n_new in (2, 4) and row.effect == pytest.approx(1.3, rel=0.02)
        assert row.first_look == pytest.approx(1.43, rel=0.05)
        assert "slower than" in row.reason and "in the same minutes too" in row.reason
        assert "look at the code" in row.differences[0]
    assert run.repeats == [] and "ratio 1.30" in project.printed
    assert project.judged_again(run).comparisons == run.comparisons


def test_changed_software_is_decided_by_three_processes_and_may_be_red(project, monkeypatch):
    monkeypatch.setenv("FAKE_VERSION", "2")
    monkeypatch.setenv("FAKE_DRIFT", "1.4")
    run = project.run()
    assert project.code == 1 and verdicts(run) == {"REGRESSED"} and run.rechecks == []
    assert {row.n_new for row in times(run)} == {3}
    assert all("that changed: fake 1 -> 2" in row.reason for row in times(run))
    assert project.judged_again(run).comparisons == run.comparisons


@light
def test_a_plugin_of_the_command_line_is_not_taken_for_the_machine(project, monkeypatch):
    monkeypatch.setenv("FAKE_DRIFT", "1.4")
    project.pytester.makepyfile(further="")
    project.pytester.syspathinsert()
    run = project.run("-p", "further")
    assert run.rechecks == [] and verdicts(run) == {"REGRESSED"}
    assert "plugins none -> further" in times(run)[0].reason


def broken(project):
    """A commit whose suite can't be collected."""
    project.repository.change(FAKE_MACHINE + "\nraise RuntimeError('broken on purpose')\n")
    commit = project.repository.commit()
    project.repository.change(FAKE_MACHINE)
    return commit


def without_the_test(project):
    """A commit that lacks the file of the test."""
    path = project.pytester.path / "bench/test_it.py"
    text = path.read_text()
    path.unlink()
    commit = project.repository.commit()
    path.write_text(text)
    return commit


@pytest.mark.parametrize(
    ("commit", "said"),
    [
        (
            lambda project: "f" * 40,
            "git has no commit ffffffffffff here (a rewritten history, or a branch that was never fetched)",
        ),
        (broken, "The process of the old code ended with exit status 4."),
        (without_the_test, "has no such test"),
    ],
)
@light
def test_where_the_commit_cannot_be_paired_three_processes_decide(suite, monkeypatch, commit, said):
    project = Project(suite)
    project.store(commit(project))
    monkeypatch.setenv("FAKE_DRIFT", "1.4")
    run = project.run()
    (recheck,) = run.rechecks
    assert recheck.against is None and said in recheck.why
    assert project.code == 1 and verdicts(run) == {"REGRESSED"} and {row.n_new for row in times(run)} == {3}
    assert all(said in row.reason for row in times(run))
    assert project.judged_again(run).comparisons == run.comparisons
    if commit is broken:
        assert "broken on purpose" in project.printed


@light
def test_without_git_three_processes_decide(project, monkeypatch):
    monkeypatch.setenv("FAKE_DRIFT", "1.4")
    monkeypatch.setenv("PATH", "")
    run = project.run()
    (recheck,) = run.rechecks
    assert recheck.against is None and recheck.why == "git is not installed"
    assert project.code == 1 and verdicts(run) == {"REGRESSED"} and {row.n_new for row in times(run)} == {3}
    assert all("git is not installed" in row.reason for row in times(run))


@light
def test_pairs_that_against_has_run_already_are_not_run_again(project, monkeypatch):
    monkeypatch.setenv("FAKE_DRIFT", "1.4")
    run = project.run("--dl-against=HEAD")
    assert project.code == 0 and verdicts(run) == {"PASS"} and len(times(run)) == 4
    assert run.rechecks == [] and run.repeats == [] and project.printed.count("process pair 1 of") == 1
    assert [row.first_look is not None for row in times(run)] == [True, True, False, False]
    assert project.judged_again(run).comparisons == run.comparisons


@light
def test_a_part_of_the_suite_has_the_same_share_of_the_budget(suite, monkeypatch):
    project = Project(suite, TWO_CLAIMS)
    project.store()
    monkeypatch.setenv("FAKE_DRIFT", "1.4")
    run = project.run("-k", "longest")
    assert [found.against.gated for found in run.rechecks] == [4]


def pairs(ratio, count=2, arm="base", commit="a" * 40, noise=0.05, **fields):
    rng = random.Random(3)
    rounds = [
        PairRounds(
            test=TEST, arm=arm, pair=number, steps=2, images_per_step=128, old_seconds=[0.2] * 20,
            new_seconds=[0.2 * ratio * math.exp(rng.gauss(0, noise)) for _ in range(20)],
        )
        for number in range(count)
    ]  # fmt: skip
    known = {"process_sd": 0.025, "process_df": 10.0, "process_source": "prior", "gated": 1}
    return Against(**{"rev": commit[:12], "commit": commit, "tests": 1, "pairs": rounds, **known, **fields})


def stored(commits, ratio=1.0, software=None, dirty=False):
    runs = []
    for seed, commit in enumerate(commits):
        run = a_run(timed(0.2 * ratio, seed=seed + 100))
        environment = msgspec.structs.replace(run.environment, software=software or {"keras": "3.15.1"})
        known = {"commit": Commit(id=commit * 40, dirty=dirty), "environment": environment}
        runs.append((f"{seed}.json", msgspec.structs.replace(run, **known)))
    return Stored(timing=runs)


def judged(new, held, *rechecks, software=None, repeats=(), against=None, claim=None):
    context = Context(KEY, "cpu-x", held, Policy(), software or {"keras": "3.15.1"}, repeats, rechecks)
    (row,) = [
        r for r in suspects.settled(claim or a_claim(), [new], context, against) if r.metric == "seconds an epoch"
    ]
    return row


def recheck(*arguments, **options):
    return Recheck(test=TEST, against=pairs(*arguments, **options))


SLOW = timed(0.28, seed=1)


@pytest.mark.parametrize(
    ("ratio", "count", "verdict"),
    [(1.0, 2, "PASS"), (1.3, 2, "REGRESSED"), (0.7, 2, "IMPROVED"), (1.07, 8, "INCONCLUSIVE")],
)
def test_the_pairs_decide(ratio, count, verdict):
    noisy = {"process_sd": 0.06, "gated": 9} if verdict == "INCONCLUSIVE" else {}
    row = judged(SLOW, stored("aaaaa"), recheck(ratio, count, **noisy))
    assert (row.verdict, row.n_new) == (verdict, count)
    assert row.baselines == ["a" * 12, *(f"{i}.json" for i in range(5))]


def test_they_decide_on_a_machine_that_others_use_too():
    busy = msgspec.structs.replace(SLOW, contention=0.4)
    assert judged(busy, stored("aaaaa"), recheck(1.3)).verdict == "REGRESSED"
    assert judged(busy, stored("aaaaa"), recheck(1.0)).verdict == "PASS"


def test_without_a_suspicion_they_say_nothing():
    row = judged(timed(0.2, seed=1), stored("aaaaa"), recheck(1.3))
    assert (row.verdict, row.n_new, row.first_look) == ("PASS", 1, None)


def test_they_decide_a_slowdown_that_the_stored_times_let_pass():
    slower = timed(0.224, seed=1, noise=0.02)
    assert judged(slower, stored("aaaaa")).verdict == "PASS"
    assert judged(slower, stored("aaaaa"), recheck(1.2)).verdict == "REGRESSED"


def test_pairs_against_another_commit_decide_nothing():
    assert judged(SLOW, stored("bbbbb"), recheck(1.0)).n_new == 1
    assert judged(SLOW, stored("bbbbb"), recheck(1.0), against=pairs(1.3, commit="b" * 40)).verdict == "REGRESSED"


def test_of_two_stored_commits_that_were_paired_the_first_decides():
    both = [recheck(1.3, commit="b" * 40), recheck(1.0)]
    assert judged(SLOW, stored("aaabb"), *both).verdict == "PASS"
    assert judged(SLOW, stored("bbbaa"), *both).verdict == "REGRESSED"


def test_an_arm_that_the_pairs_lack_is_left_to_three_processes():
    repeats = [timed(0.28, seed=seed) for seed in (2, 3)]
    assert judged(SLOW, stored("aaaaa"), recheck(1.0, arm="other"), repeats=repeats).n_new == 3
    assert judged(SLOW, stored("aaaaa"), recheck(1.0), repeats=repeats).n_new == 2


@pytest.mark.parametrize(
    ("held", "software", "said"),
    [
        (stored("aaaaa", dirty=True), None, "uncommitted changes"),
        (stored(["", "", "", "", ""]), None, "no commit was stored"),
        (stored("aaaaa", software={"keras": "3.14.0"}), None, "keras 3.14.0 -> 3.15.1"),
        (stored("aaaaa"), {"keras": "3.15.1", "OMP_NUM_THREADS": "1"}, "OMP_NUM_THREADS unset -> 1"),
    ],
)
def test_why_they_may_not_decide_is_said(held, software, said):
    row = judged(SLOW, held, recheck(1.0), software=software)
    assert row.n_new == 1 and row.first_look is None
    assert "process pairs did not decide" in row.reason and said in row.reason


def test_a_changed_test_is_not_paired():
    changed = a_claim(source_hash="other")
    assert "the test itself changed" in judged(SLOW, stored("aaaaa"), recheck(1.0), claim=changed).reason


def test_another_kernel_is_the_machine_and_is_named():
    held = stored("aaaaa", software={"keras": "3.15.1", "kernel": "6.1"})
    row = judged(SLOW, held, recheck(1.0), software={"keras": "3.15.1", "kernel": "6.2"})
    assert row.verdict == "PASS" and "(kernel 6.1 -> 6.2)" in row.reason


def commits(arm, held):
    context = Context(KEY, "cpu-x", held, Policy(), {"keras": "3.15.1"})
    (found,) = suspects.suspects(a_claim(), [arm], context)
    return [commit[0] for commit in found.commits]


def test_a_drift_is_held_against_the_anchors_commit_and_a_lost_improvement_against_the_newest():
    """The anchor's commit, although the newest one is nearer: else 12 commits of +2 % would never show."""
    old, new = stored("aabbbccccd", 1.0).timing, stored("aabbbccccd", 1.3).timing
    drift, lost = [*old[:5], *new[5:]], [*new[:5], *old[5:]]
    assert commits(timed(0.30, seed=1), Stored(timing=drift))[0] == "a"
    assert commits(timed(0.27, seed=1), Stored(timing=lost))[0] == "d"


@light
def test_on_a_card_pairs_see_what_a_session_hides(suite, monkeypatch):
    project = Project(suite, machine=FAKE_CARD)
    project.store()
    monkeypatch.setenv("FAKE_DRIFT", "1.05")
    run = project.run()
    assert project.code == 0 and verdicts(run) == {"PASS"} and run.repeats == []
    monkeypatch.setenv("FAKE_DRIFT", "0.96")
    project.repository.change(FAKE_CARD.replace("SLOWDOWN = 1.0", "SLOWDOWN = 1.13"))
    run = project.run()
    assert project.code == 1 and verdicts(run) == {"REGRESSED"} and run.repeats == []
    assert all("in the same minutes too" in row.reason for row in times(run))
    assert project.judged_again(run).comparisons == run.comparisons


class TestOnACard:
    """Absolute times, and processes of one session: pairs decide whatever they don't exclude."""

    @staticmethod
    def timed(seconds=0.2, seed=7, noise=0.01, **fields):
        return timed(seconds, seed=seed, noise=noise, calibrator_seconds=[], **fields)

    def stored(self, commit="a" * 40, count=5):
        runs = [a_run(self.timed(seed=seed + 100)) for seed in range(count)]
        return Stored(
            timing=[(f"{i}.json", msgspec.structs.replace(run, commit=Commit(id=commit))) for i, run in enumerate(runs)]
        )

    @pytest.mark.parametrize("ratio", [1.0, 1.1, 1.13, 1.6])
    def test_pairs_decide_each_way(self, ratio):
        arm = self.timed(0.2 * ratio)
        for of_pairs, verdict in ((1.0, "PASS"), (1.1, "REGRESSED")):
            row = judged(arm, self.stored(), recheck(of_pairs, 4, noise=0.01, gated=3))
            assert (row.verdict, row.n_new) == (verdict, 4)

    def test_without_pairs_the_stored_processes_decide_and_say_what_they_see(self):
        slightly, much = (judged(self.timed(0.2 * ratio), self.stored(commit="")) for ratio in (1.05, 1.9))
        assert (slightly.verdict, much.verdict) == ("PASS", "REGRESSED")
        for row in (slightly, much):
            assert "process pairs did not decide: no commit was stored" in row.reason
            assert "the stored processes alone see a slowdown of 1." in row.reason
            assert "5 stored processes of 1 session; between-session sd 7.5%" in row.method

    def test_a_time_far_below_is_not_paired(self):
        context = Context(KEY, "cpu-x", self.stored(), Policy())
        assert suspects.suspects(a_claim(), [self.timed(0.16)], context) == []

    def test_slow_last_rounds_are_red_whatever_pairs_say_of_the_level(self):
        arm = self.timed()
        late = [seconds * (1.5 if i >= 7 else 1) for i, seconds in enumerate(arm.round_seconds)]
        row = judged(msgspec.structs.replace(arm, round_seconds=late), self.stored(), recheck(1.0, noise=0.01))
        assert row.verdict == "REGRESSED" and "the last third of its rounds over the first is 1.5" in row.reason


def test_the_stored_times_share_the_budget():
    few, many = (judged(SLOW, stored("aaaaa"), recheck(1.0, gated=gated)) for gated in (1, 60))
    assert many.minimum_detectable_effect > few.minimum_detectable_effect


finite = st.floats(1e-6, 1e6)


def seconds(count):
    return st.lists(st.floats(1e-9, 1e9), min_size=count, max_size=count)


rounds = st.integers(1, 3).flatmap(
    lambda count: st.builds(
        PairRounds, test=st.text(max_size=5), arm=st.text(max_size=5), pair=st.integers(0, 7), steps=st.integers(1, 9),
        images_per_step=st.integers(1, 512), old_seconds=seconds(count), new_seconds=seconds(count),
    )
)  # fmt: skip


rechecks = st.builds(
    Recheck, test=st.text(max_size=5), why=st.text(max_size=9),
    against=st.none() | st.builds(
        Against, rev=st.text(max_size=5), commit=st.text(max_size=5), tests=st.integers(1, 99), process_sd=finite,
        process_df=finite, process_source=st.text(max_size=5), pairs=st.lists(rounds, max_size=2),
        gated=st.integers(0, 99),
    ),
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(found=st.lists(rechecks, max_size=2))
def test_what_was_done_goes_through_a_file_unchanged(found):
    run = msgspec.structs.replace(a_run(timed()), rechecks=found)
    text = json.dumps(to_builtins(run), allow_nan=False)
    assert decode_run(json.loads(text), "file") == run


def test_a_file_from_before_there_were_rechecks_is_read_and_judged():
    block = to_builtins(a_run(msgspec.structs.replace(SLOW, round_index=list(range(10)))))
    del block["rechecks"]
    for row in (row for claim in block["claims"] for row in claim["comparisons"]):
        del row["first_look"]
    run = decode_run(block, "an older file")
    (row,) = times(rejudge(run, stored("aaaaa")))
    assert run.rechecks == [] and row.verdict == "INCONCLUSIVE"
