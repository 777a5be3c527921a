"""What the value of `--benchmark-compare=` names."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from dlcv04.harness.store import reading
from dlcv04.harness.store.files import BaselineError


def matching(selector: str, paths: Sequence[Path], root: Path) -> list[Path]:
    """Files whose name, number, path below `root` or glob is `selector`; else those that hold this id."""
    named = [path for path in paths if _names(selector, path, root)]
    return named or [path for path in paths if reading.run_id(path) == selector]


def _names(selector: str, path: Path, root: Path) -> bool:
    relative = path.relative_to(root)
    names = {path.name, path.stem, relative.as_posix(), relative.with_suffix("").as_posix()}
    number = re.match(r"(\d{4,})_", path.name)
    if number:
        names |= {number.group(1), f"{relative.parent.as_posix()}/{number.group(1)}"}
    return any(fnmatch.fnmatchcase(name, selector) for name in names) or selector in names


def named_path(selector: str) -> list[Path]:
    """The file that a path names, or the files that a glob over paths names."""
    path = Path(selector)
    if path.is_file():
        return [path]
    pattern = path.relative_to(path.anchor) if path.anchor else path
    if not any(sign in selector for sign in "*?["):
        return []
    start = Path(path.anchor) if path.anchor else Path()
    return sorted(found for found in start.glob(str(pattern)) if found.is_file() and found.suffix == ".json")


def refuse_test_path(selector: str) -> None:
    """Refuse a selector that names tests, or nothing.

    Raises:
        BaselineError: it does.
    """
    if not selector.strip():
        raise BaselineError(
            "`--benchmark-compare=` has an empty value: leave the `=` out to compare with all baselines."
        )
    if "::" in selector or selector.endswith(".py") or Path(selector).is_dir():
        raise BaselineError(
            f"`--benchmark-compare={selector}` names tests, not a stored run: put the path first, "
            f"`pytest {shlex.quote(selector)} --benchmark-compare`."
        )


def no_match(selector: str, accepted: Sequence[Path], saved: Sequence[Path], folders: Sequence[Path]) -> str:
    """The sentence for a selector that matches nothing: what there is, or which folders are empty."""
    names = [f"{path.parent.name}/{path.stem}" for path in [*accepted, *saved]]
    if not names:
        there = f"nothing is stored yet in {' or '.join(map(str, folders))}: store a baseline with `dlcv04 baseline`"
    else:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        there = f"stored are {', '.join(names[-10:])}{more}"
    return f"`--benchmark-compare={selector}` matches no stored run; {there}."
