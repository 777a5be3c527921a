"""What a network costs in principle, computed from its layers: parameters, multiply-adds, bytes."""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dlcv04 import seeding
from dlcv04.backends import keras
from dlcv04.recipes import Recipe

#: Sides of an array without the batch; None where the network leaves one open.
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class LayerFacts:
    """One layer: its output shape without the batch, its parameters, and what one picture costs.

    The multiply-adds and the bytes of its outputs are of all its uses in the network together; None where they are
    unknown.
    """

    name: str
    kind: str
    output_shape: Shape
    parameters: int
    macs: int | None
    activation_bytes: int | None


@dataclass(frozen=True)
class Footprint:
    """What a network costs in principle, computed from its layers.

    Attributes:
        parameters: number of weights, trainable or not.
        weight_bytes: bytes of the weights.
        optimizer_bytes: bytes of the optimiser's slots (Adadelta keeps two values a weight).
        layers: the layers in order, each once.
    """

    parameters: int
    weight_bytes: int
    optimizer_bytes: int
    layers: tuple[LayerFacts, ...]

    @property
    def known_macs(self) -> int | None:
        """Multiply-adds of matrix products and convolutions for one picture, forward; None where a layer's are unknown.

        A place that padding fills counts as any other, and so does a time step that a mask skips.
        """
        return _sum(layer.macs for layer in self.layers)

    @property
    def macs(self) -> int:
        """The same.

        Raises:
            TrainingError: a layer's are unknown; it is named.
        """
        return self._certain(
            "macs",
            "multiply-adds",
            "computed from known sizes for Keras's own dense, convolutional, recurrent and multi-head attention layers "
            "and those without products, never for code of one's own",
        )

    @property
    def known_activation_bytes(self) -> int | None:
        """Bytes of all layers' outputs for one picture, at each use, which training keeps for the backward pass.

        Inputs and mere views such as Flatten are not counted, nor what a layer of Keras's keeps inside. None where a
        size is open or a layer of one's own holds layers.
        """
        return _sum(layer.activation_bytes for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """The same.

        Raises:
            TrainingError: a layer's are unknown; it is named.
        """
        return self._certain(
            "activation_bytes", "activations", "computed from known sizes, where no code of one's own holds layers"
        )

    def training_bytes(self, batch_size: int) -> int:
        """Bytes that a training step holds: weights, their gradients, the optimiser's slots, a batch's activations.

        Raises:
            TrainingError: a layer's activations are unknown; it is named.
        """
        return 2 * self.weight_bytes + self.optimizer_bytes + batch_size * self.activation_bytes

    def _certain(self, figure: str, what: str, how: str) -> int:
        total: int | None = getattr(self, f"known_{figure}")
        if total is None:
            unknown = [f"{each.name} ({each.kind})" for each in self.layers if getattr(each, figure) is None]
            raise seeding.TrainingError(
                f"The {what} of {', '.join(unknown)} are unknown, so those of the network are: they are {how}."
            )
        return total


def footprint(network: Any, recipe: Recipe) -> Footprint:
    """What a network costs in principle under a recipe's optimiser, without training it.

    Raises:
        TrainingError: it is no network, or its weights are not made yet.
    """
    with seeding.seeded(0):
        model = seeding.as_factory(network)()
    if not isinstance(model, keras.Model) or not model.built:
        raise seeding.TrainingError(f"{model!r} is not a built keras.Model: give it an Input.")
    optimizer = model.optimizer if model.compiled else recipe.make_optimizer()
    optimizer.build(model.trainable_variables)
    return of_model(model, optimizer)


def of_model(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Footprint:
    """What a model costs in principle with this optimiser, which is built.

    Raises:
        TrainingError: a layer's weights are not made yet.
    """
    _refuse_unmade(model)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales the loss
    # The step counter and the learning rate are the optimiser's own, not slots.
    settings = {id(v) for v in (optimizer._iterations, optimizer._learning_rate)}
    slots = [variable for variable in optimizer.variables if id(variable) not in settings]
    uses: dict[int, list[_Use]] = {}
    for use in _uses(model):
        uses.setdefault(id(use.operation), []).append(use)
    return Footprint(
        parameters=int(model.count_params()),
        weight_bytes=_bytes(model.weights),
        optimizer_bytes=_bytes(slots),
        layers=tuple(_layer_facts(of_one) for of_one in uses.values()),
    )


def _refuse_unmade(layer: Any) -> None:
    """Code of one's own may count as built before its layers are: their weights would count as none.

    Where it was called, or builds them itself, a layer without weights is one that it does not use.
    """
    made = _is_of_keras(layer) or layer._called or any("build" in vars(kind) for kind in _own_classes(layer))
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        if inner.built:
            _refuse_unmade(inner)
        elif not made and type(inner).build is not keras.layers.Layer.build:
            raise seeding.TrainingError(
                f"The weights of {inner.name} in {layer.name} are not made yet, so they can't be counted: call the "
                "model on one batch before it is returned."
            )


def _bytes(variables: list[Any]) -> int:
    return sum(math.prod(variable.shape) * _item_bytes(variable.dtype) for variable in variables)


def _item_bytes(dtype: Any) -> int:
    name = keras.backend.standardize_dtype(dtype)
    return 2 if name == "bfloat16" else np.dtype(name).itemsize  # NumPy alone does not know bfloat16


def _sum(parts: Iterable[int | None]) -> int | None:
    known = list(parts)
    return None if None in known else sum(part or 0 for part in known)


# -- the uses of layers in a network ---------------------------------------------------------------------------------


class _Use(NamedTuple):
    """One call of an operation: the shapes of the arrays given to it, by its arguments' names, and its outputs."""

    operation: Any
    given: dict[str, Shape]
    outputs: list[Any]

    @property
    def after(self) -> Shape:
        return _sides(self.outputs[0]) if self.outputs else ()


def _uses(model: keras.Model) -> Iterator[_Use]:
    """Each use of each layer, within models in it too, and of operations beside layers that have a cost."""
    graph = _graph(model)
    if graph is None:
        yield _Use(model, {}, [])
        return
    nodes: dict[int, list[Any]] = {}
    for node in itertools.chain.from_iterable(graph._nodes_by_depth.values()):
        nodes.setdefault(id(node.operation), []).append(node)
    layers = {id(layer): layer for layer in model.layers}
    for node in itertools.chain.from_iterable([*(nodes[key] for key in layers), *_products(nodes)]):
        if isinstance(node.operation, keras.Model) and _graph(node.operation):
            yield from _uses(node.operation)
        else:
            yield _Use(node.operation, _given(node), node.outputs)


def _graph(model: keras.Model) -> Any | None:
    """The graph of calls that a model follows; None where it has none or its own code says what it computes.

    Its shapes are those of every use: Keras refuses arrays of others, except on sides that the graph leaves open.
    """
    graph = getattr(model, "_functional", model)  # a Sequential has its graph beside it
    return graph if hasattr(graph, "_nodes_by_depth") and _is_of_keras(model) else None


def _products(nodes: dict[int, list[Any]]) -> Iterator[list[Any]]:
    for calls in nodes.values():
        if not isinstance(calls[0].operation, keras.layers.Layer) and _costs(calls[0].operation):
            yield calls


def _given(node: Any) -> dict[str, Shape]:
    """In the order of the arguments, however they were given; empty where the first is no single array."""
    names = list(inspect.signature(node.operation.call).parameters)
    named = dict(zip(names, node.arguments.args, strict=False)) | node.arguments.kwargs
    if not names or not isinstance(named.get(names[0]), keras.KerasTensor):
        return {}
    return {name: _sides(named[name]) for name in names if isinstance(named.get(name), keras.KerasTensor)}


def _sides(tensor: Any) -> Shape:
    return tuple(None if side is None else int(side) for side in tensor.shape[1:])


def _layer_facts(uses: list[_Use]) -> LayerFacts:
    operation = uses[0].operation
    return LayerFacts(
        name=operation.name,
        kind=type(operation).__name__,
        output_shape=uses[0].after,
        parameters=int(operation.count_params()) if isinstance(operation, keras.layers.Layer) else 0,
        macs=_sum(_macs(use.operation, use.given, use.after) for use in uses),
        activation_bytes=_sum(map(_activation_bytes, uses)),
    )


def _activation_bytes(use: _Use) -> int | None:
    operation, shapes = use.operation, [_sides(tensor) for tensor in use.outputs]
    if not isinstance(operation, keras.layers.Layer) or _keras_class(operation).__name__ in _VIEWS:
        return 0
    if any(None in shape for shape in shapes) or _hides_layers(operation):
        return None
    return sum(
        math.prod(side or 0 for side in shape) * _item_bytes(tensor.dtype)
        for shape, tensor in zip(shapes, use.outputs, strict=True)
    )


def _hides_layers(layer: Any) -> bool:
    """Whether it holds layers in a model or behind code of one's own, whose outputs nothing tells."""
    inside = list(layer._flatten_layers(include_self=False, recursive=False))
    tells = _is_of_keras(layer) and not isinstance(layer, keras.Model)
    return bool(inside) and (not tells or any(map(_hides_layers, inside)))


# -- whose code ------------------------------------------------------------------------------------------------------


def _keras_class(operation: Any) -> type:
    """The class of Keras's that an operation is of or derives from; `object` where there is none."""
    return next((kind for kind in type(operation).__mro__ if kind.__module__.startswith("keras.")), object)


def _own_classes(operation: Any) -> Iterator[type]:
    """Those that come before Keras's, which they override."""
    base = _keras_class(operation)
    return itertools.takewhile(lambda kind: kind is not base, type(operation).__mro__)


def _is_of_keras(operation: Any) -> bool:
    """Whether Keras's own code alone says what an operation computes, with its weights as they are."""
    # What every model has (a training step, a configuration) may be one's own: it computes no output.
    computing = {"call", "__call__"} | (set(dir(_keras_class(operation))) - set(dir(keras.Model)))
    if any(computing & set(vars(kind)) for kind in _own_classes(operation)):
        return False
    functions = (getattr(operation, name, None) for name in ("activation", "recurrent_activation"))
    adapted = (getattr(operation, name, None) for name in ("lora_enabled", "quantization_mode"))
    of_keras = (getattr(function, "__module__", "").startswith("keras.") for function in functions if function)
    return all(of_keras) and not any(adapted)


def _costs(operation: Any) -> bool:
    """Whether an operation that is no layer multiplies matrices or convolves, or may."""
    kind = _keras_class(operation)
    return not _is_of_keras(operation) or kind.__module__.endswith(".linalg") or kind.__name__ in _PRODUCTS


# -- formulas --------------------------------------------------------------------------------------------------------

#: A layer, the shapes given to it by the names of its arguments, and that of its (first) output; multiply-adds.
_Formula = Callable[[Any, dict[str, Any], Any], int | None]


def _macs(layer: Any, given: dict[str, Shape], after: Shape) -> int | None:
    """Multiply-adds of one use for one picture; None where no formula is known or a size that it needs is open."""
    if isinstance(layer, keras.Model):
        return _sum(_macs(*use[:2], use.after) for use in _uses(layer)) if _graph(layer) else None
    kind = _keras_class(layer)
    if not _is_of_keras(layer):
        return None
    if kind.__name__ in _FREE or (kind.__module__.startswith(_FREE_ROOMS) and kind.__name__ not in _NOT_FREE):
        return 0
    formula = _FORMULAS.get(kind.__name__)
    is_open = not given or any(None in shape for shape in given.values())
    return None if formula is None or is_open else formula(layer, given, after)


def _first(given: dict[str, Any]) -> Any:
    return next(iter(given.values()))


def _weights(*kernels: Any) -> int:
    return sum(math.prod(kernel.shape) for kernel in kernels)


def _places(layer: Any, shape: Any) -> int:
    return math.prod(shape[:-1] if layer.data_format == "channels_last" else shape[1:])


def _convolution(layer: Any, given: dict[str, Any], after: Any) -> int:
    """Each weight of a kernel works once an output position."""
    separable = hasattr(layer, "pointwise_kernel")
    kernels = (layer.depthwise_kernel, layer.pointwise_kernel) if separable else (layer.kernel,)
    return _weights(*kernels) * _places(layer, after)


def _transposed(layer: Any, given: dict[str, Any], after: Any) -> int:
    """Each weight works once an input position."""
    return _weights(layer.kernel) * _places(layer, _first(given))


def _dense(layer: Any, given: dict[str, Any], after: Any) -> int:
    return _weights(layer.kernel) * math.prod(after[:-1])


def _einsum(layer: Any, given: dict[str, Any], after: Any) -> int | None:
    """Each input value works once for each combination of the kernel's letters that the input lacks."""
    values, kernel, output = re.split(",|->", layer.equation.replace(" ", ""))
    if "." in kernel or set(values) - set(kernel) - set(output):
        return None  # a letter in the input alone may be summed before
    lacking = [side for letter, side in zip(kernel, layer.kernel.shape, strict=True) if letter not in values]
    return math.prod(_first(given)) * math.prod(lacking)


def _recurrent(layer: Any, given: dict[str, Any], after: Any) -> int | None:
    """Each weight of each cell works once a time step."""
    cells = getattr(layer.cell, "cells", [layer.cell])
    if not all(_is_of_keras(cell) for cell in (layer.cell, *cells)) or {
        _keras_class(cell).__name__ for cell in cells
    } - {"LSTMCell", "GRUCell", "SimpleRNNCell"}:
        return None
    return _first(given)[0] * sum(_weights(cell.kernel, cell.recurrent_kernel) for cell in cells)


def _both_ways(layer: Any, given: dict[str, Any], after: Any) -> int | None:
    return _sum(_macs(each, given, ()) for each in (layer.forward_layer, layer.backward_layer))


def _at_each_time(layer: Any, given: dict[str, Any], after: Any) -> int | None:
    (name, (steps, *inner)) = next(iter(given.items()))
    once = _macs(layer.layer, {name: tuple(inner)}, after[1:])
    return None if once is None else steps * once


def _attention(layer: Any, given: dict[str, Any], after: Any) -> int | None:
    """The projections, and of each query and each value that it sees one product for the score and one for the sum."""
    query, value = given["query"], given["value"]
    at_queries = [layer.query_dense, layer.output_dense, *([layer._gate_dense] if layer._use_gate else [])]
    at_values = [layer.key_dense, layer.value_dense]
    if not all(map(_is_of_keras, at_queries + at_values)):
        return None
    queries, values = math.prod(query[:-1]), math.prod(value[:-1])
    seen = math.prod(value[axis - 1] for axis in layer.attention_axes)  # the first axis is the batch
    return (
        queries * _weights(*(dense.kernel for dense in at_queries))
        + values * _weights(*(dense.kernel for dense in at_values))
        + queries * seen * layer.num_heads * (layer.key_dim + layer.value_dim)
    )


_CONVOLUTIONS = (
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
)
#: By the name of Keras's class.
_FORMULAS: dict[str, _Formula] = {
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    **dict.fromkeys(("RNN", "LSTM", "GRU", "SimpleRNN"), _recurrent),
    "Dense": _dense,
    "EinsumDense": _einsum,
    "Bidirectional": _both_ways,
    "TimeDistributed": _at_each_time,
    "MultiHeadAttention": _attention,
}
#: Where Keras keeps layers that multiply a value by one other at most, if at all: not counted.
_FREE_ROOMS = tuple(
    f"keras.src.layers.{room}."
    for room in ("activations", "merging", "normalization", "pooling", "regularization", "reshaping")
)
_NOT_FREE = {"Dot", "SpectralNormalization"}
_VIEWS = {"InputLayer", "Flatten", "Reshape"}
#: Others such, and those that do nothing outside training.
_FREE = {
    *_VIEWS,
    *("CategoryEncoding", "CenterCrop", "Discretization", "Embedding", "HashedCrossing", "Hashing", "Identity"),
    *(
        "IntegerLookup",
        "LayerScale",
        "Masking",
        "Normalization",
        "RandomBrightness",
        "RandomContrast",
        "RandomCrop",
        "RandomFlip",
    ),
    *("RandomRotation", "RandomTranslation", "RandomZoom", "Rescaling", "Resizing", "StringLookup"),
    "TextVectorization",
}
#: Keras's operations that multiply matrices or convolve, or run a function of one's own.
_PRODUCTS = {
    *("AssociativeScan", "CDist", "Cond", "Conv", "ConvTranspose", "Corrcoef", "Correlate", "DepthwiseConv", "Dot"),
    *("DotProductAttention", "Einsum", "ElasticTransform", "FFT", "FFT2", "ForiLoop", "GaussianBlur", "IFFT2", "IRFFT"),
    *("ISTFT", "Inner", "Kron", "Logdet", "Map", "Matmul", "Outer", "RFFT", "SSIM", "STFT", "Scan", "SeparableConv"),
    *("Slogdet", "SobelEdges", "Switch", "Tensordot", "Vander", "Vdot", "VectorizedMap", "WhileLoop"),
}
