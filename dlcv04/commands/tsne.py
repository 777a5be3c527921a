"""``dlcv04 tsne``: a map of pictures, where neighbours are alike."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04 import datasets
from dlcv04.datasets import DataError, Dataset, Source, folders, tree
from dlcv04.networks import Pixels
from dlcv04.visualization import classifiers, embedding, tiles

if TYPE_CHECKING:
    from dlcv04.visualization.classifiers import Classifier

SIZE = 32


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line.

    Attributes:
        source: name of a data set, or a folder with one folder of pictures a class.
        images: at most so many pictures, drawn by the seed.
        data: where a named data set comes from.
        model: a ``.keras`` file, whose last layer but one gives the features; None for the pixels.
        pixels: how its network takes its pixels.
        size: pixels a side of a folder's pictures, without a model.
        perplexity: about how many neighbours count.
        seed: draws the pictures and the map.
        out: the PNG.
    """

    source: str
    images: int
    data: Source
    model: Path | None
    pixels: Pixels
    size: int
    perplexity: float
    seed: int
    out: Path


def write(asked: Asked, say: Callable[[str], None]) -> None:
    """Draw the map and write it as a PNG.

    Raises:
        ValueError: pictures, a model or settings that do not fit; the message is one sentence for people.
        OSError: the PNG can't be written.
    """
    tiles.require_folder(asked.out)
    network = classifiers.from_file(asked.model, asked.pixels) if asked.model is not None else None
    dataset = _dataset(asked, network)
    chosen = dataset.subset(train=min(asked.images, len(dataset.x_train)), seed=asked.seed)
    say(f"{len(chosen.x_train):,} pictures of {dataset.provenance}")
    pictures: npt.NDArray[Any] = chosen.x_train
    if network is not None:
        pictures = network.features(classifiers.in_channels(chosen.x_train, network.input_shape[2]))
        say(f"by {pictures.shape[1]:,} features of {network.name}")
    found = embedding.tsne(pictures, asked.seed, perplexity=asked.perplexity)
    names = chosen.class_names or tuple(map(str, range(chosen.classes)))
    asked.out.write_bytes(embedding.draw(found, chosen.y_train, names, title=f"{len(pictures):,} pictures", side=900))
    shares = np.bincount(chosen.y_train) / len(chosen.y_train)
    pure = embedding.purity(found.points, chosen.y_train).mean()
    trusted = embedding.trustworthiness(embedding.features(pictures), found.points).mean()
    say(
        f"KL divergence {found.kl_divergence:.3f}; of {embedding.NEIGHBOURS} neighbours {pure:.2f} are of one class "
        f"(by chance {np.square(shares).sum():.2f}); trustworthiness {trusted:.3f} (by chance 0.5)"
    )
    say(f"stored: {asked.out}")


def _dataset(asked: Asked, network: "Classifier | None") -> Dataset:
    side = network.input_shape[0] if network is not None else asked.size
    if asked.source in datasets.names():
        dataset = datasets.load(asked.source, asked.data, **({"size": side} if asked.source == "terrassa" else {}))
    elif tree.expanded(asked.source).exists():
        dataset = folders.read(asked.source, side)
    else:
        raise DataError(f"There is no folder and no data set {asked.source!r}; the data sets are {_listed()}.")
    if network is not None and dataset.input_shape[:2] != network.input_shape[:2]:
        raise DataError(
            f"{network.name} takes pictures of {network.input_shape}, and {dataset.name} has {dataset.input_shape}."
        )
    return dataset


def _listed() -> str:
    return ", ".join(datasets.names())
