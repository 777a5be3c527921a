"""The door to git: inside a hook, without git, with a git that refuses or hangs, and in the processes we start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlcv04.harness.machine import git
from dlcv04.harness.measuring import process_pairs
from dlcv04.harness.session import fresh_process
from tests.conftest import Repository
from tests.harness.test_suspects import Project

PROJECT = Path(__file__).parents[3]
HOOK = f"""#!{sys.executable}
import pathlib
from dlcv04.harness.machine import git

root = pathlib.Path.cwd()
with git.worktree(root, git.resolve(root, "HEAD")) as tree:
    assert (tree / "a.txt").read_text() == "old a", "the checkout is not that of HEAD"
"""


class HookedRepository:
    """Two files under git, both changed since; a real pre-commit hook checks HEAD out beside them."""

    def __init__(self, path):
        self.path = path
        self.git("init", "-q")
        for name in "ab":
            (path / f"{name}.txt").write_text(f"old {name}")
        self.git("add", ".")
        self.git("commit", "-qm", "first")
        for name in "ab":
            (path / f"{name}.txt").write_text(f"new {name}, and longer")
        hook = path / ".git/hooks/pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o755)

    def git(self, *arguments):
        """Run git as a person does; return what it prints."""
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments]
        return subprocess.run(
            command, cwd=self.path, env=environment, check=True, capture_output=True, text=True
        ).stdout.rstrip()


class TestInsideAHook:
    @pytest.mark.parametrize(
        ("arguments", "committed", "left"),
        [
            ([], ["a.txt"], " M b.txt"),
            (["-a"], ["a.txt", "b.txt"], ""),
            (["b.txt"], ["b.txt"], "M  a.txt"),
        ],
    )
    def test_a_commit_holds_what_was_to_be_committed(self, tmp_path, arguments, committed, left):
        repository = HookedRepository(tmp_path)
        repository.git("add", "a.txt")
        repository.git("commit", "-qm", "second", *arguments)
        assert repository.git("diff", "--name-only", "HEAD~1", "HEAD").splitlines() == committed
        for name in committed:
            assert repository.git("show", f"HEAD:{name}").startswith("new ")
        assert repository.git("status", "--porcelain") == left
        repository.git("fsck", "--strict")
        assert repository.git("worktree", "list").count("\n") == 0

    def test_every_variable_that_points_somewhere_is_dropped(self):
        """The two that stay carry settings: some machines allow a checkout with them (safe.directory)."""
        printed = subprocess.run(["git", "rev-parse", "--local-env-vars"], check=True, capture_output=True, text=True)
        settings = {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}
        assert set(printed.stdout.split()) - settings <= git.POINTING
        assert not settings & git.POINTING


#: Writes down which variables of git it was started with.
NOTE = """
import os, pathlib
pathlib.Path(__file__).with_name("noted").write_text(" ".join(name for name in os.environ if name.startswith("GIT_")))
"""


class TestProcessesStartedFromAHook:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        for name in list(os.environ):
            if name.startswith("GIT_"):
                monkeypatch.delenv(name)
        for name in ("GIT_INDEX_FILE", "GIT_DIR", "GIT_PREFIX", "GIT_CONFIG_PARAMETERS"):
            monkeypatch.setenv(name, "")
        (tmp_path / "conftest.py").write_text(NOTE)
        (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        return tmp_path

    def test_a_fresh_process_has_settings_and_no_pointers(self, folder):
        assert fresh_process.run(["test_nothing.py"], folder).code == 0
        assert (folder / "noted").read_text() == "GIT_CONFIG_PARAMETERS"

    def test_so_has_a_worker_of_a_pair_with_variables_of_its_own(self, folder):
        own = {"GIT_OWN": "1"}
        worker = process_pairs.Worker(process_pairs.Side("old", folder, own), ["test_nothing.py"], folder / "log")
        worker.process.wait(timeout=60)
        worker.end()
        assert set((folder / "noted").read_text().split()) == {"GIT_CONFIG_PARAMETERS", "GIT_OWN"}


class TestWithoutGit:
    @pytest.fixture
    def project(self, suite, tmp_path_factory, monkeypatch):
        made = Project(suite)
        made.store()
        monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("nothing")))
        return made

    def test_a_suspect_time_says_why_no_pairs_decide(self, project, monkeypatch):
        monkeypatch.setenv("FAKE_DRIFT", "1.4")
        run = project.run()
        assert [(one.against, one.why) for one in run.rechecks] == [
            (None, "git can't be asked: git is not installed, or not on PATH.")
        ]
        assert "FileNotFoundError" not in project.printed and run.failures == []

    def test_against_a_commit_is_one_sentence(self, project):
        result = project.pytester.runpytest_subprocess("bench", "--dl-against=HEAD")
        assert result.ret == 4
        result.stderr.fnmatch_lines(
            ["*--dl-against HEAD: git can't be asked about *: git is not installed, or not on*"]
        )
        result.stderr.no_fnmatch_line("*Traceback*")


ADVICE = "fatal: detected dubious ownership in repository at '/x'\n\n\tgit config --global --add safe.directory /x\n"


class TestAGitThatRefusesOrHangs:
    @pytest.fixture
    def put(self, tmp_path, monkeypatch):
        def write(script):
            (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "git").chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
            return tmp_path

        return write

    def test_its_own_advice_is_passed_on(self, put):
        folder = put(f"cat >&2 <<'END'\n{ADVICE}END\nexit 128")
        with pytest.raises(git.RevisionError, match=r"git config --global --add safe\.directory /x"):
            git.resolve(folder, "HEAD")
        with pytest.raises(git.RevisionError, match=r"safe\.directory /x"), git.worktree(folder, "a" * 40):
            pass
        assert "safe.directory /x" in git.why_unknown(folder, ["a" * 40])
        assert git.commit(folder).id == "" and not git.is_known(folder, "a" * 40)

    def test_it_is_ended_at_its_limit(self, put, monkeypatch):
        monkeypatch.setattr(git, "USUAL_SECONDS", 0.2)
        folder = put("sleep 30")
        start = time.perf_counter()
        with pytest.raises(git.RevisionError, match=r"did not answer within 0\.2 s"):
            git.resolve(folder, "HEAD")
        assert git.commit(folder).id == ""
        assert time.perf_counter() - start < 10


def test_a_real_repository_still_answers(pytester):
    """The door is no wall: what the tests above refuse, it does where nothing is in the way."""
    repository = Repository(pytester)
    (repository.path / "a.txt").write_text("a")
    commit = repository.commit()
    assert git.resolve(repository.path, "HEAD") == commit and git.has_file(repository.path, commit, "a.txt")
    assert git.why_unknown(repository.path, [commit]) == ""
