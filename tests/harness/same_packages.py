"""Inner runs look through all packages and compile the same few files again and again: here, once a process."""

import functools
import importlib.metadata
import sys
from pathlib import Path

from _pytest.assertion import rewrite

_distributions = importlib.metadata.distributions
_rewrite_test = rewrite._rewrite_test
_compiled = {}


class _Installed(importlib.metadata.PathDistribution):
    """A package whose entry points and list of files are read once."""

    entry_points = functools.cached_property(importlib.metadata.PathDistribution.entry_points.fget)
    files = functools.cached_property(importlib.metadata.PathDistribution.files.fget)


@functools.lru_cache(maxsize=8)
def _found(places):
    found = list(_distributions())
    for package in found:
        if type(package) is importlib.metadata.PathDistribution:
            package.__class__ = _Installed
    return found


def _installed(**context):
    if context:
        return _distributions(**context)
    # A folder in which something was installed meanwhile has another time.
    return iter(_found(tuple((place, Path(place).stat().st_mtime_ns) for place in sys.path if Path(place).exists())))


def _compiled_once(path, config):
    key = path.read_bytes(), config.getini("enable_assertion_pass_hook")
    if key not in _compiled:
        _compiled[key] = _rewrite_test(path, config)
    source_hash, code = _compiled[key]
    return source_hash, _named(code, str(path))


def _named(code, path):
    """The code as that of a file elsewhere."""
    inner = (_named(one, path) if isinstance(one, type(code)) else one for one in code.co_consts)
    return code.replace(co_filename=path, co_consts=tuple(inner))


def know_them():
    """Patch the standard library and pytest, for this process and its forks."""
    importlib.metadata.distributions = _installed
    rewrite._rewrite_test = _compiled_once
