"""`--dl-against REV`: two trees in alternating fresh processes, on a machine whose clock is ours."""

import sys

from tests.harness.two_trees import LIVELY, against, verdicts


def test_unchanged_code_passes_and_its_rounds_are_kept(committed):
    result, run = against(committed)
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
    report = (committed.path / "reports/latest.html").read_text()
    assert "between processes 2.5 % on 10 degrees of freedom" in report


def test_a_new_test_is_timed_by_nobody_and_the_others_are(committed):
    path = committed.path / "bench/test_it.py"
    path.write_text(path.read_text().replace("def test_again", "def test_new"))
    result, run = against(committed)
    assert result.ret == 0
    assert {name.split("<")[0] for name in verdicts(run)} == {"test_longer_is_slower"}


def test_arms_that_differ_are_left_out_and_the_next_test_is_timed(committed):
    path = committed.path / "bench/test_it.py"
    path.write_text(
        path.read_text()
        .replace("short=machine.arm(0.1), long=machine.arm(0.2)", "short=machine.arm(0.1), tall=machine.arm(0.2)")
        .replace("times.long, than=times.short, by=1.10)", "times.tall, than=times.short, by=1.10)", 1)
    )
    _, run = against(committed)
    assert set(verdicts(run)) >= {"test_again<short>", "test_again<long>"}
    assert "test_longer_is_slower<tall>" not in verdicts(run)


def test_the_working_tree_and_the_repository_are_left_as_they_were(committed):
    against(committed)
    assert len(committed.git("worktree", "list").splitlines()) == 1
    assert committed.git("status", "--short") == ""


def test_an_unknown_commit_is_a_usage_error(committed):
    result, _ = against(committed, rev="nonsense")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--dl-against nonsense: git knows no such commit*"])


def test_a_cut_self_test_is_a_usage_error_that_names_it(committed):
    folder = committed.path / "baselines/cpu-fake-2-cores/selftest"
    folder.mkdir(parents=True)
    (folder / "20261123T000000.json").write_text("{")
    result, _ = against(committed)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*20261123T000000.json can't be read*"])


def test_no_repository_is_a_usage_error(suite):
    result = suite().runpytest_subprocess("bench", "--dl-against=HEAD")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*in no git repository*"])


def test_no_git_is_a_usage_error_in_one_sentence(committed, monkeypatch):
    monkeypatch.setenv("PATH", "")
    result, _ = against(committed)
    assert result.ret == 4
    told = "ERROR: --dl-against HEAD: git is not installed, so there is nothing to compare with."
    assert told in result.stderr.str().splitlines()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_hook_may_compare_with_the_last_commit(committed):
    hook = committed.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m pytest bench --dl-against HEAD -k again\n")
    hook.chmod(0o755)
    committed.change(LIVELY + "\n# Changed.\n")
    committed.git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-am", "y")
    assert (committed.path / "reports/latest.html").exists(), "the hook has run"
    assert committed.git("diff", "--name-only", "HEAD~1", "HEAD") == "conftest.py"
    assert committed.git("status", "--short") == ""
    assert len(committed.git("worktree", "list").splitlines()) == 1


def test_a_worker_that_fails_ends_the_run_with_what_it_printed(committed):
    committed.change(LIVELY + "\nraise RuntimeError('broken on purpose')\n")
    committed.commit()
    committed.change(LIVELY)
    result, _ = against(committed)
    assert result.ret == 3
    assert "broken on purpose" in result.stdout.str() + result.stderr.str()
    assert "The process of the old code ended" in result.stdout.str() + result.stderr.str()
