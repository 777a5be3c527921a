"""A stranger's folder/class/*.jpg: every class split alike, copies never in both splits, broken input named."""

from pathlib import Path

import numpy as np
import pytest

from dlcv04.datasets import DataError, folders, pictures, terrassa
from tests.datasets.buildings import in_folder, in_zip, jpeg, layout


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("DLCV04_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pets(cats: int = 10, dogs: int = 5) -> dict[str, bytes]:
    files = {f"cat/{n}.jpg": jpeg(n) for n in range(cats)}
    return files | {f"dog/{n}.JPEG": jpeg(100 + n) for n in range(dogs)}


def test_each_class_gives_its_share(tmp_path: Path) -> None:
    dataset = folders.read(in_folder(pets(), tmp_path / "pets"), 16)
    assert (dataset.name, dataset.kind, dataset.class_names) == ("pets", "own", ("cat", "dog"))
    assert np.bincount(dataset.y_train).tolist() == [8, 4]
    assert np.bincount(dataset.y_val).tolist() == [2, 1]
    assert "15 pictures of 2 classes" in dataset.provenance


def test_the_split_is_the_seeds_and_splits_are_apart(tmp_path: Path) -> None:
    root = in_folder(pets(30, 30), tmp_path / "pets")
    one, again, other = (folders.read(root, 16, seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint == again.fingerprint != other.fingerprint
    train, val = ({x.tobytes() for x in split} for split in (one.x_train, one.x_val))
    assert not train & val and len(train | val) == 60


def test_another_picture_in_one_class_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    before = folders.read(in_folder(pets(), tmp_path / "a"), 16)
    after = folders.read(in_folder(pets(cats=11), tmp_path / "b"), 16)
    assert (before.x_val[before.y_val == 1] == after.x_val[after.y_val == 1]).all()


def test_two_pictures_are_one_for_each_split(tmp_path: Path) -> None:
    for share in (0.01, 0.99):
        dataset = folders.read(in_folder(pets(2, 2), tmp_path / "pets"), 16, val_share=share)
        assert (len(dataset.x_train), len(dataset.x_val)) == (2, 2)


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    extra = {"cat/.DS_Store": b"x", "cat/._0.jpg": b"x", "cat/notes.txt": b"x", "README.md": b"x", ".git/a": b"x"}
    root = in_folder(pets() | extra, tmp_path / "pets")
    assert len(folders.read(root, 16).x_train) == 12


def test_copies_are_taken_once(tmp_path: Path) -> None:
    dataset = folders.read(in_folder(pets() | {"cat/copy.jpg": jpeg(3)}, tmp_path / "pets"), 16)
    assert len(dataset.x_train) + len(dataset.x_val) == 15
    assert "1 exact copies left out" in dataset.provenance


def test_png_with_alpha_among_them(tmp_path: Path) -> None:
    files = pets() | {"cat/a.png": jpeg(7, 20, "RGBA", "PNG")}
    assert len(folders.read(in_folder(files, tmp_path / "pets"), 16).x_train) == 13


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"cat/1.jpg": jpeg()}, "holds 1 folders"),
        ({"a.jpg": jpeg()}, "holds 0 folders"),
        (pets() | {"empty/.keep": b""}, r"empty holds no picture .* add some or remove the folder"),
        (
            {f"train/{name}": content for name, content in pets().items()} | {"val/cat/9.jpg": jpeg(99)},
            r"train holds no picture .* did you mean .*pets/train, which holds cat\?",
        ),
        (pets() | {"dog/dot.jpg": jpeg(1, 3)}, r"dot\.jpg has 7 x 3 pixels"),
        (pets(10, 1), r"dog holds 1 picture"),
        (pets() | {"dog/same.jpg": jpeg(3)}, r"dog/same\.jpg is the same picture as .*cat/3\.jpg"),
        (pets() | {"dog/text.jpg": b"hello"}, r"dog/text\.jpg is not a JPEG"),
        (pets() | {"dog/cut.jpg": jpeg(1, 60)[:-700]}, r"dog/cut\.jpg can't be decoded"),
    ],
)
def test_what_is_broken_is_one_sentence(files: dict[str, bytes], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=sentence) as caught:
        folders.read(in_folder(files, tmp_path / "pets"), 16)
    assert "\n" not in str(caught.value)


def test_no_folder_and_no_share(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        folders.read(tmp_path / "gone", 16)
    for share in (0.0, 1.0):
        with pytest.raises(DataError, match="between 0 and 1"):
            folders.read(tmp_path, 16, val_share=share)


# -- either layout -------------------------------------------------------------------------------------------------


def test_each_validation_picture_has_its_name(tmp_path: Path) -> None:
    root = in_folder(pets() | {"cat/copy.jpg": jpeg(3)}, tmp_path / "pets")
    loaded = folders.read_either_layout(root, 16, seed=4)
    assert loaded.dataset.fingerprint == folders.read(root, 16, seed=4).fingerprint
    assert len(loaded.val_names) == len(loaded.dataset.x_val) == 3
    for name, picture in zip(loaded.val_names, loaded.dataset.x_val, strict=True):
        assert (pictures.decode((root / name).read_bytes(), 16, name) == picture).all()


@pytest.mark.parametrize("kind", ["folder", "zip", "folder of zips"])
def test_terrassas_layout_is_known_by_its_files(kind: str, tmp_path: Path) -> None:
    files = layout()
    root = tmp_path / "set"
    if kind == "folder":
        in_folder(files, root)
    elif kind == "zip":
        root = in_zip(files, tmp_path / "set.zip", "set/")
    else:
        root.mkdir()
        for split in ("train", "val"):
            in_zip({name: one for name, one in files.items() if name.startswith(split)}, root / f"{split}.zip")
    loaded = folders.read_either_layout(root, 16)
    assert loaded.dataset.fingerprint == terrassa.read(root, 16).fingerprint
    for name, picture in zip(loaded.val_names, loaded.dataset.x_val, strict=True):
        assert (pictures.decode(files[f"val/images/{name}.jpg"], 16, name) == picture).all()


@pytest.mark.parametrize(
    ("files", "path", "sentence"),
    [
        ({}, "gone", "gone is not there; name a folder"),
        ({"set/train/images/1.jpg": jpeg()}, "set", r"holds no train/annotation\.txt"),
        ({"a.txt": b"hello"}, "a.txt", "is not a usable zip file"),
    ],
)
def test_neither_layout(files: dict[str, bytes], path: str, sentence: str, tmp_path: Path) -> None:
    in_folder(files, tmp_path)
    with pytest.raises(DataError, match=sentence):
        folders.read_either_layout(tmp_path / path, 16)
