"""Terrassa's stand-in: photographs that were never taken of twelve buildings that do not stand anywhere, and of others.

Each building is a facade with its own geometry and palette (`dlcv04.datasets.facades`). A picture shows it from some
angle and distance, by some light, behind trees, cars and people, between neighbours. The class `desconegut` (unknown)
shows a building that no other picture shows, put together from the same parts. Walls share a few colours, so that
colour alone names no building.

A picture's random numbers depend on seed, split and index alone: any size shows the same views, and any number of
pictures begins with the same ones.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import DataError, Dataset
from dlcv04.datasets.facades import KNOWN, ROOFS, TRIMS, WALLS, pick, unknown
from dlcv04.datasets.paint import (
    Field,
    Number,
    box,
    changed,
    cover,
    ellipse,
    enlarged,
    grid,
    limb,
    paint,
    polygon,
    to_bytes,
    turned,
)

VERSION = 1
SEED = 20160706
UNKNOWN = "desconegut"
PROVENANCE = f"embedded stand-in: drawings of 12 buildings and unknown ones, generator {VERSION}, seed {SEED}"

# Frozen: another value anywhere below or among the facades is another data set, and every baseline on it would be void.
_SPLITS = ((35, 30), (14, 12))  # pictures of each building, and of unknown ones: 450 and 180
_LARGEST = 224
_NOISE = 14.0

CLASS_NAMES = tuple(sorted((*KNOWN, UNKNOWN)))


@lru_cache(maxsize=2)
def buildings(size: int) -> Dataset:
    """Terrassa's stand-in, 450 training and 180 validation pictures of size x size x 3, 13 classes; always the same.

    Raises:
        DataError: the size is not 16 to 224 pixels.
    """
    return draw(size)


def draw(size: int, difficulty: float = 1.0, noise: float = 1.0, seed: int = SEED) -> Dataset:
    """Another setting of the generator, to show where a claim ends; the frozen stand-in is `draw(size)`.

    Args:
        size: pixels on a side, 16 to 224.
        difficulty: scales angle, distance, odd light, neighbours and what stands in front; 0 shows each facade from
            straight ahead, whole, by plain daylight.
        noise: scales the noise of the pixels; 0 draws clean pictures.
        seed: another seed draws other views of the same twelve, and other unknown buildings.

    Returns:
        The data set, with a box a picture (`Dataset.boxes_val`): the building with roof and towers.

    Raises:
        DataError: the size is not 16 to 224 pixels.
    """
    if not 16 <= size <= _LARGEST:
        raise DataError(f"The drawn buildings come in 16 to {_LARGEST} pixels, not {size}.")
    arrays: dict[str, Any] = {}
    for split, (name, (each, of_unknown)) in enumerate(zip(("train", "val"), _SPLITS, strict=True)):
        shown = [of_unknown if label == UNKNOWN else each for label in CLASS_NAMES]
        labels = np.repeat(np.arange(len(CLASS_NAMES), dtype=np.int32), shown)
        labels = labels[np.random.RandomState([seed, split]).permutation(len(labels))]
        drawn = [_Photo(size, CLASS_NAMES[y], [seed, split, i], difficulty, noise) for i, y in enumerate(labels)]
        arrays[f"x_{name}"] = np.stack([photo.pixels for photo in drawn])
        arrays[f"y_{name}"] = labels
        arrays[f"boxes_{name}"] = np.array([photo.box for photo in drawn], np.int32)
    return Dataset(
        "terrassa",
        **arrays,
        classes=len(CLASS_NAMES),
        provenance=PROVENANCE + changed(difficulty, noise, seed, SEED),
        kind="embedded",
        class_names=CLASS_NAMES,
    )


def _colour(rgb: tuple[int, int, int] | npt.NDArray, shade: float = 1.0) -> Field:
    return (np.array(rgb, np.float32) * np.float32(shade))[:, None, None]


class _Photo:
    """One picture: its facade's coordinates, what has been painted so far, and where the building stands.

    Attributes:
        pixels: uint8 (size, size, 3).
        box: top, left, bottom, right of the building.
    """

    def __init__(self, size: int, label: str, seed: list[int], difficulty: float, noise: float) -> None:
        self.random, self.size, self.difficulty = np.random.RandomState(seed), size, difficulty
        # An unknown building is drawn in any case, so that views do not depend on the class.
        stranger = unknown(self.random)
        self.building = KNOWN.get(label, stranger)
        self.x, self.y = grid(size)
        self._take_position()
        self.picture = self._surroundings()
        self.outline = np.zeros((size, size), np.float32)
        self._masonry()
        self._openings()
        self._shadow()
        self.box = self._box()
        self._in_front()
        self.pixels = to_bytes(self._developed(noise))

    def vary(self, spread: float) -> np.float32:
        """A number within `spread` times the difficulty of 0."""
        return np.float32(self.random.uniform(-spread, spread) * self.difficulty)

    def happens(self, share: float) -> bool:
        """True in that share, times the difficulty, of the cases."""
        return bool(self.random.random_sample() < share * self.difficulty)

    def _take_position(self) -> None:
        """From pixels to the facade's plane: u right of its middle, v above its foot, `pixel` wide."""
        b = self.building
        tall = 1 + max(b.roof_height, b.tower_height if b.towers != "none" else 0.0)
        reach = max(tall / 1.75, 2 * b.half_width / 1.75)  # units of the wall in half a picture, the whole in view
        zoom = np.float32(reach) * (np.float32(1.1) + self.vary(0.36))
        x, y = turned(self.x - self.vary(0.32), self.y - self.vary(0.15), float(self.vary(0.12)))
        depth = 1 + self.vary(0.42) * x + self.vary(0.18) * y
        squeeze = np.float32(1) / (1 - abs(self.vary(0.42)))  # seen from the side, a facade is narrower
        self.u = x * zoom * squeeze / depth
        self.v = (y * zoom + np.float32(0.5 * tall)) / depth
        self.pixel = float(zoom) * 2 / self.size

    def _put(self, distance: Field, colour: Field, opacity: Number = 1.0, building: bool = False) -> None:
        covered = cover(distance, self.pixel)
        if building:
            self.outline = np.maximum(self.outline, covered)
        paint(self.picture, covered * opacity, colour)

    # -- around it -------------------------------------------------------------------------------------------------

    def _surroundings(self) -> Field:
        """Sky with clouds, neighbouring houses, the ground."""
        high = np.float32(0.5) + np.float32(0.5) * self.y
        top, low = _colour((92, 138, 205)), _colour((196, 212, 226))
        self.picture = low + high * (top - low)
        clouds = enlarged(self.random.uniform(-1, 1, (6, 6)).astype(np.float32), self.size)
        overcast = np.float32(self.random.uniform(-0.4, 0.9))
        paint(self.picture, np.clip(clouds + overcast, 0, 1) * np.float32(0.8), _colour((224, 226, 230)))
        for side in (-1, 1, -1, 1):
            edge = side * (self.building.half_width + 0.5 + self.random.uniform(0, 0.5))
            height, walls = self.random.uniform(0.3, 0.9), pick(self.random, tuple(WALLS.values()))
            shown = self.happens(0.6)
            house = box(self.u, self.v, edge, 0.0, 0.45, height)
            self._put(house, _colour(walls, self.random.uniform(0.55, 0.95)), float(shown))
            panes = np.maximum(house + 0.06, self._lattice(0.22, 0.25, 0.06, 0.08))
            self._put(panes, _colour((70, 74, 84)), float(shown) * 0.8)
        ground = pick(self.random, ((118, 116, 112), (150, 140, 122), (104, 120, 78)))
        near = np.clip(-self.v, 0, 1) * np.float32(0.35)
        self._put(self.v, _colour(ground) * (1 - near))
        return self.picture

    def _lattice(self, across: float, up: float, a: float, b: float) -> Field:
        """Distance to boxes of half sides a, b that repeat across and up."""
        du, dv = (
            axis - (np.floor(axis / step) + np.float32(0.5)) * step for axis, step in ((self.u, across), (self.v, up))
        )
        return box(du, dv, 0.0, 0.0, a, b)

    # -- the building ----------------------------------------------------------------------------------------------

    def _masonry(self) -> None:
        """Flank, roof, wall and towers."""
        b, u, v = self.building, self.u, self.v
        wall, roof, trim = WALLS[b.wall], ROOFS[b.roof], _colour(TRIMS[b.trim])
        self.weather = np.float32(1) + np.float32(0.12) * enlarged(
            self.random.uniform(-1, 1, (9, 9)).astype(np.float32), self.size
        )
        self._put(self._roof(), _colour(roof) * self.weather, building=True)
        if b.roof_shape == "mansard":
            for dormer in (-0.5, 0.0, 0.5):
                self._put(box(u, v, dormer * b.half_width, 1.0 + 0.45 * b.roof_height, 0.06, 0.3 * b.roof_height), trim)
        body = box(u, v, 0.0, 0.5, b.half_width, 0.5)
        self._put(body, _colour(wall) * self.weather, building=True)
        if b.pattern == "courses":
            self._put(np.maximum(body, np.abs(v - (np.floor(v * 8) + 0.5) / 8) - 0.014), _colour(wall, 0.72))
        if b.pattern == "stripes":
            self._put(np.maximum(body, np.abs(u - (np.floor(u * 7) + 0.5) / 7) - 0.02), _colour(wall, 0.78))
        self._put(box(u, v, 0.0, 0.985, b.half_width + 0.03, 0.025), trim, building=True)
        self._put(box(u, v, 0.0, 0.02, b.half_width, 0.03), _colour(wall, 0.6))
        for middle in self._towers():
            self._tower(middle)

    def _roof(self) -> Field:
        b, u, v = self.building, self.u, self.v
        w, h, eaves = b.half_width, b.roof_height, b.half_width + 0.05
        above = np.float32(1) - v  # negative over the wall
        if b.roof_shape == "gable":
            return polygon(u, v, (-eaves, 1.0), (0.0, 1.0 + h), (eaves, 1.0))
        if b.roof_shape == "dome":
            lantern = box(u, v, 0.0, 1.0 + h, 0.05, 0.1)
            drum = np.maximum(ellipse(u, v, 0.0, 1.0, 0.62 * w, h), above)
            return np.minimum(np.minimum(drum, lantern), box(u, v, 0.0, 1.0, 0.8 * w, 0.06))
        if b.roof_shape in ("mansard", "hip"):
            top = 0.85 * w if b.roof_shape == "mansard" else 0.5 * w
            return polygon(u, v, (-eaves, 1.0), (-top, 1.0 + h), (top, 1.0 + h), (eaves, 1.0))
        body = box(u, v, 0.0, 1.0, w, h)
        if b.roof_shape == "flat":
            return box(u, v, 0.0, 1.0, eaves, 0.07)
        if b.roof_shape == "battlement":
            gap = np.abs(u - (np.floor(u / 0.16) + 0.5) * 0.16) - 0.045
            return np.maximum(body, np.minimum(gap, v - (1.0 + 0.4 * h)))
        if b.roof_shape == "sawtooth":
            tooth = (u + w) / 0.5
            return np.maximum(body, (v - 1.0 - h * (tooth - np.floor(tooth))) * np.float32(0.8))
        steps = np.float32(1) - np.floor(np.abs(u) / w * 4) / 4  # stepped gable
        return np.maximum(body, v - 1.0 - h * steps)

    def _towers(self) -> tuple[float, ...]:
        out = self.building.half_width
        return {"none": (), "left": (-out,), "right": (out,), "both": (-out, out), "middle": (0.0,)}[
            self.building.towers
        ]

    def _tower(self, middle: float) -> None:
        b, u, v = self.building, self.u, self.v
        top, half = 1.0 + b.tower_height, 0.15
        wall = _colour(WALLS[b.wall], 0.93) * self.weather
        if b.roof_shape == "battlement":
            gap = np.abs(u - middle - (np.floor((u - middle) / 0.1) + 0.5) * 0.1) - 0.03
            crown = np.maximum(box(u, v, middle, top, half + 0.02, 0.08), np.minimum(gap, v - top - 0.02))
            self._put(crown, wall, building=True)
        elif b.roof_shape == "dome":
            self._put(ellipse(u, v, middle, top, half, 0.16), _colour(ROOFS[b.roof]), building=True)
        else:
            cap = polygon(u, v, (middle - half - 0.03, top), (middle, top + 0.32), (middle + half + 0.03, top))
            self._put(cap, _colour(ROOFS[b.roof]) * self.weather, building=True)
        self._put(box(u, v, middle, 0.5 * top, half, 0.5 * top), wall, building=True)
        for height in (0.35, 0.7, top - 0.13):
            self._put(box(u, v, middle, height, 0.035, 0.08), self._glass())

    def _glass(self) -> Field:
        return _colour((58, 66, 82), 1.0)

    def _openings(self) -> None:
        """Windows, clock, pillars and door."""
        b, u, v = self.building, self.u, self.v
        trim, glass = _colour(TRIMS[b.trim]), self._glass()
        panes, frames, column, row = self._windows()
        lit = self.random.uniform(0.6, 1.5, (8, 16)).astype(np.float32)
        self._put(frames, trim)
        self._put(panes, glass * lit[row, column])
        if b.clock:
            middle = 1.0 + 0.42 * b.roof_height if b.roof_shape in ("gable", "mansard", "hip", "stepped") else 0.86
            middle = 1.0 + 0.6 * b.tower_height if b.towers == "middle" else middle
            self._put(ellipse(u, v, 0.0, middle, 0.1, 0.1), trim)
            self._put(ellipse(u, v, 0.0, middle, 0.07, 0.07), _colour((60, 60, 66)))
        self._door()
        for number in range(b.pillars):
            at = (2 * (number + 0.5) / b.pillars - 1) * 0.92 * b.half_width
            self._put(box(u, v, at, 0.24, 0.035, 0.24), trim)
        if b.pillars:
            self._put(box(u, v, 0.0, 0.5, 0.97 * b.half_width, 0.03), trim)

    def _windows(self) -> tuple[Field, Field, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Distances to the panes and to their frames, and each pixel's column and row of windows."""
        b = self.building
        across, up = 2 * 0.94 * b.half_width / b.columns, 0.9 / b.floors
        column, row = np.floor(self.u / across + 0.5 * b.columns), np.floor((self.v - 0.05) / up)
        du = self.u - (column + 0.5 - 0.5 * b.columns) * across
        dv = self.v - 0.05 - (row + np.float32(0.55)) * up
        inside = box(self.u, self.v, 0.0, 0.5, 0.94 * b.half_width, 0.45)
        a, h = min(0.27 * across, 0.3 * up), min(0.3 * up, 0.62 * across)
        if b.window == "round":
            shape = ellipse(du, dv, 0.0, 0.0, 1.2 * a, 1.2 * a)
        elif b.window == "arched":
            shape = np.minimum(box(du, dv, 0.0, -0.25 * a, a, h), ellipse(du, dv, 0.0, h - 0.25 * a, a, a))
        else:
            narrow = 0.6 if b.window == "tall" else 1.0
            shape = box(du, dv, 0.0, 0.0, narrow * a, min(h * 1.25, 0.42 * up) if b.window == "tall" else h)
        cells = (np.clip(axis, 0, most).astype(np.intp) for axis, most in ((column, 15), (row, 7)))
        return np.maximum(shape, inside), np.maximum(shape - 0.03, inside), *cells

    def _door(self) -> None:
        b, u, v = self.building, self.u, self.v
        for grown, colour in ((0.035, _colour(TRIMS[b.trim])), (0.0, _colour((74, 50, 36)))):
            door = box(u, v, 0.0, 0.14, b.door + grown, 0.15 + grown)
            if b.arched_door:
                door = np.minimum(door, ellipse(u, v, 0.0, 0.29, b.door + grown, b.door + grown))
            self._put(np.maximum(door, -v), colour)

    def _shadow(self) -> None:
        """A neighbour's shadow falls over a part of the facade."""
        slope, start = self.vary(1.5), np.float32(self.random.uniform(-0.8, 0.8)) * np.float32(self.building.half_width)
        falls = self.happens(0.5)
        shade = cover(self.u - start - slope * (self.v - 0.5), 0.04) * self.outline
        paint(self.picture, shade * np.float32(0.45 * falls), _colour((18, 20, 34)))

    def _box(self) -> tuple[int, int, int, int]:
        rows, columns = (np.flatnonzero((self.outline > 0.5).any(axis=axis)) for axis in (1, 0))
        return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1

    # -- before it, and the light ----------------------------------------------------------------------------------

    def _in_front(self) -> None:
        """Trees, a lamp post, cars and people."""
        for _ in range(3):
            at, tall, shown = self.random.uniform(-1.3, 1.3), self.random.uniform(0.35, 0.95), self.happens(0.42)
            self._tree(at * self.building.half_width, tall, float(shown))
        for _ in range(4):
            at, tone, shown = self.random.uniform(-1.2, 1.2), self.random.uniform(20, 220, 3), self.happens(0.4)
            self._put(limb(self.u, self.v, (at, -0.16), (at, -0.02), 0.04), _colour(tone), float(shown))
        for _ in range(2):
            at, tone, shown = self.random.uniform(-1, 1), self.random.uniform(20, 230, 3), self.happens(0.4)
            self._put(box(self.u, self.v, at, -0.1, 0.3, 0.07), _colour(tone), float(shown))
            self._put(box(self.u, self.v, at, -0.01, 0.17, 0.06), _colour(tone, 0.6), float(shown))
        at, shown = self.random.uniform(-1, 1), self.happens(0.3)
        self._put(limb(self.u, self.v, (at, -0.2), (at, 0.75), 0.022), _colour((46, 48, 50)), float(shown))

    def _tree(self, at: float, tall: float, shown: float) -> None:
        green = _colour(self.random.uniform((40, 70, 25), (105, 130, 60)))
        places = self.random.uniform(-1, 1, (5, 2))
        self._put(limb(self.u, self.v, (at, -0.12), (at, 0.6 * tall), 0.03), _colour((74, 56, 42)), shown)
        for dx, dy in places:
            crown = ellipse(self.u, self.v, at + 0.13 * dx, 0.75 * tall + 0.14 * dy, 0.17, 0.15)
            self._put(crown, green * np.float32(1 + 0.18 * dy), shown * 0.95)

    def _developed(self, noise: float) -> Field:
        """Brightness, warm or cold light from one side, dusk, haze, noise."""
        light, warm, side = self.vary(0.32), self.vary(0.16), self.vary(0.3)
        haze, dusk = abs(self.vary(0.3)), self.happens(0.14)
        cast = np.array([1 + warm, 1, 1 - warm], np.float32)
        if dusk:
            cast = cast * np.array([0.42, 0.46, 0.68], np.float32)
        picture = self.picture * cast[:, None, None] * ((1 + light) * (1 + side * self.x))
        picture += haze * (np.float32(170) - picture)
        grain = self.random.random_sample((2, 3, self.size, self.size))
        return picture + np.float32(2 * _NOISE * noise) * (grain[0] - grain[1]).astype(np.float32)
