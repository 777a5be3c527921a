"""Gradients with respect to a picture, against finite differences. Runs on whatever KERAS_BACKEND says."""

import numpy as np
import pytest

from dlcv04 import backends
from dlcv04.backends import keras


@pytest.fixture
def double():
    """float64 everywhere: JAX has to be asked for it."""

    def settle(dtype):
        if keras.config.backend() == "jax":
            import jax

            jax.config.update("jax_enable_x64", dtype == "float64")
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)

    before = keras.config.floatx()
    settle("float64")
    yield
    settle(before)


def network(layers=2):
    keras.utils.set_random_seed(3)
    inputs = outputs = keras.Input((7, 6, 3))
    kept = []
    for number in range(layers):
        # Smooth, since a finite difference across a kink says nothing; dropout is off in inference.
        outputs = keras.layers.Conv2D(4, 3, padding="same", activation="softplus", name=f"conv{number}")(outputs)
        outputs = keras.layers.Dropout(0.5)(outputs)
        kept.append(outputs)
    return keras.Model(inputs, kept)


def objective(x, outputs, weight):
    """A value a picture, of all outputs, the input itself and an argument."""
    ops = keras.ops
    # Not keras.ops.mean, nor batch normalisation: Keras computes both in float32 on JAX and PyTorch.
    squares = [ops.sum(ops.square(output), axis=(1, 2, 3)) / 100 for output in [x, *outputs]]
    return weight * (squares[0] + squares[1] * squares[2])


def test_the_gradient_is_that_of_finite_differences(double):
    random = np.random.default_rng(0)
    x, weight = random.normal(size=(3, 7, 6, 3)), np.array(1.7)
    step = backends.value_and_gradient(network(), objective)
    values, gradient = (backends.to_numpy(part) for part in step(x, weight))
    assert values.shape == (3,) and gradient.shape == x.shape and gradient.dtype == np.float64
    for _ in range(20):
        direction = random.normal(size=x.shape)
        ahead, behind = (backends.to_numpy(step(x + h * direction, weight)[0]).sum() for h in (1e-5, -1e-5))
        assert (ahead - behind) / 2e-5 == pytest.approx(float((gradient * direction).sum()), rel=1e-7, abs=1e-9)


def test_the_check_itself_sees_a_wrong_gradient(double):
    """A part that the gradient does not pass through is missed by it, and seen by finite differences."""

    def broken(x, outputs, weight):
        return objective(keras.ops.stop_gradient(x), outputs, weight)

    x, weight = np.random.default_rng(0).normal(size=(1, 7, 6, 3)), np.array(1.7)
    step, direction = backends.value_and_gradient(network(), broken), np.ones(x.shape)
    gradient = backends.to_numpy(step(x, weight)[1])
    ahead, behind = (backends.to_numpy(step(x + h * direction, weight)[0]).sum() for h in (1e-5, -1e-5))
    assert abs((ahead - behind) / 2e-5 - (gradient * direction).sum()) > 1e-3


def test_each_picture_of_a_batch_has_its_own_gradient():
    x = np.random.default_rng(1).normal(size=(4, 7, 6, 3)).astype(np.float32)
    weight = np.array(1.0, np.float32)
    step = backends.value_and_gradient(network(), objective)
    together = backends.to_numpy(step(x, weight)[1])
    alone = np.concatenate([backends.to_numpy(step(row[None], weight)[1]) for row in x])
    assert together.dtype == np.float32
    # A card's convolutions round to TensorFloat-32, and choose another kernel for another batch.
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4 if backends.has_gpu() else 1e-7)


def test_weights_are_those_of_the_call():
    model, weight = network(1), np.array(1.0, np.float32)
    x = np.ones((1, 7, 6, 3), np.float32)
    step = backends.value_and_gradient(
        keras.Model(model.inputs, model.outputs[0]), lambda x, y, weight: weight * keras.ops.mean(y, axis=(1, 2, 3))
    )
    before = backends.to_numpy(step(x, weight)[0])
    model.get_layer("conv0").set_weights([np.zeros((3, 3, 3, 4)), np.full(4, 5.0)])
    assert backends.to_numpy(step(x, weight)[0]) != pytest.approx(before)
