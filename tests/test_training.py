"""Training: bit-equal by seed, equal to Keras's own step and evaluation, honest about divergence. Any backend."""

import dataclasses
import functools
import json
import math
import random
from typing import Any

import numpy as np
import pytest

from dlcv04 import backends, seeding, training
from dlcv04.backends import keras
from dlcv04.datasets import Dataset, embedded
from dlcv04.networks import mnist_convnet
from dlcv04.recipes import Recipe, RecipeError
from dlcv04.seeding import TrainingError
from dlcv04.training import Trainer, TrainingRun, learn, train

SMALL = functools.partial(mnist_convnet, conv_layers=1, filters=4, dense_units=(16,))
PLAIN = functools.partial(SMALL, pool_dropout=0.0, dense_dropout=0.0)
RECIPE = Recipe("test", "Adadelta", 1.0, 32, 2, train_images=512, val_images=300)
MOVED = (("RandomTranslation", (("height_factor", 0.2), ("width_factor", 0.2))), ("RandomFlip", ()))
NESTEROV = dataclasses.replace(
    RECIPE,
    optimizer="SGD",
    learning_rate=0.01,
    decay=1e-3,
    optimizer_options=(("momentum", 0.9), ("nesterov", True)),
    augmentation=MOVED,
)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return embedded.digits()


@pytest.fixture(scope="module")
def trainer(digits: Dataset) -> Trainer:
    """One compiled trainer for the tests that reset it."""
    with backends.deterministic():
        return Trainer(SMALL, digits, RECIPE, seed=0)


def curves(run: TrainingRun) -> list[tuple[float, ...]]:
    return [dataclasses.astuple(dataclasses.replace(epoch, train_seconds=0.0)) for epoch in run.epochs]


def weights(trainer: Trainer) -> list[np.ndarray]:
    return [backends.to_numpy(v) for v in (*trainer.model.variables, *trainer.optimizer.variables)]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def normalised() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(4),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", kernel_regularizer="l2"),
        ]
    )


# --- seeds


def test_same_seed_same_curves_to_the_bit(digits: Dataset, trainer: Trainer) -> None:
    run = train(SMALL, digits, RECIPE, 7)
    assert curves(run) == curves(learn(trainer, 7).run) == curves(learn(trainer, 7).run)
    assert len(run.epochs) == 2
    assert curves(learn(trainer, 8).run) != curves(run)


def test_seeds_draw_weights_order_and_subset(trainer: Trainer) -> None:
    seen = []
    for seed in (1, 2, 1):
        trainer.reset(seed)
        subset = np.array(trainer._data["train"][0])
        seen.append((weights(trainer), trainer.batch_order(0), subset))
    (w1, order1, subset1), (w2, order2, subset2), (w3, order3, subset3) = seen
    assert not equal(w1, w2)
    assert not np.array_equal(order1, order2)
    assert not np.array_equal(subset1, subset2)
    assert equal(w1, w3)
    assert np.array_equal(order1, order3)
    assert np.array_equal(subset1, subset3)


def test_each_epoch_has_its_own_order_of_distinct_pictures(trainer: Trainer) -> None:
    first, second = trainer.batch_order(0), trainer.batch_order(1)
    assert first.shape == (16, 32)
    assert first.dtype == np.int32
    assert not np.array_equal(first, second)
    assert sorted(first.ravel()) == list(range(512))


def test_dropout_is_drawn_by_the_seed(digits: Dataset) -> None:
    """Equal weights and batches, other dropout: the running losses part after the first step."""
    one, other = (Trainer(SMALL, digits, RECIPE, seed=3) for _ in range(2))
    generators = [v for v in other.model.variables if "seed" in v.path]
    assert generators
    for state in generators:
        state.assign(backends.to_numpy(state) + np.array([1, 0], backends.to_numpy(state).dtype))
    other._steps.read_variables()
    assert one.train_epoch().loss != other.train_epoch().loss


