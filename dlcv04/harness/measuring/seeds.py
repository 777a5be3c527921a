"""Arms that learn: one learning curve a seed, trained only when a claim asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dlcv04.harness.store.schema import SeedCurve

Train = Callable[[int], SeedCurve]


@dataclass
class ArmCurves:
    """One arm's learning curves by seed; `block` trains further seeds for all arms alike.

    `images` is the number of validation pictures that its accuracies are shares of, 0 where unknown.
    """

    name: str
    block: SeededBlock = field(repr=False)
    train: Train = field(repr=False)
    curves: dict[int, SeedCurve] = field(default_factory=dict)
    images: int = 0

    @property
    def by_seed(self) -> list[SeedCurve]:
        """The curves trained so far, in order of their seeds."""
        return [self.curves[seed] for seed in sorted(self.curves)]


class SeededBlock:
    """Arms trained over the same seeds: `first_seed`, `first_seed` + 1, ... without holes."""

    def __init__(
        self, trainers: Mapping[str, Train], *, first_seed: int = 0, images: Mapping[str, int] | None = None
    ) -> None:
        known = images or {}
        self.arms = {name: ArmCurves(name, self, train, images=known.get(name, 0)) for name, train in trainers.items()}
        self.first_seed = first_seed

    def run(self, seeds: int) -> None:
        """Train until every arm has `seeds` seeds."""
        for seed in range(self.first_seed, self.first_seed + seeds):
            for arm in self.arms.values():
                if seed not in arm.curves:
                    arm.curves[seed] = arm.train(seed)
