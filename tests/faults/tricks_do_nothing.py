"""Each trick of Tasks 2 and 4 does nothing.

Normalisation and dropout are the identity, no picture is augmented, and VGG16 keeps its random weights.
"""

from pathlib import Path

from dlcv04 import bases, weights
from dlcv04.backends import keras
from dlcv04.recipes import Recipe
from tests.faults.toy_sizes import pytest_collection_modifyitems  # noqa: F401 (at toy sizes)

real_base, real_dropout = bases.vgg16_base, keras.layers.Dropout.__init__


def random_base(weights, **options):
    return real_base("random", **options)


def no_dropout(self, rate, *arguments, **options):
    real_dropout(self, 0.0, *arguments, **options)


bases.vgg16_base = random_base
weights.find = lambda source, dense=False: Path("weights that are never read")
keras.layers.Dropout.__init__ = no_dropout
keras.layers.BatchNormalization.call = lambda self, inputs, training=None, mask=None: inputs
Recipe.make_augmentation = lambda self, input_shape: None
