"""Commit, branch and uncommitted changes."""

import re
import shutil
import subprocess

import pytest

from dlcv04.harness.machine import git as machine_git
from dlcv04.harness.store.schema import Commit


@pytest.fixture
def repository(tmp_path):
    git = shutil.which("git")
    if not git:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    folder.mkdir()

    def run(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run([git, "-C", str(folder), *identity, *arguments], check=True, capture_output=True)

    run("init", "-b", "work")
    (folder / "code.py").write_text("a = 1\n")
    run("add", ".")
    run("commit", "-m", "first")
    return folder, run


def test_commit_branch_and_dirt(repository):
    folder, run = repository
    clean = machine_git.commit(folder)
    assert re.fullmatch(r"[0-9a-f]{40}", clean.id)
    assert (clean.branch, clean.dirty) == ("work", False)
    (folder / "baselines").mkdir()
    (folder / "baselines" / "0001_a.json").write_text("{}")
    assert not machine_git.commit(folder).dirty, "storing a baseline must not make the next process dirty"
    assert not machine_git.commit(folder / "baselines").dirty
    (folder / "code.py").write_text("a = 2\n")
    assert machine_git.commit(folder).dirty
    run("checkout", "code.py")
    (folder / "new.py").write_text("")
    assert machine_git.commit(folder / "baselines").dirty
    run("checkout", "--detach")
    assert machine_git.commit(folder).branch == ""


def test_no_repository_no_folder_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert machine_git.commit(tmp_path) == Commit()
    assert machine_git.commit(tmp_path / "absent") == Commit()
    monkeypatch.setenv("PATH", "")
    assert machine_git.commit(tmp_path) == Commit()
