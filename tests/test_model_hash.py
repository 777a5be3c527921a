"""The hash of a model: every setting and weight counts, names don't, and one's own code is never guessed."""

import pytest

from dlcv04 import seeding
from dlcv04.backends import keras
from dlcv04.lazy import LazyModule
from dlcv04.model_hash import model_hash
from dlcv04.networks import cifar_convnet, mnist_convnet, vgg16

own = LazyModule("tests.own_layers")


def dense(**options):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, **options)])


def branched(order):
    x = keras.Input((3,))
    first, second = keras.layers.Dense(2), keras.layers.Dense(2)
    joined = [first(x), second(first(x))]
    return keras.Model(x, keras.layers.Concatenate()([joined[place] for place in order]))


MODELS = {
    "mnist": mnist_convnet,
    "another depth": lambda: mnist_convnet(conv_layers=3),
    "another dropout": lambda: mnist_convnet(dense_dropout=0.4),
    "cifar": cifar_convnet,
    "vgg16": lambda: vgg16(weights="random", until="block1_pool", input_shape=(32, 32, 3), unit_pixels=True),
    "dense": dense,
    "an activation": lambda: dense(activation="tanh"),
    "another policy": lambda: dense(dtype="mixed_float16"),
    "branched": lambda: branched((0, 1)),
    "joined the other way": lambda: branched((1, 0)),
}


def hashed(make, seed=0):
    with seeding.seeded(seed):
        return model_hash(make())


def test_each_model_is_the_same_when_it_is_built_again_and_no_other():
    first = {name: hashed(make) for name, make in MODELS.items()}
    again = {name: hashed(MODELS[name]) for name in reversed(MODELS)}
    assert first == again and None not in first.values()
    assert len(set(first.values())) == len(MODELS)


def test_other_weights_are_another_model():
    """Those of the first layer too, which has no input layer before it in a Sequential model's list."""
    assert hashed(dense, 0) != hashed(dense, 1)
    model = dense()
    before = model_hash(model)
    model.layers[0].kernel.assign(model.layers[0].kernel + 1)
    assert model_hash(model) != before


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.Sequential([keras.Input((3,)), own.Layer()]),
        lambda: keras.Sequential([keras.Input((3,)), keras.Sequential([keras.Input((3,)), own.Layer()])]),
        lambda: own.Model(),
        lambda: dense(activation=own.activation),
        lambda: dense(kernel_initializer=own.ones),
        lambda: keras.Sequential([keras.Input((3,)), keras.layers.Lambda(own.activation)]),
    ],
    ids=["layer", "nested", "model", "activation", "initializer", "lambda"],
)
def test_code_of_ones_own_is_not_known(make):
    assert model_hash(make()) is None
