"""Arrays of HDF5 files that other people made: of that file alone, of a size that lies in it, and no group twice.

HDF5 lets a file name others, from which its numbers would then be read (external links, raw storage elsewhere, virtual
data sets), declare shapes of which nothing is stored, and hold groups that hold themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import h5py
else:
    h5py = LazyModule("h5py")

#: The largest array of a known network, VGG16's fc1, has 411 MB.
_LARGEST_ARRAY = 2**31
_DEEPEST = 20


class StrangeFileError(ValueError):
    """What a file of weights does not do; the message is the reason alone."""


def datasets(group: Any) -> Iterator[Any]:
    """Every data set below a group of an open file, by name; checked, not yet read.

    Raises:
        StrangeFileError: something below it lies in another file, is no array of numbers, is too large, not stored in
            full, or holds itself.
    """
    for _, item in items(group):
        if isinstance(item, h5py.Dataset):
            yield _checked(item)


def items(group: Any) -> Iterator[tuple[str, Any]]:
    """Groups and data sets below a group with their full names, depth first.

    Raises:
        StrangeFileError: a link leads elsewhere, or a group holds itself.
    """
    if not isinstance(group, h5py.Group):
        raise StrangeFileError(f"{group.name} is not a group")
    left = [(group, f"{group.name.rstrip('/')}/{name}", {_address(group)}) for name in sorted(group, reverse=True)]
    while left:
        parent, name, above = left.pop()
        kind = type(parent.get(name.rpartition("/")[2], getlink=True))
        if kind is not h5py.HardLink:
            raise StrangeFileError(f"{name} is not an array but a link to elsewhere ({kind.__name__})")
        item = parent[name.rpartition("/")[2]]
        yield name, item
        if isinstance(item, h5py.Group):
            if _address(item) in above or len(above) > _DEEPEST:
                raise StrangeFileError(f"{name} holds itself, or nests without end")
            deeper = {*above, _address(item)}
            left += [(item, f"{name}/{below}", deeper) for below in sorted(item, reverse=True)]


def read(dataset: Any) -> npt.NDArray[np.float32]:
    """A checked data set's values.

    Raises:
        StrangeFileError: as `datasets`.
    """
    return np.asarray(_checked(dataset)[()], np.float32)


def _checked(dataset: Any) -> Any:
    if dataset.external or dataset.is_virtual:
        raise StrangeFileError(f"the numbers of {dataset.name} lie in another file")
    if dataset.dtype.kind not in "fiub" or dataset.shape is None:
        raise StrangeFileError(f"{dataset.name} is {dataset.dtype}, not an array of numbers")
    if dataset.nbytes > _LARGEST_ARRAY:
        raise StrangeFileError(f"{dataset.name} declares the shape {dataset.shape}, {dataset.nbytes:,} bytes")
    if dataset.nbytes and not dataset.id.get_storage_size():
        raise StrangeFileError(f"of {dataset.name} the shape is there, and none of its numbers")
    return dataset


def _address(group: Any) -> int:
    return int(h5py.h5o.get_info(group.id).addr)
