"""Imports that wait until they are used, so that collecting a suite or printing help loads no framework."""

import importlib
from typing import Any

#: Of the names with an underscore those that a module can be asked for. Of all others a lazy module says that it has
#: none, unseen: pytest asks everything in a plugin's namespace for `__wrapped__` and `_mock_name`, which would import
#: every lazy module there in every run of every suite.
_ANSWERED = frozenset({"__doc__", "__file__", "__name__", "__path__", "__version__"})


class LazyModule:
    """A module that is imported at the first use of one of its names.

    Unlike ``lazy_loader.load`` it puts nothing into ``sys.modules`` before that: `inspect` asks every module there for
    its file (pytest does so whenever it quotes source), which would wake a lazy TensorFlow; and a package that is not
    installed is Python's own ModuleNotFoundError, at its first use.

    The type checker sees the module itself, by a twin::

        if TYPE_CHECKING:
            import numpy as np
        else:
            np = LazyModule("numpy")
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_") and attribute not in _ANSWERED:
            raise AttributeError(f"{self!r} is not asked for {attribute!r}")
        value = getattr(importlib.import_module(self._name), attribute)
        # From now on the attribute is found without this method.
        setattr(self, attribute, value)
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyModule, (self._name,)

    def __repr__(self) -> str:
        return f"LazyModule({self._name!r})"
