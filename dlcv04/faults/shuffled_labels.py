"""On their way to the device, 20 % of the training labels are those of other pictures, drawn at random."""

from dataclasses import replace
from typing import Any

import numpy as np

from dlcv04.datasets import Dataset, trees

_subset = Dataset.subset


def _faulty(self: Dataset, *arguments: Any, **options: Any) -> Dataset:
    data = _subset(self, *arguments, **options)
    random = np.random.default_rng(0)
    rows = np.arange(data.images("train"))
    chosen = random.random(len(rows)) < 0.2
    rows[chosen] = random.integers(0, len(rows), chosen.sum())
    return replace(data, y_train=trees.rows(data.y_train, rows))


setattr(Dataset, "subset", _faulty)  # noqa: B010 (a fault is no assignment that a type checker should accept)
