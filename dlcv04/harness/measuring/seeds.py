"""Arms that learn: one learning curve a seed, trained only when a claim asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlcv04.harness.store.schema import SeedCurve

Train = Callable[[int], SeedCurve]
#: Trains several seeds of several arms, given as (arm, seed); their curves come in the same order.
TrainAll = Callable[[Sequence[tuple[str, int]]], Iterable[SeedCurve]]


@dataclass
class ArmCurves:
    """One arm's learning curves by seed; `block` trains further seeds for all arms alike.

    `images` and `train_images` are the pictures that its accuracies are shares of, 0 where unknown; `labels` gives the
    class of each validation picture, where a test asked for the answers to each. A `deterministic` arm is trained once.
    """

    name: str
    block: SeededBlock = field(repr=False)
    train: Train = field(repr=False)
    curves: dict[int, SeedCurve] = field(default_factory=dict)
    images: int = 0
    train_images: int = 0
    labels: Callable[[], Sequence[int]] = tuple
    deterministic: bool = False

    @property
    def by_seed(self) -> list[SeedCurve]:
        """The curves trained so far, in order of their seeds."""
        return [self.curves[seed] for seed in sorted(self.curves)]


class SeededBlock:
    """Arms trained over the same seeds: `first_seed`, `first_seed` + 1, ... without holes.

    `facts` are further fields of `ArmCurves` by arm. `train_all`, where there is one, is given at once all that is
    asked for at once; else every arm's own trainer is called, seed by seed.
    """

    def __init__(
        self,
        trainers: Mapping[str, Train],
        *,
        first_seed: int = 0,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
        train_all: TrainAll | None = None,
    ) -> None:
        known = facts or {}
        self.arms = {name: ArmCurves(name, self, train, **known.get(name, {})) for name, train in trainers.items()}
        self.first_seed = first_seed
        self._train_all = train_all or self._one_by_one

    def run(self, seeds: int) -> None:
        """Train until every arm has `seeds` seeds, a deterministic one its only one."""
        asked = range(self.first_seed, self.first_seed + seeds)
        wanted = [
            (name, seed)
            for seed in asked
            for name, arm in self.arms.items()
            if seed not in arm.curves and not (arm.deterministic and (arm.curves or seed > self.first_seed))
        ]
        for (name, seed), curve in zip(wanted, self._train_all(wanted), strict=True):
            self.arms[name].curves[seed] = curve

    def _one_by_one(self, wanted: Sequence[tuple[str, int]]) -> Iterable[SeedCurve]:
        return (self.arms[name].train(seed) for name, seed in wanted)
