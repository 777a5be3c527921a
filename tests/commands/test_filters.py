"""``dlcv04 filters``: a grid as PNG of anyone's model, and one sentence for what can't be shown."""

import numpy as np
from PIL import Image

from dlcv04.backends import keras
from tests.commands import asking
from tests.commands.asking import Command

filters = Command("filters")
refused = filters.refused


def save(*layers, shape=(20, 20, 3)):
    return asking.save(*layers, shape=shape)


def convolutions():
    return [keras.layers.Conv2D(7, 3, activation="softplus", name=name) for name in ("first", "second")]


def test_a_grid_of_a_file_of_ones_own(folder):
    save(*convolutions())
    result = filters.asked("mine.keras", "--filters", "5", "--steps", "2", "--out", "grid.png")
    assert result.exit_code == 0, result.output
    assert "second: 5 filters, the most excited first; 7 of 7 answer to noise" in result.output
    with Image.open(folder / "grid.png") as grid:
        assert grid.size == (3 * 25 - 5, 2 * 25 - 5)
        assert np.asarray(grid)[:20, :20].std() > 5
    result = filters.asked("mine.keras", "--layer", "first", "--filters", "0", "--steps", "1")
    assert "first: 7 filters" in result.output and (folder / "filters.png").exists()


def test_vgg16_in_the_seeds_spelling(folder):
    settings = ["--weights", "random", "--size", "32", "--filters", "2", "--steps", "1"]
    result = filters.asked("--layer", "conv2_1", *settings)
    assert result.exit_code == 0 and "block2_conv1: 2 filters" in result.output, result.output


def test_one_sentence_for_what_cannot_be_shown(folder):
    unknown = refused("vgg16", "--layer", "conv9_1", "--weights", "random")
    assert "conv9_1" in unknown and "nearest" in unknown
    assert "mine.keras is not a file" in refused("mine.keras")
    (folder / "mine.keras").write_text("no model")
    assert "mine.keras can't be read as a Keras model" in refused("mine.keras")
    save(keras.layers.Flatten(), keras.layers.Dense(2))
    assert "has no two-dimensional convolution" in refused("mine.keras")
    model = save(*convolutions())
    assert "no convolution 'secnod'; the nearest are second" in refused("mine.keras", "--layer", "secnod")
    assert "pictures of 20x20 pixels alone" in refused("mine.keras", "--size", "40")
    assert "no folder gone" in refused("mine.keras", "--out", "gone/a.png")
    assert "'byte' is not one of 'unit', 'bytes', 'imagenet'." in refused("mine.keras", "--pixels", "byte")
    model.get_layer("first").set_weights([np.full((3, 3, 3, 7), np.nan), np.zeros(7)])
    model.save("mine.keras")
    assert "189 of the 189 numbers" in refused("mine.keras")


def test_a_file_with_code_in_it_is_refused(folder):
    save(keras.layers.Lambda(lambda x: x), *convolutions())
    assert "mine.keras holds Python code (a Lambda layer), and nothing in a file is run" in refused("mine.keras")
