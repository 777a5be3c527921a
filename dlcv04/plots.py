"""Pictures of a fine-tuning: its confusion matrix and its curves, as matplotlib figures without a window."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04.lazy import LazyModule
from dlcv04.training import Epoch

if TYPE_CHECKING:
    from matplotlib import figure as figures
    from matplotlib.figure import Figure
else:
    figures = LazyModule("matplotlib.figure")


TRAIN, VALIDATION = "#0072b2", "#d55e00"  # Okabe and Ito: told apart by colour-blind readers

_MOST_COUNTS = 40  # classes up to which every cell's count is written into it


def confusion_matrix(counts: npt.NDArray[np.int64], names: Sequence[str], title: str) -> "Figure":
    """Rows are the true classes, columns those given; a cell's colour is its share of the row, its text the count.

    Args:
        counts: shape (classes, classes).
        names: the classes.
        title: above it.
    """
    classes = len(names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    longest = max(len(_short(name)) for name in names)
    few = classes <= _MOST_COUNTS
    labels = 0.6 + (0.085 if few else 0.065) * longest  # inches
    cells = (0.36 if few else 0.17) * max(classes, 8)
    figure = figures.Figure(figsize=(labels + cells + 1.9, labels + cells + 0.8), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    rows = [f"{_short(name)} ({total})" for name, total in zip(names, counts.sum(axis=1), strict=True)]
    axes.set_xticks(range(classes), [_short(name) for name in names], rotation=90)
    axes.set_yticks(range(classes), rows)
    axes.set_xlabel("class given")
    axes.set_ylabel("true class (validation pictures)")
    axes.tick_params(length=0, labelsize=9 if few else 7)
    axes.set_xticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="#e3e7ea", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    for row, column in np.argwhere(counts) if few else ():
        colour = "white" if shares[row, column] > 0.55 else "#1c2733"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=9)
    figure.colorbar(image, ax=axes, label="share of the row", shrink=0.7, format="{x:.0%}")
    figure.suptitle(title, fontsize=11)
    return figure


def curves(epochs: Sequence[Epoch], title: str) -> "Figure":
    """Loss and accuracy of both splits after each epoch, in inference mode.

    Args:
        epochs: in order, one at least.
        title: above it.
    """
    figure = figures.Figure(figsize=(9.6, 4.0), layout="constrained")
    numbers = np.arange(1, len(epochs) + 1)
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for split, name, colour in (("train", "training pictures", TRAIN), ("val", "validation pictures", VALIDATION)):
            values = [getattr(epoch, f"{split}_{what}") for epoch in epochs]
            marker: dict[str, Any] = {"marker": "o", "markersize": 3} if len(epochs) <= 30 else {}
            axes.plot(numbers, values, color=colour, label=name, linewidth=1.6, **marker)
        axes.set_xlabel("epoch")
        axes.set_ylabel(what)
        axes.set_ylim(0, 1.02 if what == "accuracy" else None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(color="#e3e7ea", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right" if what == "accuracy" else "upper right")
    figure.suptitle(title, fontsize=11)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"
