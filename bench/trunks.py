"""The networks that Tasks 3 and 5 look into: VGG16 with stored weights, and the CIFAR-10 net trained by its recipe."""

from functools import cache

from dlcv04 import bases, networks, recipes, weights


def stored_weights(claim, *, dense=False):
    """VGG16's weights: imagenet, as in 2016, else hed; without either None, and the claim stays open.

    With `dense` imagenet counts only with its dense layers.
    """
    try:
        return weights.available(dense=dense)
    except weights.WeightsError as error:
        claim.lacks(str(error))
        return None


@cache
def cifar_net(profile, cifar10, progress):
    """The CIFAR-10 net without its last layer, trained once at the profile's size and kept on disk."""
    return bases.trained_base(
        networks.cifar_convnet,
        cifar10,
        recipes.cifar_recipe(profile),
        on_epoch=lambda number, epoch: progress("training on CIFAR-10", f"epoch {number}, {epoch.val_accuracy:.3f}"),
    )
