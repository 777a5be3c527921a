"""Stand-ins for data sets that are not on this machine, made from what is installed; frozen.

MNIST's stand-in: the 1,797 real 8x8 digits that scikit-learn carries (UCI, Alpaydin and Kaynak 1998), enlarged to 20x20
in a 28x28 field as MNIST's were. They are split by class first; only then is each split filled up with shifted, turned
and scaled variants of its own digits, so that no digit of the validation split is seen in training, in any pose.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import Dataset
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from sklearn import datasets as sklearn_datasets
else:
    sklearn_datasets = LazyModule("sklearn.datasets")

DIGITS_PROVENANCE = "embedded stand-in: scikit-learn's 8x8 digits enlarged to 28x28"

# Frozen: another value anywhere here is another data set, and every baseline on it would be void.
_SEED = 20160704
_VAL_PER_CLASS = 45
_TRAIN_IMAGES, _VAL_IMAGES = 6000, 2000
_SHIFT, _TURN, _SCALE = 2.0, 0.25, 0.15  # pixels; radians; relative
_SIDE, _ENLARGED, _SOURCE = 28, 20, 8
# Coordinates are whole multiples of 1/4096 of a pixel, so that all sums below are exact
# and no processor rounds otherwise.
_GRAIN = 4096


@lru_cache(maxsize=1)
def digits() -> Dataset:
    """MNIST's stand-in: 6,000 training and 2,000 validation pictures of 28x28x1, 10 classes; always the same."""
    bunch = sklearn_datasets.load_digits()
    pictures, labels = bunch.images.astype(np.float64), bunch.target.astype(np.int32)
    random = np.random.RandomState(_SEED)
    in_val = np.zeros(len(labels), dtype=bool)
    for label in range(10):
        in_val[random.permutation(np.flatnonzero(labels == label))[:_VAL_PER_CLASS]] = True
    x_train, y_train = _filled(pictures[~in_val], labels[~in_val], _TRAIN_IMAGES, random)
    x_val, y_val = _filled(pictures[in_val], labels[in_val], _VAL_IMAGES, random)
    return Dataset("mnist", x_train, y_train, x_val, y_val, 10, provenance=DIGITS_PROVENANCE, kind="embedded")


def _filled(
    pictures: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int32],
    count: int,
    random: np.random.RandomState,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """The pictures as they are, then variants of them in turn, until there are `count`."""
    origin = np.arange(count) % len(pictures)
    changed = (np.arange(count) >= len(pictures)).astype(np.float64)
    shift = random.uniform(-_SHIFT, _SHIFT, (count, 2)) * changed[:, None]
    turn = random.uniform(-_TURN, _TURN, count) * changed
    scale = 1.0 + random.uniform(-_SCALE, _SCALE, count) * changed
    return _enlarge(pictures[origin], shift, turn, scale), labels[origin]


def _enlarge(
    pictures: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float64],
    turn: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
) -> npt.NDArray[np.uint8]:
    """Each 8x8 picture (0..16) drawn into a 28x28 field (0..255), bilinearly, moved by one affine map each."""
    step = _SOURCE / (_ENLARGED * scale)
    along = np.rint(np.cos(turn) * step * _GRAIN)[:, None, None]
    across = np.rint(np.sin(turn) * step * _GRAIN)[:, None, None]
    moved = np.rint(shift * step[:, None] * _GRAIN)
    field = np.arange(_SIDE) - (_SIDE - 1) / 2
    down, right = field[None, :, None], field[None, None, :]
    centre = (_SOURCE - 1) / 2
    rows = (along * down - across * right + moved[:, 0, None, None]) / _GRAIN + centre
    columns = (across * down + along * right + moved[:, 1, None, None]) / _GRAIN + centre
    # Two pixels of empty margin, so that a neighbour outside the picture is simply black.
    padded = np.pad(pictures, ((0, 0), (2, 2), (2, 2)))
    rows, columns = (np.clip(axis + 2, 0, _SOURCE + 2) for axis in (rows, columns))
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    lower, further = rows - top, columns - left
    image = np.arange(len(pictures))[:, None, None]
    mixed = (1 - lower) * ((1 - further) * padded[image, top, left] + further * padded[image, top, left + 1])
    mixed += lower * ((1 - further) * padded[image, top + 1, left] + further * padded[image, top + 1, left + 1])
    return np.rint(mixed * 255 / 16).astype(np.uint8)[..., np.newaxis]
