"""CIFAR-10's pickles, read without running them."""

import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv04 import datasets
from dlcv04.datasets import DataError, cifar_batches
from dlcv04.datasets.cifar_batches import BatchError, unpack


def batch(images: int, seed: int = 0) -> tuple[np.ndarray, list[int]]:
    random = np.random.RandomState(seed)
    return random.randint(0, 256, (images, 3072)).astype(np.uint8), random.randint(0, 10, images).tolist()


def as_python_2(data: np.ndarray, labels: list[int]) -> bytes:
    """The published files' own instructions: written by Python 2's cPickle, protocol 2."""

    def text(word: bytes) -> bytes:
        return b"U" + bytes([len(word)]) + word

    raw = data.tobytes()
    return (
        b"\x80\x02}q\x01("
        + text(b"batch_label")
        + text(b"training batch 1 of 5")
        + text(b"labels")
        + b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
        + text(b"data")
        + b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01M\x10'M\x00\x0c\x86"
        + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<I", len(raw)) + raw + b"tb"
        + text(b"filenames")
        + b"](" + b"".join(text(b"leptodactylus_%d.png" % number) for number in range(len(labels))) + b"e"
        + b"u."
    )  # fmt: skip


@pytest.mark.parametrize("writer", ["python 2", 2, 3, 4])
def test_pictures_and_labels_come_back(writer: Any) -> None:
    data, labels = batch(7)
    packed = (
        as_python_2(data, labels)
        if writer == "python 2"
        else pickle.dumps({"batch_label": "x", "labels": labels, "data": data, "filenames": ["a.png"] * 7}, writer)
    )
    x, y = unpack(packed)
    assert (x == data.reshape(7, 3, 32, 32).transpose(0, 2, 3, 1)).all()
    assert (y == labels).all()
    assert (x.dtype, y.dtype) == (np.uint8, np.int32)


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a data file ran code",))


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"not a pickle",
        pickle.dumps(_Bomb()),
        pickle.dumps({"labels": [1, 2], "data": b"12"}),
        as_python_2(*batch(3))[:-4000],
    ],
    ids=["empty", "text", "bomb", "short", "cut"],
)
def test_other_bytes_are_refused_and_not_run(packed: bytes) -> None:
    with pytest.raises(BatchError, match="the batch"):
        unpack(packed)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Six small batches in the published ones' place, with their checksums."""
    batches = {
        name: pickle.dumps({"labels": batch(4, seed)[1], "data": batch(4, seed)[0]}, 2)
        for seed, name in enumerate(cifar_batches._MD5)
    }
    sums = {name: hashlib.md5(packed).hexdigest() for name, packed in batches.items()}
    monkeypatch.setattr(cifar_batches, "_MD5", sums)
    return batches


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DLCV04_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    return tmp_path / "datasets"


def unfold(batches: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, packed in batches.items():
        (folder / name).write_bytes(packed)
    return folder


def archive(batches: dict[str, bytes], path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, packed in batches.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(packed)
            tar.addfile(info, io.BytesIO(packed))
    monkeypatch.setattr(cifar_batches, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


@pytest.mark.parametrize("name", ["cifar-10-batches-py-target/cifar-10-batches-py", "cifar-10-batches-py"])
def test_keras_folder_is_found(name: str, published, cache: Path) -> None:
    unfold(published, cache / name)
    dataset = datasets.load("cifar10", "real")
    assert dataset.x_train.shape == (20, 32, 32, 3)
    assert dataset.x_val.shape == (4, 32, 32, 3)
    assert (dataset.x_val == unpack(published["test_batch"])[0]).all()
    assert str(cache) in dataset.provenance and dataset.class_names[9] == "truck"


@pytest.mark.parametrize("name", ["cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz"])
def test_the_archive_gives_the_same(name: str, published, cache: Path, monkeypatch) -> None:
    archive(published, cache / name, monkeypatch)
    from_archive = datasets.load("cifar10", "real")
    unfold(published, cache / "cifar-10-batches-py")
    assert datasets.load("cifar10", "real").fingerprint == from_archive.fingerprint


def test_a_changed_batch_is_refused(published, cache: Path) -> None:
    folder = unfold(published, cache / "cifar-10-batches-py")
    (folder / "data_batch_3").write_bytes(published["data_batch_3"] + b" ")
    with pytest.raises(DataError, match=r"data_batch_3 is cut or changed.*fetch cifar10"):
        datasets.load("cifar10")


def test_a_missing_batch_is_named(published, cache: Path) -> None:
    (unfold(published, cache / "cifar-10-batches-py") / "test_batch").unlink()
    with pytest.raises(DataError, match="test_batch can't be read"):
        datasets.load("cifar10")


@pytest.mark.parametrize("damage", ["cut", "text", "hollow", "folder"])
def test_a_broken_archive_is_named(damage: str, published, cache: Path, monkeypatch) -> None:
    path = archive(published, cache / "cifar-10-batches-py.tar.gz", monkeypatch)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    if damage == "text":
        path.write_text("<html>404</html>")
        monkeypatch.setattr(cifar_batches, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    if damage == "hollow":
        archive({}, path, monkeypatch)
    if damage == "folder":
        with tarfile.open(path, "w:gz") as tar:
            info = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        monkeypatch.setattr(cifar_batches, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=r"cifar-10-batches-py\.tar\.gz is not CIFAR-10.*fetch cifar10"):
        datasets.load("cifar10")


def test_an_archive_of_other_bytes_is_not_even_opened(published, cache: Path, monkeypatch) -> None:
    archive(published, cache / "cifar-10-batches-py.tar.gz", monkeypatch)
    monkeypatch.setattr(cifar_batches, "SHA256", "00" * 32)
    monkeypatch.setattr(tarfile, "open", lambda **_: pytest.fail("opened"))
    with pytest.raises(DataError, match="its sha256 is not 0000"):
        datasets.load("cifar10")


def test_the_published_checksums() -> None:
    assert cifar_batches.SHA256 == "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    assert cifar_batches._MD5["test_batch"] == "40351d587109b95175f43aff81a1287e"
