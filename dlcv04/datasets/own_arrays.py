"""Other people's arrays as training takes them, or one sentence that says the conversion."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import trees

#: What is written for data that comes in batches.
LOADERS = (
    "what gives batches (tf.data, PyDataset, DataLoader) needs its own training: trained_by(function), where "
    "function(seed) returns model.fit(loader), and timed_call(lambda: model.fit(loader)) times it"
)


class ArrayError(ValueError):
    """An array that can't be trained on; the message says what it is and what to do."""


class Targets(NamedTuple):
    """What the rows of both splits are labelled with, and the number of classes (0: values, or several outputs).

    `names` are the classes' where the labels were texts.
    """

    train: Any
    val: Any
    classes: int
    names: tuple[str, ...] = ()


def features(name: str, x: Any, *, scale: bool) -> Any:
    """uint8 as it is where it is scaled, else float32; other integers as they are, floats and truth values as float32.

    Of several inputs, each array by itself; one of these may be a single number a row, which Keras takes as a column.

    Raises:
        ArrayError: no array of numbers with an axis of rows and one of features, or something in it is not finite.
    """
    _require_some(name, x)
    least = 1 if trees.is_nested(x) else 2
    return trees.mapped(partial(_feature, scale=scale, least=least), name, x)


def _require_some(name: str, tree: Any) -> None:
    if not list(trees.leaves(name, tree)):
        raise ArrayError(f"{name} is empty: give an array for each input or output.")


def _feature(name: str, x: Any, *, scale: bool, least: int) -> npt.NDArray[Any]:
    x = _array(name, x)
    if x.dtype.kind == "O" and _are_ragged(x):
        raise _ragged(name)
    if x.dtype.names:
        raise ArrayError(
            f"{name} has columns: hand them in by name, as {{each: {name}[each] for each in {name}.dtype.names}}."
        )
    if x.dtype.kind not in "buif":
        words = " (words: numbered by keras.layers.StringLookup)" if x.dtype.kind in "USO" else ""
        raise ArrayError(f"{name} is {x.dtype}: turn it into numbers, as {name}.astype('float32'){words}.")
    if x.ndim < least:
        raise ArrayError(f"{name} has shape {x.shape}: give it an axis of features, as {name}.reshape(-1, 1).")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise ArrayError(f"{name} has values that are not finite: fill them, as np.nan_to_num({name}).")
    whole = x.dtype.kind in "ui" and (scale or x.dtype != np.uint8)
    return x if whole or x.dtype == np.float32 else x.astype(np.float32)


def weights(name: str, given: Any) -> Any:
    """Sample weights as float32: one number a row (or a place in it), for all outputs or for each.

    Raises:
        ArrayError: no array of finite numbers.
    """
    return trees.mapped(_weight, name, given)


def _weight(name: str, given: Any) -> npt.NDArray[np.float32]:
    given = _array(name, given)
    if given.dtype.kind not in "buif" or not given.ndim or not np.isfinite(given).all():
        raise ArrayError(f"{name} is {_shape(given)}: give a finite number a row.")
    return given.astype(np.float32)


def targets(train: Any, val: Any, classes: int = 0) -> Targets:
    """Labels as int32 from 0 on, one-hot rows and values as float32.

    Integers of any width, truth values, a column (n, 1) and texts become labels; floats are values, unless they are
    whole and `classes` are given. Of several outputs each keeps its shape, and its model says what it is.

    Raises:
        ArrayError: the splits differ in kind, or a label lies outside the classes.
    """
    if trees.is_nested(train) or trees.is_nested(val):
        return _outputs(train, val, classes)
    both = [_labels(f"y_{split}", y, classes) for split, y in (("train", train), ("val", val))]
    kinds = {("text" if y.dtype.kind in "US" else y.dtype.kind, y.shape[1:]) for y in both}
    if len(kinds) > 1:
        raise ArrayError(f"y_train is {_shape(both[0])} and y_val {_shape(both[1])}: they must be alike.")
    names: tuple[str, ...] = ()
    if both[0].dtype.kind in "US":
        known, numbers = np.unique(np.concatenate(both), return_inverse=True)
        names = tuple(str(label) for label in known)
        both = [numbers[: len(both[0])], numbers[len(both[0]) :]]
    if both[0].ndim > 1:
        return _rows(both, classes)
    if both[0].dtype.kind == "f":
        if not classes:
            return Targets(both[0].astype(np.float32), both[1].astype(np.float32), 0)
        if any((y % 1 != 0).any() for y in both):
            raise ArrayError(f"Labels of {classes} classes must be whole numbers; for values leave `classes` out.")
    found = max(int(y.max()) for y in both) + 1
    classes = classes or len(names) or max(2, found)
    for split, y in zip(("train", "val"), both, strict=True):
        if y.min() < 0 or y.max() >= classes:
            raise ArrayError(
                f"y_{split} has labels from {y.min()} to {y.max()}; with {classes} classes they must lie in "
                f"0..{classes - 1}: np.unique(y, return_inverse=True)[1] numbers them from 0."
            )
    return Targets(both[0].astype(np.int32), both[1].astype(np.int32), classes, names)


