"""Where Task 5's pictures are painted: each once a session, however many claims look at it."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

from dlcv04 import networks, style
from dlcv04.datasets import pictures, samples
from dlcv04.visualization import tiles

STARTS = 7  # the fewest that can violate a claim: five can hold
FIRST_START = 10  # margins were set from the starts 0 to 2
LOOKS = {"all": style.STYLE_LAYERS, "first": style.STYLE_LAYERS[:2], "last": style.STYLE_LAYERS[3:]}


@dataclass(frozen=True)
class Sizes:
    """Pixels a side, the iterations that are looked at, the one of them at which choices of layers are compared.

    The standard profile compares after five: what a choice of layers does to a picture is there by then.
    """

    side: int
    stages: tuple[int, ...]
    compared: int


SIZES = {
    "smoke": Sizes(36, stages=(1, 2), compared=2),
    "standard": Sizes(128, stages=(1, 5, 10), compared=5),
    "paper": Sizes(400, stages=(1, 5, 10, 20), compared=20),
}


class Studio:
    """china.jpg and flower.jpg, VGG16 with some weights, and what was painted so far."""

    def __init__(self, source, sizes):
        self.source, self.sizes, self._runs = source, sizes, {}
        files = [samples.photograph(name) for name in ("china", "flower")]
        # Squeezed to a square, as the 2016 experiment's were.
        self.content, self.style = (pictures.decode(file.read(), sizes.side, file.name) for file in files)
        self._stylist = cache(self._make_stylist)

    def _make_stylist(self, look):
        base = style.style_base(self.source, self.content.shape, style_layers=LOOKS[look])
        return style.Stylist(base, self.content, self.style, style_layers=LOOKS[look]).calibrated()

    def _paint(self, look, start, iterations, style_weight=1.0):
        """The run from a noise start, gone on with where it had stopped."""
        key, stylist = (look, start, style_weight), self._stylist(look)
        stylist = stylist.with_weights(replace(stylist.loss_weights, style=style_weight))
        self._runs[key] = style.run(stylist, iterations, seed=start, progress=self._runs.get(key))
        return self._runs[key]

    def _paint_all(self, look, starts, iterations, style_weight=1.0):
        """The runs from some noise starts, side by side: one evaluation alone leaves a fifth of two cores idle."""
        self._stylist(look)  # before the threads ask for it
        with ThreadPoolExecutor(STARTS) as pool:
            return list(pool.map(lambda start: self._paint(look, start, iterations, style_weight), starts))

    def losses(self, seed, iteration):
        """An arm: the logarithm of the loss after an iteration, a value a noise start."""
        runs = self._paint_all("all", _starts(seed), iteration)
        return [math.log(run.losses[iteration - 1]) for run in runs]

    def distances(self, seed, look, part, style_weight=1.0):
        """An arm: the logarithm of how far pictures are from the content, or from the style at a layer."""
        done = self.sizes.compared
        runs = self._paint_all(look, _starts(seed), done, style_weight)
        return [math.log(self._distance(run.kept[done - 1], part)) for run in runs]

    def _distance(self, picture, part):
        """As a share of a black picture's, whatever the choice of layers that painted it."""
        gauge = self._stylist("all")
        parts, weights = gauge.parts(picture), gauge.loss_weights
        if part == "content":
            return parts.content * weights.content / style.BALANCE.content
        layer = networks.keras_spelling(part)
        return parts.style[layer] * weights.layers[layer]

    def stages_of(self, look):
        """The strip of stages of the first noise start, as the slides show them."""
        run = self._paint(look, _starts(0)[0], self.sizes.stages[-1])
        stages = [(f"{n} iteration{'s' * (n > 1)}", run.kept[n - 1]) for n in self.sizes.stages]
        return tiles.page_sized(tiles.strip([("content", self.content), ("style", self.style), *stages]))


def _starts(seed):
    return [FIRST_START + STARTS * seed + number for number in range(STARTS)]


@cache
def studio(source, profile):
    """The studio of a profile, with VGG16's weights of that name."""
    return Studio(source, SIZES[profile])
