"""What networks cost in principle: by formula, by optimiser, through nested models; right or unknown."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest

from dlcv04.backends import keras
from dlcv04.datasets import embedded
from dlcv04.footprints import footprint
from dlcv04.networks import MNIST_VARIANTS, mnist_convnet
from dlcv04.recipes import Recipe, mnist_recipe
from dlcv04.seeding import TrainingError
from dlcv04.training import Trainer

SMALL = functools.partial(mnist_convnet, conv_layers=1, filters=4, dense_units=(16,))
RECIPE = Recipe("test", "Adadelta", 1.0, 32, 2, train_images=512, val_images=300)


def test_footprint_of_the_base_network_by_formula() -> None:
    found = footprint(MNIST_VARIANTS["base"], mnist_recipe("smoke"))
    assert found.parameters == 600_810
    assert found.macs == 26 * 26 * 9 * 32 + 24 * 24 * 9 * 32 * 32 + 4608 * 128 + 128 * 10
    assert found.weight_bytes == 4 * 600_810
    assert found.optimizer_bytes == 2 * 4 * 600_810
    outputs = 26 * 26 * 32 + 24 * 24 * 32 + 2 * 12 * 12 * 32 + 2 * 128 + 10
    assert found.activation_bytes == 4 * outputs
    assert [layer.macs for layer in found.layers if layer.kind == "MaxPooling2D"] == [0]
    assert sum(layer.parameters for layer in found.layers) == found.parameters


@pytest.mark.parametrize(("optimizer", "slots"), [("SGD", 0), ("Adam", 2), ("RMSprop", 1)])
def test_slots_are_the_optimizers_own(optimizer: str, slots: int) -> None:
    found = footprint(SMALL, dataclasses.replace(RECIPE, optimizer=optimizer))
    assert found.optimizer_bytes == slots * found.weight_bytes


def test_footprint_of_a_trainer_is_the_same() -> None:
    assert Trainer(SMALL, embedded.digits(), RECIPE).footprint == footprint(SMALL, RECIPE)


def test_nested_models_are_looked_into() -> None:
    inner = SMALL()
    outer = keras.Sequential([keras.Input((28, 28, 1)), inner])
    assert footprint(outer, RECIPE).macs == footprint(inner, RECIPE).macs > 0


# -- multiply-adds, against sums by hand ---------------------------------------------------------------------------

L = keras.layers


def through(*layers: Any, shape: tuple[int | None, ...] = (8, 8, 4)) -> keras.Model:
    """A network that applies layers, models or functions in turn; `shape` is that of one sample."""
    start = y = keras.Input(shape)
    for layer in layers:
        y = layer(y)
    return keras.Model(start, y)


class Renamed(L.Dense):
    """Computes what its base does."""


class OwnStep(keras.Model):
    """A training step of its own changes nothing of what the network computes."""

    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


def used_twice() -> keras.Model:
    conv = L.Conv2D(4, 3, padding="same")
    return through(conv, conv)


def used_at_two_sizes() -> keras.Model:
    conv = L.Conv2D(4, 3, padding="same")
    return through(conv, L.MaxPooling2D(), conv)


def model_used_twice() -> keras.Model:
    inner = through(L.Conv2D(4, 3, padding="same"), L.Conv2D(4, 3, padding="same"))
    return through(inner, L.ReLU(), inner)


def layer_shared_with_a_model_in_it() -> keras.Model:
    conv = L.Conv2D(4, 3, padding="same")
    return through(conv, through(conv, L.ReLU(), conv))


def siamese() -> keras.Model:
    """One tower of two layers for two inputs, and a head on both."""
    tower = keras.Sequential([keras.Input((8, 8, 4)), L.Conv2D(6, 3), L.Flatten(), L.Dense(5)])
    left, right = keras.Input((8, 8, 4)), keras.Input((8, 8, 4))
    return keras.Model([left, right], L.Dense(2)(L.Concatenate()([tower(left), tower(right)])))


def residual() -> keras.Model:
    start = keras.Input((8, 8, 4))
    y = L.BatchNormalization()(L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(start))
    y = keras.ops.relu(y) + L.Conv2D(8, 1, strides=2)(start)
    return keras.Model(start, L.Dense(10)(L.GlobalAveragePooling2D()(y)))


def channels_first() -> keras.Model:
    first: Any = {"data_format": "channels_first"}
    layers = L.Conv2D(6, 3, strides=2, **first), L.DepthwiseConv2D(2, **first), L.Conv2DTranspose(5, 3, **first)
    return through(*layers, shape=(4, 9, 7))


def own_step() -> keras.Model:
    start = keras.Input((6,))
    return OwnStep(start, L.Dense(7)(start))


def with_states() -> keras.Model:
    """The states come before the sequence in the order of Keras's own list of the inputs."""
    start, states = keras.Input((7, 3)), keras.Input((5,))
    return keras.Model([start, states], L.GRU(5)(initial_state=states, sequences=start))


