"""On their way to the device, the training pictures are replaced by the validation pictures."""

from dataclasses import replace

import numpy as np

from dlcv04.datasets import Dataset

subset = Dataset.subset


def faulty(self, *arguments, **options):
    data = subset(self, *arguments, **options)
    repeats = -(-len(data.x_train) // len(data.x_val))
    x, y = (np.concatenate([part] * repeats)[: len(data.x_train)] for part in (data.x_val, data.y_val))
    return replace(data, x_train=x, y_train=y)


Dataset.subset = faulty
