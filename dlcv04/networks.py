"""The networks of the seed (DLCV04, 2016), each one a function that returns a ``keras.Model`` of stock Keras layers."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from dlcv04.backend import keras  # through backend, which quietens the framework's start first

Factory = Callable[[], "keras.Model"]


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
) -> "keras.Model":
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
    stack: list[Any] = [keras.Input(tuple(input_shape))]
    for index, rate in enumerate(conv_rates, 1):
        stack.append(layers.Conv2D(filters, kernel_size, activation="relu", name=f"conv{index}"))
        stack += [layers.Dropout(rate, name=f"conv{index}_dropout")] if rate else []
    stack.append(layers.MaxPooling2D(pool_size, name="pool"))
    stack += [layers.Dropout(pool_rate, name="pool_dropout")] if pool_rate else []
    stack.append(layers.Flatten(name="flatten"))
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
"""Task 1's eight networks by name, in the order of the seed's table."""


def describe(network: "Factory | keras.Model") -> str:
    """The network as a reader would write it: ``"mnist_convnet(conv_layers=5)"``, or a model's own name."""
    if isinstance(network, functools.partial):
        arguments = [repr(value) for value in network.args]
        arguments += [f"{name}={value!r}" for name, value in network.keywords.items()]
        return f"{describe(network.func).removesuffix('()')}({', '.join(arguments)})"
    if not callable(getattr(network, "stateless_call", None)):  # a Keras model has it; asked so, Keras stays unloaded
        return f"{getattr(network, '__name__', type(network).__name__)}()"
    return str(getattr(network, "name", type(network).__name__))


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