@pytest.mark.parametrize(("network", "recipe"), [(SMALL, RECIPE), (normalised, RECIPE), (normalised, NESTEROV)])
def test_reset_is_a_fresh_trainer(network: Any, recipe: Recipe, digits: Dataset) -> None:
    with backends.deterministic():
        used = Trainer(network, digits, recipe, seed=1)
        used.train_epoch()
        used.run_steps(3)
        used.reset(5)
        fresh = Trainer(network, digits, recipe, seed=5)
        assert equal(weights(used), weights(fresh))
        for _ in range(2):
            assert used.train_epoch()[1:] == fresh.train_epoch()[1:]
            assert used.evaluate("val") == fresh.evaluate("val")
        assert equal(weights(used), weights(fresh))


def test_a_resumed_trainer_goes_on_to_the_bit(digits: Dataset) -> None:
    with backends.deterministic():
        whole, half = (Trainer(normalised, digits, NESTEROV, seed=2) for _ in range(2))
        half.train_epoch()
        stored = half.state()
        for _ in range(2):
            whole.train_epoch()
        half.reset(7)
        half.reset(2).resume(stored, epoch=1).train_epoch()
        assert equal(whole.state(), half.state())
        assert whole.evaluate("val") == half.evaluate("val")
        with pytest.raises(TrainingError, match="not one of"):
            half.resume(stored[:-1], epoch=1)


def test_reset_takes_other_data_of_the_same_shape(digits: Dataset, trainer: Trainer) -> None:
    other = Dataset("mnist", digits.x_train[::-1], digits.y_train[::-1], digits.x_val, digits.y_val, 10)
    with backends.deterministic():
        expected = Trainer(SMALL, other, RECIPE, seed=1).train_epoch()[1:]
        assert trainer.reset(1, other).train_epoch()[1:] == expected
        assert trainer.reset(1, digits).train_epoch()[1:] != expected
    small = Dataset("small", digits.x_train[:, :20], digits.y_train, digits.x_val[:, :20], digits.y_val, 10)
    with pytest.raises(TrainingError, match="takes pictures of"):
        trainer.reset(1, small)
    assert trainer.dataset is digits


def test_augmentation_is_drawn_by_the_seed_and_for_training_alone(digits: Dataset) -> None:
    plain = dataclasses.replace(NESTEROV, augmentation=())
    with backends.deterministic():
        moved, still = Trainer(PLAIN, digits, NESTEROV, seed=3), Trainer(PLAIN, digits, plain, seed=3)
        count = len(still.model.variables)
        assert equal(weights(moved)[:count], weights(still)[:count])  # it draws after the network
        assert moved.evaluate("val") == still.evaluate("val")
        first, unmoved = moved.train_epoch(), still.train_epoch()
        assert first.loss != unmoved.loss
        assert moved.train_epoch().loss != first.loss
        assert moved.reset(3).train_epoch()[1:] == first[1:]


def test_a_shift_of_the_whole_picture_leaves_training_nothing_to_see(digits: Dataset) -> None:
    """The loss of the first step is then that of the network on black pictures: the augmentation really is applied."""
    away = (("RandomTranslation", (("height_factor", (1.0, 1.0)), ("width_factor", 0.0), ("fill_mode", "constant"))),)
    recipe = dataclasses.replace(NESTEROV, augmentation=away)
    black = Dataset("black", np.zeros_like(digits.x_train), digits.y_train, digits.x_val, digits.y_val, 10)
    moved = Trainer(PLAIN, digits, recipe, seed=3).train_epoch()
    nothing = Trainer(PLAIN, black, dataclasses.replace(recipe, augmentation=()), seed=3).train_epoch()
    assert moved.loss == pytest.approx(nothing.loss, abs=1e-6)


def test_reset_forgets_what_was_added_up(trainer: Trainer) -> None:
    trainer.reset(4)
    alone = trainer.evaluate("val")
    trainer.run_steps(2)
    trainer.reset(4)
    assert trainer.evaluate("val") == alone


