"""CIFAR-10's stand-in: drawings of its ten things, 32x32, frozen by seed and fingerprint.

A thing is a handful of ellipses, boxes, polygons and lines, whose places and sizes vary from picture to picture. Pose,
colours, light, background, clutter, something in front and noise are drawn without regard to the class (a thing stands
a little more often in its usual place), so that only the arrangement of the parts tells a horse from a deer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcv04.datasets import Dataset
from dlcv04.datasets.paint import (
    Field,
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

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
VERSION = 1
SEED = 20160705
PROVENANCE = f"embedded stand-in: drawings of CIFAR-10's ten things, generator {VERSION}, seed {SEED}"

# Frozen: another value anywhere below is another data set, and every baseline on it would be void.
_SIDE = 32
_TRAIN_PER_CLASS, _VAL_PER_CLASS = 500, 100
_PIXEL = 2 / _SIDE
_USUAL_PLACE = 0.35  # share of the pictures that show a thing where it belongs
_NOISE = 20.0  # grey levels; the noise's range is twice that to each side, its law a triangle
_PLACES = {"airplane": 0, "bird": 0, "ship": 1, "automobile": 2, "truck": 2, "deer": 3, "horse": 3, "frog": 3}
# Upper and lower colour of each place: sky, water, street, meadow, room.
_PLACE_COLOURS = np.array(
    [
        [(120, 165, 215), (185, 205, 225)],
        [(160, 190, 215), (40, 85, 125)],
        [(165, 165, 170), (95, 95, 100)],
        [(110, 150, 130), (95, 130, 60)],
        [(175, 150, 125), (120, 90, 65)],
    ],
    np.float32,
)


class _Dice:
    """Random numbers for `count` pictures, their spread scaled by `difficulty` about the middle of their range."""

    def __init__(self, seed: list[int], count: int, difficulty: float) -> None:
        self.random, self.count, self.difficulty = np.random.RandomState(seed), count, difficulty

    def about(self, middle: float, spread: float) -> Field:
        """Numbers within `spread` (times the difficulty) of the middle, shape (pictures, 1, 1)."""
        drawn = self.random.uniform(-1, 1, (self.count, 1, 1)) * (spread * self.difficulty) + middle
        return drawn.astype(np.float32)

    def chance(self, share: float) -> Field:
        """1 in that share (times the difficulty) of the pictures, else 0."""
        return (self.random.random_sample((self.count, 1, 1)) < share * self.difficulty).astype(np.float32)

    def colour(self) -> Field:
        """Any colours, shape (pictures, 3, 1, 1)."""
        return self.random.uniform(20, 235, (self.count, 3, 1, 1)).astype(np.float32)


@dataclass(frozen=True)
class _Colours:
    """The colours a thing is painted with, each of shape (pictures, 3, 1, 1)."""

    body: Field
    accent: Field
    dark: Field
    light: Field


Part = tuple[Field, Field]
"""A signed distance and the colour inside it; a thing is a sequence of these, from back to front."""


def _airplane(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    span, sweep, tail = dice.about(0.6, 0.15), dice.about(0.25, 0.15), dice.about(0.38, 0.1)
    yield polygon(x, y, (-0.05, 0.05), (-0.1 - sweep, 0.75 * span), (0.05 - sweep, 0.75 * span), (0.25, 0.05)), c.accent
    yield polygon(x, y, (-0.8, 0.02), (-0.9, tail), (-0.72, tail), (-0.45, 0.05)), c.accent
    yield limb(x, y, (-0.75, 0.0), (0.7, 0.0), dice.about(0.13, 0.03)), c.body
    yield limb(x, y, (-0.4, 0.05), (0.5, 0.05), 0.025), c.dark
    yield ellipse(x, y, 0.74, 0.04, 0.08, 0.05), c.dark
    yield polygon(x, y, (-0.1, -0.02), (0.3, -0.02), (0.0 - sweep, -span), (-0.18 - sweep, -span)), c.accent


def _automobile(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    roof, back, front = dice.about(0.38, 0.08), dice.about(-0.3, 0.15), dice.about(0.25, 0.1)
    wheel, rear = dice.about(0.17, 0.03), dice.about(-0.45, 0.06)
    yield polygon(x, y, (back - 0.2, 0.02), (back, roof), (front, roof), (front + 0.28, 0.02)), c.body
    yield polygon(x, y, (back - 0.07, 0.05), (back + 0.05, roof - 0.07), (-0.04, roof - 0.07), (-0.04, 0.05)), c.light
    yield polygon(x, y, (0.04, 0.05), (0.04, roof - 0.07), (front - 0.02, roof - 0.07), (front + 0.14, 0.05)), c.light
    yield box(x, y, 0.0, -0.12, dice.about(0.78, 0.08), 0.17), c.body
    yield limb(x, y, (-0.7, -0.1), (0.7, -0.1), 0.02), c.accent
    for middle in (rear, -rear):
        yield ellipse(x, y, middle, -0.3, wheel, wheel), c.dark
        yield ellipse(x, y, middle, -0.3, 0.45 * wheel, 0.45 * wheel), c.light


def _bird(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    head, lift = dice.about(0.45, 0.08), dice.about(0.3, 0.15)
    yield polygon(x, y, (-0.85, -0.1), (-0.8, 0.12), (-0.25, 0.12), (-0.25, -0.05)), c.accent
    for foot in (-0.05, 0.12):
        yield limb(x, y, (foot, -0.2), (foot + 0.03, -0.58), 0.03), c.dark
    yield polygon(x, y, (head, lift + 0.07), (head + 0.38, lift - 0.03), (head, lift - 0.09)), c.light
    yield ellipse(x, y, 0.0, 0.0, dice.about(0.45, 0.05), dice.about(0.26, 0.05)), c.body
    yield ellipse(x, y, head, lift, 0.19, 0.18), c.body
    yield ellipse(x, y, -0.1, dice.about(0.05, 0.05), 0.3, dice.about(0.14, 0.04)), c.accent
    yield ellipse(x, y, head + 0.06, lift + 0.04, 0.05, 0.05), c.dark


def _cat(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    wide, tip = dice.about(0.55, 0.06), dice.about(0.82, 0.1)
    for side in (-1, 1):
        ear = side * x
        yield polygon(ear, y, (0.08, 0.25), (0.45, tip), (0.58, 0.1)), c.body
        yield polygon(ear, y, (0.22, 0.3), (0.43, tip - 0.14), (0.48, 0.2)), c.accent
    yield ellipse(x, y, 0.0, 0.0, wide, dice.about(0.46, 0.05)), c.body
    for side in (-1, 1):
        yield ellipse(side * x, y, 0.24, 0.1, 0.12, 0.09), c.light
        yield ellipse(side * x, y, 0.24, 0.1, 0.035, 0.09), c.dark
        for drop in (-0.08, -0.2):
            yield limb(side * x, y, (0.15, -0.12), (0.75, drop), 0.018), c.light
    yield polygon(x, y, (-0.08, -0.07), (0.08, -0.07), (0.0, -0.17)), c.dark


def _dog(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    wide, drop = dice.about(0.44, 0.05), dice.about(-0.12, 0.12)
    yield ellipse(x, y, 0.0, 0.05, wide, dice.about(0.5, 0.05)), c.body
    for side in (-1, 1):
        yield limb(side * x, y, (0.4, 0.38), (0.58, drop), dice.about(0.14, 0.03)), c.accent
        yield ellipse(side * x, y, 0.2, 0.17, 0.07, 0.08), c.dark
    yield ellipse(x, y, 0.0, -0.25, dice.about(0.28, 0.04), 0.3), c.light
    yield limb(x, y, (0.0, -0.42), (0.0, dice.about(-0.6, 0.08)), 0.08), c.accent
    yield ellipse(x, y, 0.0, -0.12, 0.14, 0.1), c.dark


def _four_legs(x: Field, y: Field, dice: _Dice, colour: Field, thick: float) -> Iterator[Part]:
    for foot in (-0.42, -0.27, 0.22, 0.38):
        stride = dice.about(foot, 0.12)
        yield limb(x, y, (foot, -0.05), (stride, dice.about(-0.68, 0.05)), thick), colour


def _deer(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    head, top = dice.about(0.58, 0.06), dice.about(0.4, 0.06)
    yield from _four_legs(x, y, dice, c.body, 0.045)
    yield ellipse(x, y, -0.05, 0.0, 0.46, dice.about(0.2, 0.03)), c.body
    yield ellipse(x, y, -0.5, 0.08, 0.08, 0.1), c.light
    yield limb(x, y, (0.35, 0.08), (head, top), 0.09), c.body
    yield ellipse(x, y, head + 0.1, top, 0.17, 0.09), c.body
    for lean in (-0.22, 0.14):
        tip = dice.about(lean, 0.06)
        yield limb(x, y, (head, top + 0.08), (head + tip, top + 0.5), 0.035), c.light
        yield limb(x, y, (head + 0.5 * tip, top + 0.28), (head + 0.5 * tip + 0.2, top + 0.42), 0.03), c.light
    yield ellipse(x, y, -0.1, 0.06, 0.2, 0.05), c.light


def _horse(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    head, top = dice.about(0.58, 0.06), dice.about(0.55, 0.06)
    yield limb(x, y, (-0.48, 0.12), (dice.about(-0.75, 0.08), -0.4), 0.07), c.dark
    yield from _four_legs(x, y, dice, c.body, 0.075)
    yield ellipse(x, y, -0.03, 0.02, 0.5, dice.about(0.25, 0.03)), c.body
    yield polygon(x, y, (0.2, 0.15), (head - 0.12, top + 0.1), (head + 0.1, top), (0.48, 0.0)), c.body
    yield limb(x, y, (head, top + 0.02), (head + 0.3, top - 0.24), 0.1), c.body
    yield polygon(x, y, (head - 0.12, top), (head - 0.06, top + 0.26), (head + 0.04, top + 0.05)), c.body
    yield limb(x, y, (0.16, 0.24), (head - 0.16, top + 0.08), 0.07), c.dark


def _frog(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    wide, bulge = dice.about(0.52, 0.06), dice.about(0.3, 0.04)
    for side in (-1, 1):
        yield ellipse(side * x, y, 0.52, -0.22, dice.about(0.3, 0.04), 0.2), c.accent
        yield limb(side * x, y, (0.45, -0.4), (0.82, -0.45), 0.07), c.accent
        yield limb(side * x, y, (0.2, -0.2), (0.28, -0.52), 0.07), c.body
    yield ellipse(x, y, 0.0, -0.1, wide, dice.about(0.36, 0.04)), c.body
    for side in (-1, 1):
        yield ellipse(side * x, y, bulge, 0.25, 0.18, 0.18), c.body
        yield ellipse(side * x, y, bulge, 0.28, 0.11, 0.11), c.light
        yield ellipse(side * x, y, bulge, 0.28, 0.06, 0.06), c.dark
    yield limb(x, y, (-0.36, -0.08), (0.36, -0.08), 0.03), c.dark
    yield ellipse(x, y, 0.0, -0.32, 0.3, 0.12), c.light


def _ship(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    bow, deck, mast = dice.about(0.85, 0.08), dice.about(0.0, 0.06), dice.about(0.1, 0.25)
    yield limb(x, y, (mast, deck), (mast, dice.about(0.8, 0.1)), 0.03), c.dark
    yield box(x, y, dice.about(-0.42, 0.08), deck + 0.3, 0.09, 0.25), c.accent
    yield box(x, y, dice.about(-0.1, 0.1), deck + 0.12, 0.42, 0.14), c.light
    yield limb(x, y, (-0.4, deck + 0.14), (0.2, deck + 0.14), 0.035), c.dark
    yield polygon(x, y, (-0.8, deck), (bow, deck + 0.08), (0.6, -0.38), (-0.65, -0.38)), c.body
    yield limb(x, y, (-0.66, deck - 0.1), (0.66, deck - 0.1), 0.03), c.accent


def _truck(x: Field, y: Field, dice: _Dice, c: _Colours) -> Iterator[Part]:
    top, gap, nose = dice.about(0.45, 0.1), dice.about(0.26, 0.05), dice.about(0.78, 0.06)
    yield box(x, y, 0.0, -0.24, 0.75, 0.06), c.dark
    yield polygon(x, y, (-0.82, -0.2), (-0.82, top), (gap, top), (gap, -0.2)), c.body
    yield limb(x, y, (-0.7, 0.1), (gap - 0.12, 0.1), 0.04), c.accent
    yield (
        polygon(x, y, (gap + 0.07, -0.25), (gap + 0.07, 0.28), (nose - 0.14, 0.28), (nose, 0.0), (nose, -0.25)),
        c.accent,
    )
    yield polygon(x, y, (gap + 0.18, 0.02), (gap + 0.18, 0.2), (nose - 0.16, 0.2), (nose - 0.07, 0.02)), c.light
    for middle in (-0.62, -0.3, 0.55):
        yield ellipse(x, y, middle, -0.34, 0.14, 0.14), c.dark
        yield ellipse(x, y, middle, -0.34, 0.05, 0.05), c.light


_THINGS: tuple[Callable[[Field, Field, _Dice, _Colours], Iterator[Part]], ...] = (
    _airplane,
    _automobile,
    _bird,
    _cat,
    _deer,
    _dog,
    _frog,
    _horse,
    _ship,
    _truck,
)


@lru_cache(maxsize=1)
def things() -> Dataset:
    """CIFAR-10's stand-in: 5,000 training and 1,000 validation pictures of 32x32x3, 10 classes; always the same."""
    return draw()


