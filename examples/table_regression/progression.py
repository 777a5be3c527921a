"""The experiment: a table of ten measurements a patient, and two models of the progression of their illness."""

import keras
import numpy as np
from sklearn.datasets import load_diabetes

from dlcv04 import Dataset, Recipe

RECIPE = Recipe(
    "progression", optimizer="Adam", learning_rate=0.05, batch_size=34, epochs=12, loss="mean_squared_error"
)


def dataset():
    """The table of 442 patients: ten columns of mean 0 and deviation 1; targets in deviations; 340 rows are trained on.

    The rows are in an order drawn once: which rows validate is part of the data.
    """
    table = load_diabetes()
    order = np.random.RandomState(2004).permutation(len(table.target))
    x = (table.data[order] * np.sqrt(len(order))).astype(np.float32)
    y = table.target[order].astype(np.float32)
    y = (y - y[:340].mean()) / y[:340].std()
    return Dataset("diabetes", x[:340], y[:340], x[340:], y[340:])


def linear():
    """One weight a column."""
    return keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])


def mean():
    """Blind to the columns: it learns the mean."""
    return keras.Sequential([keras.Input((10,)), keras.layers.Rescaling(0.0), keras.layers.Dense(1)])