def _rows(both: list[npt.NDArray[Any]], classes: int) -> Targets:
    """One-hot rows, or several values a row."""
    train, val = (y.astype(np.float32) for y in both)
    one_hot = all(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all() for y in (train, val) if y.ndim == 2)
    if train.ndim == 2 and train.shape[1] > 1 and one_hot and classes in (0, train.shape[1]):
        return Targets(train, val, train.shape[1])
    if classes:
        raise ArrayError(
            f"y_train is {_shape(both[0])}: labels of {classes} classes are one number a row, or one-hot rows of "
            f"{classes} columns; for values leave `classes` out."
        )
    return Targets(train, val, 0)


def _outputs(train: Any, val: Any, classes: int) -> Targets:
    if classes:
        raise ArrayError("`classes` is for one output: leave it out, and compile the model with a loss for each.")
    _require_some("y_train", train)
    return Targets(trees.mapped(_output, "y_train", train), trees.mapped(_output, "y_val", val), 0)


def _output(name: str, y: Any) -> npt.NDArray[Any]:
    y = _numbers(name, y)
    if y.dtype.kind in "US":
        raise ArrayError(f"{name} has texts: number them, as np.unique(labels, return_inverse=True)[1].")
    whole = np.iinfo(np.int32)
    if y.dtype.kind == "i" and len(y) and not whole.min <= y.min() <= y.max() <= whole.max:
        raise ArrayError(f"{name} has values that int32 does not hold: hand in {name}.astype('float32').")
    return y.astype(np.float32 if y.dtype.kind == "f" else np.int32)


def _labels(name: str, y: Any, classes: int) -> npt.NDArray[Any]:
    """A column of labels is flat; one of values stays what `fit` would hand to a loss of one's own."""
    y = _numbers(name, y)
    column = y.shape[1:] == (1,) and (y.dtype.kind != "f" or classes)
    return y.reshape(-1) if column and len(y) else y


def _numbers(name: str, y: Any) -> npt.NDArray[Any]:
    """Texts, integers or finite floats."""
    y = _array(name, y)
    if y.dtype.kind == "O" and _are_ragged(y):
        raise _ragged(name)
    if y.dtype.kind == "O" and all(isinstance(label, str) for label in y.flat):
        y = y.astype(str)
    if y.dtype.kind not in "buifUS" or not y.ndim:
        raise ArrayError(f"{name} is {_shape(y)}: give numbers or texts, one a row.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ArrayError(f"{name} has values that are not finite: leave these rows out.")
    return y.astype(np.int64) if y.dtype.kind in "bu" else y


def _array(name: str, given: Any) -> npt.NDArray[Any]:
    """The array itself.

    Raises:
        ArrayError: it is none; the message says what makes one of it.
    """
    if isinstance(given, np.ma.MaskedArray):
        raise ArrayError(f"{name} has masked values: fill them, as {name}.filled(0).")
    if isinstance(given, np.ndarray):
        return given
    if isinstance(given, list | tuple) and _are_ragged(given):
        raise _ragged(name)
    kind, plain = type(given).__name__, isinstance(given, list | tuple | int | float | str | None)
    dense = {"toarray": "{}.toarray()", "dense_shape": "tf.sparse.to_dense({}).numpy()"}
    dense |= {"to_tensor": "{}.to_tensor().numpy()", "todense": "np.asarray({}.todense())"}
    way = next((how for attribute, how in dense.items() if hasattr(given, attribute)), "np.asarray({})")
    if not plain and not hasattr(given, "__array__") and way == "np.asarray({})":
        raise ArrayError(f"{name} is not an array but {kind}: {LOADERS}.")
    raise ArrayError(f"{name} must be a NumPy array, not {kind}: hand in {way.format(name)}.")


def _are_ragged(rows: Any) -> bool:
    return len({len(row) for row in rows if hasattr(row, "__len__") and not isinstance(row, str)}) > 1


def _ragged(name: str) -> ArrayError:
    return ArrayError(
        f"{name} has rows of different lengths: fill them up to one, as keras.utils.pad_sequences({name})."
    )


def _shape(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
