"""Hashes of code: of what a function does, with the functions and constants of its own module, and of a package."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

_SIMPLE = (bool, int, float, complex, str, bytes, type(None))


def code_hash(function: Callable[..., Any]) -> str:
    """The same for the same code: comments, layout and docstrings change nothing, a named constant or helper does.

    Followed are partials, closures, defaults, and what the function names of its own module. Functions of the harness
    are known by their names alone, so that another version of it makes nothing stale.
    """
    return sha256("\n".join(_lines(function, set())).encode()).hexdigest()[:16]


def package_hash(folder: Path, *, without: Collection[str] = ()) -> str:
    """A hash of all Python files of a package, but for those that are, or lie in, one of `without`."""
    digest = sha256()
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if name.split("/")[0] not in without:
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _lines(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, _SIMPLE):
        yield repr(value)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _lines(each, seen)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield f"{name}:"
            yield from _lines(each, seen)
    elif isinstance(value, functools.partial):
        yield from _lines([value.func, value.args, value.keywords], seen)
    elif inspect.isfunction(value) and id(value) not in seen:
        seen.add(id(value))
        yield from _function(value, seen)
    else:
        # An object of a class: by its name, since an address would differ in every run.
        yield getattr(value, "__qualname__", type(value).__qualname__)


def _function(function: Any, seen: set[int]) -> Iterator[str]:
    yield function.__qualname__
    for cell in function.__closure__ or ():
        yield from _lines(_contents(cell), seen)
    yield from _lines([function.__defaults__, function.__kwdefaults__], seen)
    if function.__module__.startswith("dlcv04.harness."):
        return
    yield _source(function)
    for name in sorted(_names(function.__code__)):
        used = function.__globals__.get(name)
        own = inspect.isfunction(used) and used.__module__ == function.__module__
        if own or (isinstance(used, (*_SIMPLE, tuple, functools.partial)) and used is not None):
            yield f"{name}:"
            yield from _lines(used, seen)


def _names(code: Any) -> set[str]:
    """The global names of a function and of the functions inside it."""
    inner = (constant for constant in code.co_consts if inspect.iscode(constant))
    return set(code.co_names).union(*map(_names, inner))


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet: a function that refers to itself
        return None


def _source(function: Any) -> str:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):  # typed in, or a lambda within a longer expression
        return repr((function.__code__.co_code, [c for c in function.__code__.co_consts if isinstance(c, _SIMPLE)]))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
