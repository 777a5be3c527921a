"""One training step of a small convnet, its gradients and Adadelta's update, against NumPy in float64.

The reference is written out by hand: convolution, ReLU, max pooling, two dense layers, softmax and cross-entropy,
forward and backward; then Zeiler's Adadelta as Keras documents it (rho 0.95, epsilon 1e-7 inside both roots). It gets
the weights before the step and the data set's own bytes and labels.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dlcv04 import Dataset, seeding
from dlcv04.fit_trainer import FitTrainer
from dlcv04.lazy import LazyModule
from dlcv04.networks import mnist_convnet
from dlcv04.recipes import Recipe, mnist_recipe
from dlcv04.training import Trainer

keras = LazyModule("keras")

CLASSES, BATCH = 4, 8
NETWORK = partial(
    mnist_convnet,
    conv_layers=1,
    filters=3,
    dense_units=(6,),
    pool_dropout=0.0,
    dense_dropout=0.0,
    input_shape=(8, 8, 1),
    classes=CLASSES,
)
RHO, EPSILON = 0.95, 1e-7
SEEDS = (1, 2, 3, 4)  # a single one may give every picture the same class
SIZES = {"batch_size": BATCH, "epochs": 1, "train_images": None, "val_images": None}
# A sum of some hundred products, each rounded to 2**-24 of numbers of about 1.
OFF = 3e-6


@pytest.fixture(scope="module")
def dataset():
    """One batch, so that an epoch is one step and its order does not matter; classes 1 to 3 differ in size."""
    random = np.random.RandomState(3)
    pictures = random.randint(0, 256, (BATCH, 8, 8, 1)).astype(np.uint8)
    labels = np.array([0, 1, 1, 2, 2, 1, 3, 1], np.int32)
    return Dataset("step", pictures, labels, pictures[:3], labels[:3], CLASSES)


def gradients(weights, pictures, labels):
    """The mean cross-entropy of a batch, the share of right answers, and the gradient of each weight."""
    kernel, bias, dense, dense_bias, last, last_bias = weights
    x = pictures[..., 0].astype(np.float64) / 255
    count, inner = len(x), x.shape[1] - 2
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))  # picture, row, column, kernel's 3 x 3
    before = np.einsum("nrcij,ijf->nrcf", windows, kernel[:, :, 0]) + bias
    active = np.maximum(before, 0)
    half, filters = inner // 2, active.shape[-1]
    cells = active.reshape(count, half, 2, half, 2, filters).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 4)
    place = cells.argmax(axis=1)
    flat = cells[np.arange(len(cells)), place].reshape(count, -1)
    hidden_before = flat @ dense + dense_bias
    hidden = np.maximum(hidden_before, 0)
    logits = hidden @ last + last_bias
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    loss = -np.log(shares[np.arange(count), labels]).mean()

    back = (shares - np.eye(shares.shape[1])[labels]) / count
    hidden_back = (back @ last.T) * (hidden_before > 0)
    cells_back = np.zeros_like(cells)
    cells_back[np.arange(len(cells)), place] = (hidden_back @ dense.T).ravel()
    active_back = cells_back.reshape(count, half, half, filters, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    active_back = active_back.reshape(active.shape) * (before > 0)
    return (
        loss,
        (shares.argmax(axis=1) == labels).mean(),
        [
            np.einsum("nrcij,nrcf->ijf", windows, active_back)[:, :, None],
            active_back.sum(axis=(0, 1, 2)),
            flat.T @ hidden_back,
            hidden_back.sum(axis=0),
            hidden.T @ back,
            back.sum(axis=0),
        ],
    )


def weights(trainer):
    return [values.astype(np.float64) for values in trainer.model.get_weights()]


def check_gradients(dataset, network=NETWORK):
    """By gradient descent at rate 1 the weights change by the gradient."""
    trainer = Trainer(network, dataset, Recipe("step", "SGD", 1.0, **SIZES))
    for seed in SEEDS:
        before = weights(trainer.reset(seed))
        trained = trainer.train_epoch()
        loss, accuracy, expected = gradients(before, dataset.x_train, dataset.y_train)
        assert (trained.loss, trained.accuracy) == (pytest.approx(loss, abs=OFF), accuracy)
        for old, new, gradient in zip(before, weights(trainer), expected, strict=True):
            if abs(gradient).max() < 100 * OFF:
                pytest.fail("nothing is compared: a gradient is 0 in the reference")
            np.testing.assert_allclose(old - new, gradient, rtol=0, atol=OFF)


def check_adadelta(dataset, recipe, network=NETWORK):
    """Three steps of Task 1's recipe: at the first the running means are still 0."""
    trainer = Trainer(network, dataset, recipe, seed=1)
    expected = weights(trainer)
    squares, steps = ([np.zeros_like(values) for values in expected] for _ in range(2))
    for _ in range(3):
        trainer.train_epoch()
        _, _, found = gradients(expected, dataset.x_train, dataset.y_train)
        for value, gradient, square, step in zip(expected, found, squares, steps, strict=True):
            square += (1 - RHO) * (gradient**2 - square)
            change = -np.sqrt(step + EPSILON) / np.sqrt(square + EPSILON) * gradient
            step += (1 - RHO) * (change**2 - step)
            value += change  # at rate 1
    for new, value in zip(weights(trainer), expected, strict=True):
        np.testing.assert_allclose(new, value, rtol=0, atol=OFF)


