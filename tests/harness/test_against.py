"""`--dl-against REV`: two trees in alternating fresh processes, on a machine whose clock is ours."""

import json
import math
import statistics
import sys

import pytest

from tests.conftest import FAKE_MACHINE, SUITE, Repository

TWO = (
    SUITE
    + """
@claim("The same again", control=reference_everywhere("short"))
def test_again(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.3))
    claim.slower(times.long, than=times.short, by=1.10)
"""
)
#: Each process draws its own noise.
LIVELY = FAKE_MACHINE.replace("random.Random(1)", "random.Random()")


def slowed(ratio, machine=LIVELY):
    return machine.replace("SLOWDOWN = 1.0", f"SLOWDOWN = {ratio}")


@pytest.fixture
def repository(suite):
    """A committed suite."""
    made = Repository(suite(TWO, LIVELY))
    made.commit()
    return made


def against(repository, *options, rev="HEAD"):
    arguments = ("bench", f"--dl-against={rev}", "--benchmark-json=run.json", *options)
    result = repository.pytester.runpytest_subprocess(*arguments)
    path = repository.path / "run.json"
    run = json.loads(path.read_text())["dlcv04"] if path.exists() else None
    return result, run


def verdicts(run):
    return {
        f"{claim['test'].split('::')[1]}<{row['arm']}>": row["verdict"]
        for claim in run["claims"]
        for row in claim["comparisons"]
    }


def test_unchanged_code_passes_and_its_rounds_are_kept(repository):
    result, run = against(repository)
    assert result.ret == 0, result.stdout.str()
    assert set(verdicts(run).values()) == {"PASS"} and len(verdicts(run)) == 4
    pairs = run["against"]["pairs"]
    assert {pair["pair"] for pair in pairs} >= {0, 1} and len(pairs[0]["new_seconds"]) == 20
    result.stdout.fnmatch_lines(
        [
            "*against HEAD: 2 timing tests in 2 to 8*",
            "*process pair 1 of 2 to 8*",
            "*4 of 4 figures pass against HEAD in * process pairs*",
        ]
    )
    report = (repository.path / "reports/latest.html").read_text()
    assert "between processes 2.5 % on 10 degrees of freedom" in report


def test_a_slowdown_in_the_working_tree_is_red_in_every_benchmark(repository):
    repository.change(slowed(1.2))
    result, run = against(repository)
    assert result.ret == 1
    assert set(verdicts(run).values()) == {"REGRESSED"}
    result.stdout.fnmatch_lines(["*REGRESSED: *seconds an epoch*"])


def test_a_speedup_is_told(repository):
    repository.change(slowed(0.8))
    result, run = against(repository)
    assert result.ret == 0 and set(verdicts(run).values()) == {"IMPROVED"}


def test_a_part_of_the_suite_has_the_same_share_of_the_budget(repository):
    _, whole = against(repository)
    _, part = against(repository, "-k", "again")
    assert whole["against"]["tests"] == part["against"]["tests"] == 2
    assert {pair["test"] for pair in part["against"]["pairs"]} == {"bench/test_it.py::test_again"}


def test_a_new_test_is_timed_by_nobody_and_the_others_are(repository):
    path = repository.path / "bench/test_it.py"
    path.write_text(path.read_text().replace("def test_again", "def test_new"))
    result, run = against(repository)
    assert result.ret == 0
    assert {name.split("<")[0] for name in verdicts(run)} == {"test_longer_is_slower"}


def test_arms_that_differ_are_left_out_and_the_next_test_is_timed(repository):
    path = repository.path / "bench/test_it.py"
    path.write_text(
        path.read_text()
        .replace("short=machine.arm(0.1), long=machine.arm(0.2)", "short=machine.arm(0.1), tall=machine.arm(0.2)")
        .replace("times.long, than=times.short, by=1.10)", "times.tall, than=times.short, by=1.10)", 1)
    )
    _, run = against(repository)
    assert set(verdicts(run)) >= {"test_again<short>", "test_again<long>"}
    assert "test_longer_is_slower<tall>" not in verdicts(run)


def test_the_working_tree_and_the_repository_are_left_as_they_were(repository):
    against(repository)
    assert len(repository.git("worktree", "list").splitlines()) == 1
    assert repository.git("status", "--short") == ""


