"""What the clock costs and how sharp it is, measured on the base network; minutes on a quiet machine, so nightly."""

import math
import random
import time

import pytest

from dlcv04 import backends, datasets, recipes, training
from dlcv04.harness.measuring.blocks import InterleavedBlock, time_round
from dlcv04.harness.stats import Interval, trimmed_mean, upper_t
from dlcv04.networks import MNIST_VARIANTS

pytestmark = pytest.mark.nightly
STEPS = 4


@pytest.fixture(scope="module")
def trainers():
    data, recipe = datasets.load("mnist", "embedded"), recipes.mnist_recipe("paper")
    made = [training.Trainer(MNIST_VARIANTS["base"], data, recipe) for _ in range(2)]
    for trainer in made:
        for _ in range(5):
            time_round(trainer, STEPS)
    return made


def trimmed_interval(ratios):
    """95 % interval of the trimmed mean."""
    mean, standard_error, degrees = trimmed_mean(ratios)
    half = upper_t(0.025, degrees) * standard_error
    return Interval(mean, mean - half, mean + half)


def bare(trainer):
    """The loop without harness: no barrier before, no clock around each round but this one, no calibrator."""
    start = time.perf_counter()
    trainer.run_steps(STEPS)
    trainer.barrier()
    return time.perf_counter() - start


def test_inside_the_clock_the_harness_costs_at_most_two_percent(trainers):
    """200 pairs in random order: a round of the harness over the bare loop of as many steps."""
    trainer, order = trainers[0], random.Random(0)
    block = InterleavedBlock({"base": trainer}, steps=STEPS)
    block.run(2)
    assert block.steps == STEPS
    ratios = []
    for _ in range(200):
        seconds = {}
        for how in order.sample(["bare", "harness"], 2):
            if how == "bare":
                seconds[how] = bare(trainer)
            else:
                block.run(1)
                seconds[how] = block.arms["base"].seconds[-1]
        ratios.append(math.log(seconds["harness"] / seconds["bare"]))
    cost = trimmed_interval(ratios)
    low, middle, high = (100 * (math.exp(value) - 1) for value in (cost.low, cost.estimate, cost.high))
    print(f"\nharness over bare loop: {middle:+.2f} % [{low:+.2f}, {high:+.2f}], n = {len(ratios)} pairs")
    assert high < 2


def test_an_a_a_ratio_is_known_to_five_percent_after_thirty_seconds(trainers):
    """Ten blocks of two identical arms with their calibrator, 30 s each; the whole 95 % interval within +-5 %."""
    inside = []
    for number in range(10):
        block = InterleavedBlock(
            dict(zip("ab", trainers, strict=True)), steps=1, calibrator=backends.calibrator().run, seed=number
        )
        end = time.perf_counter() + 30
        while time.perf_counter() < end:
            block.run(2)
        ratios = block.log_ratios("a", "b")
        interval = trimmed_interval(ratios)
        inside.append(max(abs(interval.low), abs(interval.high)) < math.log(1.05))
        shown = [100 * (math.exp(value) - 1) for value in (interval.estimate, interval.low, interval.high)]
        print("\nA/A {:+.2f} % [{:+.2f}, {:+.2f}]".format(*shown), f"n = {len(ratios)} pairs")
    assert sum(inside) >= 9, inside