def check_epochs(network=NETWORK):
    """Two epochs of two batches, each epoch in its own order: by gradient descent, batch by batch."""
    random = np.random.RandomState(4)
    pictures = random.randint(0, 256, (2 * BATCH, 8, 8, 1)).astype(np.uint8)
    labels = (np.arange(2 * BATCH) % CLASSES).astype(np.int32)
    dataset = Dataset("order", pictures, labels, pictures[:3], labels[:3], CLASSES)
    trainer = Trainer(network, dataset, Recipe("order", "SGD", 0.3, **SIZES), seed=1)
    orders = [trainer.batch_order(epoch) for epoch in range(2)]
    assert all(sorted(order.ravel()) == list(range(2 * BATCH)) for order in orders)
    if sorted(orders[0][0]) in [sorted(batch) for batch in orders[1]]:
        pytest.fail("nothing is compared: both epochs have the same batches")
    expected = weights(trainer)
    for order in orders:
        trainer.train_epoch()
        for batch in order:
            _, _, found = gradients(expected, pictures[batch], labels[batch])
            expected = [value - 0.3 * gradient for value, gradient in zip(expected, found, strict=True)]
    for new, value in zip(weights(trainer), expected, strict=True):
        np.testing.assert_allclose(new, value, rtol=0, atol=OFF)


def check_fit(dataset):
    """The step that stock `fit` is made to take when its trainer is built is that of the reference."""
    recipe = Recipe("fit", "SGD", 1.0, **SIZES)
    before = [values.astype(np.float64) for values in seeding.build(NETWORK, dataset, recipe, 1).model.get_weights()]
    trainer = FitTrainer(NETWORK, dataset, recipe, images=BATCH, seed=1)
    _, _, expected = gradients(before, dataset.x_train, dataset.y_train)
    for old, new, gradient in zip(before, trainer.model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(old - new, gradient, rtol=0, atol=OFF)


def adadelta():
    return replace(mnist_recipe("smoke"), **SIZES)


def test_the_gradients_of_a_step(dataset):
    check_gradients(dataset)


def test_the_gradients_are_those_of_the_loss(dataset):
    """The reference against itself: its gradient is the slope of its loss, by central differences."""
    random = np.random.RandomState(0)
    shapes = (3, 3, 1, 3), (3,), (27, 6), (6,), (6, CLASSES), (CLASSES,)
    drawn = [random.normal(0, 0.3, shape) for shape in shapes]
    _, _, found = gradients(drawn, dataset.x_train, dataset.y_train)
    for value, gradient in zip(drawn, found, strict=True):
        place = np.unravel_index(abs(gradient).argmax(), gradient.shape)
        losses = []
        for change in (1e-6, -2e-6):
            value[place] += change
            losses.append(gradients(drawn, dataset.x_train, dataset.y_train)[0])
        value[place] += 1e-6
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradient[place], rel=1e-5)


def test_adadelta(dataset):
    check_adadelta(dataset, adadelta())


def test_each_epoch_goes_through_its_own_order():
    check_epochs()


def test_the_step_of_keras_fit(dataset):
    check_fit(dataset)


# -- planted faults ----------------------------------------------------------------------------------------------------


def unscaled():
    """The network sees pixels in 0..255."""
    model = NETWORK()
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, model(keras.layers.Rescaling(255.0)(inputs)))


def test_pixels_that_are_not_scaled_are_seen(dataset):
    with pytest.raises(AssertionError):
        check_gradients(dataset, unscaled)


def swapped(labels):
    return np.array([0, 2, 1, 3], np.int32)[labels]


def shifted(labels):
    return (labels + 1) % CLASSES


@pytest.mark.parametrize("change", [swapped, shifted])
def test_other_labels_on_the_way_to_the_step_are_seen(change, dataset, monkeypatch):
    """Two class indices exchanged, or all shifted by one, in both splits: no accuracy shows that."""
    real = Dataset.subset

    def faulty(self, *arguments, **settings):
        drawn = real(self, *arguments, **settings)
        return replace(drawn, y_train=change(drawn.y_train), y_val=change(drawn.y_val))

    monkeypatch.setattr(Dataset, "subset", faulty)
    with pytest.raises(AssertionError):
        check_gradients(dataset)


@pytest.mark.parametrize(
    "fault",
    [
        {"learning_rate": 0.001},
        {"optimizer_options": (("rho", 0.9),)},
        {"optimizer_options": (("epsilon", 1e-6),)},
        {"optimizer": "RMSprop", "learning_rate": 0.001},
    ],
    ids=lambda fault: ", ".join(map(str, fault.values())),
)
def test_another_optimizer_is_seen(fault, dataset):
    with pytest.raises(AssertionError):
        check_adadelta(dataset, replace(adadelta(), **fault))


def first_order(real):
    return lambda self, epoch: real(self, 0)


def test_epochs_in_one_order_are_seen(monkeypatch):
    """The order that is asked for is another than the one that is trained in."""
    real = Trainer.train_epoch

    def faulty(self):
        with monkeypatch.context() as patched:
            patched.setattr(Trainer, "batch_order", first_order(Trainer.batch_order))
            return real(self)

    monkeypatch.setattr(Trainer, "train_epoch", faulty)
    with pytest.raises(AssertionError):
        check_epochs()


def test_a_rate_that_is_lost_after_the_first_epoch_is_seen(monkeypatch):
    real = Trainer.train_epoch

    def faulty(self):
        trained = real(self)
        self.optimizer.learning_rate.assign(0.03)
        return trained

    monkeypatch.setattr(Trainer, "train_epoch", faulty)
    with pytest.raises(AssertionError):
        check_epochs()


def test_fit_on_pixels_that_are_not_scaled_is_seen(dataset, monkeypatch):
    real = FitTrainer.run_steps

    def faulty(self, count):
        x, *others = self._data
        self._data = x * np.float32(255), *others
        real(self, count)

    monkeypatch.setattr(FitTrainer, "run_steps", faulty)
    with pytest.raises(AssertionError):
        check_fit(dataset)
