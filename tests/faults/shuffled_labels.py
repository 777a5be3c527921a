"""On their way to the device, 20 % of the training labels are drawn at random."""

from dataclasses import replace

import numpy as np

from dlcv04.datasets import Dataset

subset = Dataset.subset


def faulty(self, *arguments, **options):
    data = subset(self, *arguments, **options)
    random = np.random.default_rng(0)
    labels = data.y_train.copy()
    chosen = random.random(len(labels)) < 0.2
    labels[chosen] = random.integers(0, data.classes, chosen.sum())
    return replace(data, y_train=labels)


Dataset.subset = faulty
