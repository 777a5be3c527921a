"""A stranger's pictures: one folder a class, ``folder/class/*.jpg``, split by seed into training and validation.

`load` also takes what is already split, in Terrassa's layout.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import DataError, Dataset, pictures, terrassa
from dlcv04.datasets.tree import File, expanded

SUFFIXES = (".jpg", ".jpeg", ".png")


_SPLIT_STREAM = 3  # apart from what else a seed draws


@dataclass(frozen=True, eq=False)
class Pictures:
    """A data set with the name of each validation picture: its path below the folder, or its ImageID."""

    dataset: Dataset
    val_names: tuple[str, ...]


def read_either_layout(path: str | Path, size: int, val_share: float = 0.2, seed: int = 0) -> Pictures:
    """One folder a class (see `read`), or Terrassa's layout in a folder or zip file, whose own split is kept.

    Args:
        path: the folder or zip file.
        size: pixels on a side.
        val_share: see `read`; Terrassa's layout has its own validation pictures.
        seed: see `read`.

    Raises:
        DataError: as `read` and `dlcv04.datasets.terrassa.read`.
    """
    root = expanded(path)
    if not root.exists():
        raise DataError(f"{root} is not there; name a folder that holds one folder of pictures for each class.")
    if _has_terrassas_layout(root):
        return Pictures(terrassa.read(root, size), terrassa.images(root, "val"))
    return _read(root, size, val_share, seed)


def _has_terrassas_layout(root: Path) -> bool:
    if not root.is_dir():
        return True  # a zip file, or whatever `terrassa` has to say of it
    train = root / "train"
    if (train / "annotation.txt").exists() or (train / "images").is_dir():
        return True
    return any(root.glob("*.zip")) and not any(path.is_dir() for path in root.iterdir())


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
    return _read(expanded(folder), size, val_share, seed).dataset


def _read(root: Path, size: int, val_share: float, seed: int) -> Pictures:
    if not 0 < val_share < 1:
        raise DataError(f"The validation share must lie between 0 and 1, not {val_share}.")
    files = _files(root)
    classes = tuple(files)
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(of_class) for of_class in files.values()])
    everything = [file for of_class in files.values() for file in of_class]
    loaded = pictures.decode_cached(everything, size)
    kept = _once(everything, labels, loaded.digests)
    x, y = loaded.pictures[kept], labels[kept]
    in_val = _stratified(y, classes, val_share, seed, root)
    copies = f", {len(labels) - len(y):,} exact copies left out" if len(y) < len(labels) else ""
    dataset = Dataset(
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
    names = [Path(everything[number].name).relative_to(root).as_posix() for number in kept]
    return Pictures(dataset, tuple(name for name, held in zip(names, in_val, strict=True) if held))


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
            raise DataError(f"{folder} holds no picture ({', '.join(SUFFIXES)}); {_instead(folder)}")
        files[folder.name] = [File.at(path) for path in found]
    return files


def _instead(folder: Path) -> str:
    deeper = next(
        (path for path in sorted(folder.iterdir()) if path.is_dir() and any(map(_is_picture, path.iterdir()))), None
    )
    return f"did you mean {deeper.parent}, which holds {deeper.name}?" if deeper else "add some or remove the folder."


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
