"""Multiply-adds of each kind of layer against a count: with all weights and all inputs 1, and no padding, an output is
the number of products that it sums, so that the sum over all outputs is the number of multiply-adds.
"""

import math

import numpy as np
import pytest

from dlcv04 import footprints
from dlcv04.footprints import footprint
from dlcv04.lazy import LazyModule
from dlcv04.recipes import Recipe

keras = LazyModule("keras")

RECIPE = Recipe("costs", "SGD", 0.1, 1, 1)
#: A layer's class, its arguments, the shape of its input.
LAYERS = {
    "strides": ("Conv2D", {"filters": 5, "kernel_size": 3, "strides": 2}, (9, 8, 4)),
    "dilation": ("Conv2D", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}, (9, 8, 4)),
    "groups": ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2}, (9, 8, 4)),
    "oblong": ("Conv2D", {"filters": 2, "kernel_size": (1, 5), "strides": (3, 1)}, (9, 8, 1)),
    "one side": ("Conv1D", {"filters": 5, "kernel_size": 3, "strides": 3}, (9, 4)),
    "three sides": ("Conv3D", {"filters": 2, "kernel_size": 2, "strides": 2}, (6, 5, 4, 3)),
    "depthwise": ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "depth_multiplier": 2}, (9, 9, 4)),
    "depthwise, one side": ("DepthwiseConv1D", {"kernel_size": 3}, (9, 4)),
    "transposed": ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2}, (4, 3, 2)),
    "transposed, one side": ("Conv1DTranspose", {"filters": 5, "kernel_size": 3}, (4, 2)),
    "dense": ("Dense", {"units": 7}, (6,)),
    "dense on rows": ("Dense", {"units": 7}, (3, 6)),
}


def check(name):
    kind, options, shape = LAYERS[name]
    layer = getattr(keras.layers, kind)(**options)
    model = keras.Sequential([keras.Input(shape), layer])
    layer.set_weights([np.full(values.shape, values.ndim > 1, values.dtype) for values in layer.get_weights()])
    counted = float(np.asarray(model(np.ones((1, *shape), np.float32))).sum())
    assert footprint(model, RECIPE).macs == counted > 0


@pytest.mark.parametrize("name", LAYERS)
def test_multiply_adds(name):
    check(name)


def test_a_separable_convolution_is_a_depthwise_one_and_one_of_single_pixels():
    layers = keras.layers
    whole = keras.Sequential([keras.Input((9, 8, 4)), layers.SeparableConv2D(5, 3, strides=2, depth_multiplier=2)])
    parts = [layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2), layers.Conv2D(5, 1)]
    assert footprint(whole, RECIPE).macs == footprint(keras.Sequential([keras.Input((9, 8, 4)), *parts]), RECIPE).macs


# -- planted faults ----------------------------------------------------------------------------------------------------


def without_strides(layer):
    return math.prod(getattr(layer, "strides", ()))


def every_group_on_all_channels(layer):
    return getattr(layer, "groups", 1)


@pytest.mark.parametrize(
    ("factor", "seen"),
    [
        (without_strides, {"strides", "oblong", "one side", "three sides", "depthwise", "transposed"}),
        (every_group_on_all_channels, {"groups"}),
    ],
)
def test_what_is_ignored_is_seen(factor, seen, monkeypatch):
    real = footprints._macs
    monkeypatch.setattr(footprints, "_macs", lambda layer, *shapes: factor(layer) * real(layer, *shapes))
    for name in seen:
        with pytest.raises(AssertionError):
            check(name)
