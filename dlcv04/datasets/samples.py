"""Two photographs that scikit-learn carries (427 x 640): a content and a style that need no download."""

import importlib.util
from pathlib import Path
from typing import Literal

from dlcv04.datasets.tree import File


def photograph(name: Literal["china", "flower"]) -> File:
    """``china.jpg``, a pavilion before a lake, or ``flower.jpg``, a dahlia before dark leaves."""
    spec = importlib.util.find_spec("sklearn")  # found, not imported: that takes a second
    assert spec is not None and spec.origin is not None  # a dependency of this package
    return File.at(Path(spec.origin).parent / "datasets" / "images" / f"{name}.jpg")
