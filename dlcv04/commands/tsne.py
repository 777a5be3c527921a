"""``dlcv04 tsne``: a map of pictures, where neighbours are alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcv04.commands.options import PixelKind, Source
from dlcv04.commands.speech import refusing, say

if TYPE_CHECKING:
    import numpy.typing as npt

    from dlcv04.datasets import Dataset
    from dlcv04.harness.policy import Data
    from dlcv04.visualization.classifiers import Classifier
    from dlcv04.visualization.embedding import Map


def tsne(
    source: Annotated[
        str, typer.Argument(help="mnist, cifar10, terrassa, or a folder of folder/class/*.jpg")
    ] = "mnist",
    images: Annotated[int, typer.Option(min=1, help="at most this many, drawn by the seed")] = 1000,
    model: Annotated[Path | None, typer.Option(help="a .keras file: map what it sees (default: the pixels)")] = None,
    pixels: PixelKind = "unit",
    size: Annotated[int, typer.Option(help="pixels a side of a folder's pictures, without a model")] = 32,
    perplexity: Annotated[float, typer.Option(help="about how many neighbours count")] = 30.0,
    data: Source = "auto",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="draws the pictures and the map")] = 0,
    out: Annotated[Path, typer.Option(help="the PNG")] = Path("tsne.png"),
) -> None:
    """Draw a map of pictures by t-SNE, where neighbours are alike.

    Says how far the map can be trusted.
    """
    from dlcv04 import atomic
    from dlcv04.visualization import classifiers, embedding, tiles

    with refusing():
        tiles.require_folder(out)
        network = classifiers.from_file(model, pixels) if model is not None else None
        dataset = _dataset(source, data, size, network)
        chosen = dataset.subset(train=min(images, len(dataset.x_train)), seed=seed)
        say(f"{len(chosen.x_train):,} pictures of {dataset.provenance}")
        seen = _features(chosen.x_train, network)
        found = embedding.tsne(seen, seed, perplexity=perplexity)
        names = chosen.class_names or tuple(map(str, range(chosen.classes)))
        atomic.write(out, embedding.draw(found, chosen.y_train, names, title=f"{len(seen):,} pictures", side=900))
        _say_trust(seen, found, chosen.y_train)
        say(f"stored: {out}")


def _dataset(source: str, data: Data, size: int, network: Classifier | None) -> Dataset:
    """A named data set or a folder's pictures, as the network takes them."""
    from dlcv04 import datasets
    from dlcv04.datasets import DataError, folders, tree

    side = network.input_shape[0] if network is not None else size
    if source in datasets.names():
        dataset = datasets.load(source, data, **({"size": side} if source == "terrassa" else {}))
    elif tree.expanded(source).exists():
        dataset = folders.read(source, side)
    else:
        listed = ", ".join(datasets.names())
        raise DataError(f"There is no folder and no data set {source!r}; the data sets are {listed}.")
    if network is not None and dataset.input_shape[:2] != network.input_shape[:2]:
        raise DataError(
            f"{network.name} takes pictures of {network.input_shape}, and {dataset.name} has {dataset.input_shape}."
        )
    return dataset


def _features(pictures: npt.NDArray[Any], network: Classifier | None) -> npt.NDArray[Any]:
    """What the network sees in the pictures; without one, the pictures themselves."""
    from dlcv04.visualization import classifiers

    if network is None:
        return pictures
    features = network.features(classifiers.in_channels(pictures, network.input_shape[2]))
    say(f"by {features.shape[1]:,} features of {network.title}")
    return features


def _say_trust(seen: npt.NDArray[Any], found: Map, labels: npt.NDArray[Any]) -> None:
    """How alike neighbours on the map are, beside what chance would give."""
    import numpy as np

    from dlcv04.visualization import embedding

    shares = np.bincount(labels) / len(labels)
    pure = embedding.purity(found.points, labels).mean()
    trusted = embedding.trustworthiness(embedding.features(seen), found.points).mean()
    say(
        f"KL divergence {found.kl_divergence:.3f}; of {embedding.NEIGHBOURS} neighbours {pure:.2f} are of one class "
        f"(by chance {np.square(shares).sum():.2f}); trustworthiness {trusted:.3f} (by chance 0.5)"
    )
