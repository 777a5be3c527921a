"""Where CIFAR-10 is looked for, and what a broken file says."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv04 import datasets
from dlcv04.datasets import DataError, drawn_things
from tests.datasets import frozen


def save(path: Path, **changes: Any) -> Path:
    arrays: dict[str, Any] = {
        "x_train": np.full((30, 32, 32, 3), 7, np.uint8),
        "y_train": (np.arange(30) % 10).astype(np.uint8)[:, None],
        "x_test": np.zeros((20, 32, 32, 3), np.uint8),
        "y_test": (np.arange(20) % 10).astype(np.uint8)[:, None],
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.fixture(autouse=True)
def nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLCV04_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def test_folder_of_the_environment_comes_first(tmp_path: Path, monkeypatch) -> None:
    mine = save(tmp_path / "mine" / "cifar10.npz")
    save(tmp_path / "keras" / "datasets" / "cifar10.npz", x_train=np.zeros((30, 32, 32, 3), np.uint8))
    monkeypatch.setenv("DLCV04_DATA", str(mine.parent))
    dataset = datasets.load("cifar10")
    assert (dataset.x_train.max(), dataset.kind, dataset.classes) == (7, "real", 10)
    assert dataset.provenance == f"real CIFAR-10, 30 + 20 images, from {mine}"
    assert datasets.where("cifar10") == f"CIFAR-10 from {mine}"


def test_labels_may_be_flat(tmp_path: Path, monkeypatch) -> None:
    labels = np.arange(30, dtype=np.int64) % 10
    monkeypatch.setenv("DLCV04_DATA", str(save(tmp_path / "cifar10.npz", y_train=labels).parent))
    assert (datasets.load("cifar10").y_train == labels).all()


def test_then_keras_cache_then_the_stand_in(tmp_path: Path, monkeypatch) -> None:
    assert datasets.load("cifar10").fingerprint == frozen.THINGS
    assert datasets.where("cifar10") == drawn_things.PROVENANCE
    cached = save(tmp_path / "keras" / "datasets" / "cifar10.npz")
    assert str(cached) in datasets.where("cifar10")
    assert datasets.load("cifar10").kind == "real"
    assert datasets.load("cifar10", "embedded").kind == "embedded"


def test_real_without_data_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(DataError, match=r"`dlcv04 fetch cifar10`.*cifar10\.npz"):
        datasets.load("cifar10", "real")
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"holds no cifar10\.npz"):
        datasets.where("cifar10", "real")
    assert f"(DLCV04_DATA is set to {tmp_path}, which holds no cifar10.npz)" in datasets.load("cifar10").provenance


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "flipped"])
def test_broken_file_is_named_with_its_checksum(damage: str, tmp_path: Path, monkeypatch) -> None:
    path = save(tmp_path / "cifar10.npz")
    whole = path.read_bytes()
    flipped = whole[:1000] + bytes([whole[1000] ^ 255]) + whole[1001:]
    path.write_bytes({"truncated": whole[:5000], "text": b"no", "empty": b"", "flipped": flipped}[damage])
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path))
    with pytest.raises(DataError, match="fetch cifar10") as caught:
        datasets.load("cifar10")
    assert str(path) in str(caught.value)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"x_test": None}, "x_test"),
        ({"x_train": np.zeros((30, 32, 32, 3), np.float32)}, "float32"),
        ({"x_train": np.zeros((30, 3, 32, 32), np.uint8)}, r"not uint8 \(images, 32, 32, 3\)"),
        ({"x_train": np.zeros((30, 28, 28), np.uint8)}, r"\(30, 28, 28\)"),
        ({"y_train": np.zeros((30, 10), np.uint8)}, "labels"),
        ({"y_train": np.zeros(29, np.uint8)}, "29 labels"),
        ({"y_test": np.full(20, 10, np.uint8)}, "10 classes"),
        ({"x_train": np.array([{}], dtype=object)}, "pickle"),
    ],
)
def test_wrong_contents_are_named(changes: dict, word: str, tmp_path: Path, monkeypatch) -> None:
    save(tmp_path / "cifar10.npz", **changes)
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path))
    with pytest.raises(DataError, match=word):
        datasets.load("cifar10")
