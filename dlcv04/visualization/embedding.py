"""t-SNE: pictures as points of a plane, where neighbours are alike (Task 3, slide 12; van der Maaten and Hinton 2008).

scikit-learn draws the map, of the pictures' first principal components, as its authors advise. Two measures say how far
a map can be believed: whether neighbours in it share their class, and whether they were neighbours before
(`trustworthiness`, Venna and Kaski 2001); both are given picture by picture.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import threadpoolctl

from dlcv04.datasets import DataError
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from matplotlib import colors
    from matplotlib import figure as figures
    from matplotlib import patheffects as effects
    from sklearn import decomposition, manifold, neighbors
else:
    decomposition = LazyModule("sklearn.decomposition")
    manifold = LazyModule("sklearn.manifold")
    neighbors = LazyModule("sklearn.neighbors")
    colors = LazyModule("matplotlib.colors")
    figures = LazyModule("matplotlib.figure")
    effects = LazyModule("matplotlib.patheffects")

COMPONENTS = 50
"""Principal components that the map is made of."""
PERPLEXITY = 30.0
FEWEST = 20
NEIGHBOURS = 10

# Paul Tol's "muted" scheme, told apart with any colour vision; a shape each says the same.
COLOURS = ("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#aa4499", "#44aa99", "#999933", "#882255", "#888888")
_MARKERS = "os^Dv<>pP*"


@dataclass(frozen=True, eq=False)
class Map:
    """A t-SNE map.

    Attributes:
        points: float64 (pictures, 2).
        kl_divergence: what t-SNE made small: the Kullback-Leibler divergence, in nats, of the similarities in the map
            from those of the pictures.
        perplexity: about how many neighbours each picture was to have.
    """

    points: npt.NDArray[np.float64]
    kl_divergence: float
    perplexity: float


def features(pictures: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """Pictures (uint8, any shape) or features (floats) as float64 rows, pixels in [0, 1]."""
    rows = pictures.reshape(len(pictures), -1).astype(np.float64)
    return rows / 255 if pictures.dtype == np.uint8 else rows


def tsne(pictures: npt.NDArray[np.number], seed: int = 0, *, perplexity: float = PERPLEXITY) -> Map:
    """The map of some pictures; equal seeds give the same one.

    Args:
        pictures: uint8 pictures or rows of float features, shape (pictures, ...).
        seed: draws what is random in it.
        perplexity: about how many neighbours count; at most a third of the pictures.

    Raises:
        DataError: fewer than 20 pictures, a perplexity that they can't have, a feature that is not finite, fewer than 2
            features, or the same ones of every picture.
    """
    rows = features(pictures)
    if len(rows) < FEWEST:
        raise DataError(f"t-SNE needs {FEWEST} pictures or more to show anything; there are {len(rows)}.")
    if not 1 <= perplexity <= len(rows) / 3:
        raise DataError(
            f"A perplexity of {perplexity:g} does not suit {len(rows)} pictures: choose 1 to a third of them."
        )
    if not np.isfinite(rows).all():
        raise DataError("A feature is NaN or infinite, so there is no map: look at the network's weights.")
    if rows.shape[1] < 2:
        raise DataError("A map has two sides: t-SNE needs 2 features or more a picture, and there is 1.")
    if (rows == rows[0]).all():
        raise DataError("The pictures, or their features, are all alike, so there is no map.")
    # One thread: the result then does not depend on their number, and on shared cores OpenMP's threads, which wait by
    # spinning, were measured 5 to 18 times slower than one.
    with threadpoolctl.threadpool_limits(1):
        most = min(COMPONENTS, *rows.shape)
        components = decomposition.PCA(most, svd_solver="full", random_state=seed).fit_transform(rows)
        largest = np.abs(components).max()
        if not 1e-9 < largest < 1e9:  # the scale means nothing to t-SNE, but it squares distances in single precision
            components /= largest
        fitted = manifold.TSNE(perplexity=perplexity, init="pca", random_state=seed).fit(components)
    return Map(fitted.embedding_.astype(np.float64), float(fitted.kl_divergence_), float(perplexity))


def purity(
    points: npt.NDArray[np.float64], labels: npt.NDArray[np.integer], neighbours: int = NEIGHBOURS
) -> npt.NDArray[np.float64]:
    """Of each point the share, in [0, 1], of its nearest neighbours in the map that are of its class."""
    return np.asarray((labels[_nearest(points, neighbours)] == labels[:, None]).mean(axis=1), np.float64)


def trustworthiness(
    rows: npt.NDArray[np.float64], points: npt.NDArray[np.float64], neighbours: int = NEIGHBOURS
) -> npt.NDArray[np.float64]:
    """Of each point how far its neighbours in the map were neighbours before; 1 if all were, about 0.5 by chance.

    The mean over the points is scikit-learn's `trustworthiness`; the formula is that of its documentation.

    Args:
        rows: the features, shape (pictures, features).
        points: the map, in the same order.
        neighbours: how many are asked about; fewer than half of the pictures.
    """
    count = len(rows)
    order = _nearest(rows, count - 1)
    ranks = np.empty((count, count), np.int64)
    np.put_along_axis(ranks, order, np.arange(1, count)[None, :], axis=1)
    found = np.take_along_axis(ranks, _nearest(points, neighbours), axis=1)
    excess = np.maximum(found - neighbours, 0).sum(axis=1)
    return np.asarray(1 - 2 * excess / (neighbours * (2 * count - 3 * neighbours - 1)), np.float64)


def _nearest(rows: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.intp]:
    """Indices of each row's nearest other rows, nearest first."""
    found = neighbors.NearestNeighbors(n_neighbors=count).fit(rows)
    return np.asarray(found.kneighbors(return_distance=False))


