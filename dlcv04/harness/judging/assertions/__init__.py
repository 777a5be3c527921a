"""Assertions judged from what was measured, one kind a file."""

from dlcv04.harness.judging.assertions.common import UNDECIDED, ArmSeeds, Judged, detectable, final
from dlcv04.harness.judging.assertions.seeds import (
    ANSWERS,
    equivalent,
    level,
    not_better,
    paired,
    reach,
    right_more_often,
)
from dlcv04.harness.judging.assertions.times import order
from dlcv04.harness.judging.assertions.units import cluster_means, identity, over_units

__all__ = [
    "ANSWERS",
    "Judged",
    "ArmSeeds",
    "UNDECIDED",
    "cluster_means",
    "detectable",
    "equivalent",
    "final",
    "identity",
    "level",
    "not_better",
    "order",
    "over_units",
    "paired",
    "reach",
    "right_more_often",
]
