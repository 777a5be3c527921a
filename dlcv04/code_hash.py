"""Hashes of code: of a function with the functions and constants of its module, of a package, and of its patches."""

from __future__ import annotations

import ast
import functools
import inspect
import os
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Collection, Iterator
from hashlib import sha256
from pathlib import Path
from types import FunctionType
from typing import Any

_PACKAGE = str(Path(__file__).parent)
_SCHEMES = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
_LIBRARIES = tuple(
    {sysconfig.get_path(f"{kind}lib", scheme) for kind in ("std", "platstd", "pure", "plat") for scheme in _SCHEMES}
)
#: Keras's own that a fault replaces as easily.
_KERAS = frozenset(f"keras.{name}" for name in ("layers", "losses", "optimizers"))
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


def replaced(*, without: Collection[str] = ()) -> str:
    """A hash of what a planted fault or a patch put in place of this package's or Keras's functions; "" for nothing.

    Args:
        without: packages and modules below this one that are not looked at.
    """
    found = []
    for name in looked_at(without=without):
        found += [f"{name}.{place} {code_hash(function)}" for place, function in _strangers(sys.modules[name])]
    return sha256("\n".join(found).encode()).hexdigest()[:16] if found else ""


def looked_at(*, without: Collection[str] = ()) -> list[str]:
    """The loaded modules in which `replaced` looks."""
    parts = {name: f"{name}.".split(".")[1] for name in sorted(sys.modules)}
    ours = {name for name, part in parts.items() if name.startswith("dlcv04.") and part != "faults"}
    left_out = {name for name, part in parts.items() if {part, f"{part}.py"} & set(without)}
    return sorted((ours - left_out) | (_KERAS & parts.keys()))


def _strangers(module: Any) -> Iterator[tuple[str, FunctionType]]:
    """Functions and methods in a module that are neither this package's nor a library's."""
    for name, value in sorted(vars(module).items()):
        for place, each in vars(value).items() if isinstance(value, type) else ((name, value),):
            function = _behind(each)
            if isinstance(function, FunctionType) and not _at_home(function):
                yield f"{name}.{place}", function


def _behind(value: Any) -> Any:
    """The function of a method, a property or a partial; anything else as it is."""
    if isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    if isinstance(value, (functools.partial, functools.cached_property)):
        return value.func
    return value.fget if isinstance(value, property) else value


def _at_home(function: FunctionType) -> bool:
    """Whether a function's code is this package's, a library's, or made by one, as a dataclass's methods."""
    file = function.__code__.co_filename
    if file.startswith(_PACKAGE):
        return not file.startswith(f"{_PACKAGE}{os.sep}faults")
    return file.startswith(("<string>", "<frozen ", *_LIBRARIES))


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
    if (function.__module__ or "").startswith("dlcv04.harness."):
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


def syntax_tree(function: Any) -> ast.Module | None:
    """The syntax tree of a function's source; None where there is none to read.

    So it is of what was typed in or executed, of a part of a longer expression, and of a method with a text that is not
    indented.
    """
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError, RecursionError):
        return None


def _source(function: Any) -> str:
    tree = syntax_tree(function)
    if tree is None:
        return repr((function.__code__.co_code, [c for c in function.__code__.co_consts if isinstance(c, _SIMPLE)]))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
