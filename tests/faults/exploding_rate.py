"""A rate at which the loss is soon no number."""

from dlcv04 import recipes
from dlcv04.backends import keras


def make_optimizer(self):
    return keras.optimizers.SGD(1e38)


recipes.Recipe.make_optimizer = make_optimizer
