"""A stranger's pictures: one folder a class, ``folder/class/*.jpg``, split by seed into training and validation."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import DataError, Dataset, pictures
from dlcv04.datasets.tree import File

SUFFIXES = (".jpg", ".jpeg", ".png")
_SPLIT_STREAM = 3  # apart from what else a seed draws


def read(folder: str | Path, size: int, val_share: float = 0.2, seed: int = 0) -> Dataset:
    """Every picture of every class, the same share of each class drawn for validation.

    Exact copies of a picture are taken once, so that no validation picture is also in training. Hidden files, and files
    that have no picture's suffix, are passed over.

    Args:
        folder: holds one folder a class, named as the class; nothing deeper is read.
        size: pixels on a side; any picture is squeezed to a square.
        val_share: share of each class drawn for validation, at least one picture.
        seed: of that draw.

    Raises:
        DataError: no folder, fewer than two classes, fewer than two pictures in one, a broken picture, or the same
            picture in two classes.
    """
    root = Path(folder).expanduser()
    if not 0 < val_share < 1:
        raise DataError(f"The validation share must lie between 0 and 1, not {val_share}.")
    files = _files(root)
    classes = tuple(files)
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(of_class) for of_class in files.values()])
    everything = [file for of_class in files.values() for file in of_class]
    loaded = pictures.load(everything, size)
    kept = _once(everything, labels, loaded.digests)
    x, y = loaded.pictures[kept], labels[kept]
    in_val = _stratified(y, classes, val_share, seed, root)
    copies = f", {len(labels) - len(y):,} exact copies left out" if len(y) < len(labels) else ""
    return Dataset(
        root.resolve().name,
        x[~in_val],
        y[~in_val],
        x[in_val],
        y[in_val],
        len(classes),
        provenance=f"{len(y):,} pictures of {len(classes)} classes, {pictures.METHOD}, from {root}{copies}, "
        f"{val_share:g} of each class drawn for validation with seed {seed}",
        kind="own",
        class_names=classes,
    )


def _files(root: Path) -> dict[str, list[File]]:
    """The picture files of each class, both sorted by name."""
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; name one that holds a folder of pictures for each class.")
    classes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise DataError(f"{root} holds {len(classes)} folders; it must hold one for each class, two at least.")
    files = {}
    for folder in classes:
        found = sorted(path for path in folder.iterdir() if _is_picture(path))
        if not found:
            raise DataError(f"{folder} holds no picture ({', '.join(SUFFIXES)}); add some or remove the folder.")
        files[folder.name] = [File.at(path) for path in found]
    return files


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _once(files: list[File], labels: npt.NDArray[np.int32], digests: tuple[bytes, ...]) -> list[int]:
    """The numbers of the files without exact copies of earlier ones."""
    first: dict[bytes, int] = {}
    for number, digest in enumerate(digests):
        earlier = first.setdefault(digest, number)
        if labels[earlier] != labels[number]:
            raise DataError(f"{files[number].name} is the same picture as {files[earlier].name}; keep it in one class.")
    return list(first.values())


def _stratified(
    labels: npt.NDArray[np.int32], classes: tuple[str, ...], share: float, seed: int, root: Path
) -> npt.NDArray[np.bool_]:
    """Which pictures are for validation: of each class its share, one at least, and one at least is left."""
    in_val = np.zeros(len(labels), bool)
    for label, name in enumerate(classes):
        mine = np.flatnonzero(labels == label)
        if len(mine) < 2:
            raise DataError(
                f"{root / name} holds {len(mine)} picture; one for training and one for validation are needed."
            )
        count = min(max(round(share * len(mine)), 1), len(mine) - 1)
        # A stream a class: a picture more in one class leaves the draw of the others as it was.
        drawn = np.random.RandomState([seed, _SPLIT_STREAM, label]).permutation(mine)
        in_val[drawn[:count]] = True
    return in_val
