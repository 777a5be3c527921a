"""Energy of an arm, counted over its own rounds."""

from contextlib import nullcontext

import pytest

from dlcv04.harness.measuring.blocks import InterleavedBlock
from dlcv04.harness.session.suite import times_arm


class Clock:
    def __init__(self):
        self.now = 0.0


class Work:
    noisy, compile_seconds, images_per_step = False, None, 100

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds

    def prepare(self):
        pass

    def run_steps(self, count):
        self.clock.now += count * self.seconds

    def barrier(self):
        pass


class Meter:
    """A card of 200 W."""

    contention, clocks, neighbours = 0.0, {}, []

    def __init__(self, clock, *, counts=True):
        self.clock, self.counts = clock, counts

    def joules(self):
        return 200 * self.clock.now if self.counts else None

    def watching(self):
        return nullcontext()


def energy(seconds, rounds, *, counts=True):
    clock = Clock()
    works = {"one": Work(clock, seconds), "other": Work(clock, 7.0)}
    block = InterleavedBlock(works, steps=1, clock=lambda: clock.now, meter=Meter(clock, counts=counts))
    block.run(rounds)
    return [(figure.unit, figure.values) for figure in times_arm(block.arms["one"])["figures"]]


def test_joules_per_1000_images_of_the_arms_own_rounds():
    """1.5 s at 200 W for 100 images."""
    (found,) = energy(1.5, 4)
    assert found == ("J", [pytest.approx(3000)])


@pytest.mark.parametrize(("seconds", "rounds", "counts"), [(1.5, 3, True), (0.5, 20, True), (1.5, 4, False)])
def test_too_short_or_uncounted_there_is_none(seconds, rounds, counts):
    assert energy(seconds, rounds, counts=counts) == []
