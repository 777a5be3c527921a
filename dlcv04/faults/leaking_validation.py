"""On their way to the device, the training pictures are replaced by the validation pictures."""

from dataclasses import replace
from typing import Any

import numpy as np

from dlcv04.datasets import Dataset, trees

_subset = Dataset.subset


def _faulty(self: Dataset, *arguments: Any, **options: Any) -> Dataset:
    data = _subset(self, *arguments, **options)
    rows = np.arange(data.images("train")) % data.images("val")
    x, y = (trees.rows(part, rows) for part in (data.x_val, data.y_val))
    return replace(data, x_train=x, y_train=y)


setattr(Dataset, "subset", _faulty)  # noqa: B010 (a fault is no assignment that a type checker should accept)
