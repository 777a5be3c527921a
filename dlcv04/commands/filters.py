"""``dlcv04 filters``: a grid of pictures that excite the filters of a convolution."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from dlcv04 import bases, datasets, networks, recipes, weights
from dlcv04.datasets import Source
from dlcv04.visualization import classifiers, filters, tiles

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line.

    Attributes:
        model: vgg16, cifar10 or the path of a ``.keras`` file.
        layer: in the seed's or Keras's spelling; "" for the seed's, or a file's last convolution.
        count: the first so many filters that answer to noise; 0 for all.
        size: pixels a side, where the model does not fix them.
        steps: up the gradient.
        weights: VGG16's; "" for the best that are there.
        pixels: how a file's model takes its pixels.
        data: source of CIFAR-10.
        profile: size of the training on it.
        seed: draws the noise.
        out: the PNG.
    """

    model: str
    layer: str
    count: int
    size: int | None
    steps: int
    weights: str
    pixels: networks.Pixels
    data: Source
    profile: str
    seed: int
    out: Path


def write(asked: Asked, say: Callable[[str], None]) -> None:
    """Excite the filters and write their grid.

    Raises:
        ValueError: a model, layer, size, file or weights that do not fit; the message is one sentence for people.
        OSError: the PNG can't be written.
    """
    tiles.require_folder(asked.out)
    model, layer, takes = _model(asked, say)
    settings: dict[str, Any] = {"ascent": filters.Ascent(steps=asked.steps), "seed": asked.seed, **takes}
    answering = filters.answering(model, layer, **settings)
    chosen = answering[: asked.count] if asked.count else None
    if not len(answering):
        raise filters.VisualizationError(f"No filter of {layer!r} answers to noise: all are dead.")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("climbing")
        found = filters.excite(
            model, layer, chosen, on_step=lambda done, of: progress.update(task, completed=done, total=of), **settings
        )
    order = found.best()
    tiles.write_png(asked.out, tiles.grid(filters.shown(found.pictures[order])))
    say(
        f"{found.layer}: {len(order)} filters, the most excited first; {len(answering)} of "
        f"{model.get_layer(found.layer).output.shape[-1]} answer to noise, {found.dead} of those tried are dead"
    )
    say("first row: " + ", ".join(f"{found.filters[place]} ({found.after[place]:.3g})" for place in order[:8]))
    say(f"stored: {asked.out}")


def _model(asked: Asked, say: Callable[[str], None]) -> tuple["keras.Model", str, dict[str, Any]]:
    """The model, the layer and what pictures it takes, as arguments."""
    if asked.model == "vgg16":
        source, size, layer = (
            asked.weights or weights.available(dense=False),
            asked.size or 128,
            asked.layer or "conv5_1",
        )
        base = bases.vgg16_base(source, input_shape=(size, size, 3), until=layer)
        say(base.provenance)
        return base.model, layer, {}
    if asked.model == "cifar10":
        data = datasets.load("cifar10", asked.data)
        base = bases.trained_base(
            networks.cifar_convnet,
            data,
            recipes.cifar_recipe(asked.profile),
            tell=say,
            on_epoch=lambda number, epoch: say(f"training: epoch {number}, accuracy {epoch.val_accuracy:.3f}"),
        )
        say(base.provenance)
        return base.model, asked.layer or "conv4", {"size": asked.size}
    model = classifiers.read_model(asked.model)
    layer = asked.layer or (filters.convolutions(model) or [""])[-1]
    return model, layer, {"size": asked.size, "pixels": asked.pixels}
