"""The data sets of the experiment: where they are found, what they hold, and how a subset of them is drawn."""

import difflib
import hashlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import own_arrays

__all__ = [
    "DataError",
    "Dataset",
    "Kind",
    "SOURCES",
    "Source",
    "load",
    "names",
    "permuted_labels",
    "where",
]

Source = Literal["auto", "real", "embedded"]
Kind = Literal["real", "embedded", "own"]
SOURCES = ("auto", "real", "embedded")

# One permutation for ever and for all seeds, so that every run of a profile is judged on the same pictures.
_PERMUTATION_STREAM = 4
_VALIDATION_SEED = 20160701
# Keeps the draw of the training subset apart from the other things that the same seed draws.
_SUBSET_STREAM = 1


class DataError(ValueError):
    """Data that is missing, broken or of the wrong shape; the message says what to do about it."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures, or other features, and their labels in memory, read-only.

    Attributes:
        name: what reports call it.
        x_train: training pictures, uint8 of shape (images, height, width, channels), which training brings to [0, 1];
            or other numbers of shape (rows, ...), which it takes as they are (floats become float32).
        y_train: labels 0..classes-1 of shape (images,), kept as int32; integers of any width, (n, 1), truth values and
            texts become such. One-hot rows stay rows. Floats are the values that a regression predicts.
        x_val: validation pictures of the same shape.
        y_val: labels of these.
        classes: number of classes; found from the labels where it is 0, and 0 where these are values.
        provenance: where the pictures come from, as one phrase for people.
        kind: "real" (the published data set), "embedded" (this package's stand-in) or "own" (anything else).
        class_names: the classes' names in the order of their labels; empty where they have none.
        boxes_train: int32 boxes of the thing shown, shape (images, 4): top, left, bottom, right in pixels, the last two
            exclusive; None where they are not known.
        boxes_val: those of the validation pictures.
        scale: whether uint8 values are pixels, which are divided by 255 (they become float32 here where not).

    Raises:
        DataError: an array has the wrong type, shape or values.

    Examples:
        >>> import numpy as np
        >>> pictures, labels = np.zeros((6, 8, 8, 1), np.uint8), np.arange(6, dtype=np.int32) % 3
        >>> Dataset("mine", pictures[:4], labels[:4], pictures[4:], labels[4:], classes=3)
        Dataset('mine', 4+2 of 8x8x1, 'your own arrays')
    """

    name: str
    x_train: npt.NDArray[Any]
    y_train: npt.NDArray[Any]
    x_val: npt.NDArray[Any]
    y_val: npt.NDArray[Any]
    classes: int = 0
    provenance: str = "your own arrays"
    kind: Kind = "own"
    class_names: tuple[str, ...] = ()
    boxes_train: npt.NDArray[np.int32] | None = None
    boxes_val: npt.NDArray[np.int32] | None = None
    scale: bool = True

    def __post_init__(self) -> None:
        """Convert and check the arrays and make them read-only, since the fingerprint is taken once."""
        if not isinstance(self.classes, int) or self.classes < 0 or self.classes == 1:
            raise DataError(
                f"Dataset {self.name!r}: classes must be a whole number of at least 2, not {self.classes!r}."
            )
        self._convert()
        for split in ("train", "val"):
            self._check_split(split)
        if self.x_train.shape[1:] != self.x_val.shape[1:]:
            raise DataError(
                f"Dataset {self.name!r}: training pictures are {self.x_train.shape[1:]} and validation pictures "
                f"{self.x_val.shape[1:]}; they must be alike."
            )
        if self.class_names and len(self.class_names) != self.classes:
            raise DataError(
                f"Dataset {self.name!r}: {len(self.class_names)} class names for {self.classes} classes; give one each."
            )
        for label in self._arrays():
            view = getattr(self, label).view()
            view.flags.writeable = False
            object.__setattr__(self, label, view)

    def _convert(self) -> None:
        """Bring other people's arrays to what training takes."""
        try:
            changed: dict[str, Any] = {
                f"x_{split}": own_arrays.features(f"x_{split}", getattr(self, f"x_{split}"), scale=self.scale)
                for split in ("train", "val")
            }
            if all(len(changed[f"x_{split}"]) for split in ("train", "val")):
                found = own_arrays.targets(self.y_train, self.y_val, self.classes)
                changed |= {"y_train": found.train, "y_val": found.val, "classes": found.classes}
                changed |= {"class_names": found.names} if found.names else {}
        except own_arrays.ArrayError as error:
            raise DataError(f"Dataset {self.name!r}: {error}") from error
        for label, value in changed.items():
            object.__setattr__(self, label, value)

    def labels(self, split: Literal["train", "val"]) -> npt.NDArray[np.int32]:
        """The classes of a split as numbers, shape (images,).

        Raises:
            DataError: it has values, not classes.
        """
        y: npt.NDArray[Any] = getattr(self, f"y_{split}")
        if not self.classes:
            raise DataError(f"Dataset {self.name!r} has values to predict, and no classes.")
        return y if y.ndim == 1 else y.argmax(axis=1).astype(np.int32)

    def _check_split(self, split: str) -> None:
        x, y = getattr(self, f"x_{split}"), getattr(self, f"y_{split}")
        where = f"Dataset {self.name!r}:"
        if len(x) != len(y) or len(x) == 0:
            raise DataError(f"{where} x_{split} has {len(x)} pictures and y_{split} {len(y)} labels; give one each.")
        boxes = getattr(self, f"boxes_{split}")
        if boxes is not None and (boxes.dtype != np.int32 or boxes.shape != (len(x), 4)):
            raise DataError(f"{where} boxes_{split} must be int32 of shape ({len(x)}, 4), not {_shape(boxes)}.")

    def _arrays(self) -> list[str]:
        return [label for label in (*_ARRAYS, *_BOXES) if getattr(self, label) is not None]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Height, width and channels of a picture."""
        return self.x_train.shape[1:]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) over name, type, shape and bytes of each array there is, and the number of classes."""
        digest = hashlib.sha256(f"classes={self.classes};".encode())
        for label in self._arrays():
            array = np.ascontiguousarray(getattr(self, label))
            digest.update(f"{label}:{array.dtype.str}:{array.shape};".encode())
            digest.update(array.data)
        return digest.hexdigest()

    def subset(self, train: int | None = None, val: int | None = None, seed: int = 0) -> "Dataset":
        """A smaller data set: `train` pictures drawn by the seed, and the first `val` of one fixed permutation.

        All seeds share the validation pictures; None keeps a split as it is.

        Raises:
            DataError: more pictures are asked for than there are, or none.
        """
        chosen: dict[str, Any] = {}
        for split, count in (("train", train), ("val", val)):
            if count is None:
                continue
            x = getattr(self, f"x_{split}")
            if not 1 <= count <= len(x):
                raise DataError(
                    f"Dataset {self.name!r} has {len(x)} {split} pictures; a subset of {count} can't be drawn."
                )
            # RandomState's streams are frozen by NumPy's policy, Generator's are not: stored curves must outlive NumPy.
            draw = [seed, _SUBSET_STREAM] if split == "train" else [_VALIDATION_SEED]
            picked = np.random.RandomState(draw).permutation(len(x))[:count]
            chosen |= {label: getattr(self, label)[picked] for label in self._arrays() if label.endswith(f"_{split}")}
        return replace(self, **chosen)

    def __repr__(self) -> str:
        shape = "x".join(str(side) for side in self.input_shape)
        return f"Dataset({self.name!r}, {len(self.x_train)}+{len(self.x_val)} of {shape}, {self.provenance!r})"


