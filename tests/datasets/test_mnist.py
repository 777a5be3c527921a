"""Where MNIST is looked for, and what a broken file says."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv04 import datasets
from dlcv04.datasets import DataError


def save(path: Path, **changes: Any) -> Path:
    arrays: dict[str, Any] = {
        "x_train": np.full((30, 28, 28), 7, np.uint8),
        "y_train": (np.arange(30) % 10).astype(np.uint8),
        "x_test": np.zeros((20, 28, 28), np.uint8),
        "y_test": (np.arange(20) % 10).astype(np.uint8),
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.fixture(autouse=True)
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data anywhere, to begin with."""
    monkeypatch.delenv("DLCV04_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def test_folder_of_the_environment_comes_first(
    tmp_path: Path, keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = save(tmp_path / "mine" / "mnist.npz")
    save(keras_home / "datasets" / "mnist.npz", x_train=np.zeros((30, 28, 28), np.uint8))
    monkeypatch.setenv("DLCV04_DATA", str(mine.parent))
    dataset = datasets.load("mnist")
    assert dataset.x_train.max() == 7
    assert (dataset.kind, dataset.classes, dataset.x_train.shape) == ("real", 10, (30, 28, 28, 1))
    assert dataset.provenance == f"real MNIST, 30 + 20 images, from {mine}"
    assert str(mine) in datasets.where("mnist")


def test_then_keras_cache(keras_home: Path) -> None:
    cached = save(keras_home / "datasets" / "mnist.npz")
    assert datasets.load("mnist").kind == datasets.load("mnist", "real").kind == "real"
    assert str(cached) in datasets.where("mnist", "real")


def test_then_the_stand_in() -> None:
    assert datasets.load("mnist").kind == "embedded"
    assert "embedded stand-in" in datasets.where("mnist")


def test_real_without_data_says_what_to_do() -> None:
    for ask in (datasets.load, datasets.where):
        with pytest.raises(DataError, match=r"`dlcv04 fetch mnist`.*DLCV04_DATA"):
            ask("mnist", "real")


def test_embedded_though_there_is_real_data(keras_home: Path) -> None:
    save(keras_home / "datasets" / "mnist.npz")
    assert datasets.load("mnist", "embedded").kind == "embedded"


@pytest.mark.parametrize("cached", [False, True])
def test_folder_without_the_file_is_not_passed_over_in_silence(
    cached: bool, tmp_path: Path, keras_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cached:
        save(keras_home / "datasets" / "mnist.npz")
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path / "empty"))
    with pytest.raises(DataError, match=r"holds no mnist\.npz"):
        datasets.load("mnist", "real")
    dataset = datasets.load("mnist")
    assert dataset.kind == ("real" if cached else "embedded")
    for sentence in (dataset.provenance, datasets.where("mnist")):
        assert f"DLCV04_DATA is set to {tmp_path / 'empty'}, which holds no mnist.npz" in sentence


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "flipped"])
def test_broken_file_is_named_with_its_checksum(damage: str, keras_home: Path) -> None:
    path = save(keras_home / "datasets" / "mnist.npz")
    whole = path.read_bytes()
    flipped = whole[:1000] + bytes([whole[1000] ^ 255]) + whole[1001:]
    path.write_bytes({"truncated": whole[:5000], "text": b"not a zip", "empty": b"", "flipped": flipped}[damage])
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(DataError, match="fetch mnist") as caught:
        datasets.load("mnist")
    assert str(path) in str(caught.value)
    assert checksum in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"x_test": None}, "x_test"),
        ({"x_train": np.zeros((30, 28, 28), np.float64)}, "float64"),
        ({"x_train": np.zeros((30, 784), np.uint8)}, "shape"),
        ({"y_train": np.zeros((30, 10), np.uint8)}, "labels"),
        ({"y_train": np.zeros(29, np.uint8)}, "29 labels"),
        ({"y_test": np.full(20, 10, np.uint8)}, "10 classes"),
    ],
)
def test_wrong_contents_are_named(changes: dict, word: str, keras_home: Path) -> None:
    save(keras_home / "datasets" / "mnist.npz", **changes)
    with pytest.raises(DataError, match=word):
        datasets.load("mnist")


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a data file ran code",))


def test_nothing_is_unpickled(keras_home: Path) -> None:
    path = save(keras_home / "datasets" / "mnist.npz", x_train=np.array([_Bomb()], dtype=object))
    with pytest.raises(DataError, match=r"mnist\.npz"):
        datasets.load("mnist")
    path.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(DataError, match=r"mnist\.npz"):
        datasets.load("mnist")


def test_a_home_folder_that_there_is_not_is_a_sentence(monkeypatch):
    monkeypatch.setenv("DLCV04_DATA", "~nobody-of-that-name/data")
    with pytest.raises(DataError, match=r"is set to ~nobody-of-that-name/data, which holds no mnist\.npz"):
        datasets.load("mnist", "real")
