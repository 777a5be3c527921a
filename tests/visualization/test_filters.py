"""Filters by gradient ascent: the recipe of 2016, in batches as one by one, on any model, with clear refusals."""

import types

import numpy as np
import pytest

from dlcv04 import backends, networks
from dlcv04.backends import keras
from dlcv04.visualization import filters
from dlcv04.visualization.filters import Ascent, VisualizationError, excite
from dlcv04.weights import WeightsError

FIRST, SECOND = "conv1", "conv2"


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(5)
    return networks.cifar_convnet(filters=(6, 4), dense_units=3, input_shape=(16, 12, 3))


def other_model(*layers, shape=(16, 16, 3), name="mine"):
    return keras.Sequential([keras.Input(shape), *layers], name=name)


def by_the_seed(model, layer, number, noise, steps=20):
    """The 2016 experiment's loop: one picture, one filter, in NumPy but for the gradient (Task 3, code)."""
    trunk = keras.Model(model.inputs, model.get_layer(layer).output)
    step = backends.value_and_gradient(trunk, lambda x, outputs: keras.ops.mean(outputs[..., number], axis=(1, 2)))
    x, losses = noise[None] / np.float32(255), []
    for _ in range(steps):
        loss, gradient = (backends.to_numpy(part) for part in step(x))
        losses.append(float(loss[0]))
        x = x + gradient / (np.sqrt(np.mean(gradient**2)) + 1e-5) / 255
    return x[0] * 255, losses[0], float(backends.to_numpy(step(x)[0])[0])


@pytest.mark.parametrize("layer", [FIRST, "conv3"])
def test_it_is_the_seeds_recipe(model, layer):
    found = excite(model, layer, [0, 2, 3], seed=1)
    for place, number in enumerate([0, 2, 3]):
        start = filters._noise(Ascent(), (16, 12, 3), 1, number)
        assert 118 <= start.min() < 121 and 135 < start.max() <= 138
        picture, before, after = by_the_seed(model, layer, number, start)
        np.testing.assert_allclose(found.pictures[place], picture, atol=0.05)
        assert (found.before[place], found.after[place]) == pytest.approx((before, after), rel=1e-3)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 5])
def test_whatever_the_batch_the_pictures_are_the_same(model, batch_size):
    whole, parts = excite(model, SECOND), excite(model, SECOND, batch_size=batch_size)
    np.testing.assert_allclose(parts.pictures, whole.pictures, atol=0.05)
    np.testing.assert_allclose(parts.after, whole.after, rtol=1e-3)
    assert parts.filters.tolist() == whole.filters.tolist() == [*range(6)]


def test_a_filter_keeps_its_noise_whoever_is_beside_it(model):
    alone, beside = excite(model, SECOND, [3]), excite(model, SECOND, [1, 3, 5])
    np.testing.assert_allclose(alone.pictures[0], beside.pictures[1], atol=0.05)
    assert np.abs(beside.pictures[0] - beside.pictures[1]).max() > 5


def test_shown_filters_are_excited_and_zero_steps_excite_none(model):
    found, still = excite(model, "conv3"), excite(model, "conv3", ascent=Ascent(steps=0))
    assert (found.after[found.alive] > 1.05 * found.before[found.alive]).all()
    np.testing.assert_array_equal(still.after, still.before)
    np.testing.assert_allclose(still.pictures.mean(), 128, atol=1)


def test_dead_filters_are_counted_and_left_out():
    keras.utils.set_random_seed(1)
    net = other_model(keras.layers.Conv2D(5, 3, activation="relu", name="c"))
    kernel, bias = net.get_layer("c").get_weights()
    bias[:] = 5.0
    bias[[1, 3]] = -1e4
    net.get_layer("c").set_weights([kernel, bias])
    found = excite(net, "c")
    assert found.dead == 2 and sorted(found.best().tolist()) == [0, 2, 4]
    assert list(found.after[found.best()]) == sorted(found.after[found.best()], reverse=True)
    assert found.best(2).tolist() == found.best()[:2].tolist()
    assert filters.answering(net, "c").tolist() == [0, 2, 4]
    np.testing.assert_allclose(found.pictures[1], filters._noise(Ascent(), (16, 16, 3), 0, 1), rtol=1e-6)


def test_progress_is_told_to_the_end(model):
    told = []
    excite(model, SECOND, range(5), batch_size=2, ascent=Ascent(steps=2), on_step=lambda *at: told.append(at))
    assert told == [(2, 10), (4, 10), (6, 10), (8, 10), (9, 10), (10, 10)]


@pytest.mark.parametrize("pixels", ["bytes", "imagenet"])
def test_a_model_that_takes_other_pixels_gives_the_same(pixels):
    keras.utils.set_random_seed(2)
    inner = other_model(keras.layers.Conv2D(3, 3, activation="softplus", name="c"))
    inputs, same = keras.Input((16, 16, 3)), keras.layers.Conv2D(3, 3, activation="softplus", name="c")
    whole = keras.Model(inputs, same(networks.from_unit(inputs, pixels)))
    same.set_weights(inner.get_layer("c").get_weights())
    np.testing.assert_allclose(
        excite(inner, "c", pixels=pixels, ascent=Ascent(steps=5)).pictures,
        excite(whole, "c", ascent=Ascent(steps=5)).pictures,
        atol=0.05,
    )


def test_other_convolutions_grey_pictures_and_free_sizes():
    layers = keras.layers
    stack = [
        layers.Conv2D(3, 3, activation="relu", name="a"),
        layers.DepthwiseConv2D(3, name="b"),
        layers.SeparableConv2D(4, 3, name="c"),
        layers.Conv2DTranspose(2, 3, name="d"),
    ]
    net = other_model(*stack, shape=(None, None, 1))
    assert filters.convolutions(net) == ["a", "b", "c", "d"]
    for name, count in zip("abcd", (3, 3, 4, 2), strict=True):
        found = excite(net, name, size=12, ascent=Ascent(steps=1))
        assert found.pictures.shape == (count, 12, 12, 1) and np.isfinite(found.pictures).all()


