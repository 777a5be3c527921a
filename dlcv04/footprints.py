"""What a network costs in principle, computed from its layers: parameters, multiply-adds, bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcv04 import seeding
from dlcv04.backends import keras
from dlcv04.recipes import Recipe

_VIEWS = ("InputLayer", "Flatten", "Reshape")


@dataclass(frozen=True)
class LayerFacts:
    """One layer: its output shape without the batch, its parameters, its multiply-adds for one picture."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class Footprint:
    """What a network costs in principle, computed from its layers.

    Attributes:
        parameters: number of weights, trainable or not.
        macs: multiply-adds of convolutions and dense layers for one picture, forward.
        weight_bytes: bytes of the weights.
        optimizer_bytes: bytes of the optimiser's slots (Adadelta keeps two values a weight).
        activation_bytes: bytes of all layers' outputs for one picture, which training keeps for the backward pass
            (inputs and mere views such as Flatten are not counted).
        layers: the layers in order.
    """

    parameters: int
    macs: int
    weight_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    layers: tuple[LayerFacts, ...]

    def training_bytes(self, batch_size: int) -> int:
        """Bytes that a training step holds: weights, their gradients, the optimiser's slots, a batch's activations."""
        return 2 * self.weight_bytes + self.optimizer_bytes + batch_size * self.activation_bytes


def footprint(network: Any, recipe: Recipe) -> Footprint:
    """What a network costs in principle under a recipe's optimiser, without training it."""
    with seeding.seeded(0):
        model = seeding.as_factory(network)()
    optimizer = recipe.make_optimizer()
    optimizer.build(model.trainable_variables)
    return of_model(model, optimizer)


def of_model(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Footprint:
    """What a model costs in principle with this optimiser, which is built."""
    weights = model.weights
    layers = tuple(_layer_facts(layer) for layer in _flat(model))
    # The step counter and the learning rate are the optimiser's own, not slots.
    settings = {id(v) for v in (optimizer._iterations, optimizer._learning_rate)}
    slots = [variable for variable in optimizer.variables if id(variable) not in settings]
    item = _item_bytes(model.compute_dtype)
    return Footprint(
        parameters=int(model.count_params()),
        macs=sum(layer.macs for layer in layers),
        weight_bytes=_bytes(weights),
        optimizer_bytes=_bytes(slots),
        activation_bytes=item * sum(math.prod(layer.output_shape) for layer in layers if layer.kind not in _VIEWS),
        layers=layers,
    )


def _bytes(variables: list[Any]) -> int:
    return sum(math.prod(variable.shape) * _item_bytes(variable.dtype) for variable in variables)


def _item_bytes(dtype: Any) -> int:
    name = keras.backend.standardize_dtype(dtype)
    return 2 if name == "bfloat16" else np.dtype(name).itemsize  # NumPy alone does not know bfloat16


def _flat(model: keras.Model) -> Iterator[Any]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        else:
            yield layer


def _layer_facts(layer: Any) -> LayerFacts:
    shape = tuple(int(side) for side in layer.output.shape[1:])
    kind = type(layer).__name__
    return LayerFacts(layer.name, kind, shape, int(layer.count_params()), _macs(layer, shape))


def _macs(layer: Any, shape: tuple[int, ...]) -> int:
    """Multiply-adds for one picture: each kernel weight works once an output position; transposed, once an input's."""
    layers = keras.layers
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape) * math.prod(shape[:-1])
    if isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        return math.prod(layer.kernel.shape) * _places(layer, tuple(layer.input.shape[1:]))
    if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
        kernels = layer.depthwise_kernel, layer.pointwise_kernel
        return sum(math.prod(kernel.shape) for kernel in kernels) * _places(layer, shape)
    plain = layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D
    return math.prod(layer.kernel.shape) * _places(layer, shape) if isinstance(layer, plain) else 0


def _places(layer: Any, shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-1] if layer.data_format == "channels_last" else shape[1:])
