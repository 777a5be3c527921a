"""Labels as they are read: each picture of a published file, and of the stand-in for MNIST, keeps its class's index.

Two classes exchanged in both splits change no accuracy. The reference for the files is written here; for the stand-in
it is scikit-learn's own digits, nearest by their pixels.
"""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dlcv04 import Dataset, datasets
from dlcv04.datasets import embedded

SHAPES = {"mnist": (28, 28), "cifar10": (32, 32, 3)}
CIFAR_NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def save(folder, name):
    """Keras's npz file; every pixel of a picture of class 3 is 33, of 5 it is 55."""
    y = np.random.RandomState(0).permutation(np.arange(30) % 10).astype(np.uint8)
    x = np.stack([np.full(SHAPES[name], 11 * label, np.uint8) for label in y])
    np.savez(folder / f"{name}.npz", x_train=x[:18], y_train=y[:18], x_test=x[18:], y_test=y[18:])


def check_file(name):
    dataset = datasets.load(name, "real").subset(10, 10, seed=3)
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_val, dataset.y_val)):
        np.testing.assert_array_equal(x.reshape(len(x), -1).max(axis=1), 11 * y)
    assert dataset.classes == 10
    if name == "cifar10":
        assert list(dataset.class_names) == CIFAR_NAMES


def check_digits(dataset):
    """Of the digits that stand there unturned, each is nearest to one of scikit-learn's with its label."""
    digits = load_digits()
    known = digits.images.reshape(-1, 64)
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_val, dataset.y_val)):
        # Back to 8 x 8: a cell of the 20 x 20 in the middle of the field at each eighth.
        places = 4 + (np.arange(8) + 0.5) * 20 / 8
        cells = x[:100, places.astype(int)][:, :, places.astype(int), 0].reshape(-1, 64) / 16
        nearest = ((cells[:, None] - known[None]) ** 2).sum(axis=2).argmin(axis=1)
        assert (digits.target[nearest] == y[:100]).mean() > 0.95


def check_permuted():
    """The control's labels are those of both splits, at other pictures: as many agree as by chance."""
    x = np.arange(600, dtype=np.uint16).view(np.uint8).reshape(600, 1, 2, 1)
    y = (np.arange(600) % 5).astype(np.int32)
    real = Dataset("numbered", x[:400], y[:400], x[400:], y[400:], 5)
    found = [datasets.permuted_labels(real, seed) for seed in (0, 0, 1)]
    labels = [np.concatenate([one.y_train, one.y_val]) for one in found]
    for one, given in zip(found, labels, strict=True):
        np.testing.assert_array_equal(np.concatenate([one.x_train, one.x_val]), x)
        np.testing.assert_array_equal(np.bincount(given), np.bincount(y))
        for part in (slice(400), slice(400, None)):
            assert 0.1 < (given[part] == y[part]).mean() < 0.3
    np.testing.assert_array_equal(labels[0], labels[1])
    assert (labels[0] != labels[2]).any()


@pytest.fixture(params=SHAPES)
def name(request, tmp_path, monkeypatch):
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path))
    save(tmp_path, request.param)
    return request.param


def test_a_files_labels_stay_with_their_pictures(name):
    check_file(name)


def test_the_stand_ins_labels_are_the_digits():
    check_digits(embedded.digits())


def test_the_controls_labels_are_permuted():
    check_permuted()


# -- planted faults ----------------------------------------------------------------------------------------------------


def swapped(labels):
    return np.array([0, 1, 2, 5, 4, 3, 6, 7, 8, 9], np.int32)[labels]


def shifted(labels):
    return ((labels + 1) % 10).astype(np.int32)


@pytest.mark.parametrize("change", [swapped, shifted])
def test_other_labels_are_seen(change, name, monkeypatch):
    real = datasets.load

    def faulty(*arguments, **settings):
        found = real(*arguments, **settings)
        return replace(found, y_train=change(found.y_train), y_val=change(found.y_val))

    monkeypatch.setattr(datasets, "load", faulty)
    with pytest.raises(AssertionError):
        check_file(name)


@pytest.mark.parametrize("change", [swapped, shifted])
def test_other_labels_of_the_stand_in_are_seen(change):
    digits = embedded.digits()
    with pytest.raises(AssertionError):
        check_digits(replace(digits, y_train=change(digits.y_train), y_val=change(digits.y_val)))


def kept(real):
    return lambda dataset, seed=0: dataset


def in_training_alone(real):
    return lambda dataset, seed=0: replace(dataset, y_train=real(dataset, seed).y_train)


def by_no_seed(real):
    return lambda dataset, seed=0: real(dataset, 0)


@pytest.mark.parametrize("fault", [kept, in_training_alone, by_no_seed])
def test_a_control_that_permutes_less_is_seen(fault, monkeypatch):
    monkeypatch.setattr(datasets, "permuted_labels", fault(datasets.permuted_labels))
    with pytest.raises(AssertionError):
        check_permuted()