def test_compiling_leaves_no_trace(digits: Dataset) -> None:
    trainer = Trainer(normalised, digits, RECIPE, seed=6)
    keras.utils.set_random_seed(6)
    assert equal(
        [backends.to_numpy(v) for v in trainer.model.variables],
        [backends.to_numpy(v) for v in normalised().variables],
    )
    assert trainer.compile_seconds > 0


def test_a_model_keeps_its_weights_unless_they_are_to_be_fresh(digits: Dataset) -> None:
    model = SMALL()
    before = model.get_weights()
    kept, other = (Trainer(model, digits, RECIPE, seed=seed) for seed in (2, 3))
    assert equal(before, kept.model.get_weights()) and equal(before, other.model.get_weights())
    kept.run_steps(1)
    assert equal(before, model.get_weights()) and not equal(before, kept.model.get_weights())
    assert equal(before, kept.reset(5).model.get_weights())
    assert kept.network == "mnist_convnet, its weights kept"
    anew = seeding.Fresh(model)
    one, two, three = (Trainer(anew, digits, RECIPE, seed=seed) for seed in (2, 2, 3))
    assert equal(weights(one), weights(two)) and not equal(one.model.get_weights(), three.model.get_weights())
    assert not equal(one.model.get_weights(), before) and one.network == "mnist_convnet, its weights drawn again"


def test_a_compiled_model_is_copied_with_its_optimizer(digits: Dataset) -> None:
    model = compiled(ending_in(keras.layers.Dense(10)))
    model.optimizer.learning_rate = 0.125
    trainer = Trainer(model, digits, RECIPE)
    assert trainer.optimizer_config["learning_rate"] == 0.125 and trainer.optimizer is not model.optimizer


class Noise(keras.layers.Layer):
    def call(self, x: Any, training: bool = False) -> Any:
        return x + keras.random.normal(keras.ops.shape(x)) if training else x


def noisy() -> keras.Model:
    return ending_in(Noise(), keras.layers.Dense(10, "softmax"))


@pytest.mark.skipif(keras.config.backend() == "jax", reason="Keras refuses unseeded draws there, in a sentence")
def test_reset_draws_unseeded_noise_as_a_fresh_trainer(digits: Dataset) -> None:
    """Keras draws it from one generator of the process; here each trainer has its own."""
    with backends.deterministic():
        used, beside = (Trainer(noisy, digits, RECIPE) for _ in "ab")
        used.train_epoch()
        used.reset(5)
        beside.run_steps(3)
        fresh = Trainer(noisy, digits, RECIPE, seed=5)
        assert used.train_epoch()[1:] == fresh.train_epoch()[1:]
        assert equal(weights(used), weights(fresh))


def test_the_callers_random_generators_are_left_alone(trainer: Trainer) -> None:
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    trainer.reset(9)
    assert (random.random(), np.random.rand()) == expected


# --- the same numbers as Keras


def without_dropout() -> keras.Model:
    kept = [layer for layer in normalised().layers if not isinstance(layer, keras.layers.Dropout)]
    return keras.Sequential([keras.Input((28, 28, 1)), *kept])


