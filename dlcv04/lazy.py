"""Imports that wait until they are used, so that collecting a suite or printing help loads no framework."""

import importlib
from typing import Any


class LazyModule:
    """A module that is imported at the first use of one of its names.

    Unlike ``lazy_loader.load`` it puts nothing into ``sys.modules`` before that: `inspect` asks every module there for
    its file (pytest does so whenever it quotes source), which would wake a lazy TensorFlow; and a package that is not
    installed is Python's own ModuleNotFoundError, at its first use.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        # From now on the attribute is found without this method.
        setattr(self, attribute, value)
        return value

    def __repr__(self) -> str:
        return f"LazyModule({self._name!r})"