def attention(
    query: tuple[int, ...], value: tuple[int, ...], key: tuple[int, ...] | None = None, **options: Any
) -> Any:
    """Attention with all that is named, so that Keras lists the inputs in another order than `call` does."""

    def network() -> keras.Model:
        inputs = {
            "query": keras.Input(query),
            "value": keras.Input(value),
            **({"key": keras.Input(key)} if key else {}),
        }
        return keras.Model(list(inputs.values()), L.MultiHeadAttention(**options)(**inputs))

    return network


def masked_attention() -> keras.Model:
    query, value, mask = keras.Input((5, 8)), keras.Input((7, 6)), keras.Input((5, 7), dtype="bool")
    return keras.Model([query, value, mask], L.MultiHeadAttention(2, 4)(query, value, attention_mask=mask))


CONV = 8 * 8 * 9 * 4 * 4  # of 8 x 8 outputs, 3 x 3 places, from 4 channels to 4
LSTM = 4 * (3 * 5 + 5 * 5)  # one step: four gates of 5 units see 3 features and 5 units
GRU = 3 * (3 * 5 + 5 * 5)

BY_HAND: dict[str, tuple[Callable[[], keras.Model], int]] = {
    "perceptron": (
        lambda: through(L.Reshape((256,)), L.Dense(10), L.Dropout(0.5), L.Dense(3), L.Softmax()),
        256 * 10 + 10 * 3,
    ),
    "dense on rows": (lambda: through(L.Dense(5), shape=(7, 3)), 7 * 3 * 5),
    "a name of its own": (lambda: through(Renamed(5), shape=(7, 3)), 7 * 3 * 5),
    "a step of its own": (own_step, 6 * 7),
    "einsum": (lambda: through(L.EinsumDense("abc,cde->abde", (None, 5, 6)), shape=(7, 3)), 7 * 3 * 5 * 6),
    "einsum, any rank": (lambda: through(L.EinsumDense("...x,xy->...y", 6), shape=(2, 7, 3)), 2 * 7 * 3 * 6),
    "einsum, own rows": (lambda: through(L.EinsumDense("abc,bcd->abd", (7, 6)), shape=(7, 3)), 7 * 3 * 6),
    "beside others": (lambda: through(L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), keras.ops.relu), CONV),
    "causal": (lambda: through(L.Conv1D(5, 3, padding="causal", dilation_rate=2), shape=(9, 4)), 9 * 3 * 4 * 5),
    "three sides": (lambda: through(L.Conv3D(2, 2), shape=(4, 5, 6, 3)), 3 * 4 * 5 * 2 * 2 * 2 * 3 * 2),
    "groups": (lambda: through(L.Conv2D(8, 3, padding="same", groups=4)), 8 * 8 * 9 * 1 * 8),
    "dilation": (lambda: through(L.Conv2D(6, 3, dilation_rate=2, use_bias=False)), 4 * 4 * 9 * 4 * 6),
    "groups and dilation": (lambda: through(L.Conv2D(6, (3, 1), groups=2, dilation_rate=3)), 2 * 8 * 3 * 2 * 6),
    "channels first": (channels_first, 4 * 3 * 9 * 4 * 6 + 3 * 2 * 4 * 6 + 3 * 2 * 9 * 6 * 5),
    "depthwise": (
        lambda: through(L.DepthwiseConv2D(3, depth_multiplier=2), L.Conv2D(6, 1, groups=2)),
        6 * 6 * 9 * 4 * 2 + 6 * 6 * 4 * 6,
    ),
    "separable": (lambda: through(L.SeparableConv2D(8, 3, padding="same")), 8 * 8 * (9 * 4 + 4 * 8)),
    "separable, strides": (lambda: through(L.SeparableConv1D(8, 3, strides=2), shape=(9, 4)), 4 * (3 * 4 + 4 * 8)),
    "transposed": (lambda: through(L.Conv2DTranspose(8, 3, strides=2)), 8 * 8 * 9 * 4 * 8),
    "encoder and decoder": (
        lambda: through(L.Conv2D(6, 3, strides=2, padding="same"), L.UpSampling2D(), L.Conv2DTranspose(1, 2)),
        4 * 4 * 9 * 4 * 6 + 8 * 8 * 4 * 6 * 1,
    ),
    "residual": (residual, 4 * 4 * 9 * 4 * 8 + 4 * 4 * 4 * 8 + 8 * 10),
    "a layer twice": (used_twice, 2 * CONV),
    "a layer at two sizes": (used_at_two_sizes, CONV + CONV // 4),
    "a model twice": (model_used_twice, 2 * 2 * CONV),
    "a layer in and beside a model": (layer_shared_with_a_model_in_it, 3 * CONV),
    "siamese": (siamese, 2 * (6 * 6 * 9 * 4 * 6 + 216 * 5) + 10 * 2),
    "LSTM": (lambda: through(L.LSTM(5), shape=(7, 3)), 7 * LSTM),
    "LSTM, all steps, no bias": (
        lambda: through(L.LSTM(5, return_sequences=True, use_bias=False), L.Dense(2), shape=(7, 3)),
        7 * LSTM + 7 * 5 * 2,
    ),
    "GRU": (lambda: through(L.GRU(5), shape=(7, 3)), 7 * GRU),
    "GRU, reset before": (lambda: through(L.GRU(5, reset_after=False, unroll=True), shape=(7, 3)), 7 * GRU),
    "GRU with states": (with_states, 7 * GRU),
    "simple RNN": (lambda: through(L.SimpleRNN(5), shape=(7, 3)), 7 * (3 * 5 + 5 * 5)),
    "cells": (
        lambda: through(L.RNN([L.LSTMCell(5), L.GRUCell(2)]), shape=(7, 3)),
        7 * (LSTM + 3 * (5 * 2 + 2 * 2)),
    ),
    "both ways, summed": (lambda: through(L.Bidirectional(L.LSTM(5), merge_mode="sum"), shape=(7, 3)), 2 * 7 * LSTM),
    "both ways, two kinds": (
        lambda: through(
            L.Bidirectional(
                L.LSTM(5, return_sequences=True),
                backward_layer=L.GRU(2, return_sequences=True, go_backwards=True),
            ),
            shape=(7, 3),
        ),
        7 * LSTM + 7 * 3 * (3 * 2 + 2 * 2),
    ),
    "a convolution in time": (
        lambda: through(L.TimeDistributed(L.Conv2D(8, 3, padding="same")), shape=(5, 8, 8, 4)),
        5 * 8 * 8 * 9 * 4 * 8,
    ),
    "a model in time": (
        lambda: through(
            L.TimeDistributed(through(L.Conv2D(8, 3), L.Flatten(), L.Dense(3))), L.LSTM(5), shape=(7, 8, 8, 4)
        ),
        7 * (6 * 6 * 9 * 4 * 8 + 288 * 3) + 7 * LSTM,
    ),
    "in time in time": (
        lambda: through(L.TimeDistributed(L.TimeDistributed(L.Dense(5))), shape=(2, 7, 3)),
        2 * 7 * 3 * 5,
    ),
    "self-attention": (
        lambda: through(lambda x: L.MultiHeadAttention(2, 4)(x, x), shape=(8, 8)),
        3 * 8 * 8 * (2 * 4) + 2 * 8 * 8 * (2 * 4) + 8 * (2 * 4) * 8,
    ),
    "attention of other sizes": (
        attention((5, 8), (7, 6), (7, 3), num_heads=2, key_dim=4, value_dim=9, output_shape=11),
        (5 * 8 + 7 * 3) * 2 * 4 + 7 * 6 * 2 * 9 + 5 * 7 * 2 * (4 + 9) + 5 * 2 * 9 * 11,
    ),
    "masked attention": (masked_attention, (5 * 8 + 2 * 7 * 6) * 8 + 2 * 5 * 7 * 8 + 5 * 8 * 8),
    "gated attention": (
        attention((5, 8), (7, 6), num_heads=2, key_dim=4, value_dim=9, use_gate=True),
        (5 * 8 + 7 * 6) * 2 * 4 + (7 * 6 + 5 * 8) * 2 * 9 + 5 * 7 * 2 * (4 + 9) + 5 * 2 * 9 * 8,
    ),
    "attention along one axis": (
        attention((3, 5, 8), (3, 7, 6), num_heads=2, key_dim=4, attention_axes=2),
        3 * ((5 * 8 + 2 * 7 * 6) * 8 + 2 * 5 * 7 * 8 + 5 * 8 * 8),
    ),
    "attention over two axes": (
        attention((3, 5, 8), (2, 7, 6), num_heads=2, key_dim=4),
        (15 * 8 + 2 * 14 * 6) * 8 + 2 * 15 * 14 * 8 + 15 * 8 * 8,
    ),
}


