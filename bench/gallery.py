"""Where Task 3's filters are excited: each layer once a session, however many claims look at it."""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from trunks import cifar_net

from dlcv04 import backends, bases, datasets, networks, seeding
from dlcv04.visualization import filters, tiles

COLUMNS = 8  # on the slides too


@dataclass(frozen=True)
class Sizes:
    """Filters of VGG16's layer, pixels a side, steps; how many tiles of a layer are shown, and how many filters of
    each layer of the small net are excited: all of them where None.
    """

    filters: int
    side: int
    shown: int
    steps: int = 20
    of_small: int | None = None


SIZES = {
    "smoke": Sizes(8, 64, shown=8, steps=10, of_small=12),
    "standard": Sizes(16, 128, shown=16),
    "paper": Sizes(64, 128, shown=32),
}


class Gallery:
    """The CIFAR-10 net and VGG16's trunk, and what their filters look for."""

    def __init__(self, profile, source, progress):
        self.profile, self.progress, self.sizes = profile, progress, SIZES[profile]
        self._cifar10 = cache(partial(datasets.load, "cifar10", source))
        self._excite = cache(self._climb)

    def _model(self, layer, weights):
        if weights is None:
            return cifar_net(self.profile, self._cifar10(), self.progress).model
        side = self.sizes.side
        return bases.vgg16_base(weights, input_shape=(side, side, 3), until=layer).model

    def _climb(self, layer, weights, steps, seed):
        model = self._model(layer, weights)
        if weights is None:
            chosen = self.sizes.of_small and range(self.sizes.of_small)
        else:  # of 512 the first that answer to noise, since most steps of the rest are idle
            chosen = filters.answering(model, layer, seed=seed)[: self.sizes.filters]
        ascent = filters.Ascent(steps=self.sizes.steps if steps is None else steps)
        return filters.excite(model, layer, chosen, ascent=ascent, seed=seed)

    def activation(self, seed, layer, weights=None, before=False, steps=None):
        """An arm: the logarithm of the mean activation of each filter that is not dead."""
        found = self._excite(layer, weights, steps, seed)
        return np.log((found.before if before else found.after)[found.alive])

    def pictures(self, seed, batch_size=None, steps_more=0):
        """An arm: the pixels of a few filters of the CIFAR-10 net, in grey levels."""
        model, ascent = self._model("conv3", None), filters.Ascent(steps=self.sizes.steps + steps_more)
        return filters.excite(model, "conv3", range(6), ascent=ascent, seed=seed, batch_size=batch_size).pictures

    def roughness(self, seed, layer, weights=None, trained=True, draw=0):
        """An arm: cycles a pixel of each kernel of a first layer, trained or drawn at random."""
        seed += draw
        if layer == "conv1":
            with seeding.seeded(seed):
                model = (
                    cifar_net(self.profile, self._cifar10(), self.progress).model
                    if trained
                    else networks.cifar_convnet()
                )
        else:
            weights = weights if trained else "random"
            model = bases.vgg16_base(weights, input_shape=(32, 32, 3), until=layer, seed=seed).model
        kernel = backends.to_numpy(model.get_layer(networks.keras_spelling(layer)).kernel)
        return filters.roughness(kernel.transpose(3, 0, 1, 2))

    def grid(self, layer, weights=None):
        """The most excited filters, as the slides show them."""
        found = self._excite(layer, weights, None, 0)
        return tiles.page_sized(tiles.grid(filters.shown(found.pictures[found.best(self.sizes.shown)]), COLUMNS))

    def caption(self, layer, weights=None):
        """How many filters are shown, left out and dead."""
        found = self._excite(layer, weights, None, 0)
        shown = len(found.best(self.sizes.shown))
        return f"The {shown} most excited of {len(found.filters)} filters, highest first; {found.dead} are dead."


@cache
def gallery(profile, source, progress):
    """The gallery of a profile and a source of data."""
    return Gallery(profile, source, progress)
