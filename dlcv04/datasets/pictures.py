"""Picture files of any size and mode as one array, decoded once and kept in a cache where that pays."""

import hashlib
import io
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcv04 import caching
from dlcv04.datasets import DataError
from dlcv04.datasets.tree import File
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import PIL
    from PIL import Image, ImageOps
    from PIL.Image import Image as Picture
else:
    Image = LazyModule("PIL.Image")
    ImageOps = LazyModule("PIL.ImageOps")
    PIL = LazyModule("PIL")


METHOD = "squeezed to a square by Pillow's bilinear filter with antialiasing"


_LARGEST_SIDE = 1024


_MOST_PIXELS = 80_000_000


_SMALLEST_SIDE = 4


@dataclass(frozen=True)
class DecodedFiles:
    """Pictures, uint8 (files, size, size, 3), and the SHA-256 digest of each file's bytes."""

    pictures: npt.NDArray[np.uint8]
    digests: tuple[bytes, ...]


def check_size(size: int) -> None:
    """Raises DataError unless pictures can be asked for at this size."""
    if not 8 <= size <= _LARGEST_SIDE:
        raise DataError(f"Pictures must have 8 to {_LARGEST_SIDE} pixels a side, not {size}.")


def decode_cached(files: Sequence[File], size: int) -> DecodedFiles:
    """Decode the files, in their order, each squeezed to size x size.

    Where the files have more bytes than the result, the result is kept in the user's cache folder (`cache_folder`),
    under a name made of the bytes of all files, the size, this package's code and Pillow's version: reading it is then
    faster than decoding. Two processes that want the same pictures decode them once.

    Raises:
        DataError: the size is out of range, or a file is not a picture, or cut.
    """
    check_size(size)
    digests, total = [], 0
    for file in files:
        content = file.read()
        total += len(content)
        digests.append(hashlib.sha256(content).digest())

    def make() -> caching.Arrays:
        return {"pictures": decoded(files, size)}

    if total <= len(files) * size * size * 3:
        return DecodedFiles(make()["pictures"], tuple(digests))
    together = hashlib.sha256(b"".join(digests)).hexdigest()
    key = {"pillow": PIL.__version__, "size": size, "files": together}
    kept = caching.cached("pictures", key, make, folder=cache_folder())
    return DecodedFiles(kept["pictures"], tuple(digests))


def decoded(files: Sequence[File], size: int) -> npt.NDArray[np.uint8]:
    """As `load`, always from the files themselves: uint8 (files, size, size, 3)."""
    pictures = np.empty((len(files), size, size, 3), np.uint8)
    for number, file in enumerate(files):
        pictures[number] = decode(file.read(), size, file.name)
    return pictures


def decode(content: bytes, size: int, name: str) -> npt.NDArray[np.uint8]:
    """One JPEG or PNG of any size and mode as uint8 (size, size, 3), upright and RGB; transparent parts become white.

    Raises:
        DataError: it is not a picture, has more than 80 million pixels or fewer than 4 on a side, or is cut.
    """
    return _decode(content, name, lambda picture: picture.resize((size, size), Image.Resampling.BILINEAR))


def decode_within(content: bytes, longest: int, name: str) -> npt.NDArray[np.uint8]:
    """As `decode`, with its own proportions, its longer side brought to `longest`: uint8 (height, width, 3).

    Raises:
        DataError: as for `decode`, or `longest` is out of range.
    """
    check_size(longest)

    def change(picture: "Picture") -> "Picture":
        scale = longest / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        return picture.resize((width, height), Image.Resampling.BILINEAR)

    return _decode(content, name, change)


def decode_covering(content: bytes, shape: Sequence[int], name: str) -> npt.NDArray[np.uint8]:
    """As `decode`, without distortion: the middle of the picture that covers (height, width), uint8 (height, width, 3).

    Raises:
        DataError: as for `decode`.
    """
    height, width = shape[:2]
    return _decode(content, name, lambda picture: ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR))


def _decode(content: bytes, name: str, change: Callable[["Picture"], "Picture"]) -> npt.NDArray[np.uint8]:
    try:
        with (
            # The limit below is lower than Pillow's, and an error.
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture,
        ):
            if picture.width * picture.height > _MOST_PIXELS:
                raise DataError(f"{name} has {picture.width} x {picture.height} pixels; make it smaller.")
            if min(picture.width, picture.height) < _SMALLEST_SIDE:
                raise DataError(f"{name} has {picture.width} x {picture.height} pixels, too few to show anything.")
            upright = ImageOps.exif_transpose(picture)
            return np.asarray(change(_rgb(upright)), np.uint8)
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} has too many pixels ({error}); make it smaller.") from error
    except PIL.UnidentifiedImageError as error:
        raise DataError(
            f"{name} is not a JPEG or PNG picture, whatever its name says; replace or remove it."
        ) from error
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error) as error:
        raise DataError(f"{name} can't be decoded ({error}): it is cut or damaged; replace or remove it.") from error


def _rgb(picture: "Picture") -> "Picture":
    if picture.mode.startswith("I"):  # 16 bits of grey, of which Pillow would keep the lower eight
        grey = np.clip(np.asarray(picture, np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if picture.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return picture.convert("RGB")


def cache_folder() -> Path:
    """Where decoded pictures are kept (it need not exist); it may be deleted at any time."""
    return caching.default_folder() / "pictures"