@pytest.mark.parametrize(("network", "macs"), BY_HAND.values(), ids=BY_HAND)
def test_multiply_adds_by_hand(network: Any, macs: int) -> None:
    found = footprint(network, RECIPE)
    assert found.macs == found.known_macs == macs
    assert sum(layer.parameters for layer in found.layers) == found.parameters


# -- right or unknown ----------------------------------------------------------------------------------------------


class Block(L.Layer):
    """A layer made of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = L.Conv2D(8, 3, padding="same")

    def build(self, shape: Any) -> None:
        self.conv.build(shape)

    def call(self, x: Any) -> Any:
        return keras.ops.relu(self.conv(x))

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], 8)


class Twice(L.Dense):
    def call(self, x: Any, training: bool | None = None) -> Any:
        return super().call(x) + super().call(-x)


class TwiceInside(L.Conv2D):
    """Keras's own call, but not its own convolution."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, kernel) + super().convolution_op(-inputs, kernel)


class OwnKernel(L.Dense):
    @property
    def kernel(self) -> Any:
        return keras.ops.matmul(self._kernel, keras.ops.ones((4, 4)))


class Weightless(L.Layer):
    def call(self, x: Any) -> Any:
        return keras.ops.matmul(x, keras.ops.swapaxes(x, -1, -2))

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], shape[-2])