def draw(difficulty: float = 1.0, noise: float = 1.0, seed: int = SEED) -> Dataset:
    """Another setting of the generator, to show where a claim ends; the frozen stand-in is `draw()`.

    Args:
        difficulty: scales pose, variety of shape, clutter, things in front, fog and odd light; 0 shows each thing
            upright, whole and in the middle.
        noise: scales the noise of the pixels; 0 draws clean pictures.
        seed: another seed draws other pictures of the same kind.
    """
    arrays: dict[str, Any] = {}
    for split, (name, per_class) in enumerate((("train", _TRAIN_PER_CLASS), ("val", _VAL_PER_CLASS))):
        pictures = np.concatenate(
            [_pictures(label, _Dice([seed, split, label], per_class, difficulty), noise) for label in range(10)]
        )
        labels = np.repeat(np.arange(10, dtype=np.int32), per_class)
        order = np.random.RandomState([seed, split, 10]).permutation(len(labels))
        arrays |= {f"x_{name}": pictures[order], f"y_{name}": labels[order]}
    return Dataset(
        "cifar10",
        **arrays,
        classes=len(CLASS_NAMES),
        provenance=PROVENANCE + changed(difficulty, noise, seed, SEED),
        kind="embedded",
        class_names=CLASS_NAMES,
    )


