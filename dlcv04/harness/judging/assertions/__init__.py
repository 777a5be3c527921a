"""Assertions judged from what was measured, one kind a file."""

from dlcv04.harness.judging.assertions.common import UNDECIDED, ArmSeeds, EqualSeedsError, Judged, final
from dlcv04.harness.judging.assertions.memory import PEAK_MEMORY, needs_more
from dlcv04.harness.judging.assertions.seeds import (
    ANSWERS,
    Counting,
    equivalent,
    level,
    not_better,
    paired,
    reach,
    right_more_often,
)
from dlcv04.harness.judging.assertions.times import order
from dlcv04.harness.judging.assertions.units import cluster_means, identity, over_units, resolution

__all__ = [
    "ANSWERS",
    "Judged",
    "ArmSeeds",
    "Counting",
    "EqualSeedsError",
    "PEAK_MEMORY",
    "UNDECIDED",
    "cluster_means",
    "equivalent",
    "final",
    "identity",
    "level",
    "needs_more",
    "not_better",
    "order",
    "over_units",
    "paired",
    "reach",
    "resolution",
    "right_more_often",
]
