"""Local classification: how probable a picture's class stays when parts of it are blacked out (Task 3, slide 13).

A bar over a part of the picture, everything but a box, and a patch that slides over the whole (Zeiler and Fergus 2014).
The class is always the one that the network gives to the whole picture. Boxes are top, left, bottom, right in pixels,
the last two exclusive, as in `dlcv04.datasets.Dataset`; what is masked is black, as in 2016.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import DataError
from dlcv04.lazy import LazyModule
from dlcv04.visualization.classifiers import Classifier

if TYPE_CHECKING:
    from matplotlib import figure as figures
    from matplotlib import patches
else:
    figures = LazyModule("matplotlib.figure")
    patches = LazyModule("matplotlib.patches")

Boxes = npt.NDArray[np.int32]
Pictures = npt.NDArray[np.uint8]
OnBatch = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What a sliding patch does to one picture.

    Attributes:
        label: the class that the network gives to the whole picture.
        whole: its probability there.
        probabilities: its probability with the patch at each place, shape (rows, columns).
        boxes: where the patch lay, int32 (rows, columns, 4).
        drop: float64 (height, width): by how much the probability falls, on average over the patches on a pixel.
    """

    label: int
    whole: float
    probabilities: npt.NDArray[np.float32]
    boxes: Boxes
    drop: npt.NDArray[np.float64]


def masked(pictures: Pictures, boxes: Boxes, *, keep: bool = False) -> Pictures:
    """Pictures with a box of each blacked out, or with `keep` everything but the box.

    Args:
        pictures: uint8 (n, height, width, channels), or one picture for all boxes (1, ...).
        boxes: int (n, 4).
        keep: True blacks out what lies outside.
    """
    rows, columns = np.arange(pictures.shape[1])[None, :, None], np.arange(pictures.shape[2])[None, None, :]
    top, left, bottom, right = (boxes[:, side, None, None] for side in range(4))
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return np.where((inside == keep)[..., None], pictures, np.uint8(0))


def central_boxes(count: int, height: int, width: int, share: float = 0.6) -> Boxes:
    """The middle of each picture, `share` of its height and width: where no region is known."""
    down, across = round(height * (1 - share) / 2), round(width * (1 - share) / 2)
    return np.tile(np.array([down, across, height - down, width - across], np.int32), (count, 1))


def bars(boxes: Boxes, height: int, width: int) -> tuple[Boxes, Boxes]:
    """Of each picture two bars of equal size, one in the middle of its box and one beside the box.

    The second is the largest strip above, below, left or right of the box, as far as the box is as long and as wide;
    bars where nothing lies beside the box have no area.

    Returns:
        The bars inside and the bars outside, int32 (n, 4) each.
    """
    return tuple(
        np.array(both, np.int32) for both in zip(*(_bar(box, height, width) for box in boxes.tolist()), strict=True)
    )  # type: ignore[return-value]


def _bar(box: Sequence[int], height: int, width: int) -> tuple[list[int], list[int]]:
    top, left, bottom, right = box
    strips = [(0, 0, top, width), (bottom, 0, height, width), (0, 0, height, left), (0, right, height, width)]
    fitting = [(min(s[2] - s[0], bottom - top), min(s[3] - s[1], right - left), s) for s in strips]
    down, across, strip = max(fitting, key=lambda split: split[0] * split[1])
    return _middle(box, down, across), _middle(strip, down, across)


def _middle(box: Sequence[int], down: int, across: int) -> list[int]:
    """A box of that size in the middle of another."""
    top, left = (box[0] + box[2] - down) // 2, (box[1] + box[3] - across) // 2
    return [top, left, top + down, left + across]


def areas(boxes: Boxes) -> npt.NDArray[np.int64]:
    """Pixels of each box."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]).astype(np.int64) * (boxes[:, 3] - boxes[:, 1]))


def moved_at_random(boxes: Boxes, height: int, width: int, random: np.random.RandomState) -> Boxes:
    """Each box at a place drawn at random, of the same size and whole in the picture."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    corners = np.floor(random.random_sample(sizes.shape) * (np.array([height, width]) - sizes + 1)).astype(np.int32)
    return np.concatenate([corners, corners + sizes], axis=1)


def patch_boxes(height: int, width: int, patch: int, stride: int) -> Boxes:
    """Where a square patch lies as it slides by `stride` over a picture, its last row and column at the edge.

    Returns:
        int32 (rows, columns, 4).

    Raises:
        DataError: the patch does not fit, or there is no stride.
    """
    if not 1 <= patch < min(height, width) or stride < 1:
        raise DataError(
            f"A patch of {patch} pixels that moves by {stride} does not suit a picture of {height} x {width}: "
            f"choose a patch of 1 to {min(height, width) - 1} pixels and a stride of at least 1."
        )
    down, across = (np.unique([*range(0, side - patch, stride), side - patch]) for side in (height, width))
    tops, lefts = np.meshgrid(down, across, indexing="ij")
    return np.stack([tops, lefts, tops + patch, lefts + patch], axis=-1).astype(np.int32)