_ARRAYS = ("x_train", "y_train", "x_val", "y_val")
_BOXES = ("boxes_train", "boxes_val")


def permuted_labels(dataset: Dataset, seed: int = 0) -> Dataset:
    """The data set with its labels permuted over both splits together: nothing in a picture tells its label any more.

    The control of claims that an accuracy reaches a level.
    """
    labels = np.concatenate([dataset.y_train, dataset.y_val])
    labels = labels[np.random.RandomState([seed, _PERMUTATION_STREAM]).permutation(len(labels))]
    return replace(dataset, y_train=labels[: len(dataset.y_train)], y_val=labels[len(dataset.y_train) :])


def load(name: str, source: Source = "auto", **options: Any) -> Dataset:
    """A data set by name: from ``DLCV04_DATA``, else Keras's cache, else (unless "real") the embedded stand-in.

    Never uses the network.

    Args:
        name: "mnist", "cifar10" or "terrassa" (where ``DLCV04_BUILDINGS``, if set, comes first).
        source: "auto", "real" (no stand-in) or "embedded" (the stand-in, whatever there is).
        options: those of the data set's own `load`; see `dlcv04.datasets.terrassa.load`.

    Raises:
        DataError: unknown name or source, a broken file, or no real data though "real" was asked for.
    """
    return _module(name, source).load(source, **options)


def where(name: str, source: Source = "auto") -> str:
    """What `load` would give, in one phrase, without reading it.

    Raises:
        DataError: unknown name or source, or no real data though "real" was asked for.
    """
    return str(_module(name, source).where(source))


def names() -> tuple[str, ...]:
    """The data sets there are."""
    return tuple(_NAMES)


def _module(name: str, source: str) -> Any:
    if source not in SOURCES:
        raise DataError(f"There is no data source {source!r}; choose one of {', '.join(SOURCES)}.")
    if name not in _NAMES:
        near = difflib.get_close_matches(name.lower(), _NAMES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(_NAMES)}."
        raise DataError(f"There is no data set {name!r}; {hint}")
    return _NAMES[name]()


def _shape(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__


def _own_module(name: str) -> Callable[[], Any]:
    # Imported at the first use, since the data sets' modules need Dataset from this one.
    return lambda: importlib.import_module(f"dlcv04.datasets.{name}")


_NAMES: dict[str, Callable[[], Any]] = {name: _own_module(name) for name in ("mnist", "cifar10", "terrassa")}