def test_names_in_both_spellings(model):
    trunk = networks.vgg16(until="conv2_1", input_shape=(32, 32, 3))
    assert (
        filters.find_convolution(trunk, "conv2_1") == filters.find_convolution(trunk, "block2_conv1") == "block2_conv1"
    )
    assert (
        filters.find_convolution(model, "ConvLayer_3") == filters.find_convolution(model, "convolution2d_3") == "conv3"
    )
    with pytest.raises(VisualizationError, match=r"'cifar_convnet' has no convolution 'conv33'; the nearest are conv3"):
        filters.find_convolution(model, "conv33")
    with pytest.raises(VisualizationError, match="no convolution 'ConvLayer_9'"):
        filters.find_convolution(model, "ConvLayer_9")


def test_models_that_nothing_can_be_shown_of():
    dense = other_model(keras.layers.Flatten(), keras.layers.Dense(3))
    with pytest.raises(VisualizationError, match=r"^'mine' has no two-dimensional convolution among its layers\.$"):
        excite(dense, "conv1")
    nested = other_model(other_model(keras.layers.Conv2D(2, 3), name="inner"))
    with pytest.raises(VisualizationError, match="they may lie in its inner: give that model itself"):
        excite(nested, "conv1")
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    joined = keras.layers.Conv2D(2, 3, name="c")(keras.layers.Add()([one, two]))
    with pytest.raises(VisualizationError, match=r"takes no single picture: its inputs are of shape .*8, 8, 3"):
        excite(keras.Model([one, two], joined, name="pair"), "c")
    first = other_model(keras.layers.Conv2D(2, 3, name="c", data_format="channels_first"), shape=(3, 8, 8))
    with pytest.raises(VisualizationError, match="channels first"):
        excite(first, "c")


def test_sizes_and_filters_that_do_not_fit(model):
    with pytest.raises(VisualizationError, match=r"takes pictures of 16x12 pixels alone, not 20x20"):
        excite(model, FIRST, size=20)
    free = other_model(keras.layers.Conv2D(2, 9, name="c"), shape=(None, None, 3))
    with pytest.raises(VisualizationError, match="Nothing is left of a picture of 8x8 pixels: take larger ones"):
        excite(free, "c", size=8)
    for chosen in ([6], [-1], []):
        with pytest.raises(VisualizationError, match="'conv1' has the filters 0 to 5: choose some of them"):
            excite(model, FIRST, chosen)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value):
    net = other_model(keras.layers.Conv2D(2, 3, name="c"))
    kernel, bias = net.get_layer("c").get_weights()
    kernel[0, 0, 0, 1] = value
    net.get_layer("c").set_weights([kernel, bias])
    with pytest.raises(WeightsError, match=r"1 of the 54 numbers in mine/c/kernel are not finite: the training"):
        excite(net, "c")


def test_batches_follow_the_free_memory(model, monkeypatch):
    trunk = filters.trunk_to(model, FIRST)
    one = 3 * 4 * (16 * 12 * 3 + 16 * 12 * 6)
    for room, filters_at_once in ((one * 100, 6), (one * 4, 3), (one * 2, 2), (1, 1)):
        monkeypatch.setattr(
            filters.psutil, "virtual_memory", lambda room=room: types.SimpleNamespace(available=4 * room)
        )
        assert filters.batch_of(trunk, (16, 12, 3), 6) == filters_at_once


def test_pictures_are_shown_about_grey():
    random = np.random.default_rng(0)
    pictures = np.stack([random.normal(90, 3, (8, 8, 3)), random.normal(-10, 400, (8, 8, 3)), np.full((8, 8, 3), 7.0)])
    shown = filters.shown(pictures.astype(np.float32)) / 255
    assert shown[:2].mean(axis=(1, 2, 3)) == pytest.approx([0.5, 0.5], abs=0.01)
    assert shown[:2].std(axis=(1, 2, 3)) == pytest.approx([0.1, 0.1], abs=0.01)
    assert shown[2] == pytest.approx(0.5, abs=0.01)


def test_roughness_of_noise_of_stripes_and_of_a_plain_colour():
    random = np.random.default_rng(0)
    assert filters.roughness(random.normal(size=(300, 3, 3, 3))).mean() == pytest.approx(0.38, abs=0.01)
    plain, fine = np.ones((1, 3, 3, 1)), np.array([[1, -1, 1]] * 3).reshape(1, 3, 3, 1)
    assert filters.roughness(plain)[0] < 0.25 < filters.roughness(fine)[0]
    assert filters.roughness(5 * plain) == pytest.approx(filters.roughness(plain))


def test_spectral_entropy_tells_noise_from_a_pattern():
    random = np.random.RandomState(0)
    noise = random.standard_normal((6, 64, 64, 1))
    wave = np.broadcast_to(np.sin(2 * np.pi * np.arange(64) / 8)[None, :, None, None], (1, 64, 64, 3))
    np.testing.assert_allclose(filters.spectral_entropy(noise), np.log(64 * 64) - 0.42, atol=0.03)
    np.testing.assert_allclose(filters.spectral_entropy(wave), np.log(2), atol=1e-6)
    np.testing.assert_array_equal(filters.spectral_entropy(np.full((2, 8, 8, 3), 7.0)), 0)
    brighter = 5 + 3 * noise
    np.testing.assert_allclose(filters.spectral_entropy(brighter), filters.spectral_entropy(noise), rtol=1e-9)
