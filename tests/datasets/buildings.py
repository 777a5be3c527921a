"""Small folders in Terrassa's layout, for the tests."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("ajuntament", "catedral", "desconegut")


def jpeg(seed: int = 0, side: int = 20, mode: str = "RGB", kind: str = "JPEG", **options: Any) -> bytes:
    """A picture of noise."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.RandomState(seed).randint(0, 256, (side, side + 4, bands)).astype(np.uint8)
    held = io.BytesIO()
    Image.frombytes(mode, (side + 4, side), pixels.tobytes()).save(held, kind, **options)
    return held.getvalue()


def layout(train: int = 9, val: int = 6, side: int = 20, classes: Sequence[str] = CLASSES) -> dict[str, bytes]:
    """The files of a small data set, by name; its pictures are of one class after the other."""
    files = {}
    for split, count, first in (("train", train, 0), ("val", val, 1000)):
        rows = [f"{first + n}\t{classes[n % len(classes)]}" for n in range(count)]
        files[f"{split}/annotation.txt"] = "\n".join(["ImageID\tClassID", *rows, ""]).encode()
        files |= {f"{split}/images/{first + n}.jpg": jpeg(first + n, side) for n in range(count)}
    return files


def in_folder(files: dict[str, bytes], root: Path) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def in_zip(files: dict[str, bytes], path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
    return path
