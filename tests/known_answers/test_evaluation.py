"""Evaluation: every validation picture counts once, as many as are said, in inference mode.

The network has fixed weights: of the four pixels of a picture the brightest names its class, and the shares are the
softmax of the pixels in [0, 1]. Whether each picture is right, and its loss, follow from its bytes.
"""

from dataclasses import replace

import numpy as np
import pytest

from dlcv04 import Dataset, training
from dlcv04.lazy import LazyModule
from dlcv04.recipes import Recipe
from dlcv04.training import Trainer

keras = LazyModule("keras")

CLASSES = 4
VAL = 11  # two batches of 6, the last one partial
RECIPE = Recipe("still", "SGD", 1e-30, 4, 1)  # a rate at which no weight moves
EACH = 1e-6  # relative, of a mean of float32 losses


def brightest():
    layers = keras.layers
    still = layers.Dense(CLASSES, activation="softmax", use_bias=False, kernel_initializer="identity")
    return keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), still])


def with_dropout():
    layers = keras.layers
    still = layers.Dense(CLASSES, activation="softmax", use_bias=False, kernel_initializer="identity")
    return keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dropout(0.5), still])


def pictures(count, seed):
    """Pictures in which one pixel is the brightest by far, and its number."""
    random = np.random.RandomState(seed)
    places = random.randint(0, CLASSES, count)
    flat = random.randint(0, 100, (count, CLASSES))
    flat[np.arange(count), places] += 120
    return flat.reshape(count, 2, 2, 1).astype(np.uint8), places.astype(np.int32)


def data(right):
    """Validation pictures of which only those in `right` have their label; all training pictures are wrong."""
    x_train, seen = pictures(8, 1)
    x_val, y_val = pictures(VAL, 2)
    wrong = np.full(VAL, True)
    wrong[list(right)] = False
    y_val = np.where(wrong, (y_val + 1) % CLASSES, y_val).astype(np.int32)
    return Dataset("seen", x_train, ((seen + 2) % CLASSES).astype(np.int32), x_val, y_val, CLASSES)


def losses(x, y):
    """The cross-entropy of each picture, in float64."""
    pixels = x.reshape(len(x), -1).astype(np.float64) / 255
    return np.log(np.exp(pixels).sum(axis=1)) - pixels[np.arange(len(x)), y]


@pytest.fixture(scope="module")
def trainer():
    with pytest.MonkeyPatch.context() as few:
        few.setattr(training, "_EVALUATION_BATCH", 6)  # which leaves a partial batch of 5
        return Trainer(brightest, data(()), RECIPE)


def check_counts(trainer):
    """Each validation picture adds its one part to the accuracy, and its loss to the mean loss."""
    for picture in range(VAL):
        dataset = data([picture])
        score = trainer.reset(0, dataset).evaluate("val")
        assert score.accuracy * trainer.val_images == pytest.approx(1), f"picture {picture} does not count once"
        assert score.loss == pytest.approx(losses(dataset.x_val, dataset.y_val).mean(), rel=EACH)
    assert trainer.val_images == training.val_images(trainer.dataset, trainer.recipe) == VAL


def check_run(trainer):
    """What a run stores, epoch by epoch, and what the trainer says of each picture, is of the same pictures."""
    right = [0, 3, 4, 9, 10]
    dataset = data(right)
    run = training.complete(trainer.reset(0, dataset), halves=True)
    (epoch,) = run.epochs
    expected = losses(dataset.x_val, dataset.y_val)
    assert epoch.val_accuracy == pytest.approx(len(right) / VAL)
    assert epoch.val_loss == pytest.approx(expected.mean(), rel=EACH)
    assert epoch.val_loss_halves == pytest.approx((expected[::2].mean(), expected[1::2].mean()), rel=1e-5)
    assert epoch.train_accuracy == 0
    assert epoch.train_loss == pytest.approx(losses(dataset.x_train, dataset.y_train).mean(), rel=EACH)


def check_answers(trainer):
    right = [0, 3, 4, 9, 10]
    np.testing.assert_array_equal(np.flatnonzero(trainer.reset(0, data(right)).answers()), right)


def check_predictions(trainer):
    """The softmax of the pixels in [0, 1], of each picture in its place."""
    dataset = data([0, 3])
    shares = np.exp(dataset.x_val.reshape(VAL, -1).astype(np.float64) / 255)
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(trainer.reset(0, dataset).predict(dataset.x_val), shares, rtol=EACH)


def check_mode(trainer):
    """The same twice, and that of the network without its dropout."""
    dataset = data([0, 3, 4, 9, 10])
    scores = [trainer.reset(0, dataset).evaluate("val"), trainer.evaluate("val")]
    assert scores[0] == scores[1]
    assert scores[0].loss == pytest.approx(losses(dataset.x_val, dataset.y_val).mean(), rel=EACH)
    check_predictions(trainer)


def test_every_validation_picture_counts_once(trainer):
    check_counts(trainer)


def test_what_a_run_stores(trainer):
    check_run(trainer)


def test_the_answers_are_in_the_pictures_order(trainer):
    check_answers(trainer)


