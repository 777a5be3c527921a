"""What the filters of a convolution look for: pictures that excite each of them, found by gradient ascent.

Recipe (seed, Task 3): from grey noise, 20 steps up the gradient of one filter's mean activation, each of one grey level
as a root mean square. All filters of a layer climb in batches: each picture's gradient is its own, and is divided by
its own size, so that a batch gives what one filter at a time would.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from dlcv04 import backends, networks, weights
from dlcv04.backends import keras

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")
LARGEST_BATCH_BYTES = 2 << 30


class VisualizationError(ValueError):
    """A model, layer or size that nothing can be shown of; the message says why and what to do."""


@dataclass(frozen=True)
class Ascent:
    """How far a picture climbs.

    Attributes:
        steps: steps up the gradient.
        step: root mean square of a step, in grey levels of 255 (less where the gradient's own is near 1e-5).
        grey: mean of the noise at the start, in grey levels.
        spread: the noise is uniform within so many grey levels of the mean.
    """

    steps: int = 20
    step: float = 1.0
    grey: float = 128.0
    spread: float = 10.0


@dataclass(frozen=True, eq=False)
class Excited:
    """What gradient ascent found for some filters of a layer.

    Attributes:
        layer: its name.
        filters: numbers of the filters, int, shape (filters,).
        pictures: float32, shape (filters, height, width, channels), in grey levels; not clipped to 0..255.
        before: mean activation of each filter by the noise at its start.
        after: mean activation by its picture.
    """

    layer: str
    filters: npt.NDArray[np.int_]
    pictures: npt.NDArray[np.float32]
    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]

    @property
    def alive(self) -> npt.NDArray[np.bool_]:
        """Which filters are excited at all: in 2016 those were left out whose mean activation stays at 0 or below."""
        return self.after > 0

    @property
    def dead(self) -> int:
        """How many filters are left out."""
        return int((~self.alive).sum())

    def best(self, count: int | None = None) -> npt.NDArray[np.int_]:
        """Positions of the most excited filters, highest first; at most `count`, and no dead one."""
        order = np.argsort(-self.after, kind="stable")
        return order[self.alive[order]][:count]


def excite(
    model: keras.Model,
    layer: str,
    filters: Sequence[int] | npt.NDArray[np.int_] | None = None,
    *,
    ascent: Ascent = Ascent(),
    size: int | None = None,
    pixels: networks.Pixels = "unit",
    seed: int = 0,
    batch_size: int | None = None,
    on_step: Callable[[int, int], None] = lambda done, steps: None,
) -> Excited:
    """Climb from noise to a picture that excites each filter.

    Args:
        model: any Keras model that takes pictures, channels last.
        layer: one of its convolutions, by its name or in the 2016 experiment's spelling (`find_convolution`).
        filters: their numbers, all of the layer's by default.
        ascent: how far.
        size: height and width in pixels, where the model does not fix them.
        pixels: how the model takes its pixels (`dlcv04.networks.from_unit`).
        seed: draws the noise; each filter has its own, whatever the batch.
        batch_size: filters at once; by default what memory allows (`batch_of`).
        on_step: called after each step with the number of filter steps done and of all.

    Raises:
        VisualizationError: there is no such layer or filter, or the model takes no pictures of that size.
        dlcv04.weights.WeightsError: a weight is not finite.
    """
    trunk = trunk_to(model, find_convolution(model, layer))
    shape = _picture_shape(trunk, size)
    chosen = _chosen(trunk, filters)
    noise = np.stack([_noise(ascent, shape, seed, number) for number in chosen])
    count = batch_size or batch_of(trunk, shape, len(chosen))
    climb = _climber(trunk, shape, pixels, ascent)
    pictures, before, after = np.empty_like(noise), np.empty(len(chosen)), np.empty(len(chosen))
    for start in range(0, len(chosen), count):
        # The last batch is filled up with the last filter, so that all have one shape and compile once.
        rows = np.minimum(np.arange(start, start + count), len(chosen) - 1)
        done = start * ascent.steps

        def tell(step: int, done: int = done, size: int = min(count, len(chosen) - start)) -> None:
            on_step(done + step * size, len(chosen) * ascent.steps)

        pictures[rows], before[rows], after[rows] = climb(noise[rows], chosen[rows], tell)
    return Excited(trunk.layers[-1].name, chosen, pictures, before, after)


def answering(
    model: keras.Model,
    layer: str,
    *,
    ascent: Ascent = Ascent(),
    size: int | None = None,
    pixels: networks.Pixels = "unit",
    seed: int = 0,
) -> npt.NDArray[np.int_]:
    """Numbers of the filters that answer to noise at all, by one pass of one picture.

    Filters after a ReLU that do not are dead as a rule: no gradient leads them anywhere. Arguments and errors are those
    of `excite`, which draws other noise for each filter.
    """
    trunk = trunk_to(model, find_convolution(model, layer))
    shape = _picture_shape(trunk, size)
    noise = _noise(ascent, shape, seed, int(trunk.outputs[0].shape[-1]))[None] / np.float32(255)
    outputs = _whole(trunk, shape, pixels)(noise, training=False)
    return np.flatnonzero(backends.to_numpy(outputs).mean(axis=(0, 1, 2)) > 0)


def _whole(trunk: keras.Model, shape: tuple[int, int, int], pixels: networks.Pixels) -> keras.Model:
    """The trunk for pictures of this shape with pixels in [0, 1]."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, trunk(networks.from_unit(inputs, pixels)))


def _climber(
    trunk: keras.Model, shape: tuple[int, int, int], pixels: networks.Pixels, ascent: Ascent
) -> Callable[..., tuple[Any, Any, Any]]:
    """Climbs with one batch: pictures, filters -> pictures, mean activations before and after."""
    ops = keras.ops

    def objective(_: Any, outputs: Any, filters: Any) -> Any:
        means = ops.mean(outputs, axis=(1, 2))
        return ops.take_along_axis(means, filters[:, None], axis=1)[:, 0]

    gradient_step = backends.value_and_gradient(_whole(trunk, shape, pixels), objective)

    def climb(noise: Any, filters: Any, tell: Callable[[int], None]) -> tuple[Any, Any, Any]:
        x, filters = ops.convert_to_tensor(noise / np.float32(255)), filters.astype(np.int32)
        values, gradient = before, _ = gradient_step(x, filters)
        for step in range(ascent.steps):
            x = x + gradient * (ascent.step / 255) / (root_mean_square(gradient) + 1e-5)
            values, gradient = gradient_step(x, filters)
            tell(step + 1)
        return backends.to_numpy(x) * 255, backends.to_numpy(before), backends.to_numpy(values)

    return climb


def root_mean_square(gradient: Any) -> Any:
    """Of each picture's own gradient; shape (pictures, 1, 1, 1)."""
    return keras.ops.sqrt(keras.ops.mean(keras.ops.square(gradient), axis=(1, 2, 3), keepdims=True))


def _noise(ascent: Ascent, shape: tuple[int, ...], seed: int, number: int) -> npt.NDArray[np.float32]:
    random = np.random.default_rng([seed, number])
    drawn = random.uniform(ascent.grey - ascent.spread, ascent.grey + ascent.spread, shape)
    return drawn.astype(np.float32)


# -- the model ---------------------------------------------------------------------------------------------------


def convolutions(model: keras.Model) -> list[str]:
    """Names of the model's two-dimensional convolutions, in order."""
    return [layer.name for layer in model.layers if type(layer).__name__ in CONVOLUTIONS]


def find_convolution(model: keras.Model, name: str) -> str:
    """The name of a convolution, given it or that of 2016: ``conv5_1`` is VGG16's ``block5_conv1``, ``ConvLayer_2`` and
    ``convolution2d_2`` are the second one of any model.

    Raises:
        VisualizationError: the model has no convolution, or none of that name; the message names the nearest.
    """
    known = convolutions(model)
    if not known:
        nested = [layer.name for layer in model.layers if hasattr(layer, "layers")]
        inside = f"; they may lie in its {' and '.join(nested)}: give that model itself" if nested else ""
        raise VisualizationError(f"{model.name!r} has no two-dimensional convolution among its layers{inside}.")
    for found in (name, networks.keras_spelling(name)):
        if found in known:
            return found
    numbered = re.fullmatch(r"(?i)(?:convlayer|convolution2d)_(\d+)", name)
    if numbered and 1 <= int(numbered[1]) <= len(known):
        return known[int(numbered[1]) - 1]
    near = difflib.get_close_matches(networks.keras_spelling(name), known, n=3, cutoff=0.5) or known
    raise VisualizationError(f"{model.name!r} has no convolution {name!r}; the nearest are {', '.join(near)}.")


def trunk_to(model: keras.Model, layer: str) -> keras.Model:
    """The part of the model that ends with a layer, for pictures with channels last.

    Raises:
        VisualizationError: it takes something else than pictures.
        dlcv04.weights.WeightsError: a weight is not finite.
    """
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in model.inputs)
        raise VisualizationError(f"{model.name!r} takes no single picture: its inputs are of shape {shapes}.")
    if getattr(model.get_layer(layer), "data_format", "channels_last") != "channels_last":
        raise VisualizationError(f"The layer {layer!r} has its channels first: build the model with channels last.")
    trunk = keras.Model(model.inputs, model.get_layer(layer).output, name=model.name)
    weights.require_finite(trunk)
    return trunk


