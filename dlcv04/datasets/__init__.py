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

from dlcv04.datasets import own_arrays, trees

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
            or other numbers of shape (rows, ...), which it takes as they are (floats become float32). Of a model with
            several inputs a dict, tuple or list of such arrays, as `fit` takes them.
        y_train: labels 0..classes-1 of shape (images,), kept as int32; integers of any width, (n, 1), truth values and
            texts become such. One-hot rows stay rows. Floats are the values that a regression predicts. Of a model
            with several outputs a dict, tuple or list of arrays, which keep their shape.
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
        sample_weight_train: a weight of each training row in the loss, shape (rows,), or a tree of such for several
            outputs, as `fit(sample_weight=...)`. `class_weight={0: 1, 1: 5}` is `np.array([1, 5])[y_train]`.
        sample_weight_val: those of the validation rows, as in `fit(validation_data=(x, y, sample_weight))`.

    Raises:
        DataError: an array has the wrong type, shape or values.

    Examples:
        >>> import numpy as np
        >>> pictures, labels = np.zeros((6, 8, 8, 1), np.uint8), np.arange(6, dtype=np.int32) % 3
        >>> Dataset("mine", pictures[:4], labels[:4], pictures[4:], labels[4:], classes=3)
        Dataset('mine', 4+2 of 8x8x1, 'your own arrays')
    """

    name: str
    x_train: Any
    y_train: Any
    x_val: Any
    y_val: Any
    classes: int = 0
    provenance: str = "your own arrays"
    kind: Kind = "own"
    class_names: tuple[str, ...] = ()
    boxes_train: npt.NDArray[np.int32] | None = None
    boxes_val: npt.NDArray[np.int32] | None = None
    scale: bool = True
    sample_weight_train: Any = None
    sample_weight_val: Any = None

    def __post_init__(self) -> None:
        """Convert and check the arrays and make them read-only, since the fingerprint is taken once."""
        if not isinstance(self.classes, int) or self.classes < 0 or self.classes == 1:
            raise DataError(
                f"Dataset {self.name!r}: classes must be a whole number of at least 2, not {self.classes!r}."
            )
        self._convert()
        for split in ("train", "val"):
            self._check_split(split)
        for part, what in (("x", "pictures"), ("y", "targets")):
            train, val = (_shapes(getattr(self, f"{part}_{split}")) for split in ("train", "val"))
            if train != val:
                raise DataError(
                    f"Dataset {self.name!r}: training {what} are {_in_words(train)} and validation {what} "
                    f"{_in_words(val)}; they must be alike."
                )
        if self.class_names and len(self.class_names) != self.classes:
            raise DataError(
                f"Dataset {self.name!r}: {len(self.class_names)} class names for {self.classes} classes; give one each."
            )
        for label in self._arrays():
            object.__setattr__(self, label, trees.mapped(_read_only, label, getattr(self, label)))

    def _convert(self) -> None:
        """Bring other people's arrays to what training takes."""
        try:
            changed: dict[str, Any] = {
                f"x_{split}": own_arrays.features(f"x_{split}", getattr(self, f"x_{split}"), scale=self.scale)
                for split in ("train", "val")
            }
            for label in (f"sample_weight_{split}" for split in ("train", "val")):
                if getattr(self, label) is not None:
                    changed[label] = own_arrays.weights(label, getattr(self, label))
            if all(_lengths("", changed[f"x_{split}"])[0][1] for split in ("train", "val")):
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
        y: Any = getattr(self, f"y_{split}")
        if not self.classes:
            has = "several outputs" if trees.is_nested(y) else "values to predict"
            raise DataError(f"Dataset {self.name!r} has {has}, and no classes.")
        return y if y.ndim == 1 else y.argmax(axis=1).astype(np.int32)

    def _check_split(self, split: str) -> None:
        x, y = (_lengths(f"{part}_{split}", getattr(self, f"{part}_{split}")) for part in ("x", "y"))
        where, rows = f"Dataset {self.name!r}:", x[0][1]
        if not rows or (len(x) == len(y) == 1 and y[0][1] != rows):
            raise DataError(f"{where} x_{split} has {rows} pictures and y_{split} {y[0][1]} labels; give one each.")
        weights = getattr(self, f"sample_weight_{split}")
        others = [] if weights is None else _lengths(f"sample_weight_{split}", weights)
        for label, count in [*x, *y, *others]:
            if count != rows:
                raise DataError(
                    f"{where} {x[0][0]} has {rows} rows and {label} {count}; give as many. A list holds one array for "
                    "each input or output: np.stack makes one array of rows, keras.utils.pad_sequences of uneven ones."
                )
        boxes = getattr(self, f"boxes_{split}")
        if boxes is not None and (boxes.dtype != np.int32 or boxes.shape != (rows, 4)):
            raise DataError(f"{where} boxes_{split} must be int32 of shape ({rows}, 4), not {_shape(boxes)}.")

    def _arrays(self) -> list[str]:
        return [label for label in (*_ARRAYS, *_BOXES, *_WEIGHTS) if getattr(self, label) is not None]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Height, width and channels of a picture.

        Raises:
            DataError: there are several inputs.
        """
        if trees.is_nested(self.x_train):
            raise DataError(
                f"Dataset {self.name!r} has several inputs ({_in_words(_shapes(self.x_train))}) where one array of "
                "pictures or features is asked for."
            )
        shape: tuple[int, ...] = self.x_train.shape[1:]
        return shape

    def images(self, split: str) -> int:
        """Pictures, or rows, of a split, "train" or "val"."""
        return _lengths("", getattr(self, f"x_{split}"))[0][1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) over name, type, shape and bytes of each array there is, and the number of classes."""
        digest = hashlib.sha256(f"classes={self.classes};".encode())
        for label in self._arrays():
            for name, leaf in trees.leaves(label, getattr(self, label)):
                array = np.ascontiguousarray(leaf)
                digest.update(f"{name}:{array.dtype.str}:{leaf.shape};".encode())
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
            available = self.images(split)
            if not 1 <= count <= available:
                raise DataError(
                    f"Dataset {self.name!r} has {available} {split} pictures; a subset of {count} can't be drawn."
                )
            # RandomState's streams are frozen by NumPy's policy, Generator's are not: stored curves must outlive NumPy.
            draw = [seed, _SUBSET_STREAM] if split == "train" else [_VALIDATION_SEED]
            picked = np.random.RandomState(draw).permutation(available)[:count]
            labels = [label for label in self._arrays() if label.endswith(f"_{split}")]
            chosen |= {label: trees.rows(getattr(self, label), picked) for label in labels}
        return replace(self, **chosen)

    def __repr__(self) -> str:
        shape = ", ".join("x".join(str(side) for side in shape) or "1" for _, shape in _shapes(self.x_train))
        images = f"{self.images('train')}+{self.images('val')}"
        return f"Dataset({self.name!r}, {images} of {shape}, {self.provenance!r})"


