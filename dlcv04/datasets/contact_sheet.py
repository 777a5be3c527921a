"""Contact sheets of the drawn stand-ins: ``python -m dlcv04.datasets.contact_sheet docs``, a row a class."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcv04 import atomic
from dlcv04.datasets import Dataset, drawn_buildings, drawn_things
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from PIL import Image
else:
    Image = LazyModule("PIL.Image")

_GAP = 2


def sheet(dataset: Dataset, columns: int) -> npt.NDArray[np.uint8]:
    """The first `columns` training pictures of each class, a row a class, uint8 (height, width, 3)."""
    height, width, channels = dataset.input_shape
    rows = []
    for label in range(dataset.classes):
        shown = dataset.x_train[dataset.y_train == label][:columns]
        framed = np.full((columns, height + _GAP, width + _GAP, channels), 255, np.uint8)
        framed[: len(shown), :height, :width] = shown
        rows.append(np.concatenate(framed, axis=1))
    return np.concatenate(rows)


def sheets() -> dict[str, npt.NDArray[np.uint8]]:
    """The two sheets by file name."""
    return {
        "contact-sheet-cifar10.png": sheet(drawn_things.things(), columns=16),
        "contact-sheet-buildings.png": sheet(drawn_buildings.buildings(64), columns=6),
    }


def write(folder: Path) -> list[Path]:
    """Write both sheets as PNG with 256 colours, each under 300 kB."""
    written = []
    for name, pixels in sheets().items():
        written.append(folder / name)
        with atomic.replacing(written[-1]) as file:
            Image.fromarray(pixels).quantize(256).save(file, "PNG", optimize=True)
    return written


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        print(path, path.stat().st_size, "bytes")
