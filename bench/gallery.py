"""Where Task 3's filters are excited: each layer once a session, however many claims look at it."""

from dataclasses import dataclass
from functools import cache, partial

from trunks import cifar_net

from dlcv04 import backends, bases, datasets, networks, seeding
from dlcv04.visualization import filters, tiles

COLUMNS = 8  # on the slides too


@dataclass(frozen=True)
class Sizes:
    """Filters that are compared, pixels a side of VGG16's pictures, tiles of a layer that are shown, steps."""

    filters: int
    side: int
    shown: int
    steps: int = 20


SIZES = {
    "smoke": Sizes(8, 64, shown=8, steps=10),
    "standard": Sizes(16, 128, shown=16),
    "paper": Sizes(64, 128, shown=32),
}


class Gallery:
    """The CIFAR-10 net and VGG16's trunk, and what their filters look for.

    `weights` are VGG16's; None is the CIFAR-10 net. What is not `trained` has weights that the seed draws.
    """

    def __init__(self, profile, source, progress):
        self.profile, self.progress, self.sizes = profile, progress, SIZES[profile]
        self._cifar10 = cache(partial(datasets.load, "cifar10", source))
        self._excite = cache(self._climb)

    def _model(self, layer, weights, trained=True, seed=0):
        if weights is not None:
            side = self.sizes.side
            source = weights if trained else "random"
            return bases.vgg16_base(source, input_shape=(side, side, 3), until=layer, seed=seed).model
        if trained:
            return cifar_net(self.profile, self._cifar10(), self.progress).model
        with seeding.seeded(seed):
            return networks.cifar_convnet()

    def _climb(self, layer, weights, trained=True, seed=0):
        model = self._model(layer, weights, trained, seed)
        # Of VGG16's 512 those that answer to noise, half as many again as are compared: by its end some are dead.
        chosen = filters.answering(model, layer, seed=seed)[: 3 * self.sizes.filters // 2] if weights else None
        return filters.excite(model, layer, chosen, ascent=filters.Ascent(steps=self.sizes.steps), seed=seed)

    def entropy(self, seed, layer, weights=None, count=None, trained=True, draw=0):
        """An arm: nats of each picture that one of the first filters looks for, the dead ones left out."""
        found = self._excite(layer, weights, trained, seed + draw)
        return filters.spectral_entropy(found.pictures[found.alive])[: count or self.sizes.filters]

    def pictures(self, seed, batch_size=None, steps_more=0):
        """An arm: the pixels of a few filters of the CIFAR-10 net, in grey levels."""
        model, ascent = self._model("conv3", None), filters.Ascent(steps=self.sizes.steps + steps_more)
        return filters.excite(model, "conv3", range(6), ascent=ascent, seed=seed, batch_size=batch_size).pictures

    def roughness(self, seed, layer, weights=None, trained=True, draw=0):
        """An arm: cycles a pixel of each kernel of a first layer."""
        model = self._model(layer, weights, trained, seed + draw)
        kernel = backends.to_numpy(model.get_layer(networks.keras_spelling(layer)).kernel)
        return filters.roughness(kernel.transpose(3, 0, 1, 2))

    def grid(self, layer, weights=None):
        """The most excited filters, as the slides show them."""
        found = self._excite(layer, weights)
        return tiles.page_sized(tiles.grid(filters.shown(found.pictures[found.best(self.sizes.shown)]), COLUMNS))

    def caption(self, layer, weights=None):
        """How many filters are shown, left out and dead."""
        found = self._excite(layer, weights)
        shown = len(found.best(self.sizes.shown))
        return f"The {shown} most excited of {len(found.filters)} filters, highest first; {found.dead} are dead."


@cache
def gallery(profile, source, progress):
    """The gallery of a profile and a source of data."""
    return Gallery(profile, source, progress)
