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
#: Layers with weights that multiply a value by one each, if at all: not counted, as normalisation never is.
_ELEMENTWISE = (
    "BatchNormalization",
    "Embedding",
    "GroupNormalization",
    "LayerNormalization",
    "Normalization",
    "PReLU",
    "RMSNormalization",
)
#: Layers and operations without weights that multiply matrices, or may.
_PRODUCTS = (
    *("AdditiveAttention", "Attention", "Conv", "Dot", "DotProductAttention", "Einsum", "Lambda", "Matmul"),
    "Tensordot",
)


@dataclass(frozen=True)
class LayerFacts:
    """One layer: its output shape without the batch, its parameters, its multiply-adds for one picture.

    These are of all its uses in the network together; None where no formula is known for its kind.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int | None


@dataclass(frozen=True)
class Footprint:
    """What a network costs in principle, computed from its layers.

    Attributes:
        parameters: number of weights, trainable or not.
        weight_bytes: bytes of the weights.
        optimizer_bytes: bytes of the optimiser's slots (Adadelta keeps two values a weight).
        activation_bytes: bytes of all layers' outputs for one picture, which training keeps for the backward pass
            (inputs and mere views such as Flatten are not counted).
        layers: the layers in order.
    """

    parameters: int
    weight_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    layers: tuple[LayerFacts, ...]

    @property
    def known_macs(self) -> int | None:
        """Multiply-adds of convolutions and dense layers for one picture, forward; None where a layer's are unknown."""
        return None if self._without_formula else sum(layer.macs or 0 for layer in self.layers)

    @property
    def macs(self) -> int:
        """The same.

        Raises:
            TrainingError: a layer's are unknown; it is named.
        """
        if self._without_formula:
            raise seeding.TrainingError(
                f"The multiply-adds of {', '.join(self._without_formula)} are unknown, so those of the network are: "
                "there is a formula for dense layers and convolutions alone."
            )
        return sum(layer.macs or 0 for layer in self.layers)

    @property
    def _without_formula(self) -> list[str]:
        return [f"{layer.name} ({layer.kind})" for layer in self.layers if layer.macs is None]

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
    layers = tuple(_layers(model))
    # The step counter and the learning rate are the optimiser's own, not slots.
    settings = {id(v) for v in (optimizer._iterations, optimizer._learning_rate)}
    slots = [variable for variable in optimizer.variables if id(variable) not in settings]
    item = _item_bytes(model.compute_dtype)
    return Footprint(
        parameters=int(model.count_params()),
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


def _layers(model: keras.Model, uses: int = 1) -> Iterator[LayerFacts]:
    """The layers of a model, those of models in it too, in their order; `uses` is how often it is used itself."""
    graph = getattr(model, "_functional", model)  # a Sequential has its graph beside it
    nodes: dict[int, list[Any]] = {}
    for node in (node for level in getattr(graph, "_nodes_by_depth", {}).values() for node in level):
        nodes.setdefault(id(node.operation), []).append(node)
    for layer in model.layers:
        calls = nodes.get(id(layer), [])
        if isinstance(layer, keras.Model):
            yield from _layers(layer, uses * max(1, len(calls)))
        else:
            yield _layer_facts(layer, calls, uses)
    for node in (node for calls in nodes.values() for node in calls):
        if not isinstance(node.operation, keras.layers.Layer) and type(node.operation).__name__ in _PRODUCTS:
            shape = tuple(int(side) for side in node.outputs[0].shape[1:])
            yield LayerFacts(node.operation.name, type(node.operation).__name__, shape, 0, None)


def _layer_facts(layer: Any, calls: list[Any], uses: int) -> LayerFacts:
    shapes = [(_sides(node.input_tensors[0]) if node.input_tensors else (), _sides(node.outputs[0])) for node in calls]
    shapes = shapes or [((), _sides(layer.output))]
    macs = [_macs(layer, *shape) for shape in shapes]
    total = None if None in macs else uses * sum(each or 0 for each in macs)
    return LayerFacts(layer.name, type(layer).__name__, shapes[0][1], int(layer.count_params()), total)


def _sides(tensor: Any) -> tuple[int, ...]:
    return tuple(int(side) for side in tensor.shape[1:])


def _macs(layer: Any, before: tuple[int, ...], after: tuple[int, ...]) -> int | None:
    """Multiply-adds for one picture: each kernel weight works once an output position; transposed, once an input's."""
    layers = keras.layers
    kind = type(layer).__name__
    if not type(layer).call.__module__.startswith("keras."):
        return None  # its own code says what it computes
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape) * math.prod(after[:-1])
    if isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        return math.prod(layer.kernel.shape) * _places(layer, before)
    if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
        kernels = layer.depthwise_kernel, layer.pointwise_kernel
        return sum(math.prod(kernel.shape) for kernel in kernels) * _places(layer, after)
    plain = layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D
    if isinstance(layer, plain):
        return math.prod(layer.kernel.shape) * _places(layer, after)
    has_formula = kind in _ELEMENTWISE or (not layer.count_params() and kind not in _PRODUCTS)
    return 0 if has_formula else None


def _places(layer: Any, shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-1] if layer.data_format == "channels_last" else shape[1:])