@pytest.mark.parametrize("network", [PLAIN, without_dropout])
def test_one_step_is_keras_train_on_batch(network: Any, digits: Dataset) -> None:
    trainer = Trainer(network, digits, RECIPE, seed=1)
    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    model.compile(RECIPE.make_optimizer(), RECIPE.loss, jit_compile=backends.resolved_jit())
    data, batch = digits.subset(512, 300, 1), trainer.batch_order(0)[0]
    loss = model.train_on_batch(data.x_train[batch].astype(np.float32) / 255, data.y_train[batch])
    trainer.run_steps(1)
    assert trainer._score().loss == pytest.approx(float(np.ravel(loss)[0]), abs=1e-5)
    for ours, theirs in zip(trainer.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("network", [SMALL, normalised])
def test_evaluation_is_keras_evaluate(network: Any, digits: Dataset) -> None:
    trainer = Trainer(network, digits, RECIPE, seed=1)
    trainer.train_epoch()
    model = keras.models.clone_model(trainer.model)
    model.set_weights(trainer.model.get_weights())
    model.compile(loss=RECIPE.loss, metrics=["accuracy"], jit_compile=backends.resolved_jit())
    data = digits.subset(512, 300, 1)
    splits = {"train": (data.x_train[:300], data.y_train[:300]), "val": (data.x_val, data.y_val)}
    for split, (x, y) in splits.items():
        loss, accuracy = model.evaluate(x.astype(np.float32) / 255, y, verbose=0)
        assert trainer.evaluate(split)[:2] == pytest.approx((loss, accuracy), abs=1e-5)  # type: ignore[arg-type]


def test_each_half_of_the_validation_pictures_is_evaluated_alone(digits: Dataset) -> None:
    """Halves of 301 pictures: 151 and 150, whose losses make up the whole's; nothing else of the curve changes."""
    recipe = dataclasses.replace(RECIPE, val_images=301)
    with backends.deterministic():
        trainer = Trainer(SMALL, digits, recipe)
    plain, split = learn(trainer, 3).run, learn(trainer, 3, halves=True).run
    assert [epoch.val_loss_halves for epoch in plain.epochs] == [(), ()]
    for epoch in split.epochs:
        first, second = epoch.val_loss_halves
        assert (151 * first + 150 * second) / 301 == pytest.approx(epoch.val_loss, rel=1e-5) and first != second
    without = [dataclasses.replace(epoch, val_loss_halves=()) for epoch in split.epochs]
    assert curves(dataclasses.replace(split, epochs=tuple(without))) == curves(plain)


def test_answers_are_those_of_the_pictures_in_an_order_that_seeds_share(trainer: Trainer, digits: Dataset) -> None:
    last = learn(trainer, 3).run.epochs[-1]
    answers = trainer.answers()
    assert answers.shape == (300,) and answers.mean() == pytest.approx(last.val_accuracy, abs=1e-6)
    shown = digits.subset(val=300)
    assert (answers == (trainer.predict(shown.x_val).argmax(axis=1) == shown.y_val)).all()
    learn(trainer, 4)
    assert len(trainer.answers()) == 300


def test_large_pictures_are_evaluated_few_at_a_time(digits: Dataset, trainer: Trainer, monkeypatch) -> None:
    """VGG16 on 256 pictures of 224 x 224 would not fit many a memory; the figures are the same."""
    monkeypatch.setattr(training, "_EVALUATION_VALUES", 70 * 28 * 28)
    with backends.deterministic():
        few = Trainer(SMALL, digits, RECIPE, seed=0)
        loss, accuracy, _ = few.evaluate("val")
        assert [len(rows) for rows in few._evaluation["val"]] == [60] * 5
        assert trainer.reset(0).evaluate("val")[:2] == (pytest.approx(loss, rel=1e-6), accuracy)
        np.testing.assert_allclose(few.predict(digits.x_val), trainer.predict(digits.x_val), atol=1e-6)


def test_evaluation_changes_nothing(trainer: Trainer) -> None:
    trainer.reset(1)
    before = weights(trainer)
    assert trainer.evaluate("val") == trainer.evaluate("val")
    assert equal(before, weights(trainer))


def test_batch_normalisation_learns_its_statistics(digits: Dataset) -> None:
    trainer = Trainer(normalised, digits, RECIPE, seed=1)
    before = trainer.evaluate("train").loss
    (layer,) = [layer for layer in trainer.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    moving = backends.to_numpy(layer.moving_mean)
    for _ in range(3):
        trainer.train_epoch()
    assert trainer.evaluate("train").loss < before
    (layer,) = [layer for layer in trainer.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert not np.array_equal(moving, backends.to_numpy(layer.moving_mean))


# --- learning


def test_kerass_default_rate_learns_far_worse(digits: Dataset) -> None:
    final = {
        rate: train(PLAIN, digits, dataclasses.replace(RECIPE, learning_rate=rate, epochs=4), 1).epochs[-1]
        for rate in (1.0, 0.001)
    }
    assert final[1.0].val_accuracy > final[0.001].val_accuracy + 0.3


def test_infinite_loss_ends_the_run_and_names_its_epoch(digits: Dataset) -> None:
    diverging = dataclasses.replace(RECIPE, optimizer="SGD", learning_rate=1e30)
    run = train(PLAIN, digits, diverging, 1)
    assert run.status == "diverged"
    assert "in epoch 1" in run.reason
    assert run.epochs == ()
    assert run.images_seen == 512


def test_divergence_after_a_good_epoch_keeps_it(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = Trainer.evaluate

    def poisoned(self: Trainer, split: Any) -> Any:
        score = evaluate(self, split)
        return score._replace(loss=math.nan) if (split, self.epoch) == ("val", 2) else score

    monkeypatch.setattr(Trainer, "evaluate", poisoned)
    run = learn(trainer, 1).run
    assert (run.status, len(run.epochs)) == ("diverged", 1)
    assert run.reason == "The val loss was nan in epoch 2."


def test_a_run_tells_all(digits: Dataset, trainer: Trainer) -> None:
    heard: list[int] = []
    run = learn(trainer, 3, on_epoch=lambda number, epoch: heard.append(number)).run
    assert heard == [1, 2]
    assert (run.status, run.reason, run.seed, run.images_seen) == ("ok", "", 3, 1024)
    assert run.network == "mnist_convnet(conv_layers=1, filters=4, dense_units=(16,))"
    assert (run.dataset, run.dataset_fingerprint) == ("mnist", digits.fingerprint)
    assert run.optimizer_config["learning_rate"] == 1.0
    assert run.backend.deterministic
    assert run.peak_memory_bytes > 0
    assert run.epochs[0].train_seconds > 0
    json.dumps(dataclasses.asdict(run), allow_nan=False)


def test_timing_runs_may_go_without_determinism(digits: Dataset) -> None:
    run = train(SMALL, digits, dataclasses.replace(RECIPE, epochs=1), 1, deterministic=False)
    assert run.backend.deterministic is backends.is_deterministic()


def test_recipes_sizes_are_at_most(digits: Dataset) -> None:
    small = digits.subset(100, 50)
    trainer = Trainer(SMALL, small, RECIPE)
    assert (trainer.train_images, trainer.val_images, trainer.steps_per_epoch) == (100, 50, 3)
    assert trainer.batch_order(0).shape == (3, 32)


# --- misfits


def test_less_than_one_batch(digits: Dataset) -> None:
    with pytest.raises(TrainingError, match="less than one batch of 32"):
        Trainer(SMALL, digits.subset(20), RECIPE)


def test_unknown_loss_and_optimizer(digits: Dataset) -> None:
    with pytest.raises(TrainingError, match="no loss 'crossness'"):
        Trainer(SMALL, digits, dataclasses.replace(RECIPE, loss="crossness"))
    with pytest.raises(RecipeError, match="Adamsky"):
        Trainer(SMALL, digits, dataclasses.replace(RECIPE, optimizer="Adamsky"))


# --- timing


def test_steps_are_counted_and_cycle(trainer: Trainer) -> None:
    trainer.reset(1)
    trainer.run_steps(trainer.steps_per_epoch + 2)
    trainer.barrier()
    assert trainer.model.optimizer.iterations == 18 and trainer._position == 2
    assert trainer.noisy is False


# -- what would be judged wrongly is refused ----------------------------------------------------------------------


class OwnFit(keras.Model):
    def fit(self, *arguments, **options):
        raise NotImplementedError


class OwnStep(keras.Model):
    def train_step(self, *given):
        return ({"loss": 0.0}, given[0]) if keras.config.backend() == "jax" else {"loss": 0.0}


def ending_in(*last: Any, made: Any = keras.Model) -> keras.Model:
    layers = keras.layers
    start = keras.Input((28, 28, 1))
    y = layers.Flatten()(start)
    for layer in last:
        y = layer(y)
    return made(start, y)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (lambda: ending_in(keras.layers.Dense(10, "softmax"), made=OwnFit), "has a fit of its own"),
        (lambda: compiled(ending_in(keras.layers.Dense(10)), run_eagerly=True), "run_eagerly=True"),
        (lambda: ending_in(keras.layers.Dense(10)), "its outputs are logits"),
        (lambda: keras.Sequential([keras.Input((28, 28, 1)), *logits()]), "its outputs are logits"),
        (lambda: ending_in(keras.layers.Dense(10), keras.layers.Rescaling(2.0)), "its outputs are logits"),
        (lambda: frozen(ending_in(keras.layers.Dense(10, "softmax"))), "has no weights that training changes"),
    ],
    ids=["own fit", "eagerly", "logits", "logits of a Sequential", "logits through a layer", "frozen"],
)
def test_a_network_that_this_loop_would_train_otherwise_is_refused(
    network: Any, sentence: str, digits: Dataset
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        Trainer(network, digits, RECIPE)


def compiled(model: keras.Model, **options: Any) -> keras.Model:
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"], **options)
    return model


def test_a_step_that_does_nothing_learns_nothing(digits: Dataset) -> None:
    trainer = Trainer(lambda: ending_in(keras.layers.Dense(10, "softmax"), made=OwnStep), digits, RECIPE)
    before = weights(trainer)
    epoch = trainer.train_epoch()
    assert equal(before, weights(trainer)) and epoch.loss is None
    assert trainer.evaluate("val").accuracy < 0.3


def test_a_compiled_model_keeps_its_loss_and_optimizer(digits: Dataset) -> None:
    """Logits, whose loss takes them; the recipe's own would not."""
    trainer = Trainer(lambda: compiled(ending_in(keras.layers.Dense(10))), digits, RECIPE)
    assert trainer.optimizer_config["name"] == "SGD"
    before = trainer.evaluate("val").loss
    for _ in range(3):
        trainer.train_epoch()
    assert trainer.evaluate("val").loss < before and trainer.evaluate("val").accuracy > 0.3


def logits() -> list[Any]:
    return [keras.layers.Flatten(), keras.layers.Dense(10)]


def frozen(model: keras.Model) -> keras.Model:
    model.trainable = False
    return model


@pytest.mark.parametrize(
    "last",
    [
        lambda: [keras.layers.Dense(10, "softmax")],
        lambda: [keras.layers.Dense(10), keras.layers.Softmax()],
        lambda: [keras.layers.Dense(10), keras.layers.Activation("softmax")],
        lambda: [keras.layers.Dense(10, "sigmoid")],
    ],
    ids=["softmax", "a layer of its own", "an activation", "sigmoid"],
)
def test_outputs_that_are_probabilities_are_taken(last: Any, digits: Dataset) -> None:
    Trainer(lambda: ending_in(*last()), digits, RECIPE)


def test_a_function_that_gives_the_same_model_again_is_refused(digits: Dataset) -> None:
    cached = functools.cache(lambda: ending_in(keras.layers.Dense(10, "softmax")))
    trainer = Trainer(cached, digits, RECIPE)
    with pytest.raises(TrainingError, match="gave the same model twice"):
        trainer.reset(1)


def test_one_validation_picture_has_no_halves(digits: Dataset) -> None:
    trainer = Trainer(SMALL, digits, dataclasses.replace(RECIPE, val_images=1, epochs=1))
    with pytest.raises(TrainingError, match="has no two halves"):
        learn(trainer, 0, answers=False, halves=True)


def test_mixed_float16_scales_its_loss_as_fit_does(digits: Dataset) -> None:
    """Gradients that vanish in float16 unless the loss is scaled; the step is that of `fit`, to float16."""
    layers = keras.layers

    def net() -> keras.Model:
        # What is small going back is large going forward; no compiler joins the two through a ReLU.
        hidden = [layers.Dense(16, "tanh"), layers.Rescaling(3e4), layers.ReLU(), layers.Rescaling(3e-6)]
        last = [layers.Dense(10), layers.Softmax(dtype="float32")]
        return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *hidden, *last])

    whole = dataclasses.replace(RECIPE, optimizer="SGD", learning_rate=0.5, batch_size=512)
    before_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        trainer = Trainer(net, digits, whole)
        start = trainer.model.get_weights()[0].copy()
        trainer.run_steps(1)
        moved = trainer.model.get_weights()[0]
        keras.utils.set_random_seed(0)
        model = net()
        model.compile(whole.make_optimizer(), whole.loss)
        rows = trainer.batch_order(0)[0]
        data = digits.subset(whole.train_images, whole.val_images, 0)
        model.train_on_batch(data.x_train[rows] / np.float32(255), data.y_train[rows])
    finally:
        keras.config.set_dtype_policy(before_policy)
    assert np.abs(moved - start).max() > 1e-3
    np.testing.assert_allclose(moved, model.get_weights()[0], atol=1e-4)


# -- other data ---------------------------------------------------------------------------------------------------


def table(rows: int = 96) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.RandomState(0).rand(rows, 5)
    return x, x @ np.arange(5.0)


def dense(units: int, activation: str | None = None, **options: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(units, activation)])
    if options:
        model.compile("sgd", **options)
    return model