def _pictures(label: int, dice: _Dice, noise: float) -> npt.NDArray[np.uint8]:
    """Pictures of one class, uint8 (count, 32, 32, 3)."""
    x, y = grid(_SIDE)
    picture = _background(dice, _PLACES.get(CLASS_NAMES[label], 4), y)
    for _ in range(3):
        _blot(picture, dice, x, y, dice.chance(0.6))
    turn = dice.about(0.0, 0.3)[:, 0, 0]
    size, flip = dice.about(0.85, 0.22), np.where(dice.random.random_sample((dice.count, 1, 1)) < 0.5, -1, 1)
    ox, oy = turned(x - dice.about(0.0, 0.22), y - dice.about(0.0, 0.22), turn)
    ox = ox * flip.astype(np.float32) / (size * dice.about(1.0, 0.12))
    oy = oy / size
    shade = np.float32(1) + dice.about(0.0, 0.25) * ox + dice.about(0.0, 0.25) * oy
    for distance, colour in _THINGS[label](ox, oy, dice, _colours(dice)):
        paint(picture, cover(distance * size, _PIXEL), colour * shade[:, None])
    _blot(picture, dice, x, y, dice.chance(0.5))
    return to_bytes(_seen(picture, dice, noise))


def _colours(dice: _Dice) -> _Colours:
    """Colours without regard to the class; dark parts are dark and light ones light, as on things."""
    body, accent = dice.colour(), dice.colour()
    return _Colours(body, accent, dice.colour() * np.float32(0.25), np.float32(160) + dice.colour() * np.float32(0.4))


