"""The door to git: the commit of a run, checkouts of others, and what a hook's variables must not do to them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlcv04.harness.machine import git
from dlcv04.harness.measuring import fresh_process, process_pairs
from dlcv04.harness.store.schema import Commit

PACKAGE = Path(__file__).parent.parent.parent.parent
#: Git counts these as a repository's own, but they only carry settings.
SETTINGS = {"GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"}


class Repository:
    """A real repository with one commit; its commits are made with this process's environment, as a person's are."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self("init", "-q", "-b", "work")
        for name in ("code.py", "other.py"):
            (folder / name).write_text("a = 1\n")
        self("add", ".")
        self("commit", "-qm", "first")

    def __call__(self, *arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def hook(self, code):
        """Have this Python run before each commit."""
        path = self.folder / ".git" / "hooks" / "pre-commit"
        path.parent.mkdir(exist_ok=True)
        (self.folder / ".git" / "hook.py").write_text(code)
        run = f"PYTHONPATH={shlex.quote(str(PACKAGE))} exec {shlex.quote(sys.executable)} .git/hook.py"
        path.write_text(f"#!/bin/sh\n{run}\n")
        path.chmod(0o755)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    for name in git_variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return Repository(tmp_path / "repository")


def git_variables():
    """What git says belongs to one repository."""
    command = ["git", "rev-parse", "--local-env-vars"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_commit_branch_and_dirt(repository):
    folder = repository.folder
    clean = git.commit(folder)
    assert re.fullmatch(r"[0-9a-f]{40}", clean.id)
    assert (clean.branch, clean.dirty) == ("work", False)
    (folder / "baselines").mkdir()
    (folder / "baselines" / "0001_a.json").write_text("{}")
    assert not git.commit(folder).dirty, "storing a baseline must not make the next process dirty"
    (folder / "code.py").write_text("a = 2\n")
    assert git.commit(folder).dirty
    repository("checkout", "code.py")
    (folder / "new.py").write_text("")
    assert git.commit(folder / "baselines").dirty
    repository("checkout", "--detach")
    assert git.commit(folder).branch == ""


def test_a_status_that_cannot_be_read_is_not_clean(repository):
    (repository.folder / ".git" / "index").write_text("no index")
    assert git.commit(repository.folder).dirty


def test_settings_that_hide_changes_do_not_make_a_tree_clean(repository):
    repository("config", "status.showUntrackedFiles", "no")
    (repository.folder / "new.py").write_text("")
    assert git.commit(repository.folder).dirty


def test_a_project_inside_a_repository_keeps_its_own_results(repository):
    """They make no tree dirty; code does, also in a folder of theirs, and so does what lies elsewhere in a monorepo."""
    project = repository.folder / "apps" / "ml"
    for name in ("baselines/portable/0001_a.json", "baselines/.lock", ".benchmarks/x/0001_b.json", "reports/c.html"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("{}")
    assert not git.commit(project).dirty
    (project / "baselines" / "__init__.py").write_text("")
    assert git.commit(project).dirty
    (project / "baselines" / "__init__.py").unlink()
    (repository.folder / "library.py").write_text("")
    assert git.commit(project).dirty


def test_what_git_can_not_say_is_not_clean(repository, monkeypatch):
    """Somebody else's folder, as in a container of CI; no git though the code lies in a repository."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    assert git.commit(repository.folder) == Commit(dirty=True)
    assert "git config --global --add safe.directory" in git.doubt(repository.folder)
    monkeypatch.setenv("PATH", "")
    (repository.folder / "inner").mkdir()
    assert git.commit(repository.folder / "inner") == Commit(dirty=True)
    assert "git is not installed" in git.doubt(repository.folder / "inner")


def test_a_shallow_clone_is_told_with_what_brings_the_rest(repository, tmp_path):
    (repository.folder / "code.py").write_text("a = 2\n")
    repository("commit", "-qam", "second")
    shallow = tmp_path / "shallow"
    repository("clone", "-q", "--depth=1", f"file://{repository.folder}", str(shallow))
    for rev in ("HEAD~1", "origin/main"):
        with pytest.raises(git.RevisionError, match=rf"{rev}: git knows .* shallow clone.*`fetch-depth: 0`"):
            git.resolve(shallow, rev)
    assert "fetch-depth: 0" in git.why_unknown(shallow) and "rewritten" in git.why_unknown(repository.folder)
    assert git.resolve(shallow, "HEAD") == git.commit(shallow).id and not git.commit(shallow).dirty


def test_no_repository_no_folder_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.commit(tmp_path) == Commit()
    assert git.commit(tmp_path / "absent") == Commit()
    monkeypatch.setenv("PATH", "")
    assert git.commit(tmp_path) == Commit()


def test_revisions_and_files(repository):
    folder = repository.folder
    commit = git.resolve(folder, "HEAD")
    assert commit == git.resolve(folder, "work") == git.commit(folder).id
    assert git.is_known(folder, commit) and not git.is_known(folder, "f" * 40)
    assert git.has_file(folder, commit, "code.py") and not git.has_file(folder, commit, "absent.py")
    with pytest.raises(git.RevisionError, match="git knows no such commit here"):
        git.resolve(folder, "nonsense")
    assert git.unusable(folder) == ""


def test_a_checkout_is_the_folder_that_corresponds_and_goes_away(repository):
    folder = repository.folder
    (folder / "inner").mkdir()
    (folder / "inner" / "deep.py").write_text("b = 1\n")
    repository("add", ".")
    repository("commit", "-qm", "second")
    (folder / "inner" / "deep.py").write_text("b = 2\n")
    with git.worktree(folder / "inner", git.resolve(folder, "HEAD")) as tree:
        assert (tree / "deep.py").read_text() == "b = 1\n"
        assert (tree.parent / "code.py").exists()
    assert not tree.exists()
    assert repository("worktree", "list").count("\n") == 1


def test_a_commit_that_cannot_be_checked_out_is_told_in_gits_words(repository):
    with pytest.raises(git.RevisionError, match=r"could not check ffffffffffff out: .*invalid reference"):  # noqa: SIM117
        with git.worktree(repository.folder, "f" * 40):
            pass
    assert repository("worktree", "list").count("\n") == 1


# -- what may be wrong with git ----------------------------------------------------------------------------


def test_without_git_every_question_has_an_answer(repository, monkeypatch):
    folder, commit = repository.folder, git.resolve(repository.folder, "HEAD")
    monkeypatch.setenv("PATH", "")
    assert not git.is_known(folder, commit) and not git.has_file(folder, commit, "code.py")
    assert git.unusable(folder) == "git is not installed"
    with pytest.raises(git.RevisionError, match=r"^--dl-against HEAD: git is not installed, so there is nothing"):
        git.resolve(folder, "HEAD")
    with pytest.raises(git.RevisionError, match=r"out: git is not installed$"):  # noqa: SIM117
        with git.worktree(folder, commit):
            pass


def test_a_git_that_hangs_is_not_waited_for(repository, tmp_path, monkeypatch):
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(git, "ANSWER_SECONDS", 0.2)
    assert git.commit(repository.folder) == Commit(dirty=True)
    with pytest.raises(git.RevisionError, match=r"git gave no answer within 0\.2 s"):
        git.resolve(repository.folder, "HEAD")


def test_no_repository_is_told_in_gits_words(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(git.RevisionError, match=r"in no git repository that git can use .*\.git\), so"):
        git.resolve(tmp_path, "HEAD")


def test_gits_advice_is_passed_on_and_settings_in_the_environment_count(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(git.RevisionError, match=r"git config --global --add safe\.directory") as caught:
        git.resolve(repository.folder, "HEAD")
    assert "\n" not in str(caught.value)
    for name, value in {"COUNT": "1", "KEY_0": "safe.directory", "VALUE_0": "*"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert git.resolve(repository.folder, "HEAD")


# -- inside a hook -----------------------------------------------------------------------------------------


def test_every_variable_that_points_at_a_repository_is_dropped(repository, tmp_path, monkeypatch):
    folder, found = repository.folder, git.commit(repository.folder)
    pointing = {*git_variables(), "GIT_NAMESPACE", "GIT_QUARANTINE_PATH"} - SETTINGS
    kept = {"GIT_CONFIG_COUNT": "0", "GIT_SSH": "ssh", "GIT_AUTHOR_NAME": "a", "GIT_CONFIG_GLOBAL": os.devnull}
    for name, value in {**dict.fromkeys(pointing, str(tmp_path / "elsewhere")), **kept}.items():
        monkeypatch.setenv(name, value)
    assert pointing.isdisjoint(git.clean_environment())
    assert git.clean_environment().items() >= kept.items()
    assert git.commit(folder) == found
    with git.worktree(folder, git.resolve(folder, "HEAD")) as tree:
        assert (tree / "code.py").exists()


CHECK_OUT = """
from pathlib import Path
from dlcv04.harness.machine import git
root = Path.cwd()
with git.worktree(root, git.resolve(root, "HEAD")) as tree:
    assert (tree / "code.py").read_text() == "a = 1\\n"
git.commit(root)
(root / ".git" / "hook-ended").touch()
"""


@pytest.mark.parametrize(
    ("arguments", "committed"),
    [((), {"code.py", "new.py"}), (("-a",), {"code.py", "new.py", "other.py"}), (("other.py",), {"other.py"})],
    ids=["the index", "all", "one path"],
)
def test_a_hook_that_checks_a_commit_out_leaves_the_commit_that_is_being_made_alone(repository, arguments, committed):
    folder = repository.folder
    repository.hook(CHECK_OUT)
    (folder / "code.py").write_text("a = 2\n")
    (folder / "new.py").write_text("")
    repository("add", "code.py", "new.py")
    (folder / "other.py").write_text("a = 2\n")
    repository("commit", "-m", "second", *arguments)
    assert (folder / ".git" / "hook-ended").exists()
    assert set(repository("diff", "--name-only", "HEAD~1", "HEAD").split()) == committed
    assert repository("show", "HEAD:other.py") == ("a = 2\n" if "other.py" in committed else "a = 1\n")
    # What was staged and not committed is staged still, and what wasn't staged is changed in the tree alone.
    assert set(repository("diff", "--cached", "--name-only").split()) == {"code.py", "new.py"} - committed
    assert repository("diff", "--name-only").split() == ([] if "other.py" in committed else ["other.py"])
    repository("fsck", "--strict")
    repository("commit", "-qam", "third", "--allow-empty", "--no-verify")
    assert repository("status", "--porcelain") == ""
    assert repository("worktree", "list").count("\n") == 1


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