class WeightlessCell(L.Layer):
    state_size = 8

    def call(self, x: Any, states: Any) -> Any:
        y = keras.ops.matmul(x, keras.ops.ones((8, 8)))
        return y, [y]


class OwnCell(L.LSTMCell):
    def call(self, *arguments: Any, **options: Any) -> Any:
        return super().call(*arguments, **options)


class OwnOperation(keras.Operation):
    def call(self, x: Any) -> Any:
        return squared(x)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape)


class Unmade(keras.Model):
    """Keras counts it as built before its layers are."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.out = L.Flatten(), L.Dense(4)

    def call(self, x: Any) -> Any:
        return self.out(self.flat(x))

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], 4)


class OwnModel(Unmade):
    def build(self, shape: Any) -> None:
        self.out.build((None, 256))


class OwnSequential(keras.Sequential):
    def call(self, x: Any, **options: Any) -> Any:
        return super().call(x) + super().call(-x)


def squared(x: Any) -> Any:
    return keras.ops.matmul(x, x)


def built(model: keras.Model) -> keras.Model:
    model.build((None, 8, 8, 4))
    return model


def own_model() -> keras.Model:
    return built(OwnModel())


def own_sequential() -> keras.Model:
    inner = OwnSequential([keras.Input((8, 8, 4)), L.Conv2D(4, 3)])
    return through(inner)


def with_lora() -> keras.Model:
    return through(L.Dense(4, lora_rank=2), shape=(8,))


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: through(Block()), "Block"),
        (lambda: through(Twice(4)), "Twice"),
        (lambda: through(TwiceInside(4, 3)), "TwiceInside"),
        (lambda: through(OwnKernel(4)), "OwnKernel"),
        (lambda: through(Weightless(), shape=(8, 8)), "Weightless"),
        (lambda: through(L.SpectralNormalization(L.Dense(4)), shape=(8,)), "SpectralNormalization"),
        (lambda: through(L.Lambda(lambda x: x), shape=(8, 8)), "Lambda"),
        (lambda: through(L.Activation(squared), shape=(8, 8)), "Activation"),
        (lambda: through(L.Dense(8, activation=squared), shape=(8, 8)), "Dense"),
        (with_lora, "Dense"),
        (lambda: through(L.TimeDistributed(Block()), shape=(5, 8, 8, 4)), "TimeDistributed"),
        (lambda: through(L.TimeDistributed(Weightless()), shape=(5, 8, 8)), "TimeDistributed"),
        (lambda: through(L.TimeDistributed(own_model()), shape=(5, 8, 8, 4)), "TimeDistributed"),
        (lambda: through(L.RNN(WeightlessCell()), shape=(8, 8)), "RNN"),
        (lambda: through(L.RNN(OwnCell(8)), shape=(8, 8)), "RNN"),
        (lambda: through(L.ConvLSTM1D(8, 3), shape=(8, 8, 2)), "ConvLSTM1D"),
        (lambda: through(L.Bidirectional(L.ConvLSTM1D(8, 3)), shape=(8, 8, 2)), "Bidirectional"),
        (lambda: through(lambda x: L.Attention()([x, x]), shape=(8, 8)), "Attention"),
        (lambda: through(lambda x: L.Dot(1)([x, x]), shape=(8, 8)), "Dot"),
        (lambda: through(L.MelSpectrogram(), shape=(1600,)), "MelSpectrogram"),
        (lambda: through(lambda x: keras.ops.matmul(x, x), shape=(8, 8)), "Matmul"),
        (lambda: through(lambda x: keras.ops.depthwise_conv(x, keras.ops.ones((3, 3, 4, 1)))), "DepthwiseConv"),
        (lambda: through(keras.ops.inv, shape=(8, 8)), "Inv"),
        (lambda: through(OwnOperation(), shape=(8, 8)), "OwnOperation"),
        (own_model, "OwnModel"),
        (lambda: through(own_model()), "OwnModel"),
        (own_sequential, "OwnSequential"),
        # sizes that are not known
        (lambda: through(L.Conv2D(4, 3), L.GlobalAveragePooling2D(), L.Dense(2), shape=(None, None, 1)), "Conv2D"),
        (lambda: through(L.Dense(4), shape=(None, 3)), "Dense"),
        (lambda: through(L.LSTM(4), shape=(None, 3)), "LSTM"),
        (lambda: through(L.Bidirectional(L.GRU(4)), shape=(None, 3)), "Bidirectional"),
        (lambda: through(L.TimeDistributed(L.Dense(4)), shape=(None, 5, 3)), "TimeDistributed"),
        (lambda: through(lambda x: L.MultiHeadAttention(2, 4)(x, x), shape=(None, 8)), "MultiHeadAttention"),
        (lambda: through(through(L.Conv2D(4, 3), shape=(None, None, 4))), "Conv2D"),
    ],
)
def test_one_layer_without_a_formula_makes_the_sum_unknown_and_is_named(network: Any, named: str) -> None:
    found = footprint(network, RECIPE)
    assert found.known_macs is None
    with pytest.raises(TrainingError, match=rf"\({named}\) are unknown"):
        _ = found.macs
    assert sum(layer.parameters for layer in found.layers) == found.parameters


@pytest.mark.parametrize("wrapped", [lambda model: model, L.TimeDistributed], ids=["nested", "in time"])
@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_keras_refuses_a_model_at_other_sizes_than_its_graphs(kind: str, wrapped: Any) -> None:
    """Else the multiply-adds of its graph would not be those of the use."""
    layers = L.Conv2D(8, 3), L.GlobalMaxPooling2D()
    model = through(*layers) if kind == "functional" else keras.Sequential([keras.Input((8, 8, 4)), *layers])
    with pytest.raises(ValueError, match="incompatible"):
        wrapped(model)(keras.Input((5, 16, 16, 4) if wrapped is L.TimeDistributed else (16, 16, 4)))


def test_sizes_that_are_not_known_do_not_matter_to_what_is_no_product() -> None:
    network = through(L.GlobalAveragePooling2D(), L.Dense(2), shape=(None, None, 4))
    assert footprint(network, RECIPE).macs == 4 * 2


def test_a_network_without_its_weights_has_no_figures() -> None:
    with pytest.raises(TrainingError, match="not a built keras"):
        footprint(lambda: keras.Sequential([L.Dense(4)]), RECIPE)


class Shortcut(L.Layer):
    """As in many residual networks: a layer that some uses need and others don't."""

    def __init__(self, project: bool) -> None:
        super().__init__()
        self.wanted, self.conv = project, L.Conv2D(4, 1)

    def call(self, x: Any) -> Any:
        return self.conv(x) if self.wanted else x

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], 4)


