"""The base network lost a conv layer, though it is declared as before."""

from functools import partial

from dlcv04 import networks

mnist_convnet = networks.mnist_convnet


def faulty(**arguments):
    return mnist_convnet(**{"conv_layers": 1, **arguments})


faulty.__name__ = "mnist_convnet"
networks.MNIST_VARIANTS["base"] = partial(faulty)