def test_an_unknown_commit_is_a_usage_error(repository):
    result, _ = against(repository, rev="nonsense")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--dl-against nonsense: git knows no such commit*"])


def test_a_cut_self_test_is_a_usage_error_that_names_it(repository):
    folder = repository.path / "baselines/cpu-fake-2-cores/selftest"
    folder.mkdir(parents=True)
    (folder / "20261123T000000.json").write_text("{")
    result, _ = against(repository)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*20261123T000000.json can't be read*"])


def test_no_repository_is_a_usage_error(suite):
    result = suite().runpytest_subprocess("bench", "--dl-against=HEAD")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*in no git repository*"])


def test_no_git_is_a_usage_error_in_one_sentence(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    result, _ = against(repository)
    assert result.ret == 4
    told = "ERROR: --dl-against HEAD: git is not installed, so there is nothing to compare with."
    assert told in result.stderr.str().splitlines()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_hook_may_compare_with_the_last_commit(repository):
    hook = repository.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m pytest bench --dl-against HEAD -k again\n")
    hook.chmod(0o755)
    repository.change(LIVELY + "\n# Changed.\n")
    repository.git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-am", "y")
    assert (repository.path / "reports/latest.html").exists(), "the hook has run"
    assert repository.git("diff", "--name-only", "HEAD~1", "HEAD") == "conftest.py"
    assert repository.git("status", "--short") == ""
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_a_worker_that_fails_ends_the_run_with_what_it_printed(repository):
    repository.change(LIVELY + "\nraise RuntimeError('broken on purpose')\n")
    repository.commit()
    repository.change(LIVELY)
    result, _ = against(repository)
    assert result.ret == 3
    assert "broken on purpose" in result.stdout.str() + result.stderr.str()
    assert "The process of the old code ended" in result.stdout.str() + result.stderr.str()


def test_a_commit_older_than_process_pairs_is_named(repository, monkeypatch):
    fake = repository.path / "fake"
    fake.mkdir()
    (fake / "pytest.py").write_text(
        "import sys; print('error: unrecognized arguments: --dl-round-server=3'); sys.exit(4)"
    )
    from dlcv04.harness.measuring.process_pairs import PairError, Side, run_pair

    old, new = Side("old", fake), Side("new", repository.path)
    with pytest.raises(PairError, match="too old to be paired"):
        list(run_pair(old, new, ["bench"], number=0))


def test_a_worker_has_no_variable_that_points_git_at_another_tree(repository, monkeypatch):
    fake = repository.path / "fake"
    fake.mkdir()
    (fake / "pytest.py").write_text("import os; print([name for name in os.environ if name.startswith('GIT_')])")
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository.path / ".git/index"))
    monkeypatch.setenv("GIT_SSH", "ssh")
    from dlcv04.harness.measuring.process_pairs import Side, Worker

    worker = Worker(Side("old", fake), [], fake / "log")
    worker.end()
    printed = (fake / "log").read_text()
    assert "GIT_SSH" in printed and "GIT_INDEX_FILE" not in printed


def test_a_slowdown_planted_in_one_arm_slows_that_arm_alone(repository):
    real_clock = LIVELY.replace("self.now += seconds * SLOWDOWN", "import time; time.sleep(seconds / 100); 0").replace(
        "clock=lambda: machine.now", "clock=__import__('time').perf_counter"
    )
    repository.change(real_clock)
    from dlcv04.harness.measuring.process_pairs import Side, run_pair
    from dlcv04.harness.measuring.round_server import PLANTED

    planted = {PLANTED: "bench/test_it.py::test_again<long>=1.0;bench/test_it.py::test_again<short>=0.0"}
    old, new = Side("old", repository.path), Side("new", repository.path, planted)
    found = list(run_pair(old, new, ["bench"], number=0, rounds=6, round_seconds=0.01))
    ratios = {(one.test.split("::")[1], one.arm): math.exp(statistics.median(one.log_ratios)) for one in found}
    assert ratios.pop(("test_again", "long")) > 1.6
    assert len(ratios) == 3 and max(ratios.values()) < 1.3
