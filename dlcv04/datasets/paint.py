"""Drawing with NumPy alone, so that a drawing has the same bytes on every machine.

Only operations whose result IEEE 754 fixes are used (+ - * / sqrt, comparisons, floor, abs), element by element: no
sum over an axis, no matrix product, no library that rasterises. Sines and cosines are rounded to 1/4096. Random numbers
come from `numpy.random.RandomState`, whose streams NumPy keeps for ever.

A shape is a signed distance: negative inside, in the units of its coordinates. All arguments broadcast, so that one
call draws one shape into one picture (coordinates (height, width)) or into many (numbers (pictures, 1, 1)).
"""

import math

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating]
"""Coordinates, distances or opacities, one a pixel; or a number a picture, shape (pictures, 1, 1); all are float32."""
Number = float | Field

_GRAIN = 4096


def changed(difficulty: float, noise: float, seed: int, frozen_seed: int) -> str:
    """How a provenance names another setting of a generator than the frozen one; "" for that one."""
    if (difficulty, noise, seed) == (1.0, 1.0, frozen_seed):
        return ""
    return f" (changed: difficulty {difficulty:g}, noise {noise:g}, seed {seed})"


def grid(side: int) -> tuple[Field, Field]:
    """Coordinates x (right) and y (up) of a square picture's pixel centres, both from -1 to 1, shape (side, side)."""
    along = ((np.arange(side) * 2 + 1) / side - 1).astype(np.float32)
    x, y = np.broadcast_arrays(along[None, :], -along[:, None])
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


def turned(x: Field, y: Field, angles: npt.ArrayLike) -> tuple[Field, Field]:
    """Coordinates turned by angles in radians (a number, or one a picture)."""
    flat = np.atleast_1d(np.asarray(angles, dtype=np.float64))
    shape = (-1, 1, 1) if flat.size > 1 else (1, 1)
    cos, sin = (
        np.array([round(turn(float(angle)) * _GRAIN) / _GRAIN for angle in flat.flat], np.float32).reshape(shape)
        for turn in (math.cos, math.sin)
    )
    return cos * x + sin * y, cos * y - sin * x


def ellipse(x: Field, y: Field, cx: Number, cy: Number, a: Number, b: Number) -> Field:
    """An ellipse with centre (cx, cy) and half axes a, b."""
    dx, dy = (x - cx) / a, (y - cy) / b
    # Of two plain numbers, minimum makes a float64, which would make the picture one.
    return (np.sqrt(dx * dx + dy * dy) - 1) * np.asarray(np.minimum(a, b), np.float32)


def box(x: Field, y: Field, cx: Number, cy: Number, a: Number, b: Number) -> Field:
    """An upright box with centre (cx, cy) and half sides a, b."""
    return np.maximum(np.abs(x - cx) - a, np.abs(y - cy) - b)


def limb(x: Field, y: Field, start: tuple[Number, Number], end: tuple[Number, Number], radius: Number) -> Field:
    """A line from start to end with round ends, `radius` to each side."""
    ax, ay = end[0] - start[0], end[1] - start[1]
    dx, dy = x - start[0], y - start[1]
    along = np.clip((dx * ax + dy * ay) / (ax * ax + ay * ay), 0, 1)
    dx, dy = dx - along * ax, dy - along * ay
    return np.sqrt(dx * dx + dy * dy) - radius


def polygon(x: Field, y: Field, *corners: tuple[Number, Number]) -> Field:
    """A convex polygon, its corners in clockwise order (y up)."""
    distance: Field | None = None
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        ax, ay = x1 - x0, y1 - y0
        side = (ax * (y - y0) - ay * (x - x0)) / np.sqrt(np.float32(1) * (ax * ax + ay * ay))
        distance = side if distance is None else np.maximum(distance, side)
    assert distance is not None
    return distance


def cover(distance: Field, pixel: Number) -> Field:
    """Opacity 0..1 of a shape with soft edges, where a pixel is `pixel` units wide."""
    return np.clip(np.float32(0.5) - distance / pixel, 0, 1)


def paint(picture: Field, opacity: Field, colour: Field) -> None:
    """Put a colour, shape (..., 3, 1, 1), over the pictures (..., 3, height, width), in place."""
    picture += opacity[..., None, :, :] * (colour - picture)


def enlarged(coarse: Field, side: int) -> Field:
    """Coarse fields (..., n, n) enlarged bilinearly to (..., side, side): clouds, stains, texture."""
    at = (np.arange(side, dtype=np.float32) + np.float32(0.5)) * np.float32((coarse.shape[-1] - 1) / side)
    low = at.astype(np.intp)
    part = at - low.astype(np.float32)
    rows = coarse[..., low, :] + part[:, None] * (coarse[..., low + 1, :] - coarse[..., low, :])
    return rows[..., low] + part * (rows[..., low + 1] - rows[..., low])


def to_bytes(pictures: Field) -> npt.NDArray[np.uint8]:
    """Pictures (..., 3, height, width) with values around 0..255 as uint8 (..., height, width, 3)."""
    whole = np.clip(np.rint(pictures), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(whole, -3, -1))
