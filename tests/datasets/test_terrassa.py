"""Terrassa's layout in folders and zip files, its broken forms, and the 2016 experiment's choices."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dlcv04 import datasets
from dlcv04.datasets import DataError, drawn_buildings, pictures, terrassa
from dlcv04.datasets import tree as trees
from tests.datasets import frozen
from tests.datasets.buildings import CLASSES, in_folder, in_zip, jpeg, layout


@pytest.fixture(autouse=True)
def nothing_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DLCV04_DATA", "DLCV04_BUILDINGS", "DLCV04_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# -- where it is looked for ----------------------------------------------------------------------------------------


def test_order_of_the_sources(tmp_path: Path, monkeypatch) -> None:
    assert datasets.where("terrassa") == drawn_buildings.PROVENANCE
    assert datasets.load("terrassa", size=32).fingerprint == frozen.BUILDINGS[32]
    in_folder(layout(), tmp_path / "data" / "TerrassaBuildings900")
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path / "data"))
    assert str(tmp_path / "data" / "TerrassaBuildings900") in datasets.where("terrassa", "real")
    mine = in_folder(layout(12), tmp_path / "mine")
    monkeypatch.setenv("DLCV04_BUILDINGS", str(mine))
    dataset = datasets.load("terrassa", "real", size=16)
    assert (dataset.name, dataset.kind, len(dataset.x_train)) == ("mine", "own", 12)
    assert "mine, photos of other buildings than Terrassa's, 12 + 6 images" in dataset.provenance
    assert f"from {mine} (DLCV04_BUILDINGS)" in dataset.provenance
    assert "mine in the place of Terrassa's buildings" in datasets.where("terrassa")
    assert datasets.load("terrassa", "embedded", size=32).kind == "embedded"


def test_a_zip_in_the_data_folder(tmp_path: Path, monkeypatch) -> None:
    in_zip(layout(), tmp_path / "TerrassaBuildings900.zip", "TerrassaBuildings900/")
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path))
    assert len(datasets.load("terrassa", "real").x_val) == 6


def test_other_buildings_lie_beside_the_other_sets(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DLCV04_DATA", str(tmp_path))
    in_folder(layout(12), tmp_path / "buildings")
    assert "buildings in the place of Terrassa's buildings" in datasets.where("terrassa", "real")
    dataset = datasets.load("terrassa", "real", size=16)
    assert dataset.kind == "own" and "photos of other buildings than Terrassa's, 12 + 6 images" in dataset.provenance
    assert "DLCV04_BUILDINGS" not in dataset.provenance
    in_folder(layout(), tmp_path / "TerrassaBuildings900")
    assert datasets.where("terrassa", "real").startswith("Terrassa Buildings 900")


def test_real_without_data_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"set DLCV04_BUILDINGS .* TerrassaBuildings900\.zip into DLCV04_DATA"):
        datasets.load("terrassa", "real")


@pytest.mark.parametrize("source", ["auto", "real"])
def test_a_named_place_that_is_not_there(source, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DLCV04_BUILDINGS", str(tmp_path / "gone"))
    for ask in (datasets.load, datasets.where):
        with pytest.raises(DataError, match=r"DLCV04_BUILDINGS is set to .*gone, which is not there"):
            ask("terrassa", source)
    assert datasets.where("terrassa", "embedded") == drawn_buildings.PROVENANCE


# -- what is read --------------------------------------------------------------------------------------------------


def test_labels_pictures_and_names(tmp_path: Path) -> None:
    files = layout()
    dataset = terrassa.read(in_folder(files, tmp_path / "set"), 16)
    assert dataset.class_names == CLASSES
    assert (dataset.y_train == np.arange(9) % 3).all()
    assert (dataset.x_train[4] == pictures.decode(files["train/images/4.jpg"], 16, "4")).all()
    assert (dataset.x_val[2] == pictures.decode(files["val/images/1002.jpg"], 16, "1002")).all()


def test_only_the_published_classes_are_called_real(tmp_path: Path) -> None:
    files = layout(13, 13)
    for split, first in (("train", 0), ("val", 1000)):
        rows = [f"{first + n}\t{name}" for n, name in enumerate(terrassa.PUBLISHED_CLASSES)]
        files[f"{split}/annotation.txt"] = "\n".join(["ImageID\tClassID", *rows]).encode()
    dataset = terrassa.read(in_folder(files, tmp_path / "photos"), 16)
    assert (dataset.name, dataset.kind, dataset.classes) == ("terrassa", "real", 13)
    assert dataset.class_names.index("desconegut") == 3
    assert dataset.provenance.startswith("real Terrassa Buildings 900, 13 + 13 images")


def test_folder_zip_and_several_zips_give_the_same(tmp_path: Path) -> None:
    files = layout()
    halves = [{n: c for n, c in files.items() if n.startswith(split)} for split in ("train", "val")]
    (tmp_path / "two").mkdir()
    in_zip(halves[0], tmp_path / "two" / "a.zip", "TerrassaBuildings900/")
    in_zip(halves[1] | {"test/images/9.jpg": jpeg()}, tmp_path / "two" / "b.zip")
    places = [
        in_folder(files, tmp_path / "folder"),
        in_zip(files, tmp_path / "flat.zip"),
        in_zip(files | {"__MACOSX/train/images/._0.jpg": b"x"}, tmp_path / "nested.zip", "some/where/"),
        tmp_path / "two",
    ]
    assert len({terrassa.read(place, 16).fingerprint for place in places}) == 1
    assert terrassa.unlabelled(places[3], 16)[0] == ("9",)


def test_pictures_without_a_row_are_counted(tmp_path: Path) -> None:
    files = layout() | {"train/images/77.jpg": jpeg(), "train/images/note.txt": b"", "train/images/.77.jpg": b""}
    assert "1 pictures without a row left out" in terrassa.read(in_folder(files, tmp_path), 16).provenance


def test_copies_between_the_splits_are_told(tmp_path: Path) -> None:
    files = layout()
    files["val/images/1000.jpg"] = files["train/images/0.jpg"]
    provenance = terrassa.read(in_folder(files, tmp_path), 16).provenance
    assert "1 validation pictures are also in training, byte for byte" in provenance
    assert "byte for byte" not in terrassa.read(in_folder(layout(), tmp_path), 16).provenance


def test_the_unlabelled_split(tmp_path: Path) -> None:
    files = layout() | {"test/images/b.jpg": jpeg(5), "test/images/a.JPG": jpeg(6)}
    names, shown = terrassa.unlabelled(in_folder(files, tmp_path), 16)
    assert names == ("a", "b")
    assert (shown[1] == pictures.decode(jpeg(5), 16, "b")).all()
    with pytest.raises(DataError, match="no unlabelled split"):
        terrassa.unlabelled(in_folder(layout(), tmp_path / "without"), 16)


# -- broken forms --------------------------------------------------------------------------------------------------

HEAD = b"ImageID\tClassID\n"
BROKEN = {
    "missing image": ({"train/images/4.jpg": None}, r"train/annotation.txt, line 6: there is no picture .*/4\.jpg"),
    "unknown class": ({"val/annotation.txt": HEAD + b"1000\tcatedrla\n"}, "line 2: class 'catedrla' .*'catedral'"),
    "bad row": ({"val/annotation.txt": HEAD + b"1000 catedral\n"}, "val/annotation.txt, line 2: .* is not"),
    "no header": ({"train/annotation.txt": b"1\tcatedral\n"}, "train/annotation.txt, line 1: the header"),
    "named twice": ({"val/annotation.txt": HEAD + b"1000\tcatedral\n" * 2}, "line 3: picture '1000' was already"),
    "in both splits": (
        {"val/annotation.txt": HEAD + b"1\tcatedral\n", "val/images/1.jpg": jpeg()},
        "val/annotation.txt, line 2: picture '1' is also in .*train/annotation.txt, line 3",
    ),
    "path as name": ({"val/annotation.txt": HEAD + b"../../train/images/1\tcatedral\n"}, "line 2: .* is a path"),
    "cut jpeg": ({"train/images/2.jpg": jpeg(2, 60)[:-700]}, r"images/2\.jpg can't be decoded .*cut or damaged"),
    "text as jpeg": ({"val/images/1001.jpg": b"hello"}, r"images/1001\.jpg is not a JPEG"),
    "empty jpeg": ({"val/images/1001.jpg": b""}, r"images/1001\.jpg is not a JPEG"),
    "empty split": ({"val/annotation.txt": HEAD}, "val/annotation.txt names no picture: the split is empty"),
    "no val": ({"val/annotation.txt": None}, "There is no val/annotation.txt beside .*train"),
    "no train": ({"train/annotation.txt": None}, "holds no train/annotation.txt"),
    "two of a name": ({"train/images/2.JPG": jpeg()}, r"2\.(JPG|jpg) and .*2\.(JPG|jpg) are both picture '2'"),
    "binary table": ({"val/annotation.txt": HEAD + b"\xff\xfe\n"}, "line 2: these bytes are not UTF-8"),
    "one class": (
        {"train/annotation.txt": HEAD + b"1\tcatedral\n", "val/annotation.txt": HEAD + b"1001\tcatedral\n"},
        "classes must be a whole number of at least 2",
    ),
}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_one_sentence_with_its_place(case: str, packed: bool, tmp_path: Path) -> None:
    changes, sentence = BROKEN[case]
    files = {name: content for name, content in (layout() | changes).items() if content is not None}
    place = in_zip(files, tmp_path / "set.zip") if packed else in_folder(files, tmp_path / "set")
    with pytest.raises(DataError, match=sentence) as caught:
        terrassa.read(place, 16)
    assert "\n" not in str(caught.value) and str(caught.value).endswith((".", "?"))


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/etc/evil.jpg", "train/../../evil.jpg", "..\\evil.jpg", "C:\\evil.jpg", "C:/evil.jpg"]
)
def test_an_archive_that_names_files_outside_of_itself(name: str, tmp_path: Path) -> None:
    place = in_zip(layout() | {name: b"x"}, tmp_path / "set.zip")
    with pytest.raises(DataError, match="outside of the archive"):
        terrassa.read(place, 16)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["set.zip"]


def test_an_archive_with_a_name_twice(tmp_path: Path) -> None:
    place = in_zip(layout(), tmp_path / "set.zip")
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(place, "a") as archive:
        archive.writestr("train/images/2.jpg", jpeg())
    with pytest.raises(DataError, match=r"set\.zip: train/images/2\.jpg is there twice"):
        terrassa.read(place, 16)


def test_two_archives_with_the_same_name(tmp_path: Path) -> None:
    in_zip(layout(), tmp_path / "a.zip")
    in_zip({"train/images/2.jpg": jpeg()}, tmp_path / "b.zip")
    with pytest.raises(DataError, match=r"b\.zip: train/images/2\.jpg is there twice \(also .*a\.zip"):
        terrassa.read(tmp_path, 16)


@pytest.mark.parametrize("damage", ["cut", "text", "flipped", "encrypted", "bomb"])
def test_a_damaged_archive_is_named(damage: str, tmp_path: Path, monkeypatch) -> None:
    place = in_zip(layout(), tmp_path / "set.zip")
    whole = bytearray(place.read_bytes())
    if damage == "cut":
        whole = whole[: len(whole) // 2]
    if damage == "text":
        whole = bytearray(b"<html>not found</html>")
    if damage == "flipped":
        whole[whole.index(b"catedral")] ^= 1
    if damage == "encrypted":
        whole[whole.index(b"PK\x01\x02") + 8] |= 1
    if damage == "bomb":
        monkeypatch.setattr(trees, "_LARGEST_MEMBER", 100)
    place.write_bytes(whole)
    word = {"flipped": "CRC", "encrypted": "encrypted", "bomb": "bytes; a picture has less"}.get(
        damage, "not a usable zip"
    )
    with pytest.raises(DataError, match=rf"set\.zip.*{word}"):
        terrassa.read(place, 16)


def test_two_data_sets_in_one_archive(tmp_path: Path) -> None:
    files = layout()
    place = in_zip({f"{top}/{name}": content for top in "ab" for name, content in files.items()}, tmp_path / "set.zip")
    with pytest.raises(DataError, match=r"in 2 places \(a/, b/\)"):
        terrassa.read(place, 16)


def test_a_place_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder nor a zip file"):
        terrassa.read(tmp_path / "gone", 16)
    with pytest.raises(DataError, match=r"holds no train/annotation\.txt"):
        terrassa.read(tmp_path, 16)


# -- the choices of 2016 -------------------------------------------------------------------------------------------


@pytest.fixture
def real(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DLCV04_BUILDINGS", str(in_folder(layout(40, 20), tmp_path / "set")))


def test_the_unknown_class_left_out_keeps_the_other_labels(real) -> None:
    everything, known = datasets.load("terrassa", size=16), datasets.load("terrassa", size=16, unknown=False)
    keep = everything.y_train != 2
    assert (known.y_train == everything.y_train[keep]).all() and (known.x_train == everything.x_train[keep]).all()
    assert 2 not in known.y_val
    assert (known.classes, known.class_names) == (3, CLASSES)
    assert "class desconegut left out" in known.provenance


def test_forty_pictures_are_redrawn_by_seed(real) -> None:
    usual = datasets.load("terrassa", size=16)
    drawn = [datasets.load("terrassa", size=16, redraw=seed) for seed in (1, 1, 2)]
    assert drawn[0].fingerprint == drawn[1].fingerprint != drawn[2].fingerprint
    assert [(len(one.x_train), len(one.x_val)) for one in drawn] == [(20, 40)] * 3
    assert "40 validation pictures redrawn from all 60 with seed 2" in drawn[2].provenance

    def pairs(dataset):
        return sorted(
            (x.tobytes(), int(y))
            for split in ("train", "val")
            for x, y in zip(getattr(dataset, f"x_{split}"), getattr(dataset, f"y_{split}"), strict=True)
        )

    assert pairs(drawn[2]) == pairs(usual)


def test_both_choices_on_the_stand_in_keep_boxes_beside_their_pictures() -> None:
    dataset = datasets.load("terrassa", "embedded", size=32, unknown=False, redraw=7)
    assert (len(dataset.x_train), len(dataset.x_val)) == (12 * 49 - 40, 40)
    whole = drawn_buildings.buildings(32)
    boxes = {
        x.tobytes(): tuple(box)
        for xs, all_boxes in ((whole.x_train, whole.boxes_train), (whole.x_val, whole.boxes_val))
        for x, box in zip(xs, all_boxes, strict=True)
    }
    for x, box in zip(dataset.x_val, dataset.boxes_val, strict=True):
        assert boxes[x.tobytes()] == tuple(box)


def test_choices_that_cannot_be_made(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DLCV04_BUILDINGS", str(in_folder(layout(), tmp_path / "small")))
    with pytest.raises(DataError, match="can't be drawn from 15"):
        datasets.load("terrassa", redraw=1)
    files = layout(6, 1)
    files["val/annotation.txt"] = HEAD + b"1000\tdesconegut\n"
    monkeypatch.setenv("DLCV04_BUILDINGS", str(in_folder(files, tmp_path / "only")))
    with pytest.raises(DataError, match="val split is empty"):
        datasets.load("terrassa", unknown=False)
    files["train/annotation.txt"] = files["train/annotation.txt"].replace(b"desconegut", b"mnactec")
    files["val/annotation.txt"] = HEAD + b"1000\tmnactec\n"
    monkeypatch.setenv("DLCV04_BUILDINGS", str(in_folder(files, tmp_path / "none")))
    with pytest.raises(DataError, match="no class 'desconegut'"):
        datasets.load("terrassa", unknown=False)


@pytest.mark.parametrize("source", ["auto", "embedded"])
def test_impossible_sizes(source, real) -> None:
    with pytest.raises(DataError, match="not 7"):
        datasets.load("terrassa", source, size=7)
