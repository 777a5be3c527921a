"""Terrassa Buildings 900, or any folder in its layout, else the embedded stand-in.

The layout: ``{train,val}/images/<ImageID>.jpg`` and ``{train,val}/annotation.txt`` (tab-separated, header
``ImageID<TAB>ClassID``), and perhaps ``test/images`` without labels; in a folder, a zip file, or several zip files.
The classes are those that occur in the training annotation, sorted.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import DataError, Dataset, Source, annotation, drawn_buildings, pictures
from dlcv04.datasets.tree import File, Tree, expanded, opened

FOLDER = "TerrassaBuildings900"
OTHERS = "buildings"
"""The folder beside the other data sets for photos in Terrassa's layout that are not Terrassa's."""
UNKNOWN = drawn_buildings.UNKNOWN
REDRAWN = 40
"""Validation pictures that the 2016 experiment's authors drew at random from all labelled ones."""

PUBLISHED_CLASSES = (
    "ajuntament",
    "castell_cartoixa",
    "catedral",
    UNKNOWN,
    "dona_treballadora",
    "escola_enginyeria",
    "estacio_nord",
    "farmacia_albinyana",
    "masia_freixa",
    "mercat_independencia",
    "mnactec",
    "societat_general",
    "teatre_principal",
)
"""The published set's classes. Only a set with just these is called real: published accuracies are about no other."""

_SUFFIXES = (".jpg", ".jpeg")
_REDRAW_STREAM = 2  # apart from what else a seed draws
_HOW = (
    f"set DLCV04_BUILDINGS to a folder or zip file in its layout, or put {FOLDER} or {FOLDER}.zip into DLCV04_DATA, or "
    f"your own photos in that layout as {OTHERS} or {OTHERS}.zip"
)


@dataclass(frozen=True)
class _Found:
    """The folder or zip file that would be read (None for the stand-in); `instead` if it takes Terrassa's place."""

    path: Path | None
    instead: bool = False


def load(source: Source = "auto", size: int = 64, unknown: bool = True, redraw: int | None = None) -> Dataset:
    """Photos of buildings, size x size x 3: from ``DLCV04_BUILDINGS``, else ``DLCV04_DATA``, else the stand-in.

    Args:
        source: see `dlcv04.datasets.load`.
        size: pixels on a side; any picture is squeezed to a square.
        unknown: keep the class `desconegut`. Left out, its pictures go, but the classes keep their labels and their
            number, so that a network's head is the same either way.
        redraw: a seed: validate on 40 pictures drawn by it from all labelled ones, as in 2016, and train on the rest.

    Raises:
        DataError: the data set is broken (with file and line), or "real" was asked for and there is none.
    """
    found = _find(source)
    if found.path is None:
        pictures.check_size(size)
        dataset = drawn_buildings.buildings(size)
    else:
        dataset = read(found.path, size, instead=found.instead)
    if not unknown:
        dataset = _without_unknown(dataset)
    return dataset if redraw is None else _redrawn(dataset, redraw)


def where(source: Source = "auto") -> str:
    """What `load` would give, without reading it.

    Raises:
        DataError: "real" was asked for and there is none, or ``DLCV04_BUILDINGS`` names nothing.
    """
    found = _find(source)
    if found.path is None:
        return drawn_buildings.PROVENANCE
    return (
        f"{found.path.stem} in the place of Terrassa's buildings, from {found.path}"
        if found.instead
        else (f"Terrassa Buildings 900 from {found.path}")
    )


def _find(source: Source) -> _Found:
    if source == "embedded":
        return _Found(None)
    named = os.environ.get("DLCV04_BUILDINGS")
    if named:
        path = expanded(named)
        if not path.exists():
            raise DataError(
                f"DLCV04_BUILDINGS is set to {named}, which is not there; name a folder or zip file, or unset it."
            )
        return _Found(path, instead=True)
    folder = os.environ.get("DLCV04_DATA")
    for name in (FOLDER, OTHERS) if folder else ():
        for path in (expanded(str(folder)) / name, expanded(str(folder)) / f"{name}.zip"):
            if path.exists():
                return _Found(path, instead=name == OTHERS)
    if source == "real":
        raise DataError(f"There are no real photos of Terrassa's buildings: {_HOW}.")
    return _Found(None)


# -- reading -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Split:
    """A labelled split: its rows, the picture of each row, and the number of pictures without a row."""

    file: str
    rows: tuple[annotation.Row, ...]
    files: list[File]
    unlabelled: int


def read(path: Path, size: int, instead: bool = False) -> Dataset:
    """The labelled pictures of a folder or zip file in Terrassa's layout.

    Args:
        path: folder or zip file.
        size: pixels on a side.
        instead: the set takes Terrassa's place, which its provenance then says.

    Raises:
        DataError: anything about it is broken; the sentence names file and line.
    """
    with opened(path) as tree:
        train, val = _split(tree, "train"), _split(tree, "val")
        classes = tuple(sorted({row.label for row in train.rows}))
        labels = [annotation.labels(split.rows, classes, split.file, train.file) for split in (train, val)]
        _check_apart(train, val)
        loaded = pictures.decode_cached([*train.files, *val.files], size)
    cut = len(train.rows)
    published = classes == PUBLISHED_CLASSES
    return Dataset(
        "terrassa" if published else path.stem,
        loaded.pictures[:cut],
        np.array(labels[0], np.int32),
        loaded.pictures[cut:],
        np.array(labels[1], np.int32),
        len(classes),
        provenance=_provenance(path, instead, published, (train, val), loaded.digests),
        kind="real" if published else "own",
        class_names=classes,
    )


