"""Every hidden fully connected layer has twice its units."""

from functools import partial

from dlcv04 import networks

mnist_convnet = networks.mnist_convnet


def faulty(*, dense_units=(128,), **arguments):
    return mnist_convnet(dense_units=tuple(2 * units for units in dense_units), **arguments)


faulty.__name__ = "mnist_convnet"
for name, variant in networks.MNIST_VARIANTS.items():
    networks.MNIST_VARIANTS[name] = partial(faulty, **variant.keywords)
