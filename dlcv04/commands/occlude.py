"""``dlcv04 occlude``: how probable a picture's class stays with parts of it blacked out, and a heat map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcv04.commands.options import DeviceName, PixelKind, ProfileName
from dlcv04.commands.speech import bar, refusing, say, select_device

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dlcv04.commands.options import Pixels
    from dlcv04.datasets import Dataset
    from dlcv04.harness.policy import Profile
    from dlcv04.visualization.classifiers import Classifier
    from dlcv04.visualization.occlusion import Panel

    Box = tuple[float, float, float, float]
    Picture = npt.NDArray[np.uint8]

_BUILDINGS, _IMAGENET = "buildings", "imagenet"
_GLANCE = 224  # pixels a side at which picture and box are looked at before the network is known


def occlude(
    picture: Annotated[Path | None, typer.Argument(help="a JPEG or PNG (default: one that suits the network)")] = None,
    model: Annotated[
        str, typer.Option(help="imagenet, buildings (trained here) or a .keras file (default: what is there)")
    ] = "",
    pixels: PixelKind = "unit",
    box: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(help="the object's top, left, bottom, right, as shares of the picture (default: its middle)"),
    ] = None,
    patch: Annotated[int | None, typer.Option(help="side of the sliding patch in pixels (default: a fifth)")] = None,
    stride: Annotated[int | None, typer.Option(help="pixels from place to place (default: a sixteenth)")] = None,
    profile: ProfileName = "smoke",
    device: DeviceName = "auto",
    out: Annotated[Path, typer.Option(help="the PNG")] = Path("occlusion.png"),
) -> None:
    """Show how a picture's class depends on its parts.

    Says how probable the class stays with parts blacked out, and draws a heat map of a patch that slides over it.
    """
    from dlcv04 import atomic
    from dlcv04.visualization import occlusion

    select_device(device)
    with refusing():
        _check(picture, model, box, out)
        network, data = _network(model, pixels, profile)
        say(f"classified by {network.title}")
        seen, middle = _picture(picture, network, data)
        where = middle if box is None else _in_pixels(box, *seen.shape[:2])
        shown = _masked(network, seen, where, patch, stride)
        atomic.write(out, occlusion.draw([shown[:3], shown[3:]], side=260))
        for panel in shown:
            say(panel.text.replace("\n", ": "))
        say(f"stored: {out}")


def _check(picture: Path | None, model: str, box: Box | None, out: Path) -> None:
    """Refuse what can be refused before a network is loaded or trained."""
    from dlcv04.datasets import pictures
    from dlcv04.datasets.tree import File
    from dlcv04.visualization import tiles
    from dlcv04.visualization.classifiers import ClassifierError

    tiles.require_folder(out)
    if model not in ("", _IMAGENET, _BUILDINGS) and not model.endswith(".keras"):
        raise ClassifierError(
            f"There is no model {model!r}: give {_IMAGENET}, {_BUILDINGS}, or a file that ends with .keras."
        )
    if picture is not None:
        file = File.at(picture)
        pictures.decode(file.read(), _GLANCE, file.name)
    if box is not None:
        _in_pixels(box, _GLANCE, _GLANCE)


def _network(model: str, pixels: Pixels, profile: Profile) -> tuple[Classifier, Dataset | None]:
    """The network, and the drawn buildings where it was trained on them."""
    from dlcv04.visualization import classifiers
    from dlcv04.weights import WeightsError

    if model in ("", _IMAGENET):
        try:
            return classifiers.imagenet(), None
        except WeightsError as error:
            if model == _IMAGENET:
                raise
            say(f"{error} Instead a small network is trained on drawn buildings: it knows nothing else.")
    if model in ("", _BUILDINGS):
        return _trained(profile)
    return classifiers.from_file(model, pixels), None


def _trained(profile: Profile) -> tuple[Classifier, Dataset]:
    """A small network trained here on drawn buildings, and the buildings."""
    from dlcv04 import datasets
    from dlcv04.visualization import classifiers

    data = datasets.load("terrassa", "embedded", size=64, unknown=False)

    def tell(number: int, epoch: object) -> None:
        if number % 8 == 0:
            say(f"training: epoch {number}, accuracy {epoch.val_accuracy:.3f}")  # type: ignore[attr-defined]

    return classifiers.trained(data, profile, on_epoch=tell), data


def _picture(given: Path | None, network: Classifier, data: Dataset | None) -> tuple[Picture, list[int]]:
    """The picture as the network takes it, and the box of the object in it, if known, else of its middle."""
    import numpy as np
    from PIL import Image

    from dlcv04.datasets import pictures, samples
    from dlcv04.datasets.tree import File
    from dlcv04.visualization import classifiers, occlusion

    height, width, channels = network.input_shape
    box = occlusion.central_boxes(1, height, width)[0].tolist()
    if given is None and data is not None and data.boxes_val is not None:
        picture, box = data.x_val[0], data.boxes_val[0].tolist()
    else:
        file = samples.photograph("china") if given is None else File.at(given)
        # Squeezed, so that a box given as shares lies where it lay.
        picture = pictures.decode(file.read(), max(height, width), file.name)
        if height != width:
            picture = np.asarray(Image.fromarray(picture).resize((width, height)))
    return classifiers.in_channels(picture[None], channels)[0], box


def _in_pixels(box: Box, height: int, width: int) -> list[int]:
    from dlcv04.datasets import DataError

    top, left, bottom, right = box
    inside = all(0 <= share <= 1 for share in box)  # neither NaN nor infinity is, which can't be rounded
    found = [round(top * height), round(left * width), round(bottom * height), round(right * width)] if inside else []
    if not (inside and found[0] < found[2] and found[1] < found[3]):
        raise DataError(
            f"The box {' '.join(f'{side:g}' for side in box)} is not a box: give top, left, bottom and right as shares "
            "from 0 to 1, as in 0.1 0.2 0.9 0.8."
        )
    return found


def _masked(
    network: Classifier, picture: Picture, box: list[int], patch: int | None, stride: int | None
) -> list[Panel]:
    """Classify the masked pictures; patch and stride suit the picture's shorter side where they are not given."""
    from dlcv04.visualization import occlusion

    shorter = min(picture.shape[:2])
    with bar() as progress:
        task = progress.add_task("masking")
        return occlusion.panels(
            network,
            picture,
            box,
            max(2, shorter // 5) if patch is None else patch,
            max(1, shorter // 16) if stride is None else stride,
            on_batch=lambda done, total: progress.update(task, completed=done, total=total),
        )