_ARRAYS = ("x_train", "y_train", "x_val", "y_val")
_BOXES = ("boxes_train", "boxes_val")
_WEIGHTS = ("sample_weight_train", "sample_weight_val")


def permuted_labels(dataset: Dataset, seed: int = 0) -> Dataset:
    """The data set with its labels permuted over both splits together: nothing in a picture tells its label any more.

    The control of claims that an accuracy reaches a level.
    """
    count = dataset.images("train")
    order = np.random.RandomState([seed, _PERMUTATION_STREAM]).permutation(count + dataset.images("val"))
    labels = trees.mapped(lambda _, *both: np.concatenate(both)[order], "y", dataset.y_train, dataset.y_val)
    return replace(dataset, y_train=trees.rows(labels, slice(count)), y_val=trees.rows(labels, slice(count, None)))


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


def _read_only(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _lengths(name: str, tree: Any) -> list[tuple[str, int]]:
    """The rows of each array of a tree, by its name."""
    return [(label, len(array)) for label, array in trees.leaves(name, tree)]


def _shapes(tree: Any) -> list[tuple[str, tuple[int, ...]]]:
    """The shape of a row of each array of a tree, by its name."""
    return [(label, array.shape[1:]) for label, array in trees.leaves("", tree)]


def _in_words(shapes: list[tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{label} {shape}".strip() for label, shape in shapes)


def _own_module(name: str) -> Callable[[], Any]:
    # Imported at the first use, since the data sets' modules need Dataset from this one.
    return lambda: importlib.import_module(f"dlcv04.datasets.{name}")


_NAMES: dict[str, Callable[[], Any]] = {name: _own_module(name) for name in ("mnist", "cifar10", "terrassa")}
