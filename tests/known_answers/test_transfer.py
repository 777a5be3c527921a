"""Transfer: a fold is held out, its scaling is its training part's, a trained base is the network that was trained.

Each picture of the folds has a feature of its own, and a label at random: a head learns by heart what it has seen and
can know nothing of what it has not.
"""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from dlcv04 import Dataset, backends, bases, training, transfer
from dlcv04.bases import Tap, trained_base
from dlcv04.features import FeatureSet
from dlcv04.finetuning import Result
from dlcv04.networks import cifar_convnet
from dlcv04.recipes import Recipe
from dlcv04.training import Trainer
from dlcv04.transfer import Head, choose

CLASSES, COUNT = 6, 60
RECIPE = Recipe("heart", "SGD", 1.0, 10, 20)
TAP = Tap("own", "none")


def own_features():
    labels = np.random.RandomState(0).permutation(np.arange(COUNT) % CLASSES).astype(np.int32)
    rows = np.eye(COUNT, dtype=np.float32)
    return FeatureSet("own", rows, labels, rows[:2], labels[:2], CLASSES, source="own")


def check_folds():
    """What is held out is classed as by chance; with what is seen, every picture would be right."""
    ((_, _, accuracy),) = choose({TAP: own_features()}, RECIPE, heads=[Head()]).accuracies
    assert accuracy < 0.5


def check_scaling(monkeypatch):
    """A feature that only held-out pictures have tells nothing of its spread in training: it stays as it is."""
    seen = []

    def complete(self):
        seen.append(self.dataset)
        return real(self)

    real = Trainer.train_epoch
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_epoch", complete)
        choose({TAP: own_features()}, replace(RECIPE, epochs=1), heads=[Head()])
    assert len(seen) == 3
    for fold in seen:
        assert set(np.abs(fold.x_val).max(axis=1)) == {1}


def check_base(folder):
    """Its layers have the weights that training by hand ends with, not those that were drawn."""
    network = partial(cifar_convnet, filters=(3,), dense_units=4, input_shape=(12, 12, 3), classes=3)
    random = np.random.RandomState(1)
    x, y = random.randint(0, 256, (24, 12, 12, 3)).astype(np.uint8), (np.arange(24) % 3).astype(np.int32)
    dataset, recipe = Dataset("d", x[:16], y[:16], x[16:], y[16:], 3), Recipe("r", "SGD", 0.1, 8, 2)
    with backends.deterministic():
        trainer = Trainer(network, dataset, recipe, seed=5)
        drawn = trainer.model.get_weights()
        training.complete(trainer)
    expected = trainer.model.get_weights()[:-2]
    if any(np.array_equal(old, new) for old, new in zip(drawn, expected, strict=False)):
        pytest.fail("nothing is compared: training changes too little")
    for _ in range(2):  # computed, and from disk
        base = trained_base(network, dataset, recipe, 5, folder=folder)
        for found, wanted in zip(base.model.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def check_confusion():
    """Three pictures of class 0, one of them taken for class 2: a row a class, a column an answer."""
    x, labels = np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 0, 0, 1], np.int32)
    data = Dataset("c", x, labels, x, labels, 3)
    tuned = SimpleNamespace(predicted=(0, 2, 0, 1), correct=(True, False, True, True))
    found = Result(data, ("a", "b", "c", "d"), None, None, tuned, {}, None)
    assert found.confusion.tolist() == [[2, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_a_fold_is_held_out():
    check_folds()


def test_a_fold_is_scaled_by_its_training_part(monkeypatch):
    check_scaling(monkeypatch)


def test_a_trained_base_is_what_was_trained(tmp_path):
    check_base(tmp_path)


def test_the_confusion_matrix():
    check_confusion()


# -- planted faults ----------------------------------------------------------------------------------------------------


def test_a_fold_that_is_trained_on_is_seen(monkeypatch):
    monkeypatch.setattr(transfer.np, "setdiff1d", lambda every, held: every)
    with pytest.raises(AssertionError):
        check_folds()


def test_scaling_by_all_pictures_is_seen(monkeypatch):
    whole = transfer.Scaling.of(own_features().x_train)
    monkeypatch.setattr(transfer.Scaling, "of", lambda x: whole)
    with pytest.raises(AssertionError):
        check_scaling(monkeypatch)


def test_a_base_without_its_trained_weights_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(bases, "_fill", lambda model, values: None)
    with pytest.raises(AssertionError):
        check_base(tmp_path)


def test_a_transposed_matrix_is_seen(monkeypatch):
    real = Result.confusion
    monkeypatch.setattr(Result, "confusion", property(lambda self: real.fget(self).T))
    with pytest.raises(AssertionError):
        check_confusion()
