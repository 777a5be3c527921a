"""The optimizer is made with a tenth of the recipe's rate."""

from dataclasses import replace
from typing import Any

from dlcv04.recipes import Recipe

_make_optimizer = Recipe.make_optimizer


def _faulty(self: Recipe) -> Any:
    return _make_optimizer(replace(self, learning_rate=self.learning_rate / 10))


setattr(Recipe, "make_optimizer", _faulty)  # noqa: B010 (a fault is no assignment that a type checker should accept)