def test_predictions(trainer):
    check_predictions(trainer)


@pytest.mark.parametrize("most", [1, 5, VAL, 20])
def test_as_many_pictures_as_the_recipe_says(most):
    """Of a limit as many are evaluated as are said, the same ones for all seeds."""
    limited = Trainer(brightest, data(()), replace(RECIPE, val_images=most))
    said = min(most, VAL)
    assert limited.val_images == training.val_images(limited.dataset, limited.recipe) == said
    parts = [limited.reset(picture, data([picture])).evaluate("val").accuracy * said for picture in range(VAL)]
    assert sorted(parts) == pytest.approx([0] * (VAL - said) + [1] * said)


def test_dropout_is_off():
    check_mode(Trainer(with_dropout, data(()), RECIPE))


def normalised():
    """With batch normalisation by stored means and variances that are not those of the pictures."""
    layers, constant = keras.layers, keras.initializers.Constant
    norm = layers.BatchNormalization(
        momentum=1.0, moving_mean_initializer=constant(0.25), moving_variance_initializer=constant(4.0), epsilon=1e-3
    )
    still = layers.Dense(CLASSES, activation="softmax", use_bias=False, kernel_initializer="identity")
    return keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), norm, still])


def check_normalisation(trainer):
    dataset = data([0, 3])
    pixels = (dataset.x_val.reshape(VAL, -1) / 255 - 0.25) / np.sqrt(4 + 1e-3)
    expected = np.log(np.exp(pixels).sum(axis=1)) - pixels[np.arange(VAL), dataset.y_val]
    assert trainer.reset(0, dataset).evaluate("val").loss == pytest.approx(expected.mean(), rel=EACH)


def test_batch_normalisation_goes_by_its_stored_statistics():
    check_normalisation(Trainer(normalised, data(()), RECIPE))


# -- planted faults ----------------------------------------------------------------------------------------------------


def half(real):
    return lambda self, split: real(self, "val_even" if split == "val" else split)


def on_training_pictures(real):
    return lambda self, split: real(self, "train")


@pytest.mark.parametrize("fault", [half, on_training_pictures])
def test_the_wrong_pictures_are_seen(fault, trainer, monkeypatch):
    monkeypatch.setattr(Trainer, "evaluate", fault(Trainer.evaluate))
    for check in (check_counts, check_run):
        with pytest.raises(AssertionError):
            check(trainer)


def whole_batches(real):
    return lambda self, pictures: real(self, pictures)[: max(1, len(pictures) // 6)]


def filled_up(real):
    return lambda self, pictures: [np.resize(rows, 6) for rows in real(self, pictures)]


@pytest.mark.parametrize("fault", [whole_batches, filled_up])
def test_a_partial_batch_treated_wrongly_is_seen(fault, trainer, monkeypatch):
    """Left out, or counted with what fills it up."""
    monkeypatch.setattr(Trainer, "_batches", fault(Trainer._batches))
    for check in (check_counts, check_run):
        with pytest.raises(AssertionError):
            check(trainer)


def swapped(labels):
    return np.array([0, 2, 1, 3], np.int32)[labels]


def shifted(labels):
    return ((labels + 1) % CLASSES).astype(np.int32)


@pytest.mark.parametrize("change", [swapped, shifted])
def test_other_labels_are_seen(change, trainer, monkeypatch):
    """Two class indices exchanged, or all shifted by one, on the way to the trainer."""
    real = Dataset.subset

    def faulty(self, *arguments, **settings):
        drawn = real(self, *arguments, **settings)
        return replace(drawn, y_train=change(drawn.y_train), y_val=change(drawn.y_val))

    monkeypatch.setattr(Dataset, "subset", faulty)
    for check in (check_counts, check_run, check_answers):
        with pytest.raises(AssertionError):
            check(trainer)


def always_training(layer, monkeypatch):
    real = layer.call

    def faulty(self, inputs, training=None, **settings):
        return real(self, inputs, training=True, **settings)

    monkeypatch.setattr(layer, "call", faulty)


def test_dropout_that_is_on_is_seen(monkeypatch):
    always_training(keras.layers.Dropout, monkeypatch)
    drawing = Trainer(with_dropout, data(()), RECIPE)
    for check in (check_mode, check_predictions):
        with pytest.raises(AssertionError):
            check(drawing)


def test_normalising_by_the_batch_is_seen(monkeypatch):
    always_training(keras.layers.BatchNormalization, monkeypatch)
    with pytest.raises(AssertionError):
        check_normalisation(Trainer(normalised, data(()), RECIPE))


def test_pixels_that_are_not_scaled_are_seen():
    """Accuracy does not show it, since the brightest pixel stays the brightest; the loss does."""

    def unscaled():
        model = brightest()
        inputs = keras.Input((2, 2, 1))
        return keras.Model(inputs, model(keras.layers.Rescaling(255.0)(inputs)))

    wrong = Trainer(unscaled, data(()), RECIPE)
    for check in (check_counts, check_run, check_predictions):
        with pytest.raises(AssertionError):
            check(wrong)