def _split(tree: Tree, name: str) -> _Split:
    table = tree.get(f"{name}/annotation.txt")
    if table is None:
        found = next(iter(tree.values())).name
        raise DataError(f"There is no {name}/annotation.txt beside {found}; the {name} split needs one.")
    rows = annotation.parse(table.read(), table.name)
    there = _pictures_of(tree, name)
    for row in rows:
        if row.image not in there:
            raise DataError(
                f"{table.name}, line {row.line}: there is no picture {name}/images/{row.image}.jpg; add it or "
                "remove the row."
            )
    return _Split(table.name, rows, [there[row.image] for row in rows], len(there) - len(rows))


def _pictures_of(tree: Tree, split: str) -> dict[str, File]:
    """The pictures of a split by their name without suffix."""
    there: dict[str, File] = {}
    for name, file in tree.items():
        path = Path(name)
        if path.parent.as_posix() != f"{split}/images" or path.name.startswith("."):
            continue
        if path.suffix.lower() in _SUFFIXES:
            if path.stem in there:
                raise DataError(f"{file.name} and {there[path.stem].name} are both picture {path.stem!r}; keep one.")
            there[path.stem] = file
    return there


def _check_apart(train: _Split, val: _Split) -> None:
    lines = {row.image: row.line for row in train.rows}
    for row in val.rows:
        if row.image in lines:
            raise DataError(
                f"{val.file}, line {row.line}: picture {row.image!r} is also in {train.file}, line {lines[row.image]}; "
                "a picture can't be in both splits."
            )


def _provenance(
    path: Path, instead: bool, published: bool, splits: tuple[_Split, _Split], digests: tuple[bytes, ...]
) -> str:
    train, val = splits
    what = "real Terrassa Buildings 900" if published else f"{path.stem}, photos of other buildings than Terrassa's"
    remarks = [f"{len(train.rows):,} + {len(val.rows):,} images", pictures.METHOD]
    unlabelled = train.unlabelled + val.unlabelled
    if unlabelled:
        remarks.append(f"{unlabelled:,} pictures without a row left out")
    copies = len(set(digests[: len(train.rows)]) & set(digests[len(train.rows) :]))
    if copies:
        remarks.append(f"{copies:,} validation pictures are also in training, byte for byte")
    named = " (DLCV04_BUILDINGS)" if instead and os.environ.get("DLCV04_BUILDINGS") else ""
    return f"{what}, {', '.join(remarks)}, from {path}{named}"


def unlabelled(path: Path, size: int) -> tuple[tuple[str, ...], npt.NDArray[np.uint8]]:
    """The test split, which has no labels: ImageIDs, and uint8 pictures (images, size, size, 3).

    Raises:
        DataError: there is no ``test/images``, or a picture is broken.
    """
    with opened(path) as tree:
        there = _pictures_of(tree, "test")
        if not there:
            raise DataError(f"{path} holds no picture in test/images: there is no unlabelled split.")
        return tuple(there), pictures.decode_cached(list(there.values()), size).pictures


def images(path: Path, split: str) -> tuple[str, ...]:
    """The ImageIDs of a labelled split ("train" or "val"), in the order of `read`'s pictures.

    Raises:
        DataError: its annotation is missing or broken.
    """
    with opened(path) as tree:
        return tuple(row.image for row in _split(tree, split).rows)


# -- the choices of 2016 -------------------------------------------------------------------------------------------


def _without_unknown(dataset: Dataset) -> Dataset:
    if UNKNOWN not in dataset.class_names:
        raise DataError(f"{dataset.provenance}: there is no class {UNKNOWN!r} that could be left out.")
    label = dataset.class_names.index(UNKNOWN)
    kept: dict[str, npt.NDArray | None] = {}
    for split in ("train", "val"):
        known = getattr(dataset, f"y_{split}") != label
        if not known.any():
            raise DataError(f"{dataset.provenance}: without class {UNKNOWN!r} its {split} split is empty.")
        for kind in ("x", "y", "boxes"):
            array = getattr(dataset, f"{kind}_{split}")
            kept[f"{kind}_{split}"] = None if array is None else array[known]
    return replace(dataset, **kept, provenance=f"{dataset.provenance}, class {UNKNOWN} left out")  # type: ignore[arg-type]


def _redrawn(dataset: Dataset, seed: int) -> Dataset:
    total = len(dataset.y_train) + len(dataset.y_val)
    if total <= REDRAWN:
        raise DataError(f"{dataset.provenance}: {REDRAWN} validation pictures can't be drawn from {total}.")
    order = np.random.RandomState([seed, _REDRAW_STREAM]).permutation(total)
    # Sorted, so that the training pictures keep their order.
    val, train = np.sort(order[:REDRAWN]), np.sort(order[REDRAWN:])
    drawn: dict[str, npt.NDArray] = {}
    for kind in ("x", "y", "boxes"):
        halves = [getattr(dataset, f"{kind}_{split}") for split in ("train", "val")]
        if halves[0] is not None and halves[1] is not None:
            pool = np.concatenate(halves)
            drawn |= {f"{kind}_train": pool[train], f"{kind}_val": pool[val]}
    note = f", {REDRAWN} validation pictures redrawn from all {total:,} with seed {seed}"
    return replace(dataset, **drawn, provenance=dataset.provenance + note)  # type: ignore[arg-type]
