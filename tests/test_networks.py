"""The networks of the 2016 experiment: their parameters by formula, their shapes, and what is refused."""

import functools
import subprocess
import sys

import numpy as np
import pytest

from dlcv04.backends import keras
from dlcv04.networks import (
    MNIST_VARIANTS,
    VGG16_LAYERS,
    cifar_convnet,
    describe,
    mnist_convnet,
    terrassa_convnet,
    vgg16,
    vgg16_layer,
)

# The first four stand in the 2016 experiment's table (slide); the others follow from the formula below.
PARAMETERS = {
    "base": 600_810,
    "one_conv_less": 693_962,
    "three_conv_more": 370_506,
    "fc1024": 4_861_674,
    "one_fc128_more": 617_322,
    "half_filters": 298_810,
    "kernel_5x5": 437_482,
    "double_pooling": 158_442,
}


def by_formula(
    convs: int = 2, filters: int = 32, kernel: int = 3, pool: int = 2, dense: tuple[int, ...] = (128,)
) -> int:
    total, channels = 0, 1
    for _ in range(convs):
        total, channels = total + (kernel * kernel * channels + 1) * filters, filters
    inputs = ((28 - convs * (kernel - 1)) // pool) ** 2 * filters
    for units in (*dense, 10):
        total, inputs = total + (inputs + 1) * units, units
    return total


@pytest.mark.parametrize("variant", MNIST_VARIANTS)
def test_parameters(variant: str) -> None:
    assert MNIST_VARIANTS[variant]().count_params() == PARAMETERS[variant]


def test_the_table_has_the_order_of_the_seed() -> None:
    assert list(MNIST_VARIANTS) == list(PARAMETERS)


def test_the_formula_gives_the_same_counts() -> None:
    assert list(PARAMETERS.values()) == [
        by_formula(),
        by_formula(convs=1),
        by_formula(convs=5),
        by_formula(dense=(1024, 128)),
        by_formula(dense=(128, 128)),
        by_formula(filters=16),
        by_formula(kernel=5),
        by_formula(pool=4),
    ]


@pytest.mark.parametrize("wider", [{"filters": 33}, {"dense_units": (129,)}, {"classes": 11}])
def test_one_unit_more_changes_the_count(wider: dict) -> None:
    assert mnist_convnet(**wider).count_params() != PARAMETERS["base"]


CONV1, CONV2, POOLED = (26, 26, 32), (24, 24, 32), (12, 12, 32)
SHAPES = {
    "base": [CONV1, CONV2, POOLED, POOLED, (4608,), (128,), (128,), (10,)],
    "one_conv_less": [CONV1, (13, 13, 32), (13, 13, 32), (5408,), (128,), (128,), (10,)],
    "three_conv_more": [
        *[(side, side, 32) for side in (26, 24, 22, 20, 18) for _ in ("conv", "dropout")],
        *[(9, 9, 32), (2592,), (128,), (128,), (10,)],
    ],
    "fc1024": [CONV1, CONV2, POOLED, POOLED, (4608,), (1024,), (128,), (128,), (10,)],
    "one_fc128_more": [CONV1, CONV1, CONV2, POOLED, POOLED, (4608,), (128,), (128,), (128,), (128,), (10,)],
    "half_filters": [(26, 26, 16), (24, 24, 16), (12, 12, 16), (12, 12, 16), (2304,), (128,), (128,), (10,)],
    "kernel_5x5": [(24, 24, 32), (20, 20, 32), (10, 10, 32), (10, 10, 32), (3200,), (128,), (128,), (10,)],
    "double_pooling": [CONV1, CONV2, (6, 6, 32), (6, 6, 32), (1152,), (128,), (128,), (10,)],
}


@pytest.mark.parametrize("variant", MNIST_VARIANTS)
def test_output_shape_of_every_layer(variant: str) -> None:
    assert [tuple(layer.output.shape[1:]) for layer in MNIST_VARIANTS[variant]().layers] == SHAPES[variant]


DROPOUT = {
    "base": [0.25, 0.5],
    "one_conv_less": [0.25, 0.5],
    "three_conv_more": [0.25] * 5 + [0.5],
    "fc1024": [0.25, 0.5],
    "one_fc128_more": [0.25, 0.25, 0.5, 0.5],
    "half_filters": [0.25, 0.5],
    "kernel_5x5": [0.25, 0.5],
    "double_pooling": [0.25, 0.5],
}


@pytest.mark.parametrize("variant", MNIST_VARIANTS)
def test_dropout_rates(variant: str) -> None:
    model = MNIST_VARIANTS[variant]()
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == DROPOUT[variant]


def test_layers_are_stock_and_as_in_the_seed() -> None:
    for factory in MNIST_VARIANTS.values():
        for layer in factory().layers:
            assert type(layer) is getattr(keras.layers, type(layer).__name__)
            if isinstance(layer, keras.layers.Conv2D):
                assert (layer.padding, layer.strides, layer.activation.__name__) == ("valid", (1, 1), "relu")
        assert layer.activation.__name__ == "softmax"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"conv_layers": 0}, "conv_layers"),
        ({"filters": -1}, "filters"),
        ({"kernel_size": 2.5}, "kernel_size"),
        ({"pool_size": True}, "pool_size"),
        ({"dense_units": (128, -128)}, "dense_units"),
        ({"conv_layers": 14}, "leave nothing"),
        ({"pool_size": 25}, "leave nothing"),
        ({"conv_dropout": (0.1,)}, "conv_dropout must be one rate or 2"),
        ({"pool_dropout": 1.0}, "pool_dropout"),
        ({"input_shape": (28, 28)}, "input_shape"),
    ],
)
def test_wrong_arguments_are_named_in_one_sentence(arguments: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word) as caught:
        mnist_convnet(**arguments)
    assert "\n" not in str(caught.value)


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def by_conv_formula(filters: list[int], inputs: int, dense: int, classes: int) -> int:
    pairs = zip([3, *filters], filters, strict=False)
    convolutions = sum((9 * before + 1) * after for before, after in pairs)
    return convolutions + (inputs + 1) * dense + (dense + 1) * classes


