"""The steps are those of Keras's `fit`: equal weights, batches and order end in equal weights, for ten kinds of model.

Runs on TensorFlow or JAX, whatever KERAS_BACKEND says.
"""

from functools import partial

import numpy as np
import pytest

from dlcv04 import backends
from dlcv04.backends import keras

ON_JAX = keras.config.backend() == "jax"
BATCH, STEPS = 8, 20

pytestmark = pytest.mark.skipif(keras.config.backend() not in backends.SUPPORTED, reason="this backend trains nothing")

layers = keras.layers


def body(x, **options):
    x = layers.Flatten()(x)
    x = layers.Dense(12, "relu", kernel_regularizer="l2", **options)(x)
    x = layers.BatchNormalization(**options)(x)
    return layers.Dropout(0.25)(x)


def compiled(model, loss="sparse_categorical_crossentropy", **options):
    model.compile("adam", loss, metrics=["accuracy"], jit_compile=ON_JAX, **options)
    return model


def plain():
    start = keras.Input((6, 6, 1))
    return compiled(keras.Model(start, layers.Dense(4, "softmax")(body(start))))


def logits():
    start = keras.Input((6, 6, 1))
    return compiled(
        keras.Model(start, layers.Dense(4)(body(start))), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )


def mixed():
    start = keras.Input((6, 6, 1))
    last = layers.Dense(4, "softmax", dtype="float32")(body(start, dtype="mixed_float16"))
    model = keras.Model(start, last)
    model.compile(
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=256.0),
        "sparse_categorical_crossentropy",
        jit_compile=ON_JAX,
    )
    return model


def frozen():
    start = keras.Input((6, 6, 1))
    x = body(start)
    model = keras.Model(start, layers.Dense(4, "softmax")(x))
    for layer in model.layers[:-1]:
        layer.trainable = False
    return compiled(model)


def two_inputs():
    first, second = keras.Input((6, 6, 1), name="first"), keras.Input((3,), name="second")
    x = layers.Concatenate()([body(first), second])
    return compiled(keras.Model({"first": first, "second": second}, layers.Dense(4, "softmax")(x)))


def two_outputs():
    start = keras.Input((6, 6, 1))
    x = body(start)
    model = keras.Model(start, [layers.Dense(4, "softmax", name="kind")(x), layers.Dense(1, name="size")(x)])
    model.compile("adam", ["sparse_categorical_crossentropy", "mse"], loss_weights=[1.0, 0.3], jit_compile=ON_JAX)
    return model


def shared():
    start = keras.Input((6, 6, 1))
    twice = layers.Dense(36, "relu")
    x = twice(twice(layers.Flatten()(start)))
    return compiled(keras.Model(start, layers.Dense(4, "softmax")(x)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.drop, self.last = layers.Flatten(), layers.Dropout(0.5), layers.Dense(4, "softmax")

    def call(self, x, training=False):
        return self.last(self.drop(self.flat(x), training=training))


def subclassed():
    model = Subclassed()
    model.build((None, 6, 6, 1))
    return compiled(model)


class TwiceTheStep(keras.Model):
    """Each batch is trained on twice."""

    def train_step(self, *given):
        if not ON_JAX:
            super().train_step(*given)
            return super().train_step(*given)
        state, data = given
        _, state = super().train_step(state, data)
        return super().train_step(state, data)


class OwnLoss(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(y_pred - keras.ops.one_hot(y, 4)))


def of(kind):
    start = keras.Input((6, 6, 1))
    return compiled(kind(start, layers.Dense(4, "softmax")(body(start))))


def data(name):
    random = np.random.RandomState(0)
    rows = BATCH * STEPS
    x = random.rand(rows, 6, 6, 1).astype(np.float32)
    y = random.randint(0, 4, rows).astype(np.int32)
    if name == "two inputs":
        return {"first": x, "second": random.rand(rows, 3).astype(np.float32)}, y
    if name == "two outputs":
        return x, [y, random.rand(rows, 1).astype(np.float32)]
    if name == "sample weights":
        return x, y, random.rand(rows).astype(np.float32)
    return x, y


MODELS = {
    "plain": plain,
    "own step": partial(of, TwiceTheStep),
    "own loss": partial(of, OwnLoss),
    "logits": logits,
    "mixed precision": mixed,
    "frozen part": frozen,
    "two inputs": two_inputs,
    "two outputs": two_outputs,
    "subclassed": subclassed,
    "shared layers": shared,
    "sample weights": plain,
}


def made(name):
    keras.utils.set_random_seed(3)
    return MODELS[name]()


def everything(model):
    return [backends.to_numpy(variable) for variable in (*model.variables, *model.optimizer.variables)]


def by_our_steps(name, given, order):
    model = made(name)
    batch = keras.tree.map_structure(lambda rows: rows[:BATCH], given)
    steps = backends.make_steps(model, batch)
    placed = keras.tree.map_structure(steps.put, given)
    steps.train_on(placed, steps.put_order(order), 0, STEPS)
    steps.write_variables()
    return everything(model), steps.figures()


def by_fit(name, given, order):
    model = made(name)
    x, y, *weights = keras.tree.map_structure(lambda rows: rows[order.ravel()], given)
    options = {"sample_weight": weights[0]} if weights else {}
    history = model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0, **options).history
    return everything(model), {figure: values[0] for figure, values in history.items()}


@pytest.mark.parametrize("name", MODELS)
def test_twenty_steps_are_those_of_fit(name):
    """Bit by bit on TensorFlow; XLA compiles another function for the gather, so JAX's differ in the last bits."""
    order = np.random.RandomState(1).permutation(BATCH * STEPS).astype(np.int32).reshape(STEPS, BATCH)
    with backends.deterministic():
        ours, figures = by_our_steps(name, data(name), order)
        fits, history = by_fit(name, data(name), order)
    close = {"rtol": 1e-4, "atol": 2e-5} if ON_JAX else {"rtol": 0, "atol": 0}
    for one, other in zip(ours, fits, strict=True):
        np.testing.assert_allclose(one, other, **close)
    assert figures == pytest.approx(history, rel=1e-4 if ON_JAX else 1e-6)


def test_another_order_ends_elsewhere():
    """So the test above sees a loop that takes other rows."""
    order = np.arange(BATCH * STEPS, dtype=np.int32).reshape(STEPS, BATCH)
    with backends.deterministic():
        one, _ = by_our_steps("plain", data("plain"), order)
        other, _ = by_our_steps("plain", data("plain"), order[::-1].copy())
    assert not np.allclose(one[0], other[0], atol=1e-4)
