"""``dlcv04 occlude``: how probable a picture's class stays with parts of it blacked out, and a heat map."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress

from dlcv04 import datasets
from dlcv04.datasets import DataError, Dataset, pictures, samples
from dlcv04.datasets.tree import File
from dlcv04.lazy import LazyModule
from dlcv04.networks import Pixels
from dlcv04.visualization import classifiers, occlusion, tiles
from dlcv04.visualization.classifiers import Classifier, ClassifierError
from dlcv04.weights import WeightsError

if TYPE_CHECKING:
    from PIL import Image
else:
    Image = LazyModule("PIL.Image")

BUILDINGS, IMAGENET = "buildings", "imagenet"
_GLANCE = 224  # pixels a side at which picture and box are looked at before the network is known


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line.

    Attributes:
        picture: a JPEG or PNG; None for one that suits the network.
        model: imagenet, buildings (trained here on drawn ones) or a ``.keras`` file; "" for imagenet if it is there.
        pixels: how a file's network takes its pixels.
        box: top, left, bottom, right of the object as shares of height and width; None for the middle.
        patch: side of the sliding patch in the network's pixels; None for a fifth of the picture.
        stride: pixels from one place to the next; None for a sixteenth of the picture.
        profile: size of the training on buildings.
        out: the PNG.
    """

    picture: Path | None
    model: str
    pixels: Pixels
    box: tuple[float, float, float, float] | None
    patch: int | None
    stride: int | None
    profile: str
    out: Path


def write(asked: Asked, say: Callable[[str], None]) -> None:
    """Classify the masked pictures and write them with their heat map.

    Raises:
        ValueError: a picture, model, box or patch that does not fit; the message is one sentence for people.
        OSError: the PNG can't be written.
    """
    _check(asked)
    network, data = _network(asked, say)
    say(f"classified by {network.name}")
    picture, box = _picture(asked, network, data)
    height, width, _ = picture.shape
    patch = asked.patch if asked.patch is not None else max(2, min(height, width) // 5)
    stride = asked.stride if asked.stride is not None else max(1, min(height, width) // 16)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("masking")
        shown = occlusion.panels(
            network,
            picture,
            box,
            patch,
            stride,
            on_batch=lambda done, total: progress.update(task, completed=done, total=total),
        )
    asked.out.write_bytes(occlusion.draw([shown[:3], shown[3:]], side=260))
    for panel in shown:
        say(panel.text.replace("\n", ": "))
    say(f"stored: {asked.out}")


def _check(asked: Asked) -> None:
    """Refuse what can be refused before a network is loaded or trained."""
    tiles.require_folder(asked.out)
    if asked.model not in ("", IMAGENET, BUILDINGS) and not asked.model.endswith(".keras"):
        raise ClassifierError(
            f"There is no model {asked.model!r}: give {IMAGENET}, {BUILDINGS}, or a file that ends with .keras."
        )
    if asked.picture is not None:
        file = File.at(asked.picture)
        pictures.decode(file.read(), _GLANCE, file.name)
    if asked.box is not None:
        _pixels(asked.box, _GLANCE, _GLANCE)


def _network(asked: Asked, say: Callable[[str], None]) -> tuple[Classifier, Dataset | None]:
    """The network, and the drawn buildings where it was trained on them."""
    if asked.model in ("", IMAGENET):
        try:
            return classifiers.imagenet(), None
        except WeightsError as error:
            if asked.model == IMAGENET:
                raise
            say(f"{error} Instead a small network is trained on drawn buildings: it knows nothing else.")
    if asked.model in ("", BUILDINGS):
        data = datasets.load("terrassa", "embedded", size=64, unknown=False)

        def told(number: int, epoch: object) -> None:
            if number % 8 == 0:
                say(f"training: epoch {number}, accuracy {epoch.val_accuracy:.3f}")  # type: ignore[attr-defined]

        return classifiers.trained(data, asked.profile, on_epoch=told), data
    return classifiers.from_file(asked.model, asked.pixels), None


def _picture(asked: Asked, network: Classifier, data: Dataset | None) -> tuple[npt.NDArray[np.uint8], list[int]]:
    """The picture as the network takes it, and the object's box in its pixels."""
    height, width, channels = network.input_shape
    middle = occlusion.central_boxes(1, height, width)[0].tolist()
    if asked.picture is None and data is not None and data.boxes_val is not None:
        picture, middle = data.x_val[0], data.boxes_val[0].tolist()
    else:
        file = samples.photograph("china") if asked.picture is None else File.at(asked.picture)
        # Squeezed, so that a box given as shares lies where it lay.
        picture = pictures.decode(file.read(), max(height, width), file.name)
        if height != width:
            picture = np.asarray(Image.fromarray(picture).resize((width, height)))
    picture = classifiers.in_channels(picture[None], channels)[0]
    return picture, middle if asked.box is None else _pixels(asked.box, height, width)


def _pixels(box: tuple[float, float, float, float], height: int, width: int) -> list[int]:
    top, left, bottom, right = box
    inside = all(0 <= share <= 1 for share in box)  # neither NaN nor infinity is, which can't be rounded
    found = [round(top * height), round(left * width), round(bottom * height), round(right * width)] if inside else []
    if not (inside and found[0] < found[2] and found[1] < found[3]):
        raise DataError(
            f"The box {' '.join(f'{side:g}' for side in box)} is none: give top, left, bottom and right as shares from "
            "0 to 1, as in 0.1 0.2 0.9 0.8."
        )
    return found
