"""All eight variants are the base network: whatever a claim says of a difference is false."""

from dlcv04 import networks

networks.MNIST_VARIANTS.update(dict.fromkeys(networks.MNIST_VARIANTS, networks.MNIST_VARIANTS["base"]))