@pytest.mark.filterwarnings("ignore:.*not have a `build")
@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: built(Unmade()), "dense"),
        (lambda: through(L.TimeDistributed(Shortcut(True)), shape=(5, 8, 8, 4)), "conv2d"),
    ],
)
def test_weights_that_are_not_made_yet_are_not_counted_as_none(network: Any, named: str) -> None:
    with pytest.raises(TrainingError, match=rf"The weights of {named}\w* in \w+ are not made yet"):
        footprint(network, RECIPE)


@pytest.mark.filterwarnings("ignore:.*not have a `build")
def test_a_layer_that_is_not_used_has_no_weights() -> None:
    found = footprint(lambda: through(Shortcut(False), Shortcut(True), L.Dense(2)), RECIPE)
    assert found.parameters == 20 + 10


# -- an independent counter ----------------------------------------------------------------------------------------


def profiled(model: Any) -> dict[str, int]:
    """Multiply-adds of one sample by TensorFlow's own profiler, by kind of operation."""
    import tensorflow as tf

    profiler = tf.compat.v1.profiler
    one = tf.TensorSpec((1, *model.input_shape[1:]))
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(one).graph

    def float_operations(kind: str) -> int:
        options = profiler.ProfileOptionBuilder.float_operation()
        options |= {"account_type_regexes": [f"^{kind}$"], "output": "none"}
        return profiler.profile(graph, cmd="op", options=options).total_float_ops

    return {kind: float_operations(kind) // 2 for kind in ("Conv2D", "DepthwiseConv2dNative", "MatMul")}


def counted(model: Any) -> dict[str, int]:
    """Ours, by the same kinds: a separable convolution is a depthwise one (its first kernel) and a plain one."""
    found = dict.fromkeys(("Conv2D", "DepthwiseConv2dNative", "MatMul"), 0)
    kinds = {"Conv2D": "Conv2D", "DepthwiseConv2D": "DepthwiseConv2dNative", "SeparableConv2D": "Conv2D"}
    for facts in footprint(lambda: model, RECIPE).layers:
        found[kinds.get(facts.kind, "MatMul")] += facts.macs or 0
        if facts.kind == "SeparableConv2D":
            first, second = (kernel.shape for kernel in model.get_layer(facts.name).weights[:2])
            depthwise = (facts.macs or 0) * first[0] * first[1] // (first[0] * first[1] + second[-1])
            found["DepthwiseConv2dNative"] += depthwise
            found["Conv2D"] -= depthwise
    return found


@pytest.mark.skipif("keras.backend.backend() != 'tensorflow'", reason="the profiler is TensorFlow's")
@pytest.mark.parametrize(
    ("name", "side"),
    [("VGG16", 64), ("ResNet50", 64), ("MobileNetV2", 64), ("EfficientNetB0", 64), ("Xception", 71)],
)
def test_multiply_adds_of_known_networks_are_those_of_tensorflows_profiler(name: str, side: int) -> None:
    model = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3))
    assert counted(model) == profiled(model)


