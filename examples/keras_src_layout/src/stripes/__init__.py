"""The experiment: pictures of stripes, networks that tell their direction, and how they are trained."""

import keras
import numpy as np

from dlcv04 import Dataset, Recipe

DIRECTIONS, SIDE = 4, 12
TRAINING, VALIDATION = 1024, 512
RECIPE = Recipe("stripes", optimizer="Adam", learning_rate=0.02, batch_size=64, epochs=4)


def draw(count, rng):
    """Stripes of random phase in noise: uint8 of shape (count, 12, 12, 1), and their directions, int32 (count,)."""
    directions = rng.integers(DIRECTIONS, size=count).astype(np.int32)
    angles = (directions * np.pi / DIRECTIONS)[:, None, None]
    phases = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    along = np.cos(angles) * columns + np.sin(angles) * rows
    waves = np.sin(2 * np.pi * along / 4 + phases) + rng.normal(0, 0.8, along.shape)
    return np.clip(128 + 50 * waves, 0, 255).astype(np.uint8)[..., None], directions


def dataset():
    """The same pictures every time: their seed is part of the data."""
    rng = np.random.default_rng(2016)
    return Dataset("stripes", *draw(TRAINING, rng), *draw(VALIDATION, rng), classes=DIRECTIONS)


class Mirrored(keras.Model):
    """A model that sees every training batch from left to right or from right to left, by chance."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.chance = keras.random.SeedGenerator(0)

    def train_step(self, *given):
        """One step on a batch or on its mirror image; JAX hands in its state before the batch."""
        *state, (pictures, directions) = given
        mirrored = keras.random.uniform((), seed=self.chance) < 0.5
        pictures = keras.ops.where(mirrored, keras.ops.flip(pictures, 2), pictures)
        # In a mirror a slope goes the other way: 0, 45, 90, 135 degrees become 0, 135, 90, 45.
        directions = keras.ops.where(mirrored, (DIRECTIONS - directions) % DIRECTIONS, directions)
        return super().train_step(*state, (pictures, directions))


def convnet(filters=8):
    """One convolution, averaged over the picture: it finds a stripe wherever it is."""
    layers = keras.layers
    pictures = keras.Input((SIDE, SIDE, 1))
    x = layers.Rescaling(2, offset=-1)(pictures)  # arms get pixels from 0 to 1
    x = layers.Conv2D(filters, 5, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return Mirrored(pictures, layers.Dense(DIRECTIONS, "softmax")(x))


def linear():
    """One weight a pixel and direction: blind to stripes that may lie anywhere."""
    layers = keras.layers
    pictures = keras.Input((SIDE, SIDE, 1))
    return Mirrored(pictures, layers.Dense(DIRECTIONS, "softmax")(layers.Flatten()(pictures)))
