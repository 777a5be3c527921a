"""Arms of known times and curves, and a recorder for claims about them."""

import math
import random

from dlcv04.harness.claims.claim import ClaimInfo
from dlcv04.harness.claims.controls import reference_everywhere
from dlcv04.harness.claims.recorder import ClaimRecorder
from dlcv04.harness.measuring.blocks import InterleavedBlock
from dlcv04.harness.measuring.seeds import SeededBlock
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import EpochRow, SeedCurve

CONTROL = reference_everywhere("a")


def recorder(policy=None, **options):
    return ClaimRecorder(ClaimInfo("x", CONTROL), policy or Policy(), **options)


class Noisy:
    images_per_step, noisy, compile_seconds = 1, False, None

    def __init__(self, clock, seconds, seed, noise):
        self.clock, self.seconds, self.random, self.noise = clock, seconds, random.Random(seed), noise

    def prepare(self):
        pass

    def run_steps(self, count):
        self.clock[0] += count * self.seconds * math.exp(self.random.gauss(0, self.noise))

    def barrier(self):
        pass


def times(ratio, noise=0.09, seed=0):
    clock = [0.0]
    works = {"a": Noisy(clock, 0.1, seed, noise), "b": Noisy(clock, 0.1 * ratio, seed + 1, noise)}
    return InterleavedBlock(works, steps=1, clock=lambda: clock[0]).arms


SLOW, FAST = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0.4, 0.6, 0.7, 0.75, 0.8, 0.8]


def trainer(levels, noise, name):
    def one(seed):
        draw = random.Random(f"{seed}{name}")
        if levels is None:
            return SeedCurve(seed=seed, epochs=[], status="diverged", reason=f"loss is NaN in epoch 1, seed {seed}")
        accuracies = [min(max(level + draw.gauss(0, noise), 0), 1) for level in levels]
        rows = [
            EpochRow(train_seconds=1, train_loss=1 - a, train_accuracy=a, val_loss=1.5 - a, val_accuracy=a)
            for a in accuracies
        ]
        return SeedCurve(seed=seed, epochs=rows)

    return one


def curves(noise=0.005, images=0, **levels):
    facts = {name: {"images": images} for name in levels}
    return SeededBlock({name: trainer(each, noise, name) for name, each in levels.items()}, facts=facts).arms


def verdict(made):
    return made.assertions[-1].verdict