@pytest.mark.skipif("keras.backend.backend() != 'tensorflow'", reason="the profiler is TensorFlow's")
def test_grouped_convolutions_are_all_that_the_profiler_does_not_see() -> None:
    """Keras calls those in a function of their own, which the profiler does not look into."""
    model = keras.applications.ConvNeXtTiny(weights=None, input_shape=(32, 32, 3))
    # blocks of a stage, its side and its channels; each has one convolution of 7 x 7 places a channel
    stages = (3, 8, 96), (3, 4, 192), (9, 2, 384), (3, 1, 768)
    grouped = sum(blocks * side * side * channels * 7 * 7 for blocks, side, channels in stages)
    seen = profiled(model)
    assert counted(model) == seen | {"Conv2D": seen["Conv2D"] + grouped}


@pytest.mark.skipif("keras.backend.backend() != 'tensorflow'", reason="the profiler is TensorFlow's")
@pytest.mark.parametrize(
    "layer",
    [
        lambda: L.LSTM(5, unroll=True),
        lambda: L.GRU(5, unroll=True),
        lambda: L.GRU(5, unroll=True, reset_after=False),
        lambda: L.SimpleRNN(5, unroll=True, return_sequences=True),
        lambda: L.Bidirectional(L.LSTM(5, unroll=True), merge_mode="mul"),
        lambda: L.RNN(L.GRUCell(2), unroll=True),
        lambda: L.TimeDistributed(keras.Sequential([keras.Input((3,)), L.Dense(5), L.Dense(2)])),
    ],
)
def test_multiply_adds_in_time_are_those_of_tensorflows_profiler(layer: Any) -> None:
    """With its loop unrolled, since the profiler counts the body of a loop once.

    Cells in a stack are left out: Keras traces a step more for them, which nothing uses and the profiler counts.
    """
    model = through(layer(), shape=(7, 3))
    assert counted(model) == profiled(model)
    assert counted(model)["MatMul"] > 0


