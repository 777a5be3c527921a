"""What is TensorFlow's own: XLA or determinism, and integers that lie on the card. Needs KERAS_BACKEND=tensorflow.

It never ran on CUDA: what is looked at are the settings as they reach TensorFlow.
"""

from functools import partial

import numpy as np
import pytest

from dlcv04 import backends
from dlcv04.backends import keras, tensorflow
from dlcv04.datasets import embedded
from dlcv04.networks import mnist_convnet
from dlcv04.recipes import Recipe
from dlcv04.training import Trainer

pytestmark = pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="needs KERAS_BACKEND=tensorflow")

NETWORK = partial(mnist_convnet, conv_layers=1, filters=2, dense_units=(8,))
RECIPE = Recipe("test", "Adadelta", 1.0, 16, 2, train_images=96, val_images=40)


@pytest.fixture
def compiled(monkeypatch):
    """The `jit_compile` of every function that is made, in order; none is compiled by XLA, which takes long here."""
    found, whole = [], tensorflow.tf.function

    def function(*arguments, jit_compile=None, **options):
        found.append(jit_compile)
        return whole(*arguments, **options)

    monkeypatch.setattr(tensorflow.tf, "function", function)
    return found


def everything():
    """Train, evaluate, predict, and take a gradient."""
    trainer = Trainer(NETWORK, embedded.digits(), RECIPE, seed=1)
    trainer.train_epoch()
    trainer.evaluate("val")
    x = embedded.digits().x_val[:3]
    trainer.predict(x)
    step = backends.value_and_gradient(trainer.model, lambda x, outputs: keras.ops.max(outputs, axis=-1))
    step(x.astype(np.float32))


@pytest.mark.parametrize("on_a_card", [True, False])
def test_xla_is_left_out_where_operations_are_deterministic(monkeypatch, compiled, on_a_card):
    monkeypatch.setattr(tensorflow.TensorFlow, "has_gpu", lambda self: on_a_card)
    with backends.deterministic():
        everything()
        assert len(compiled) >= 4 and not any(compiled)
    compiled.clear()
    everything()
    assert len(compiled) >= 4 and set(compiled) == {on_a_card}


def test_a_step_made_before_determinism_is_made_anew_inside(monkeypatch, compiled):
    monkeypatch.setattr(tensorflow.TensorFlow, "has_gpu", lambda self: True)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    named = keras.Model(model.inputs, {"out": model.outputs[0]})
    predictor = backends.predictor(named, (4, 4, 3), np.float32, 2)
    step = backends.value_and_gradient(model, lambda x, outputs: keras.ops.sum(outputs, axis=-1))
    x = np.ones((2, 4, 4, 3), np.float32)
    predictor(x), step(x)
    with backends.deterministic():
        predictor(x), step(x)
    assert compiled == [True, True, False, False]


def seen_types(monkeypatch):
    """The types of all tensors that compiled functions are given."""
    found, whole = set(), tensorflow._Compiled.__call__

    def call(self, *tensors):
        found.update(tensor.dtype.name for tensor in tensorflow.tf.nest.flatten(tensors))
        return whole(self, *tensors)

    monkeypatch.setattr(tensorflow._Compiled, "__call__", call)
    return found


@pytest.mark.parametrize("on_a_card", [True, False])
def test_no_step_is_given_int32_which_lies_on_the_host(monkeypatch, on_a_card):
    monkeypatch.setattr(tensorflow.TensorFlow, "has_gpu", lambda self: on_a_card)
    found = seen_types(monkeypatch)
    with backends.deterministic():
        everything()
    assert found == {"uint8", "int64", "float32"}


def curves():
    with backends.deterministic():
        trainer = Trainer(NETWORK, embedded.digits(), RECIPE, seed=1)
        figures = [(trainer.train_epoch()[1:], trainer.evaluate("val"), trainer.evaluate("train")) for _ in range(2)]
        return figures, trainer.state()


def test_int64_gives_the_curves_of_int32_bit_by_bit(monkeypatch):
    figures, state = curves()
    monkeypatch.setattr(tensorflow._Steps, "put", lambda self, array: tensorflow.tf.constant(array))
    found = seen_types(monkeypatch)
    expected, other = curves()
    assert "int32" in found and figures == expected
    for one, two in zip(state, other, strict=True):
        np.testing.assert_array_equal(one, two)