def test_cifar_convnet_has_the_parameters_of_its_formula() -> None:
    expected = by_conv_formula([32, 32, 64, 64], 6 * 6 * 64, 512, 10)
    assert cifar_convnet().count_params() == cifar_convnet(dropout=False).count_params() == expected == 1_250_858
    # Batch normalisation keeps four values a filter: scale, offset, moving mean and variance.
    assert cifar_convnet(batch_norm=True).count_params() == expected + 4 * (32 + 32 + 64 + 64)


def test_cifar_convnet_is_laid_out_as_in_the_seed() -> None:
    model = cifar_convnet()
    block = ["Conv2D", "Conv2D", "MaxPooling2D", "Dropout"]
    assert kinds(model) == [*block, *block, "Flatten", "Dense", "Dropout", "Dense"]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.padding for layer in convolutions] == ["same", "valid", "same", "valid"]
    assert [layer.output.shape[1] for layer in convolutions] == [32, 30, 15, 13]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.25, 0.25, 0.5]
    names = [layer.name for layer in model.layers]
    assert names[:4] == ["conv1", "conv2", "pool1", "pool1_dropout"] and names[-2:] == ["dense1_dropout", "classes"]


def test_batch_normalisation_stands_between_each_convolution_and_its_relu() -> None:
    model = cifar_convnet(batch_norm=True)
    normalised = ["Conv2D", "BatchNormalization", "ReLU"]
    assert kinds(model)[:7] == [*normalised, *normalised, "MaxPooling2D"]
    linear = [layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert linear == ["linear"] * 4


def test_terrassa_convnet() -> None:
    assert terrassa_convnet().count_params() == by_conv_formula([32, 32], 15 * 15 * 32, 512, 13) == 3_703_725
    assert kinds(terrassa_convnet()) == ["Conv2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dense"]
    regular = terrassa_convnet(dropout=True)
    assert [layer.rate for layer in regular.layers if isinstance(layer, keras.layers.Dropout)] == [0.25, 0.5]
    assert regular.count_params() == 3_703_725


@pytest.mark.parametrize("network", [cifar_convnet, terrassa_convnet])
def test_any_size_and_number_of_classes(network) -> None:
    model = network(input_shape=(48, 64, 1), classes=4)
    assert (model.input_shape[1:], model.output_shape[1:]) == ((48, 64, 1), (4,))


@pytest.mark.parametrize(
    ("network", "arguments", "word"),
    [
        (cifar_convnet, {"input_shape": (9, 9, 3)}, "2 blocks leave nothing of a 9x9"),
        (cifar_convnet, {"input_shape": (32, 32)}, "input_shape"),
        (cifar_convnet, {"filters": (32, 0)}, "filters"),
        (cifar_convnet, {"classes": True}, "classes"),
        (terrassa_convnet, {"input_shape": (3, 32, 3)}, "two convolutions leave nothing of a 3x32"),
        (terrassa_convnet, {"dense_units": 1.5}, "dense_units"),
    ],
)
def test_wrong_arguments_of_the_other_networks(network, arguments: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        network(**arguments)


def test_vgg16_is_keras_vgg16() -> None:
    """Same names, shapes and number of weights as keras.applications', trunk and dense layers."""
    theirs = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    ours = vgg16(input_shape=(64, 64, 3))
    assert [layer.name for layer in ours.layers[1:]] == [layer.name for layer in theirs.layers[1:]]
    shapes = [[tuple(w.shape) for w in model.weights] for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert ours.count_params() == 14_714_688
    ours.set_weights(theirs.get_weights())
    x = np.random.RandomState(0).uniform(-100, 100, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_array_equal(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))


def test_vgg16_subtracts_imagenets_mean_as_keras_does() -> None:
    whole = vgg16(input_shape=(32, 32, 3), until="conv1_1", unit_pixels=True)
    raw = vgg16(input_shape=(32, 32, 3), until="conv1_1")
    raw.set_weights(whole.get_weights())
    pictures = np.random.RandomState(0).randint(0, 256, (2, 32, 32, 3)).astype(np.float32)
    ready = keras.applications.vgg16.preprocess_input(pictures.copy())
    found = whole.predict(pictures / 255, verbose=0)
    np.testing.assert_allclose(found, raw.predict(ready, verbose=0), atol=1e-3)
    assert not np.allclose(found, raw.predict(ready[..., ::-1].copy(), verbose=0), atol=1.0)


def test_vgg16_layers_have_two_spellings() -> None:
    assert vgg16_layer("conv5_1") == vgg16_layer("block5_conv1") == "block5_conv1"
    assert vgg16_layer("pool3") == "block3_pool"
    assert vgg16_layer("fc2") == "fc2"
    assert vgg16(until="conv4_2", input_shape=(32, 32, 3)).layers[-1].name == "block4_conv2"
    assert len(VGG16_LAYERS) == 21
    for wrong, nearest in {"block5_conv4": "block5_conv3", "conv6_1": "block", "fc3": "fc"}.items():
        with pytest.raises(ValueError, match=f"no layer '{wrong}'; the nearest are .*{nearest}"):
            vgg16_layer(wrong)


@pytest.mark.parametrize("shape", [(31, 64, 3), (64, 64, 1), (64, 64)])
def test_vgg16_pictures(shape) -> None:
    with pytest.raises(ValueError, match=r"32x32 with 3 channels|input_shape"):
        vgg16(input_shape=shape)


def test_describe() -> None:
    assert describe(MNIST_VARIANTS["base"]) == "mnist_convnet()"
    assert describe(functools.partial(mnist_convnet, conv_layers=5)) == "mnist_convnet(conv_layers=5)"
    assert describe(mnist_convnet) == "mnist_convnet()"
    assert describe(mnist_convnet()) == "mnist_convnet, its weights kept"


class Plain:
    """Whose `repr` holds its address."""


class Outspoken:
    """Whose own `repr` does, in other words."""

    def __init__(self, write):
        self.write = write

    def __repr__(self):
        return f"Outspoken({self.write(id(self))})"


def test_a_description_is_the_same_in_every_process() -> None:
    built = functools.partial(mnist_convnet, keras.activations.relu, [Plain()], also={"a": test_describe})
    assert describe(built) == (f"mnist_convnet(relu, [<{__name__}.Plain object>], also={{'a': test_describe}})")
    outspoken = functools.partial(mnist_convnet, Outspoken(hex), [Outspoken(str)], (functools,))
    assert describe(outspoken) == "mnist_convnet(Outspoken(...), [Outspoken(...)], (functools,))"
    layers = [keras.layers.ReLU() for _ in range(2)]
    assert len({layer.name for layer in layers}) == 2
    assert len({describe(functools.partial(mnist_convnet, activation=layer)) for layer in layers}) == 1
    names = [f"name{number}" for number in range(20)]
    sets = [functools.partial(mnist_convnet, {*order}, frozenset(order)) for order in (names, names[::-1])]
    listed = ", ".join(sorted(map(repr, names)))
    assert {describe(one) for one in sets} == {f"mnist_convnet({{{listed}}}, frozenset({{{listed}}}))"}
    first, second = (keras.Sequential([keras.Input((2,))]) for _ in range(2))
    assert first.name != second.name and describe(first) == describe(second) == "sequential, its weights kept"
    assert describe(keras.Sequential(name="mine_2")) == "mine_2, its weights kept"


def test_importing_and_describing_loads_no_framework() -> None:
    code = (
        "import sys, inspect, dlcv04.networks as n, dlcv04.training, dlcv04.datasets.mnist, dlcv04.datasets.fetch;"
        "n.describe(n.MNIST_VARIANTS['base']); inspect.stack();"
        "print([m for m in ('keras','tensorflow','jax','scipy','sklearn','pandas','matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