# -- parameters once, activations at each use ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "parameters", "values"),
    [
        (used_twice, 148, 2 * 256),
        (used_at_two_sizes, 148, 256 + 64 + 64),
        (model_used_twice, 2 * 148, 2 * 2 * 256 + 256),
        (layer_shared_with_a_model_in_it, 148, 3 * 256 + 256),
        (siamese, 222 + 216 * 5 + 5 + 22, 2 * (6 * 6 * 6 + 5) + 10 + 2),
        (
            lambda: through(lambda x: L.LSTM(5, return_sequences=True, return_state=True)(x)[0], shape=(7, 3)),
            4 * (3 * 5 + 5 * 5 + 5),
            7 * 5 + 5 + 5,
        ),
    ],
    ids=["a layer twice", "at two sizes", "a model twice", "in and beside a model", "siamese", "several outputs"],
)
def test_parameters_count_once_and_activations_at_each_use(network: Any, parameters: int, values: int) -> None:
    found = footprint(network, RECIPE)
    assert found.parameters == sum(layer.parameters for layer in found.layers) == parameters
    assert found.activation_bytes == found.known_activation_bytes == 4 * values


def test_activations_have_the_precision_of_their_layer() -> None:
    network = through(L.Dense(16, dtype="mixed_float16"), L.Dense(4, dtype="float32"), shape=(8,))
    assert footprint(network, RECIPE).activation_bytes == 2 * 16 + 4 * 4


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: through(L.Conv2D(4, 3), shape=(None, None, 1)), "Conv2D"),
        (lambda: through(Block()), "Block"),
        (own_model, "OwnModel"),
        (lambda: through(own_model()), "OwnModel"),
        (lambda: through(L.TimeDistributed(Block()), shape=(5, 8, 8, 4)), "TimeDistributed"),
        (lambda: through(L.TimeDistributed(through(L.Flatten())), shape=(5, 8, 8, 4)), "TimeDistributed"),
    ],
)
def test_outputs_inside_code_of_ones_own_or_without_a_size_are_unknown(network: Any, named: str) -> None:
    found = footprint(network, RECIPE)
    assert found.known_activation_bytes is None
    for figure in (lambda: found.activation_bytes, lambda: found.training_bytes(32)):
        with pytest.raises(TrainingError, match=rf"activations of .*\({named}\)"):
            figure()
