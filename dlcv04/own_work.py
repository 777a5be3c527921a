"""Whether a test brings training or work of its own, told from its code before anything of it runs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from dlcv04.arms import TimedCall, TrainedBy

_NAMES = frozenset({"trained_by", "timed_call"})
_MADE = (TrainedBy, TimedCall)


def brings(item: Any) -> bool:
    """Whether the code of a test, or of a fixture that it takes, speaks of `trained_by` or `timed_call`.

    Followed are the functions and classes that it names of modules other than this package's.
    """
    fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(_speaks(each, set()) for each in (item.obj, *(found[-1].func for found in fixtures.values() if found)))


def _speaks(value: Any, seen: set[int]) -> bool:
    if isinstance(value, _MADE):
        return True
    if id(value) in seen:
        return False
    seen.add(id(value))
    if isinstance(value, (dict, list, tuple)):
        return any(_speaks(each, seen) for each in (value.values() if isinstance(value, dict) else value))
    if isinstance(value, functools.partial):
        return _speaks([value.func, value.args, value.keywords], seen)
    if isinstance(value, type):
        own = not _is_ours(value)
        return own and any(_speaks(each, seen) for each in vars(value).values() if isinstance(each, FunctionType))
    function = inspect.unwrap(getattr(value, "__func__", value)) if callable(value) else None
    if not isinstance(function, FunctionType) or _is_ours(function):
        return False
    names = set(_named(function.__code__))
    held = [cell.cell_contents for cell in function.__closure__ or () if _is_full(cell)]
    known = [function.__globals__[name] for name in names if name in function.__globals__]
    return bool(names & _NAMES) or any(_speaks(each, seen) for each in (*known, *held))


def _is_ours(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "").partition(".")[0] == __package__


def _named(code: CodeType) -> Iterator[str]:
    """The names that code uses, that of functions inside it too."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _named(inner)


def _is_full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:  # of a name that is not set yet
        return False
    return True