def _background(dice: _Dice, usual: int, y: Field) -> Field:
    """A place, upper and lower half, with soft stains: (count, 3, 32, 32)."""
    anywhere = dice.random.randint(0, len(_PLACE_COLOURS), dice.count)
    place = np.where(dice.random.random_sample(dice.count) < _USUAL_PLACE, usual, anywhere)
    colours = _PLACE_COLOURS[place][..., None, None]
    lower = cover(y - dice.about(-0.15, 0.35), 0.2)[:, None]
    picture = colours[:, 0] + lower * (colours[:, 1] - colours[:, 0]) + dice.about(0.0, 30)[:, None]
    stains = dice.random.uniform(-1, 1, (dice.count, 3, 7, 7)).astype(np.float32)
    return picture + np.float32(45 * dice.difficulty) * enlarged(stains, _SIDE)


def _blot(picture: Field, dice: _Dice, x: Field, y: Field, shown: Field) -> None:
    """Clutter in any colour, in place: an ellipse, or a box, turned, somewhere near the border."""
    angle = dice.random.uniform(-1.5, 1.5, dice.count)
    around = dice.random.uniform(-1, 1, (2, dice.count, 1, 1)).astype(np.float32)
    bx, by = turned(x - around[0], y - around[1], angle)
    long, thin = dice.about(0.35, 0.2), dice.about(0.12, 0.08)
    round_ = ellipse(bx, by, 0.0, 0.0, long, thin * 2)
    square = box(bx, by, 0.0, 0.0, long, thin)
    kind = dice.chance(0.5)
    paint(picture, shown * cover(round_ + kind * (square - round_), _PIXEL), dice.colour())


def _seen(picture: Field, dice: _Dice, noise: float) -> Field:
    """Light, cast of colour, fog and the noise of the pixels."""
    light, fog = dice.about(0.95, 0.35)[:, None], np.maximum(dice.about(0.1, 0.25), 0)[:, None]
    cast = dice.random.uniform(-1, 1, (dice.count, 3, 1, 1)) * (0.12 * dice.difficulty) + 1
    picture = picture * light * cast.astype(np.float32)
    picture += fog * (np.float32(150) - picture)
    grain = dice.random.random_sample((2, *picture.shape))
    return picture + np.float32(2 * _NOISE * noise) * (grain[0] - grain[1]).astype(np.float32)
