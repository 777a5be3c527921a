"""On their way to the device, 20 % of the training labels are drawn at random."""

from dataclasses import replace
from typing import Any

import numpy as np

from dlcv04.datasets import Dataset

_subset = Dataset.subset


def _faulty(self: Dataset, *arguments: Any, **options: Any) -> Dataset:
    data = _subset(self, *arguments, **options)
    random = np.random.default_rng(0)
    labels = data.y_train.copy()
    chosen = random.random(len(labels)) < 0.2
    labels[chosen] = random.integers(0, data.classes, chosen.sum())
    return replace(data, y_train=labels)


setattr(Dataset, "subset", _faulty)  # noqa: B010 (a fault is no assignment that a type checker should accept)
