"""The recipe's rate is forgotten on the way to the optimizer: Keras's default of 0.001 is used."""

from dlcv04 import recipes
from dlcv04.backends import keras


def make_optimizer(self):
    return keras.optimizers.Adadelta()


recipes.Recipe.make_optimizer = make_optimizer