def _picture_shape(trunk: keras.Model, size: int | None) -> tuple[int, int, int]:
    height, width, channels = trunk.inputs[0].shape[1:]
    if size is not None and any(side not in (None, size) for side in (height, width)):
        raise VisualizationError(f"{trunk.name!r} takes pictures of {height}x{width} pixels alone, not {size}x{size}.")
    shape = height or size or 128, width or size or 128, channels
    try:
        left = math.prod(trunk.compute_output_shape((1, *shape)))
    except ValueError:  # Keras counts less than no pixel
        left = 0
    if not left:
        raise VisualizationError(f"Nothing is left of a picture of {shape[0]}x{shape[1]} pixels: take larger ones.")
    return shape


def _chosen(trunk: keras.Model, filters: Sequence[int] | npt.NDArray[np.int_] | None) -> npt.NDArray[np.int_]:
    count = int(trunk.outputs[0].shape[-1])
    chosen = np.arange(count) if filters is None else np.array(filters, dtype=np.int_)
    if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= count:
        raise VisualizationError(f"{trunk.layers[-1].name!r} has the filters 0 to {count - 1}: choose some of them.")
    return chosen


def batch_of(trunk: keras.Model, shape: tuple[int, int, int], filters: int) -> int:
    """Filters that climb at once: as many as a quarter of the free memory holds (2 GiB at most), in equal batches.

    A picture takes its activations in every layer three times: themselves, before the ReLU, and their gradients.
    """
    budget = min(LARGEST_BATCH_BYTES, psutil.virtual_memory().available // 4)
    most = max(1, budget // (3 * 4 * sum(_activations(trunk, shape))))
    return math.ceil(filters / math.ceil(filters / most))


def _activations(trunk: keras.Model, shape: tuple[int, int, int]) -> Iterator[int]:
    every = keras.Model(trunk.inputs, [layer.output for layer in trunk.layers])
    for output in every.compute_output_shape((1, *shape)):
        yield math.prod(output)


# -- to be looked at ---------------------------------------------------------------------------------------------


def shown(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The pictures as shown in 2016: each centred on 0.5 with a standard deviation of 0.1, then clipped.

    Args:
        pictures: shape (pictures, height, width, channels), any scale.

    Returns:
        uint8 of the same shape.
    """
    centred = pictures - pictures.mean(axis=(1, 2, 3), keepdims=True)
    scaled = centred / (pictures.std(axis=(1, 2, 3), keepdims=True) + 1e-5) * 0.1 + 0.5
    return (np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def roughness(filters: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How rough each filter or picture is: the mean spatial frequency of its power spectrum, the mean left out.

    White noise has about 0.38 cycles a pixel, whatever its size; a smooth gradation has little more than 0.

    Args:
        filters: shape (filters, height, width, channels).

    Returns:
        Cycles a pixel, shape (filters,).
    """
    # Padded, since three pixels know two frequencies only.
    side = 4 * max(filters.shape[1:3])
    spectrum = np.fft.fft2(filters.astype(np.float64), s=(side, side), axes=(1, 2))
    power = (np.abs(spectrum) ** 2).sum(axis=3)
    along = np.fft.fftfreq(side)
    frequency = np.hypot(along[:, None], along[None, :])
    return (power * frequency).sum(axis=(1, 2)) / power.sum(axis=(1, 2))


def spectral_entropy(pictures: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Over how many frequencies the power of each picture is spread, in nats: little for a pattern, much for noise.

    Shannon's entropy of the normalised power spectrum of the picture in grey, its mean left out (Inouye and others,
    1991). White noise of n pixels has about ln n - 0.42; one wave has ln 2, which is two frequencies of opposite sign.

    Args:
        pictures: shape (pictures, height, width, channels).

    Returns:
        Nats, shape (pictures,); 0 for a picture of one colour.
    """
    grey = pictures.astype(np.float64).mean(axis=3)
    power = np.abs(np.fft.fft2(grey - grey.mean(axis=(1, 2), keepdims=True))) ** 2
    total = power.sum(axis=(1, 2), keepdims=True)
    share = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logs).sum(axis=(1, 2))
