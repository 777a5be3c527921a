"""The one door to git: no other module starts it.

git may be missing, hang, or refuse a folder; and inside a hook its environment names the repository, the index and the
object store of the commit that is being made. Nothing here is misled by that, and nothing here changes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dlcv04.harness.store.schema import Commit

#: Variables that point git at a repository, an index or objects other than the folder's own. It is git's own list
#: (`git rev-parse --local-env-vars`) without GIT_CONFIG_PARAMETERS and GIT_CONFIG_COUNT: these carry settings, and CI
#: images allow their checkout with them (safe.directory).
POINTING = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
#: Seconds after which git is taken to hang; a checkout writes the whole tree.
USUAL_SECONDS, CHECKOUT_SECONDS = 20, 300


class RevisionError(ValueError):
    """There is no such commit, no repository, or no git."""


class _Answer(NamedTuple):
    """What git printed; `problem` is why it did not answer, in git's own words where it has some."""

    text: str
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether git did what it was asked."""
        return not self.problem


def environment() -> dict[str, str]:
    """This process's environment without the variables that point git somewhere: for git, and for child processes."""
    return {name: value for name, value in os.environ.items() if name not in POINTING}


def commit(folder: Path | str = ".", ignored: Sequence[str] = ("baselines", "reports", ".benchmarks")) -> Commit:
    """Return the commit that `folder` is at; an empty one where git or the repository is absent.

    Args:
        folder: any folder of the repository.
        ignored: folders at the repository's top whose changes don't make it dirty. They hold results:
            storing the first of five processes must not make the tree of the second one dirty.
    """
    identity = _git(folder, "rev-parse", "HEAD")
    if not identity.ok or not identity.text:
        return Commit()
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD").text
    exclusions = [f":(exclude,top){name}" for name in ignored]
    changes = _git(folder, "--no-optional-locks", "status", "--porcelain", "--", ":/", *exclusions)
    # A status that can't be read is no proof of a clean tree.
    dirty = not changes.ok or bool(changes.text)
    return Commit(id=identity.text, branch="" if branch == "HEAD" else branch, dirty=dirty)


def resolve(root: Path, rev: str) -> str:
    """The full id of the commit that `rev` names.

    Raises:
        RevisionError: it names none, `root` is in no git repository that git would read, or there is no git.
    """
    found = _git(root, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    if found.ok:
        return found.text
    repository = _git(root, "rev-parse", "--git-dir")
    if repository.ok:
        raise RevisionError(f"--dl-against {rev}: git knows no such commit here; try HEAD, HEAD~1, a branch or a tag.")
    if "not a git repository" in repository.problem:
        raise RevisionError(f"--dl-against {rev}: {root} is in no git repository, so there is nothing to compare with.")
    raise RevisionError(f"--dl-against {rev}: git can't be asked about {root}: {repository.problem}")


def why_unknown(root: Path, commits: Sequence[str]) -> str:
    """Why git has none of these commits here, or "" where it has one."""
    problems = [_git(root, "cat-file", "-e", f"{name}^{{commit}}").problem for name in commits]
    if not all(problems):
        return ""
    repository = _git(root, "rev-parse", "--git-dir")
    if not repository.ok and "not a git repository" not in repository.problem:
        return f"git can't be asked: {repository.problem}"
    names = ", ".join(name[:12] for name in commits)
    return f"git has no commit {names} here (a shallow clone, or no repository)"


def is_known(root: Path, commit: str) -> bool:
    """Whether git has this commit here: a shallow clone has none but the newest."""
    return _git(root, "cat-file", "-e", f"{commit}^{{commit}}").ok


def has_file(root: Path, commit: str, path: str) -> bool:
    """Whether a commit has a file; `path` is relative to `root`."""
    return _git(root, "cat-file", "-e", f"{commit}:./{path}").ok


@contextlib.contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """A checkout of `commit` beside the working tree, gone afterwards; yields the folder that corresponds to `root`.

    Raises:
        RevisionError: git can't check it out.
    """
    inside = Path(_git(root, "rev-parse", "--show-prefix").text)
    with tempfile.TemporaryDirectory(prefix="dlcv04-against-") as folder:
        tree = Path(folder) / "tree"
        _git(root, "worktree", "prune")
        made = _git(root, "worktree", "add", "--detach", str(tree), commit, seconds=CHECKOUT_SECONDS)
        if not made.ok:
            raise RevisionError(f"git could not check {commit[:12]} out: {made.problem}")
        try:
            yield tree / inside
        finally:
            _git(root, "worktree", "remove", "--force", str(tree), seconds=CHECKOUT_SECONDS)


def _git(folder: Path | str, *arguments: str, seconds: float | None = None) -> _Answer:
    limit = USUAL_SECONDS if seconds is None else seconds
    program = shutil.which("git")
    if program is None:
        return _Answer("", "git is not installed, or not on PATH.")
    try:
        done = subprocess.run(
            [program, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            env=environment(),
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _Answer("", f"it did not answer within {limit:g} s (git {arguments[0]}).")
    except (OSError, ValueError) as error:
        return _Answer("", f"it can't be started ({error}).")
    if done.returncode != 0:
        return _Answer("", done.stderr.strip() or f"git {arguments[0]} ended with exit status {done.returncode}.")
    return _Answer(done.stdout.strip())