SHORT = dataclasses.replace(RECIPE, batch_size=16, epochs=30, train_images=None, val_images=None)


def test_a_regression_learns_and_has_its_error_by_name() -> None:
    x, y = table()
    recipe = dataclasses.replace(SHORT, loss="mean_squared_error", optimizer="SGD", learning_rate=0.05)
    run = train(lambda: dense(1), Dataset("table", x[:64], y[:64], x[64:], y[64:]), recipe)
    assert run.epochs[-1].metrics["val_mae"] < 0.3 * run.epochs[0].metrics["val_mae"]
    assert run.epochs[-1].val_accuracy is None and run.status == "ok"
    with pytest.raises(TrainingError, match="values to predict, and recipe"):
        Trainer(lambda: dense(1), Dataset("table", x[:64], y[:64], x[64:], y[64:]), SHORT)


def test_one_hot_labels_serve_the_recipes_loss_and_a_models_own() -> None:
    x, y = table()
    rows = np.eye(2)[(y > 5).astype(int)]
    data = Dataset("rows", x[:64], rows[:64], x[64:], rows[64:])
    numbers = Dataset("numbers", x[:64], rows[:64].argmax(1), x[64:], rows[64:].argmax(1))
    with backends.deterministic():
        by_recipe = [Trainer(lambda: dense(2, "softmax"), each, SHORT).train_epoch()[1:] for each in (data, numbers)]
        own = lambda: dense(2, "softmax", loss="categorical_crossentropy", metrics=["accuracy"])  # noqa: E731
        trainer = Trainer(own, data, SHORT)
        trainer.train_epoch()
    assert by_recipe[0] == by_recipe[1]
    assert trainer.evaluate("val").accuracy is not None


class OtherBackends(keras.Model):
    """Its steps are written for a backend that hands in other arguments."""

    if keras.config.backend() == "jax":

        def train_step(self, data):
            return super().train_step(data)

    else:

        def train_step(self, state, data):
            return super().train_step(state, data)


def test_a_train_step_that_is_written_for_another_backend_is_one_sentence(digits: Dataset) -> None:
    network = functools.partial(ending_in, keras.layers.Dense(10, "softmax"), made=OtherBackends)
    with pytest.raises(backends.BackendError, match=r"OtherBackends.train_step can't be called on \w+ \(.*hands it \("):
        Trainer(network, digits, RECIPE)
