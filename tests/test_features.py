"""Computing features goes on where it was stopped, for the taps and the pictures that are missing alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv04 import features
from dlcv04.bases import Base, Tap
from dlcv04.datasets import Dataset
from dlcv04.features import compute_features
from dlcv04.networks import cifar_convnet

TAPS = (Tap("conv2", "avg"), Tap("conv2", "max"))


@pytest.fixture(scope="module")
def base() -> Base:
    return Base("tiny", cifar_convnet(filters=(3,), dense_units=4, input_shape=(12, 12, 3)), "0..255 / 255", "drawn")


@pytest.fixture(scope="module")
def data() -> Dataset:
    random = np.random.RandomState(0)
    x = random.randint(0, 256, (50, 12, 12, 3)).astype(np.uint8)
    y = (np.arange(50) % 4).astype(np.int32)
    return Dataset("d", x[:37], y[:37], x[37:], y[37:], 4)


@pytest.fixture(autouse=True)
def little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen pictures in a file."""
    monkeypatch.setattr(features, "_KEPT_VALUES", 16 * 12 * 12 * 3)


def computed(base: Base, data: Dataset, folder: Path, taps=TAPS, stop_at: int = 0) -> tuple[Any, list[int]]:
    passed: list[int] = []

    def on_batch(done: int) -> None:
        passed.append(done)
        if done == stop_at:
            raise KeyboardInterrupt

    found = compute_features(base, data, taps, batch_size=8, folder=folder, on_batch=on_batch)
    return {tap: (one.x_train, one.x_val) for tap, one in found.items()}, passed


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for tap in other for a, b in zip(one[tap], other[tap], strict=True))


def test_a_stopped_computation_goes_on_to_the_bit(base: Base, data: Dataset, tmp_path: Path) -> None:
    whole, passed = computed(base, data, tmp_path / "whole")
    assert passed == [8, 16, 24, 32, 37, 45, 50]
    with pytest.raises(KeyboardInterrupt):
        computed(base, data, tmp_path / "cut", stop_at=24)
    resumed, passed = computed(base, data, tmp_path / "cut")
    assert passed == [24, 32, 37, 45, 50] and same(resumed, whole)
    assert computed(base, data, tmp_path / "cut")[1] == []


def test_a_file_holds_as_many_pictures_as_asked_at_once_would_give(base, data, monkeypatch, tmp_path: Path) -> None:
    parts, _ = computed(base, data, tmp_path / "parts")
    monkeypatch.setattr(features, "_KEPT_VALUES", 10**9)
    whole, _ = computed(base, data, tmp_path / "whole")
    assert same(parts, whole)


def test_a_tap_is_kept_by_itself(base: Base, data: Dataset, tmp_path: Path) -> None:
    both, _ = computed(base, data, tmp_path)
    one, passed = computed(base, data, tmp_path, TAPS[1:])
    assert passed == [] and same(both, one)


def test_other_labels_compute_nothing(base: Base, data: Dataset, tmp_path: Path) -> None:
    computed(base, data, tmp_path)
    shuffled = Dataset("d", data.x_train, data.y_train[::-1].copy(), data.x_val, data.y_val, 4)
    assert computed(base, shuffled, tmp_path)[1] == []


def test_one_damaged_file_costs_its_own_pictures(base: Base, data: Dataset, tmp_path: Path) -> None:
    whole, _ = computed(base, data, tmp_path)
    # Each tap's last pictures of training alone are five.
    files = [path for path in tmp_path.glob("features-*.npz") if len(np.load(path)["features"]) == 5]
    assert len(files) == 2
    files[0].write_bytes(files[0].read_bytes()[:-50])
    again, passed = computed(base, data, tmp_path)
    assert passed == [37] and same(again, whole)
