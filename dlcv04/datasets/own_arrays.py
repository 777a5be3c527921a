"""Other people's arrays as training takes them, or one sentence that says the conversion."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class ArrayError(ValueError):
    """An array that can't be trained on; the message says what it is and what to do."""


class Targets(NamedTuple):
    """What the rows of both splits are labelled with, and the number of classes (0: values, as in regression).

    `names` are the classes' where the labels were texts.
    """

    train: npt.NDArray[Any]
    val: npt.NDArray[Any]
    classes: int
    names: tuple[str, ...] = ()


def features(name: str, x: Any, *, scale: bool) -> npt.NDArray[Any]:
    """uint8 as it is where it is scaled, else float32; other integers as they are, floats and truth values as float32.

    Raises:
        ArrayError: no array of numbers with an axis of rows and one of features, or something in it is not finite.
    """
    if not isinstance(x, np.ndarray):
        raise ArrayError(f"{name} must be a NumPy array, not {type(x).__name__}: hand in np.asarray({name}).")
    if x.dtype.kind not in "buif":
        raise ArrayError(f"{name} is {x.dtype}: turn it into numbers, as {name}.astype('float32').")
    if x.ndim < 2:
        raise ArrayError(f"{name} has shape {x.shape}: give it an axis of features, as {name}.reshape(-1, 1).")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise ArrayError(f"{name} has values that are not finite: fill them, as np.nan_to_num({name}).")
    whole = x.dtype.kind in "ui" and (scale or x.dtype != np.uint8)
    return x if whole or x.dtype == np.float32 else x.astype(np.float32)


def targets(train: Any, val: Any, classes: int = 0) -> Targets:
    """Labels as int32 from 0 on, one-hot rows and values as float32.

    Integers of any width, truth values, a column (n, 1) and texts become labels; floats are values, unless they are
    whole and `classes` are given.

    Raises:
        ArrayError: the splits differ in kind, or a label lies outside the classes.
    """
    both = [_flat(f"y_{split}", y) for split, y in (("train", train), ("val", val))]
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
    if train.ndim == 2 and one_hot and classes in (0, train.shape[1]):
        return Targets(train, val, train.shape[1])
    if classes:
        raise ArrayError(
            f"y_train is {_shape(both[0])}: labels of {classes} classes are one number a row, or one-hot rows of "
            f"{classes} columns; for values leave `classes` out."
        )
    return Targets(train, val, 0)


def _flat(name: str, y: Any) -> npt.NDArray[Any]:
    if not isinstance(y, np.ndarray):
        raise ArrayError(f"{name} must be a NumPy array, not {type(y).__name__}: hand in np.asarray({name}).")
    if y.dtype.kind == "O" and all(isinstance(label, str) for label in y.flat):
        y = y.astype(str)
    if y.dtype.kind not in "buifUS" or not y.ndim:
        raise ArrayError(f"{name} is {_shape(y)}: give numbers or texts, one a row.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ArrayError(f"{name} has values that are not finite: leave these rows out.")
    if y.dtype.kind in "bu":
        y = y.astype(np.int64)
    return y.reshape(-1) if y.shape[1:] == (1,) and len(y) else y


def _shape(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
