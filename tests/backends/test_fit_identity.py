"""The steps are those of Keras's `fit`: equal weights, batches and order end in equal weights, for ten kinds of model.

So are a trainer's on a data set of several inputs, outputs and sample weights, and the figures of its evaluation.

Runs on whatever KERAS_BACKEND says.
"""

from functools import partial

import numpy as np
import pytest

from dlcv04 import backends
from dlcv04.backends import keras
from dlcv04.datasets import Dataset
from dlcv04.recipes import Recipe
from dlcv04.seeding import TrainingError
from dlcv04.training import Trainer

ON_JAX = keras.config.backend() == "jax"
BATCH, STEPS = 8, 20

layers = keras.layers


def body(x, **options):
    x = layers.Flatten()(x)
    x = layers.Dense(12, "relu", kernel_regularizer="l2", **options)(x)
    x = layers.BatchNormalization(**options)(x)
    return layers.Dropout(0.25, seed=7)(x)  # without one PyTorch's own generator draws, from which `fit` draws more


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
        self.flat, self.drop, self.last = layers.Flatten(), layers.Dropout(0.5, seed=7), layers.Dense(4, "softmax")

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
    """Bit by bit, but for JAX: XLA compiles another function for the gather, so its last bits differ."""
    order = np.random.RandomState(1).permutation(BATCH * STEPS).astype(np.int32).reshape(STEPS, BATCH)
    with backends.deterministic():
        ours, figures = by_our_steps(name, data(name), order)
        fits, history = by_fit(name, data(name), order)
    close = {"rtol": 1e-4, "atol": 2e-5} if ON_JAX else {"rtol": 0, "atol": 0}
    for one, other in zip(ours, fits, strict=True):
        np.testing.assert_allclose(one, other, **close)
    assert figures == pytest.approx(history, rel=1e-4 if ON_JAX else 1e-6)


ROWS, VAL = 60, 22
RECIPE = Recipe("mine", "SGD", 0.01, batch_size=BATCH, epochs=1)


def two_of_each(form):
    """A model of two inputs and two outputs, by names or places."""
    first, second = keras.Input((6, 6, 1), name="first"), keras.Input((1,), name="second")
    x = layers.Concatenate()([body(first), second])
    inputs = {"first": first, "second": second} if form is dict else [first, second]
    kind, size = layers.Dense(4, "softmax", name="kind")(x), layers.Dense(1, name="size")(x)
    outputs = {"kind": kind, "size": size} if form is dict else [kind, size]
    losses, metrics = ["sparse_categorical_crossentropy", "mse"], [["accuracy"], ["mae"]]
    if form is dict:
        losses, metrics = ({"kind": one, "size": other} for one, other in (losses, metrics))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.03), losses, metrics=metrics, jit_compile=ON_JAX)
    return model


def drawn(rows, form, seed):
    """Pixels, a column, labels, values and a weight a row."""
    draw = np.random.RandomState(seed)
    x = draw.randint(0, 256, (rows, 6, 6, 1)).astype(np.uint8), draw.rand(rows).astype(np.float32)
    y = draw.randint(0, 4, rows).astype(np.int32), draw.rand(rows, 1).astype(np.float32)
    weights = draw.rand(rows).astype(np.float32)
    if form is dict:
        other = draw.rand(rows).astype(np.float32)
        return (
            {"first": x[0], "second": x[1]},
            {"kind": y[0], "size": y[1]},
            {"kind": weights, "size": other},
        )
    return form(x), form(y), form([weights, weights])


def floats(x):
    return keras.tree.map_structure(lambda rows: rows / np.float32(255) if rows.dtype == np.uint8 else rows, x)


@pytest.mark.parametrize(("form", "weighted"), [(dict, ("train", "val")), (list, ("train",)), (tuple, ())])
def test_a_trainer_on_nested_data_is_fit_with_its_validation(form, weighted):
    (x, y, w), (x_val, y_val, w_val) = drawn(ROWS, form, 0), drawn(VAL, form, 1)
    weights = {f"sample_weight_{split}": {"train": w, "val": w_val}[split] for split in weighted}
    dataset = Dataset("nested", x, y, x_val, y_val, **weights)
    with backends.deterministic():
        trainer = Trainer(partial(two_of_each, form), dataset, RECIPE, seed=5)
        model = two_of_each(form)
        for own, ours in zip(model.variables, trainer.model.variables, strict=True):
            own.assign(ours)
        rows = trainer.batch_order(0).ravel()
        trained, val = trainer.train_epoch(), trainer.evaluate("val")
        x, y, w = keras.tree.map_structure(lambda array: array[rows], (floats(x), y, w))
        history = model.fit(
            x,
            y,
            sample_weight=w if "train" in weighted else None,
            validation_data=(floats(x_val), y_val, *([w_val] if "val" in weighted else [])),
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
        ).history
        ended = everything(trainer.model)
        trainer.reset(5).train_epoch()
    # Pixels are divided on the device, and `fit` is handed floats: the last bits may differ.
    for one, other in zip(everything(model), ended, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)
    assert all(np.array_equal(one, other) for one, other in zip(ended, everything(trainer.model), strict=True))
    assert trained.loss == pytest.approx(history["loss"][0], rel=1e-4)
    found = {
        "val_loss": val.loss,
        "val_kind_accuracy": val.others["kind_accuracy"],
        "val_size_mae": val.others["size_mae"],
    }
    assert found == pytest.approx({name: history[name][0] for name in found}, rel=1e-4)


