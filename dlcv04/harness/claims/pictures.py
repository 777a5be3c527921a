"""Pictures that a claim shows: any array or PNG as a small PNG without metadata, stored in the run itself.

A saved run holds all that its report shows, so that the report can be built again from that one file. Sizes are
limited, so that run and report stay small. Baselines keep no pictures.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

from dlcv04.harness.claims.claim import ClaimError
from dlcv04.harness.store.schema import Picture
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
else:
    np = LazyModule("numpy")
    Image = LazyModule("PIL.Image")


#: Bytes of one picture's PNG, and of all of a run's together: a report stays below 5 MB with them.
MOST_BYTES, MOST_BYTES_A_RUN = 300_000, 3_000_000


MOST_PIXELS = 16_000_000


class PictureError(ClaimError):
    """What a claim wants to show is no picture, or too large a one; the message says what to do."""


def make(name: str, content: Any, *, caption: str = "", published: str = "") -> Picture:
    """A picture as a run stores it; a lossless PNG where that is small enough, else one of 256 colours.

    Args:
        name: what it shows, in words: its title, and its text for those who can't see it.
        content: uint8 of shape (height, width), (height, width, 1) or (height, width, 3), or the bytes of a PNG, whose
            transparent parts become white.
        caption: what to see in it.
        published: what the published picture showed, in words.

    Raises:
        PictureError: there is no name; it is no such array or PNG; or it stays too large.
    """
    if not isinstance(name, str) or not name.strip():
        raise PictureError(f"A picture needs a name that says in words what it shows, not {name!r}.")
    pixels = _opened(name, content)
    png = _encoded(pixels)
    if len(png) > MOST_BYTES:
        png = _encoded(pixels.quantize(256))
    if len(png) > MOST_BYTES:
        raise PictureError(
            f"The picture {name!r} ({pixels.width} x {pixels.height}) has {len(png):,} bytes as a PNG of 256 colours, "
            f"more than {MOST_BYTES:,}: show a smaller one, or a part of it."
        )
    return Picture(name=name, caption=caption, published=published, width=pixels.width, height=pixels.height, png=png)


def check_total(pictures: list[Picture], new: Picture) -> None:
    """Raises PictureError where a run's pictures, with a new one, are too much for its file."""
    total = sum(len(picture.png) for picture in [*pictures, new])
    if total > MOST_BYTES_A_RUN:
        raise PictureError(
            f"With the picture {new.name!r} those of this run have {total:,} bytes, more than {MOST_BYTES_A_RUN:,}: "
            "show fewer or smaller ones."
        )


def _opened(name: str, content: Any) -> Image.Image:
    """The pixels, grey or RGB."""
    if isinstance(content, bytes | bytearray | memoryview):
        return _from_png(name, bytes(content))
    if not isinstance(content, np.ndarray):
        raise PictureError(
            f"The picture {name!r} is a {type(content).__name__}: give a uint8 array or the bytes of a PNG."
        )
    grey = content.ndim == 2 or (content.ndim == 3 and content.shape[2] == 1)
    coloured = content.ndim == 3 and content.shape[2] == 3
    if content.dtype != np.uint8 or not (grey or coloured) or not content.size:
        raise PictureError(
            f"The picture {name!r} is {content.dtype} of shape {content.shape}: give uint8 (0 to 255) of shape "
            "(height, width) or (height, width, 3)."
        )
    _check_pixels(name, content.shape[1], content.shape[0])
    return Image.fromarray(np.ascontiguousarray(content[..., 0] if grey and content.ndim == 3 else content))


def _from_png(name: str, content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as found:
            _check_pixels(name, found.width, found.height)
            if found.mode in {"L", "RGB"} and "transparency" not in found.info:
                return found.copy()
            clear = found.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    except PictureError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, Image.DecompressionBombError) as error:
        raise PictureError(f"The picture {name!r} is not a whole PNG ({error}): give a uint8 array.") from error


def _check_pixels(name: str, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise PictureError(f"The picture {name!r} has {width} x {height} pixels: show at most {MOST_PIXELS:,}.")


def _encoded(pixels: Image.Image) -> bytes:
    file = io.BytesIO()
    pixels.info.clear()  # no time, software or profile: the same pixels have the same bytes
    pixels.save(file, "PNG", optimize=True)
    return file.getvalue()
