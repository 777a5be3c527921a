"""Nested arrays, as models with several inputs or outputs take them: dicts, tuples and lists of arrays.

`keras.tree` would import the framework where a data set is made, and a test module makes it while pytest collects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def is_nested(tree: Any) -> bool:
    """Whether it holds arrays, or what some are made of, by name or place: a list of plain numbers does not."""
    if isinstance(tree, Mapping):
        return True
    return isinstance(tree, tuple | list) and any(is_nested(part) or hasattr(part, "shape") for part in tree)


def mapped(function: Callable[..., Any], name: str, tree: Any, *others: Any) -> Any:
    """What `function(name, leaf, *leaves of the others)` makes of each leaf, in the same places.

    A leaf's name is as one would write it: "x_train['left'][0]". Mappings become dicts; the others are like the first.
    """
    if not is_nested(tree):
        return function(name, tree, *others)
    places = list(tree) if isinstance(tree, Mapping) else range(len(tree))
    made = [mapped(function, f"{name}[{key!r}]", tree[key], *(each[key] for each in others)) for key in places]
    if isinstance(tree, Mapping):
        return dict(zip(places, made, strict=True))
    return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)


def leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """Each leaf with its name, those of a mapping in the order of their keys."""
    if not is_nested(tree):
        yield name, tree
        return
    for key in sorted(tree, key=str) if isinstance(tree, Mapping) else range(len(tree)):
        yield from leaves(f"{name}[{key!r}]", tree[key])


def rows(tree: Any, chosen: slice | npt.NDArray[np.integer[Any]]) -> Any:
    """The chosen rows of each array."""
    return mapped(lambda name, array: array[chosen], "", tree)
