"""MNIST's stand-in: frozen, balanced, and no digit in both splits."""

import time

import numpy as np

from dlcv04.datasets import embedded
from tests.datasets import frozen


def test_it_is_frozen() -> None:
    assert embedded.digits().fingerprint == frozen.DIGITS


def test_another_seed_is_another_data_set(monkeypatch) -> None:
    monkeypatch.setattr(embedded, "_SEED", 1)
    assert embedded.digits.__wrapped__().fingerprint != frozen.DIGITS


def test_shapes_and_range() -> None:
    digits = embedded.digits()
    assert digits.x_train.shape == (6000, 28, 28, 1)
    assert digits.x_val.shape == (2000, 28, 28, 1)
    assert digits.x_train.max() == 255
    assert (digits.kind, digits.classes) == ("embedded", 10)


def test_classes_are_balanced() -> None:
    digits = embedded.digits()
    for labels in (digits.y_train, digits.y_val):
        share = np.bincount(labels, minlength=10) / len(labels)
        assert share.min() > 0.09
        assert share.max() < 0.11


def test_digits_stand_in_the_middle_with_an_empty_border() -> None:
    originals = embedded.digits().x_val[:450].astype(float)
    assert not originals[:, :2].any()
    assert not originals[:, :, -2:].any()
    rows = np.arange(28)[None, :, None, None]
    middle = (originals * rows).sum(axis=(1, 2, 3)) / originals.sum(axis=(1, 2, 3))
    assert abs(middle.mean() - 13.5) < 1


def test_no_original_stands_in_both_splits() -> None:
    digits = embedded.digits()
    train = {picture.tobytes() for picture in digits.x_train[:1347]}
    val = {picture.tobytes() for picture in digits.x_val[:450]}
    assert len(train) + len(val) == 1797
    assert not train & val
    everything = {picture.tobytes() for picture in digits.x_train}
    assert not any(picture.tobytes() in everything for picture in digits.x_val)


def test_variants_are_of_their_own_splits_digits() -> None:
    digits = embedded.digits()
    for x, y, originals in ((digits.x_train, digits.y_train, 1347), (digits.x_val, digits.y_val, 450)):
        again = np.arange(len(y)) % originals
        assert (y == y[again]).all()
        # Blurred by their shifts, variants still look more like their original than like the next digit.
        coarse = x[:, ::2, ::2, 0].reshape(len(x), -1).astype(float)
        variant = np.arange(originals, 2 * originals if 2 * originals < len(x) else len(x))
        own = ((coarse[variant] - coarse[again[variant]]) ** 2).mean()
        other = ((coarse[variant] - coarse[(again[variant] + 1) % originals]) ** 2).mean()
        assert own < 0.7 * other


def test_it_is_quick() -> None:
    embedded.digits()  # scikit-learn's import is not counted
    start = time.process_time()
    embedded.digits.__wrapped__()
    assert time.process_time() - start < 2