def test_class_weights_are_sample_weights():
    x, y = data("plain")
    order = np.arange(BATCH * STEPS, dtype=np.int32).reshape(STEPS, BATCH)
    of_class = np.array([1, 5, 0.5, 2], np.float32)
    with backends.deterministic():
        ours, _ = by_our_steps("plain", (x, y, of_class[y]), order)
        model = made("plain")
        model.fit(x, y, class_weight=dict(enumerate(of_class)), batch_size=BATCH, shuffle=False, verbose=0)
    close = {"rtol": 1e-4, "atol": 2e-5} if ON_JAX else {"rtol": 0, "atol": 0}
    for one, other in zip(ours, everything(model), strict=True):
        np.testing.assert_allclose(one, other, **close)


def two_in_one_out(last):
    first, second = keras.Input((6, 6, 1), name="first"), keras.Input((1,), name="second")
    x = layers.Concatenate()([layers.Flatten()(first), second])
    return keras.Model({"first": first, "second": second}, last(layers.Dense(4, name="four")(x)))


def labelled(**changes):
    """Two inputs, the second of which tells the label."""
    draw = np.random.RandomState(0)
    y = draw.randint(0, 4, 96)
    x = {"first": draw.randint(0, 256, (96, 6, 6, 1)).astype(np.uint8), "second": (y * 5.0)[:, None]}
    part = slice(64), slice(64, None)
    (x_train, y_train), (x_val, y_val) = (({k: v[rows] for k, v in x.items()}, y[rows]) for rows in part)
    return Dataset(**{"name": "two", "x_train": x_train, "y_train": y_train, "x_val": x_val, "y_val": y_val} | changes)


def test_two_inputs_learn_by_a_recipe_and_their_answers_are_known():
    trainer = Trainer(partial(two_in_one_out, layers.Softmax()), labelled(), RECIPE, seed=1)
    for _ in range(3):
        trainer.train_epoch()
    accuracy = trainer.evaluate("val").accuracy
    assert trainer.answers().mean() == pytest.approx(accuracy) and trainer.answers().shape == (32,)


OUTPUTS = [np.zeros(64, int), np.zeros(64)], [np.zeros(32, int), np.zeros(32)]
MOVED = Recipe("moved", "SGD", 0.01, batch_size=BATCH, epochs=1, augmentation=(("RandomFlip", ()),))


@pytest.mark.parametrize(
    ("network", "changes", "recipe", "sentence"),
    [
        (partial(two_in_one_out, layers.Softmax()), {}, MOVED, "several inputs: put the layers into the model"),
        (partial(two_in_one_out, layers.ReLU()), {}, RECIPE, None),
        (partial(two_in_one_out, layers.Rescaling(-1.0)), {}, RECIPE, "without a softmax"),
        (plain, {}, RECIPE, "does not take the inputs of data set 'two'"),
        (two_inputs, {}, RECIPE, "does not take the inputs of data set 'two'"),
        (
            partial(two_in_one_out, layers.Softmax()),
            {"y_train": OUTPUTS[0], "y_val": OUTPUTS[1]},
            RECIPE,
            "several outputs, and recipe 'mine' one loss: compile the model with a loss for each",
        ),
    ],
)
def test_what_does_not_fit_several_inputs_is_one_sentence(network, changes, recipe, sentence):
    if sentence is None:
        Trainer(network, labelled(**changes), recipe)
        return
    with pytest.raises(TrainingError, match=sentence) as caught:
        Trainer(network, labelled(**changes), recipe)
    assert "\n" not in str(caught.value)


def test_another_order_ends_elsewhere():
    """So the test above sees a loop that takes other rows."""
    order = np.arange(BATCH * STEPS, dtype=np.int32).reshape(STEPS, BATCH)
    with backends.deterministic():
        one, _ = by_our_steps("plain", data("plain"), order)
        other, _ = by_our_steps("plain", data("plain"), order[::-1].copy())
    assert not np.allclose(one[0], other[0], atol=1e-4)
