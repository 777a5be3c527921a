"""What a run was asked for: which stored tests it need not have run, and what took them away.

Only the command's own arguments select, and what a plugin or a conftest deselects (a shard). An ini file and
PYTEST_ADDOPTS apply to every run, so what they take away would never be missed again: that is no selection.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import Any

import pytest
from _pytest.mark.expression import Expression

#: The options by which a command leaves tests out, and how they are written.
LEAVING_OUT = {
    "keyword": "-k",
    "markexpr": "-m",
    "deselect": "--deselect",
    "lf": "--lf",
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "stepwise": "--stepwise",
}
#: pytest's own functions that deselect, by module and name, and the option that asks for it.
_MODIFY = "pytest_collection_modifyitems"
_DESELECTING = {
    ("_pytest.mark", "deselect_by_keyword"): "keyword",
    ("_pytest.mark", "deselect_by_mark"): "markexpr",
    ("_pytest.main", _MODIFY): "deselect",
    ("_pytest.cacheprovider", _MODIFY): "lf",
    ("_pytest.stepwise", _MODIFY): "stepwise",
}
_NO_SELECTION = ""


def take(config: pytest.Config, tests: list[pytest.Item]) -> dict[str, str]:
    """What deselects these tests just now, by node id: "" where an ini file or the environment asked pytest to.

    Called from the hook `pytest_deselected`, which does not say who calls it. What dlcv04 itself takes away (the other
    half of a suite, idle controls) is no part of a run, and is left out here.
    """
    module, function = _caller()
    if module.partition(".")[0] == "dlcv04":
        return {}
    option = _DESELECTING.get((module, function))
    if option is None:
        return {item.nodeid: "a plugin or conftest" for item in tests}
    given = getattr(_own(config), option)
    named = LEAVING_OUT[option] if given else _NO_SELECTION
    if option != "deselect":
        return {item.nodeid: named for item in tests}
    return {item.nodeid: named if item.nodeid.startswith(tuple(given or ())) else _NO_SELECTION for item in tests}


def leaves_out(config: pytest.Config) -> bool:
    """Whether an option of the command itself leaves tests out."""
    own = _own(config)
    return any(getattr(own, name, None) for name in LEAVING_OUT)


def _own(config: pytest.Config) -> Namespace:
    """The options and paths of the command itself, without those of an ini file or the environment."""
    return config._parser.parse_known_args(list(config.invocation_params.args))


def _caller() -> tuple[str, str]:
    """Module and function that called the hook: the nearest frame beyond the hook's own and pluggy's."""
    frame: Any = sys._getframe(1)
    for inner in ("dlcv04", "pluggy"):
        while frame.f_globals.get("__name__", "").partition(".")[0] == inner:
            frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")), frame.f_code.co_name


def missing(
    config: pytest.Config, stored: dict[str, str], present: set[str], collected: set[str], taken: dict[str, str]
) -> tuple[dict[str, str], Counter[str]]:
    """The stored tests that are missing, with their files, and how many others were left out on purpose, by what.

    Args:
        config: of the session.
        stored: file by node id of every stored test that may be compared with.
        present: node ids of the claims that will run.
        collected: node ids of all tests before any was taken away.
        taken: what took tests away, by node id; empty where that is no selection.
    """
    own = _own(config)
    gone: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for test, path in stored.items():
        if test in present:
            continue
        by = taken.get(test, _NO_SELECTION) if test in collected else _not_asked_for(test, own, config, collected)
        if by:
            left_out[by] += 1
        else:
            gone[test] = path
    return gone, left_out


def _not_asked_for(test: str, own: Namespace, config: pytest.Config, collected: set[str]) -> str:
    """What of a command would have left a test out that was not collected; empty where it is simply gone.

    Marks are not stored. So a test that is gone is missed under `-m`, whatever it was marked with.
    """
    file, _, inside = test.partition("::")
    base = config.invocation_params.dir
    path = (config.rootpath / file).resolve()
    if not any(_names(base, argument, path, inside) for argument in own.file_or_dir or [str(base)]):
        return "the paths of the command"
    if any(path.is_relative_to((base / ignored).resolve()) for ignored in own.ignore or ()):
        return LEAVING_OUT["ignore"]
    if any(fnmatch(str(place), str(base / glob)) for glob in own.ignore_glob or () for place in (path, *path.parents)):
        return LEAVING_OUT["ignore_glob"]
    if test.startswith(tuple(own.deselect or ())):
        return LEAVING_OUT["deselect"]
    if own.keyword and not _matches(own.keyword, test):
        return LEAVING_OUT["keyword"]
    if own.lf and _runs_failures_alone(config, test, collected):
        return LEAVING_OUT["lf"]
    return ""


def _names(base: Path, argument: str, path: Path, inside: str) -> bool:
    """Whether an argument names the folder or the file of a test, its class, the test itself, or all its parameters."""
    file, _, part = argument.partition("::")
    named = (base / file).resolve()
    if not part:
        return path.is_relative_to(named)
    return path == named and (inside == part or inside.startswith((f"{part}::", f"{part}[")))


def _matches(keyword: str, test: str) -> bool:
    """Whether `-k` chooses a test, by the names of its folders, file, class and function, and the claims' mark."""
    file, *inside = test.split("::")
    names = [name.lower() for name in (*PurePath(file).parts, *inside, "claim")]

    def is_in_a_name(word: str, /, **_: object) -> bool:
        return any(word.lower() in name for name in names)

    return Expression.compile(keyword.lstrip()).evaluate(is_in_a_name)


def _runs_failures_alone(config: pytest.Config, test: str, collected: set[str]) -> bool:
    """Whether `--lf` had failures to run, and the test is none of them; else it runs everything."""
    failed = config.cache.get("cache/lastfailed", {}) if config.cache is not None else {}
    return test not in failed and not collected.isdisjoint(failed)
