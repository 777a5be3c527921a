"""The facades of Terrassa's stand-in: the twelve known ones, and unknown ones put together from the same parts."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")

# Frozen: another value anywhere below is another data set, and every baseline on it would be void.
WALLS = {
    "stone": (186, 174, 152),
    "brick": (164, 88, 66),
    "ochre": (205, 160, 92),
    "white": (222, 218, 208),
    "rose": (206, 148, 132),
    "grey": (142, 146, 150),
}
ROOFS = {"tile": (158, 78, 54), "slate": (78, 84, 98), "copper": (96, 146, 128), "lead": (120, 120, 118)}
TRIMS = {"pale": (232, 226, 212), "dark": (88, 70, 58), "red": (140, 62, 50)}

_ROOF_SHAPES = ("gable", "flat", "dome", "mansard", "battlement", "sawtooth", "stepped", "hip")
_WINDOWS = ("square", "arched", "round", "tall")
_TOWERS = ("none", "left", "right", "both", "middle")
_PATTERNS = ("plain", "courses", "stripes")


@dataclass(frozen=True)
class Building:
    """A facade: lengths are in units of its wall's height.

    Attributes:
        wall, roof, trim: colours, keys of the palettes.
        half_width: half the facade's width.
        roof_shape: one of gable, flat, dome, mansard, battlement, sawtooth, stepped, hip.
        roof_height: above the wall.
        floors, columns: rows and columns of windows.
        window: square, arched, round or tall.
        door: half the door's width; an arched one if `arched_door`.
        towers: none, left, right, both or middle.
        tower_height: above the wall.
        pillars: number of pillars before the ground floor.
        pattern: plain, courses (level lines) or stripes (upright ones).
        clock: a clock or rose window high in the middle.
    """

    wall: str
    roof: str
    trim: str
    half_width: float
    roof_shape: str
    roof_height: float
    floors: int
    columns: int
    window: str
    door: float
    arched_door: bool
    towers: str
    tower_height: float
    pillars: int
    pattern: str
    clock: bool


KNOWN: dict[str, Building] = {
    "arsenal": Building(
        "brick", "slate", "pale", 0.95, "battlement", 0.12, 2, 5, "arched", 0.14, True, "both", 0.25, 0, "plain", False
    ),
    "basilica": Building(
        "stone", "copper", "pale", 0.62, "dome", 0.5, 2, 3, "round", 0.13, True, "none", 0.0, 4, "plain", False
    ),
    "castle": Building(
        "stone", "lead", "dark", 0.8, "battlement", 0.1, 1, 4, "tall", 0.12, True, "left", 0.55, 0, "courses", False
    ),
    "cathedral": Building(
        "stone", "slate", "pale", 0.5, "gable", 0.45, 2, 3, "tall", 0.12, True, "both", 0.6, 0, "plain", True
    ),
    "factory": Building(
        "brick", "tile", "dark", 1.25, "sawtooth", 0.22, 1, 8, "square", 0.16, False, "none", 0.0, 0, "plain", False
    ),
    "guildhall": Building(
        "rose", "tile", "pale", 0.52, "stepped", 0.45, 3, 4, "square", 0.1, False, "none", 0.0, 0, "courses", False
    ),
    "manor": Building(
        "white", "slate", "red", 0.85, "mansard", 0.3, 2, 6, "square", 0.1, False, "none", 0.0, 4, "plain", False
    ),
    "market": Building(
        "ochre", "copper", "dark", 1.1, "hip", 0.28, 1, 7, "arched", 0.2, True, "none", 0.0, 0, "stripes", True
    ),
    "museum": Building(
        "white", "tile", "pale", 1.0, "gable", 0.28, 1, 4, "tall", 0.12, False, "none", 0.0, 8, "plain", False
    ),
    "station": Building(
        "ochre", "slate", "pale", 1.05, "mansard", 0.2, 2, 7, "arched", 0.13, True, "middle", 0.45, 0, "plain", True
    ),
    "theatre": Building(
        "rose", "copper", "red", 0.72, "dome", 0.28, 2, 5, "arched", 0.16, True, "both", 0.12, 6, "stripes", False
    ),
    "town_hall": Building(
        "grey", "tile", "pale", 0.75, "hip", 0.24, 3, 5, "square", 0.1, True, "right", 0.5, 0, "courses", True
    ),
}
"""The twelve buildings, by class name."""


def unknown(random: np.random.RandomState) -> Building:
    """A building put together from the same parts at random."""
    towers = pick(random, _TOWERS)
    return Building(
        wall=pick(random, tuple(WALLS)),
        roof=pick(random, tuple(ROOFS)),
        trim=pick(random, tuple(TRIMS)),
        half_width=random.uniform(0.48, 1.2),
        roof_shape=pick(random, _ROOF_SHAPES),
        roof_height=random.uniform(0.12, 0.48),
        floors=int(random.randint(1, 4)),
        columns=int(random.randint(3, 8)),
        window=pick(random, _WINDOWS),
        door=random.uniform(0.09, 0.2),
        arched_door=bool(random.randint(2)),
        towers=towers,
        tower_height=random.uniform(0.15, 0.6),
        pillars=int(pick(random, (0, 0, 4, 6))),
        pattern=pick(random, _PATTERNS),
        clock=bool(random.randint(3) == 0),
    )


def pick(random: np.random.RandomState, choices: tuple[T, ...]) -> T:
    """One of the choices, each as probable as the others."""
    return choices[int(random.randint(len(choices)))]
