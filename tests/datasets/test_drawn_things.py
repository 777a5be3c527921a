"""CIFAR-10's stand-in: frozen, balanced, too hard for a linear model, and with a setting that is easier."""

import time

import numpy as np
import pytest

from dlcv04.datasets import Dataset, drawn_things
from tests.datasets import frozen

linear_model = pytest.importorskip("sklearn.linear_model")


def linear_accuracy(dataset: Dataset, train: int) -> float:
    x = dataset.x_train[:train].reshape(train, -1) / 255.0
    model = linear_model.RidgeClassifier(alpha=100.0).fit(x, dataset.y_train[:train])
    return model.score(dataset.x_val.reshape(len(dataset.x_val), -1) / 255.0, dataset.y_val)


def test_it_is_frozen() -> None:
    assert drawn_things.things().fingerprint == frozen.THINGS


def test_shapes_names_and_balance() -> None:
    things = drawn_things.things()
    assert things.x_train.shape == (5000, 32, 32, 3)
    assert things.x_val.shape == (1000, 32, 32, 3)
    assert (np.bincount(things.y_train) == 500).all()
    assert (np.bincount(things.y_val) == 100).all()
    assert (things.kind, things.class_names[3]) == ("embedded", "cat")
    assert f"generator {drawn_things.VERSION}, seed {drawn_things.SEED}" in things.provenance


def test_no_picture_comes_twice() -> None:
    things = drawn_things.things()
    everything = {picture.tobytes() for split in (things.x_train, things.x_val) for picture in split}
    assert len(everything) == 6000


def test_a_linear_model_finds_something_but_not_enough() -> None:
    assert 0.15 < linear_accuracy(drawn_things.things(), 2000) < 0.60


def test_the_settings_matter_and_are_named(monkeypatch) -> None:
    monkeypatch.setattr(drawn_things, "_TRAIN_PER_CLASS", 60)
    monkeypatch.setattr(drawn_things, "_VAL_PER_CLASS", 20)
    usual, easy = drawn_things.draw(), drawn_things.draw(difficulty=0.0, noise=0.0)
    noisy, other = drawn_things.draw(noise=3.0), drawn_things.draw(seed=1)
    assert "difficulty 0, noise 0" in easy.provenance
    assert "changed" not in usual.provenance
    assert len({data.fingerprint for data in (usual, easy, noisy, other)}) == 4
    assert linear_accuracy(easy, 600) > linear_accuracy(usual, 600) + 0.2
    roughness = [np.abs(np.diff(data.x_val.astype(int), axis=2)).mean() for data in (easy, usual, noisy)]
    assert roughness[0] < roughness[1] < roughness[2]


def test_labels_tell_what_is_drawn(monkeypatch) -> None:
    """Mean pictures of the easy setting, which differ by class, are those of another seed's same class."""
    monkeypatch.setattr(drawn_things, "_TRAIN_PER_CLASS", 60)
    means = [
        np.stack([data.x_train[data.y_train == label].mean(axis=(0, 3)) for label in range(10)])
        for data in (drawn_things.draw(0.0, 0.0, seed) for seed in (1, 2))
    ]
    between = ((means[0][:, None] - means[1][None]) ** 2).mean(axis=(2, 3))
    assert (between.argmin(axis=1) == np.arange(10)).mean() >= 0.9


def test_it_is_quick() -> None:
    start = time.process_time()
    drawn_things.draw()
    assert time.process_time() - start < 8
