"""The networks that Tasks 3 and 5 look into: VGG16 with stored weights, and the CIFAR-10 net trained by its recipe."""

from functools import cache

from dlcv04 import bases, datasets, networks, recipes, weights


def stored_weights(claim):
    """VGG16's weights: imagenet, as the seed's were, else hed; without either None, and the claim stays open."""
    try:
        return weights.available(dense=False)
    except weights.WeightsError as error:
        claim.lacks(str(error))
        return None


@cache
def cifar_net(profile, source):
    """The CIFAR-10 net without its last layer, trained once at the profile's size and kept on disk."""
    return bases.trained_base(networks.cifar_convnet, datasets.load("cifar10", source), recipes.cifar_recipe(profile))
