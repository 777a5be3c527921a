"""Pictures laid out to be looked at: a grid of equal tiles, a labelled strip of stages."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcv04 import atomic
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont
else:
    Image = LazyModule("PIL.Image")
    ImageDraw = LazyModule("PIL.ImageDraw")
    ImageFont = LazyModule("PIL.ImageFont")

Pixels = npt.NDArray[np.uint8]

_INK = (40, 40, 40)


def grid(tiles: Pixels, columns: int | None = None, margin: int = 5) -> Pixels:
    """Tiles stitched together on black, row by row.

    Args:
        tiles: uint8, shape (tiles, height, width, channels); one or more.
        columns: tiles in a row; by default the grid is about square.
        margin: pixels between two tiles; the 2016 experiment's by default.

    Returns:
        uint8, shape (height, width, channels).
    """
    count, height, width, channels = tiles.shape
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    framed = np.zeros((rows * columns, height + margin, width + margin, channels), np.uint8)
    framed[:count, :height, :width] = tiles
    table = framed.reshape(rows, columns, height + margin, width + margin, channels).swapaxes(1, 2)
    return table.reshape(rows * (height + margin), columns * (width + margin), channels)[
        : -margin or None, : -margin or None
    ]


def strip(stages: Sequence[tuple[str, Pixels]], margin: int = 6) -> Pixels:
    """Pictures side by side on white, each below its label; enlarged by a whole number where a label would not fit.

    Args:
        stages: labels and uint8 pictures of shape (height, width, 3), all of one height.
        margin: pixels between two of them and around.

    Returns:
        uint8, shape (height, width, 3).
    """
    height = stages[0][1].shape[0]
    text = max(11, height // 16)
    font = ImageFont.load_default(text)
    scale = max(1, *(math.ceil(font.getlength(label) / picture.shape[1]) for label, picture in stages))
    stages = [(label, _enlarged(picture, scale)) for label, picture in stages]
    height *= scale
    width = sum(picture.shape[1] + margin for _, picture in stages) + margin
    whole = Image.new("RGB", (width, height + 2 * text + 2 * margin), "white")
    draw, left = ImageDraw.Draw(whole), margin
    for label, picture in stages:
        whole.paste(Image.fromarray(picture), (left, 2 * text + margin))
        draw.text((left + picture.shape[1] / 2, text + margin / 2), label, _INK, font, anchor="mm")
        left += picture.shape[1] + margin
    return np.asarray(whole)


def _enlarged(pixels: Pixels, times: int) -> Pixels:
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def page_sized(pixels: Pixels, area: int = 160_000) -> Pixels:
    """The picture in about as many pixels as a page shows: enlarged by whole numbers, or made smaller.

    Args:
        pixels: uint8, shape (height, width, 1 or 3).
        area: the most pixels.
    """
    height, width = pixels.shape[:2]
    scale = math.sqrt(area / (height * width))
    if scale >= 1:
        return _enlarged(pixels, int(scale))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS)).reshape(size[1], size[0], -1)


def require_folder(path: Path) -> None:
    """Refuse a place where a PNG could not be written, before hours of work.

    Raises:
        OSError: its folder is not there, or it is a folder itself.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a picture in it, as in {path / 'picture.png'}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}: make it, or choose another place for {path.name}.")


def write_png(path: Path, pixels: Pixels) -> None:
    """Write uint8 (height, width, 1 or 3) as a PNG.

    Raises:
        OSError: it can't be written there.
    """
    with atomic.replacing(path) as file:
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG", optimize=True)
