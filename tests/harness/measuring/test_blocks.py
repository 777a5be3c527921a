"""The clock, on a machine whose time we move."""

import gc
import math
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.arms import timed_call
from dlcv04.harness.measuring.blocks import InterleavedBlock, MeasureError, time_round


class Machine:
    def __init__(self):
        self.now, self.log = 0.0, []


class Work:
    """Work that is started at once and done only at the barrier, as on a GPU."""

    images_per_step, noisy, compile_seconds = 32, False, None

    def __init__(self, machine, name, seconds, first=0.0):
        self.machine, self.name, self.seconds, self.pending, self.first = machine, name, seconds, 0.0, first

    def prepare(self):
        pass

    def run_steps(self, count):
        self.machine.log.append(self.name)
        self.pending += count * self.seconds + self.first
        self.first = 0.0

    def barrier(self):
        self.machine.now += self.pending
        self.pending = 0.0


def block(seconds, steps=2, **options):
    machine = Machine()
    works = {name: Work(machine, name, each) for name, each in seconds.items()}
    return InterleavedBlock(works, steps=steps, clock=lambda: machine.now, **options), machine


def test_a_round_lasts_until_the_barrier():
    machine = Machine()
    assert time_round(Work(machine, "a", 0.1), 3, lambda: machine.now) == pytest.approx(0.3)


def test_without_a_barrier_the_clock_sees_nothing_and_that_is_noticed():
    """The mutation of the test above: an arm that forgets its barrier measures nothing."""
    machine = Machine()
    work = Work(machine, "a", 0.1)
    work.barrier = lambda: None
    assert time_round(work, 3, lambda: machine.now) == 0.0


def test_work_left_over_is_not_charged_to_the_round():
    machine = Machine()
    work = Work(machine, "a", 0.1)
    work.run_steps(50)
    assert time_round(work, 1, lambda: machine.now) == pytest.approx(0.1)


@given(st.integers(2, 5), st.integers(1, 15))
@settings(max_examples=30, deadline=None)
def test_arms_alternate_in_balanced_pairs_of_rounds(arms, pairs):
    measured, machine = block({f"arm{i}": 0.1 for i in range(arms)})
    measured.warm_up()
    machine.log.clear()
    measured._next_round = 0
    measured.warm_up = lambda: None
    measured.run(2 * pairs)
    for pair in range(pairs):
        rounds = machine.log[2 * pair * arms : 2 * (pair + 1) * arms]
        assert rounds[arms:] == rounds[:arms][::-1]
    assert set(Counter(machine.log).values()) == {2 * pairs}


def test_pairs_come_from_the_same_round():
    measured, _ = block({"a": 0.1, "b": 0.2})
    measured.run(4)
    measured.run(2, only=("a",))
    ratios = measured.log_ratios("b", "a")
    assert len(ratios) == 4
    assert ratios == pytest.approx([math.log(2)] * 4)


def test_warm_up_ends_when_two_rounds_agree_and_its_rounds_are_not_samples():
    machine = Machine()
    measured = InterleavedBlock({"a": Work(machine, "a", 0.1, first=5.0)}, steps=2, clock=lambda: machine.now)
    measured.run(3)
    arm = measured.arms["a"]
    assert len(arm.warmup) == 3
    assert arm.seconds == pytest.approx([0.2, 0.2, 0.2])
    assert arm.compile_seconds == pytest.approx(5.0)


def test_a_very_fast_arm_gets_longer_rounds_and_so_do_the_others():
    measured, _ = block({"fast": 0.001, "slow": 0.01})
    measured.run(2)
    assert measured.steps == 32
    assert measured.arms["slow"].seconds[0] == pytest.approx(0.32)


def test_the_calibrator_runs_beside_the_rounds():
    machine = Machine()

    def calibrate():
        machine.now += 0.05

    works = {"a": Work(machine, "a", 0.1)}
    measured = InterleavedBlock(works, steps=2, calibrator=calibrate, clock=lambda: machine.now)
    measured.run(5)
    assert measured.calibrator_seconds == pytest.approx([0.05] * 10)


def test_no_garbage_is_collected_inside_a_round():
    seen = []
    work = Work(Machine(), "a", 0.1)
    work.run_steps = lambda count: seen.append(gc.isenabled())
    InterleavedBlock({"a": work}, steps=1, clock=iter(range(1000)).__next__).run(3)
    assert seen[-3:] == [False] * 3 and gc.isenabled()


def test_no_arm_is_a_sentence():
    with pytest.raises(MeasureError, match="no arm to time"):
        InterleavedBlock({}, steps=1)


def test_a_planted_slowdown_is_as_long_as_it_says():
    """By what the work itself saw: on a busy machine two rounds of it take different times."""
    seen = []

    def work():
        start = time.perf_counter()
        time.sleep(0.02)
        seen.append(time.perf_counter() - start)

    measured = InterleavedBlock({"a": timed_call(work)}, steps=1)

    def ratio(slow):
        return measured.time_once("a", 1, slow) / seen[-1]

    assert min(ratio(1.0) for _ in range(5)) == pytest.approx(1.0, abs=0.05)
    assert min(ratio(1.5) for _ in range(5)) == pytest.approx(1.5, abs=0.05)


def sized(images, seconds):
    """Arms of other batch sizes: pictures a step and seconds a step by name."""
    machine = Machine()
    works = {name: Work(machine, name, seconds[name]) for name in images}
    for name, count in images.items():
        works[name].images_per_step = count
    return InterleavedBlock(works, steps=1, clock=lambda: machine.now)


def test_arms_of_other_batch_sizes_are_timed_over_equally_many_pictures():
    measured = sized({"small": 16, "large": 128}, {"small": 0.02, "large": 0.08})
    measured.run(4)
    assert [measured.steps_of(name) for name in ("small", "large")] == [8, 1]
    assert math.exp(measured.log_ratios("small", "large")[0]) == pytest.approx(2.0)


def test_batch_sizes_without_a_small_common_multiple_are_refused():
    with pytest.raises(MeasureError, match="batch sizes that divide each other"):
        sized({"a": 127, "b": 128}, {"a": 0.1, "b": 0.1})