def heat_map(
    classifier: Classifier,
    picture: Pictures,
    *,
    patch: int,
    stride: int,
    on_batch: OnBatch = lambda done, total: None,
) -> HeatMap:
    """Slide a black patch over a picture; all masked pictures pass through the network in batches.

    Args:
        classifier: the network.
        picture: uint8 (height, width, channels), of its input shape.
        patch: side of the patch in pixels.
        stride: pixels from one place to the next.
        on_batch: called with the masked pictures done so far, and how many there are.

    Raises:
        DataError: the patch does not suit the picture.
        dlcv04.visualization.classifiers.ClassifierError: the network does not suit it.
    """
    height, width = picture.shape[:2]
    boxes = patch_boxes(height, width, patch, stride)
    # A box without area first, which leaves the whole picture.
    flat = np.concatenate([np.zeros((1, 4), np.int32), boxes.reshape(-1, 4)])
    found, label = np.empty(len(flat), np.float32), -1
    for start in range(0, len(flat), classifier.batch_size):
        part = slice(start, start + classifier.batch_size)
        given = classifier.probabilities(masked(picture[None], flat[part]))
        label = int(given[0].argmax()) if start == 0 else label
        found[part] = given[:, label]
        on_batch(min(part.stop, len(flat)), len(flat))
    whole = float(found[0])
    fall, covered = np.zeros((height, width)), np.zeros((height, width))
    for (top, left, bottom, right), probability in zip(flat[1:].tolist(), found[1:].tolist(), strict=True):
        fall[top:bottom, left:right] += whole - probability
        covered[top:bottom, left:right] += 1
    drop = fall / np.maximum(covered, 1)  # a stride beyond the patch leaves gaps
    return HeatMap(label, whole, found[1:].reshape(boxes.shape[:2]), boxes, drop)


def of_whole_class(
    classifier: Classifier, pictures: Pictures, variants: Sequence[Pictures]
) -> tuple[npt.NDArray[np.intp], list[npt.NDArray[np.float64]]]:
    """The class that each whole picture is given, and its probability in the whole and in each variant.

    Args:
        classifier: the network.
        pictures: uint8 (n, height, width, channels).
        variants: masked copies of all of them.

    Returns:
        Labels (n,), and probabilities (n,) of the whole pictures and of each variant.
    """
    whole = classifier.probabilities(pictures)
    labels, rows = whole.argmax(axis=1), np.arange(len(pictures))
    found = [whole, *(classifier.probabilities(variant) for variant in variants)]
    return labels, [np.asarray(chances[rows, labels], np.float64) for chances in found]


# -- drawing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a figure: pixels, a line of text below it, and a drop of probability to be laid over it."""

    pixels: Pictures
    text: str
    drop: npt.NDArray[np.float64] | None = None


def panels(
    classifier: Classifier,
    picture: Pictures,
    box: Sequence[int],
    patch: int,
    stride: int,
    on_batch: OnBatch = lambda done, total: None,
) -> list[Panel]:
    """What slide 13 shows of a picture, and what it does not: whole, barred, object only, background only, heat map."""
    height, width = picture.shape[:2]
    whole, boxes = picture[None], np.array([box], np.int32)
    over, beside = bars(boxes, height, width)
    variants = {
        "bar on the box": masked(whole, over),
        "bar beside it": masked(whole, beside),
        "box only": masked(whole, boxes, keep=True),
        "all but the box": masked(whole, boxes),
    }
    (label,), (before, *after) = of_whole_class(classifier, whole, list(variants.values()))
    mapped = heat_map(classifier, picture, patch=patch, stride=stride, on_batch=on_batch)
    shown = [Panel(picture, f"{classifier.class_name(int(label))}\nprob {before[0]:.3f}")]
    shown += [
        Panel(pixels[0], f"{text}\nprob {probability[0]:.3f}")
        for (text, pixels), probability in zip(variants.items(), after, strict=True)
    ]
    fall = f"at most −{max(mapped.whole - float(mapped.probabilities.min()), 0):.3f}"
    return [*shown, Panel(picture, f"sliding patch\n{fall}", mapped.drop)]


def draw(rows: Sequence[Sequence[Panel]], *, side: int = 150) -> bytes:
    """Rows of panels as a PNG; where the probability falls much, a heat map is dark red, where it rises blue.

    Args:
        rows: equally long.
        side: of a panel, in pixels.
    """
    high, wide = len(rows), len(rows[0])
    figure = figures.Figure(figsize=(wide * side / 100, high * (side + 42) / 100), dpi=100, layout="constrained")
    for axes, panel in zip(
        figure.subplots(high, wide, squeeze=False).flat, (panel for row in rows for panel in row), strict=True
    ):
        grey = panel.pixels.mean(axis=-1)
        if panel.drop is None:
            shown = grey if panel.pixels.shape[-1] == 1 else panel.pixels
            axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        else:
            most = max(float(np.abs(panel.drop).max()), 1e-6)
            axes.imshow(grey, cmap="gray", vmin=-120, vmax=255, interpolation="nearest")
            axes.imshow(panel.drop, cmap="RdBu_r", vmin=-most, vmax=most, alpha=0.6, interpolation="bilinear")
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel(panel.text, fontsize=9, parse_math=False)
        axes.spines[:].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
