"""What a run was asked for: which stored tests it need not have run, and what took them away.

Only the command's own arguments select, and what a plugin or a conftest deselects (a shard). An ini file and
PYTEST_ADDOPTS apply to every run, so what they take away would never be missed again: that is no selection.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pytest

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
#: pytest's own modules that deselect, and by which options.
_OWN = {"_pytest.mark": ("keyword", "markexpr"), "_pytest.main": ("deselect",), "_pytest.cacheprovider": ("lf",)}


def command_options(config: pytest.Config) -> list[str]:
    """The options of the command itself, not of an ini file or the environment, that leave tests out."""
    parsed = config._parser.parse_known_args(list(config.invocation_params.args))
    return [written for name, written in LEAVING_OUT.items() if getattr(parsed, name, None)]


def taken_by(config: pytest.Config) -> str:
    """What deselects tests just now; empty where an ini file or the environment asked pytest to.

    Called from the hook `pytest_deselected`, which does not say who calls it.
    """
    module = _caller()
    if module not in _OWN:
        return "a plugin or conftest"
    asked = command_options(config)
    return ", ".join(LEAVING_OUT[name] for name in _OWN[module] if LEAVING_OUT[name] in asked)


def _caller() -> str:
    """The module that called the hook: the nearest frame outside of pluggy and of this package."""
    frame: Any = sys._getframe(1)
    while frame.f_globals.get("__name__", "").partition(".")[0] in {"pluggy", "dlcv04"}:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


def is_asked_for(config: pytest.Config, test: str) -> bool:
    """Whether the command names the folder or the whole file of a stored test, or the test itself."""
    file = (config.rootpath / test.partition("::")[0]).resolve()
    for argument in config.args:
        path, _, rest = argument.partition("::")
        named = (config.invocation_params.dir / path).resolve()
        whole = not rest and (file == named or (named.is_dir() and file.is_relative_to(named)))
        if whole or (rest and file == named and test.partition("::")[2] == rest):
            return True
    return False


def missing(
    config: pytest.Config, stored: dict[str, str], present: set[str], collected: set[str], taken: dict[str, str]
) -> tuple[dict[str, str], Counter[str]]:
    """The stored tests that are missing, with their files, and how many others were left out on purpose, by what.

    Args:
        config: of the session.
        stored: file by node id of every stored test that may be compared with.
        present: node ids of the tests that will run.
        collected: node ids of all tests before any was taken away.
        taken: what took tests away, by node id; empty where that is no selection.
    """
    options = [option for option in command_options(config) if option not in ("--lf", "--stepwise")]
    gone: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for test, path in stored.items():
        if test in present or not is_asked_for(config, test):
            continue
        by = taken.get(test, "") if test in collected else ", ".join(options)
        if by:
            left_out[by] += 1
        else:
            gone[test] = path
    return gone, left_out
