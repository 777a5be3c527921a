"""The one door to git: nothing else in the package starts it.

Inside a hook git's own variables name the hook's repository and the index of the commit that is being made: a checkout
of another commit would write into that index. They are dropped here; git finds the repository by the folder that it is
asked about.
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

#: Seconds after which a question is given up, and a checkout: that one writes the whole tree.
ANSWER_SECONDS = 20
CHECKOUT_SECONDS = 600

#: What belongs to one repository by `git rev-parse --local-env-vars`, and two more. The list's GIT_CONFIG_COUNT and
#: GIT_CONFIG_PARAMETERS stay: they carry settings and no place, and images of CI set `safe.directory` with them.
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
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
        # Of the server's side: a part of the refs, and the folder that holds what is being pushed.
        "GIT_NAMESPACE",
        "GIT_QUARANTINE_PATH",
    }
)


class RevisionError(ValueError):
    """There is no such commit, no repository, or no git; the message is a sentence for people."""


class _Answer(NamedTuple):
    """What git did: its exit status (None where it did not run to its end), what it printed, and what went wrong."""

    status: int | None
    printed: str = ""
    problem: str = ""


def clean_environment() -> dict[str, str]:
    """This process's environment without the variables that point git at one repository, whatever folder it is in."""
    return {name: value for name, value in os.environ.items() if name not in POINTING}


def commit(folder: Path | str = ".", ignored: Sequence[str] = ("baselines", "reports", ".benchmarks")) -> Commit:
    """Return the commit that `folder` is at; an empty one where git or the repository is absent.

    Args:
        folder: any folder of the repository.
        ignored: folders at the repository's top whose changes don't make it dirty. They hold results:
            storing the first of five processes must not make the tree of the second one dirty.
    """
    identity = _git(folder, "rev-parse", "HEAD")
    if identity.status != 0:
        return Commit()
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD").printed
    exclusions = [f":(exclude,top){name}" for name in ignored]
    changes = _git(folder, "--no-optional-locks", "status", "--porcelain", "--", ":/", *exclusions)
    # A status that can't be read is no proof of a clean tree.
    dirty = changes.status != 0 or changes.printed != ""
    return Commit(id=identity.printed, branch="" if branch == "HEAD" else branch, dirty=dirty)


def resolve(root: Path, rev: str) -> str:
    """The full id of the commit that `rev` names.

    Raises:
        RevisionError: it names none, `root` is in no git repository, or git is not installed.
    """
    found = _git(root, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    if found.status == 0:
        return found.printed
    if why := unusable(root):
        raise RevisionError(f"--dl-against {rev}: {why}, so there is nothing to compare with.")
    raise RevisionError(f"--dl-against {rev}: git knows no such commit here; try HEAD, HEAD~1, a branch or a tag.")


def toplevel(root: Path) -> Path:
    """The repository's own folder; `root` where git can't say."""
    found = _git(root, "rev-parse", "--show-toplevel")
    return Path(found.printed) if found.status == 0 else root


def unusable(root: Path) -> str:
    """Why git can be asked nothing about `root`, with git's own advice, or ""."""
    place = _git(root, "rev-parse", "--git-dir")
    if place.status is None:
        return place.problem
    return f"{root} is in no git repository that git can use ({place.problem})" if place.status else ""


def is_known(root: Path, commit: str) -> bool:
    """Whether git has this commit here: a shallow clone has none but the newest."""
    return _git(root, "cat-file", "-e", f"{commit}^{{commit}}").status == 0


def has_file(root: Path, commit: str, path: str) -> bool:
    """Whether a commit has a file; `path` is relative to `root`."""
    return _git(root, "cat-file", "-e", f"{commit}:./{path}").status == 0


@contextlib.contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """A checkout of `commit` beside the working tree, gone afterwards; yields the folder that corresponds to `root`.

    Raises:
        RevisionError: git could not check it out.
    """
    inside = _git(root, "rev-parse", "--show-prefix").printed
    # A git that was given up may have left a process that still writes.
    with tempfile.TemporaryDirectory(prefix="dlcv04-against-", ignore_cleanup_errors=True) as folder:
        tree = Path(folder) / "tree"
        _git(root, "worktree", "prune")
        try:
            made = _git(root, "worktree", "add", "--detach", str(tree), commit, seconds=CHECKOUT_SECONDS)
            if made.status != 0:
                raise RevisionError(f"git could not check {commit[:12]} out: {made.problem}")
            yield tree / inside
        finally:
            _git(root, "worktree", "remove", "--force", str(tree), seconds=CHECKOUT_SECONDS)


def _git(folder: Path | str, *arguments: str, seconds: float | None = None) -> _Answer:
    """Ask git about a folder; never raises. Without `seconds` it has those of a question."""
    seconds = ANSWER_SECONDS if seconds is None else seconds
    program = shutil.which("git")
    if program is None:
        return _Answer(None, problem="git is not installed")
    try:
        done = subprocess.run(
            [program, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return _Answer(None, problem=f"git gave no answer within {seconds:g} s")
    except (OSError, ValueError) as error:
        return _Answer(None, problem=f"git could not be started: {error}")
    words = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
    return _Answer(done.returncode, done.stdout.strip(), words if done.returncode else "")
