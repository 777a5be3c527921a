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
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dlcv04.harness.store.schema import Commit
from dlcv04.scratch import PREFIX, Scratch

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


#: What runs leave in a project's folder, as patterns of git. They are results and no code: storing the first of five
#: processes must not make the tree of the second one dirty.
RESULTS = ("baselines/**/*.json", "baselines/**/.*", "reports/**", ".benchmarks/**")


def commit(folder: Path | str = ".") -> Commit:
    """Return the commit that `folder` is at; an empty one outside any repository.

    Args:
        folder: the project's, which may lie inside the repository: changes of what runs leave in it don't count.
    """
    identity, dirty = _git(folder, "rev-parse", "HEAD"), bool(doubt(folder))
    if identity.status != 0:
        return Commit(dirty=dirty)
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD").printed
    return Commit(id=identity.printed, branch="" if branch == "HEAD" else branch, dirty=dirty)


def doubt(folder: Path | str) -> str:
    """Why the code at `folder` is not known to be that of its commit, and what to do (in git's own words), or "".

    What git can't say is no proof of a clean tree. Outside any repository there is nothing to be clean or dirty.
    """
    exclusions = [f":(exclude,glob){name}" for name in RESULTS]
    # A project's settings may hide new files, and changes in its submodules.
    shown = ("--porcelain", "--untracked-files=all", "--ignore-submodules=none")
    changes = _git(folder, "--no-optional-locks", "status", *shown, "--", ":(top)", *exclusions)
    if changes.status == 0:
        return "the working tree has uncommitted changes: commit them first" if changes.printed else ""
    place = Path(folder).absolute()
    if not any((above / ".git").exists() for above in (place, *place.parents)):
        return ""
    return f"git can't say whether the working tree has uncommitted changes ({changes.problem}): fix that first"


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
    advice = _of_shallow(root) or "try HEAD, HEAD~1, a branch or a tag"
    raise RevisionError(f"--dl-against {rev}: git knows no such commit here; {advice}.")


def why_unknown(root: Path) -> str:
    """Why git may lack a commit that was once the code at `root`, and where it can be mended how."""
    return _of_shallow(root) or "a rewritten history, or a branch that was never fetched"


def _of_shallow(root: Path) -> str:
    """What to do where this is a shallow clone, as CI makes them; "" where it is none."""
    if _git(root, "rev-parse", "--is-shallow-repository").printed != "true":
        return ""
    return (
        "this is a shallow clone, which lacks older commits and other branches: `git fetch --unshallow`, or "
        "`fetch-depth: 0` for actions/checkout, brings them"
    )


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
    """Whether git has this commit here."""
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
    with Scratch() as folder:
        tree = Path(folder) / "tree"
        _forget_swept(root)
        try:
            made = _git(root, "worktree", "add", "--detach", str(tree), commit, seconds=CHECKOUT_SECONDS)
            if made.status != 0:
                raise RevisionError(f"git could not check {commit[:12]} out: {made.problem}")
            yield tree / inside
        finally:
            _git(root, "worktree", "remove", "--force", str(tree), seconds=CHECKOUT_SECONDS)


def _forget_swept(root: Path) -> None:
    """Remove git's entries of our checkouts that are gone: one killed in the middle is locked, and outlives a prune."""
    for line in _git(root, "worktree", "list", "--porcelain").printed.splitlines():
        name, _, place = line.partition(" ")
        if name == "worktree" and Path(place).parent.name.startswith(PREFIX) and not Path(place).exists():
            _git(root, "worktree", "remove", "--force", "--force", place)


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
            encoding="utf-8",
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