def draw(
    shown: Map, labels: npt.NDArray[np.integer], names: Sequence[str], *, title: str = "", side: int = 640
) -> bytes:
    """The map as a PNG: a colour and a shape a class, and each class's name where most of it lies.

    Args:
        shown: the map.
        labels: each point's class.
        names: of the classes, in the order of the labels.
        title: stands above it.
        side: of the picture, in pixels.

    Raises:
        DataError: there are more classes than can be told apart.
    """
    present = [label for label in range(len(names)) if (labels == label).any()]
    if len(present) > len(COLOURS) * 2:
        raise DataError(f"{len(present)} classes can't be told apart in one map: show at most {2 * len(COLOURS)}.")
    figure = figures.Figure(figsize=(side / 100, side / 100), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    size = float(np.clip(14000 / len(shown.points), 7, 30))
    for place, label in enumerate(present):
        chosen = shown.points[labels == label]
        marker, colour = _MARKERS[(place + place // len(COLOURS)) % len(_MARKERS)], COLOURS[place % len(COLOURS)]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=size, c=colour, marker=marker, linewidths=0, alpha=0.85)
        outline = [effects.withStroke(linewidth=4, foreground="white")]
        font: dict[str, Any] = {
            "fontsize": 17 if len(names[label]) < 3 else 10,
            "weight": "bold",
            "ha": "center",
            "va": "center",
        }
        x, y = _heart(chosen)
        axes.text(x, y, names[label], c=_darker(colour), path_effects=outline, parse_math=False, **font)
    axes.set(xticks=[], yticks=[], title=title)
    axes.set_aspect("equal", adjustable="datalim")
    axes.title.set_fontsize(11)
    axes.spines[:].set_color("#bbbbbb")
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _darker(colour: str) -> tuple[float, ...]:
    return tuple(0.6 * part for part in colors.to_rgb(colour))


def _heart(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The point that lies nearest to its class's others: in the middle of a crowd, not between two."""
    distances = np.abs(points[:, None] - points[None]).sum(axis=2)
    return points[np.sqrt(distances).sum(axis=1).argmin()]
