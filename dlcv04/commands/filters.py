"""``dlcv04 filters``: a grid of pictures that excite the filters of a convolution."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcv04.commands.options import DeviceName, PixelKind, Source
from dlcv04.commands.speech import bar, refusing, say, select_device
from dlcv04.harness.policy import Profile

if TYPE_CHECKING:
    import keras

    from dlcv04.harness.policy import Data


def filters(
    model: Annotated[str, typer.Argument(help="vgg16, cifar10 (trained here) or a .keras file")] = "vgg16",
    layer: Annotated[str, typer.Option(help="a convolution (default: conv5_1, conv4, or a file's last one)")] = "",
    count: Annotated[int, typer.Option("--filters", min=0, help="the first that answer to noise; 0 for all")] = 64,
    size: Annotated[int | None, typer.Option(min=8, help="pixels a side (default: 128, or the model's own)")] = None,
    steps: Annotated[int, typer.Option(min=1, help="steps up the gradient")] = 20,
    weights: Annotated[
        str, typer.Option(help="of vgg16: imagenet, hed, random or a file (default: what is there)")
    ] = "",
    pixels: PixelKind = "unit",
    data: Source = "auto",
    profile: Annotated[Profile, typer.Option(help="how long cifar10 is trained")] = "standard",
    seed: Annotated[int, typer.Option(min=0, help="draws the noise")] = 0,
    device: DeviceName = "auto",
    out: Annotated[Path, typer.Option(help="the PNG")] = Path("filters.png"),
) -> None:
    """Draw what the filters of a convolution look for.

    Each picture in the grid starts as noise and climbs the gradient until it excites its filter.
    """
    from dlcv04.visualization import classifiers, tiles
    from dlcv04.visualization import filters as ascent

    select_device(device)
    with refusing():
        tiles.require_folder(out)
        takes: dict[str, Any] = {"size": size}
        if model == "vgg16":
            layer = layer or "conv5_1"
            network, takes = _vgg16(weights, size or 128, layer), {}
        elif model == "cifar10":
            network, layer = _cifar10(data, profile), layer or "conv4"
        else:
            network, takes["pixels"] = classifiers.read_model(model), pixels
            layer = layer or (ascent.convolutions(network) or [""])[-1]
        settings: dict[str, Any] = {"ascent": ascent.Ascent(steps=steps), "seed": seed, **takes}
        _show(network, layer, count, settings, out)


def _vgg16(weights: str, size: int, layer: str) -> keras.Model:
    from dlcv04 import bases
    from dlcv04 import weights as stored

    source = weights or stored.available(dense=False)
    base = bases.vgg16_base(source, input_shape=(size, size, 3), until=layer)
    say(base.provenance)
    return base.model


def _cifar10(data: Data, profile: Profile) -> keras.Model:
    from dlcv04 import bases, datasets, networks, recipes

    base = bases.trained_base(
        networks.cifar_convnet,
        datasets.load("cifar10", data),
        recipes.cifar_recipe(profile),
        tell=say,
        on_epoch=lambda number, epoch: say(f"training: epoch {number}, accuracy {epoch.val_accuracy:.3f}"),
    )
    say(base.provenance)
    return base.model


def _show(model: keras.Model, layer: str, count: int, settings: dict[str, Any], out: Path) -> None:
    """Excite the first `count` filters that answer, write their grid, and say what it shows."""
    from dlcv04.visualization import filters, tiles

    answering = filters.answering(model, layer, **settings)
    if not len(answering):
        raise filters.VisualizationError(f"No filter of {layer!r} answers to noise: all are dead.")
    with bar() as progress:
        task = progress.add_task("climbing")
        found = filters.excite(
            model,
            layer,
            answering[:count] if count else None,
            on_step=lambda done, of: progress.update(task, completed=done, total=of),
            **settings,
        )
    order = found.best()
    tiles.write_png(out, tiles.grid(filters.shown(found.pictures[order])))
    say(
        f"{found.layer}: {len(order)} filters, the most excited first; {len(answering)} of "
        f"{model.get_layer(found.layer).output.shape[-1]} answer to noise, {found.dead} of those tried are dead"
    )
    say("first row: " + ", ".join(f"{found.filters[place]} ({found.after[place]:.3g})" for place in order[:8]))
    say(f"stored: {out}")
