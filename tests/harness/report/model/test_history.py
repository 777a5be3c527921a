"""The history: which stored runs stand in it and in what order, what is drawn, and where the level changed."""

from __future__ import annotations

import math
import re
import statistics

import msgspec
import pytest

from dlcv04.harness.judging.stored_times import level
from dlcv04.harness.report.model import history
from dlcv04.harness.report.model.trends import Change, Trend
from dlcv04.harness.report.plots.sparkline import sparkline
from dlcv04.harness.report.renderers import html_page
from dlcv04.harness.store.schema import LEARNING, SECONDS, Run
from tests.harness.report.past_runs import accepted, stored
from tests.harness.report.sample import changed, node, sample_run

TIMED = node("test_more_conv_layers_take_longer")


LEARNS = node("test_one_conv_less_learns_worse")


def trend(built: history.History, arm: str = "base", metric: str = SECONDS, test: str = TIMED) -> Trend:
    return next(s for s in built.trends if (s.test, s.arm, s.metric) == (test, arm, metric))


def test_stored_runs_stand_in_order_of_time_and_this_run_last() -> None:
    runs = stored(8)
    found = trend(history.build(sample_run(), list(reversed(runs))))
    assert [point.run.id for point in found.stored if point.run] == [f"run-{i}" for i in range(8)]
    assert found.points[-1].run is None and found.points[-1].when == "2026-01-31"


def test_what_is_drawn_is_what_the_gate_reads() -> None:
    runs = stored(6)
    found = trend(history.build(sample_run(), runs))
    arms = [arm for run in [*runs, sample_run()] for arm in run.arms if (arm.test, arm.name) == (TIMED, "base")]
    assert [point.value for point in found.points] == [level(arm).calibrated for arm in arms]
    assert found.calibrated


def test_without_every_calibrator_plain_times_are_drawn() -> None:
    runs = stored(6)
    bare = [msgspec.structs.replace(arm, calibrator_seconds=[]) for arm in runs[2].arms]
    found = trend(history.build(sample_run(), [*runs[:2], changed(runs[2], arms=bare), *runs[3:]]))
    arms = [arm for run in runs for arm in run.arms if (arm.test, arm.name) == (TIMED, "base")]
    assert [point.value for point in found.stored] == [level(arm).seconds for arm in arms]
    assert not found.calibrated


@pytest.mark.parametrize("what", ["key", "machine class", "data", "test"])
def test_what_can_not_be_compared_is_not_drawn(what: str) -> None:
    def other(run: Run) -> Run:
        if what == "key":
            return changed(run, key={**run.key, "backend": "jax"})
        if what == "machine class":
            return changed(run, environment=msgspec.structs.replace(run.environment, machine_class="gpu-x"))
        change = {"key": {"data": "another"}} if what == "data" else {"test": "bench/test_other.py::test_x"}
        return changed(run, arms=[msgspec.structs.replace(arm, **change) for arm in run.arms])

    built = history.build(sample_run(), [other(run) for run in stored(6)])
    # Curves hold no clock, so they travel to another machine class.
    assert {s.metric for s in built.trends} == ({LEARNING} if what == "machine class" else set())


def test_arms_that_no_assertion_names_have_no_history() -> None:
    run = sample_run()
    claims = [msgspec.structs.replace(c, assertions=[]) if c.test == TIMED else c for c in run.claims]
    assert not [s for s in history.build(changed(run, claims=claims), stored(6)).trends if s.test == TIMED]


def test_a_change_of_level_is_dated_and_said_in_words() -> None:
    (change,) = trend(history.build(sample_run(), stored(16, slower_from=9)), "one_conv_less").changes
    assert change.index == 9 and change.worse
    assert re.fullmatch(r"\+[4-8]\.\d % since the run of 2026-01-10", change.text)


def test_a_change_is_told_from_five_runs_on() -> None:
    """Four stored runs and this one: two levels, of which each has two runs or more."""

    def changes(count: int) -> tuple[Change, ...]:
        runs = [*stored(2, slower_from=0, ratio=2), *stored(count)[2:]]
        return trend(history.build(sample_run(), runs), "one_conv_less").changes

    assert changes(3) == ()
    (change,) = changes(4)
    assert change.index == 2 and not change.worse


def test_runs_of_one_day_are_told_apart_by_the_minute() -> None:
    runs = stored(4)
    runs[1] = changed(runs[1], started="2026-01-01T10:30:00+00:00")
    found = trend(history.build(sample_run(), runs))
    assert [p.when for p in found.stored][:3] == ["2026-01-01 10:00", "2026-01-01 10:30", "2026-01-03 10:00"]


def test_noise_alone_changes_no_level() -> None:
    assert trend(history.build(sample_run(), stored(20)), "one_conv_less").changes == ()


def test_learning_is_drawn_from_two_stored_runs_on_and_falls_for_the_worse() -> None:
    single = history.build(sample_run(), stored(1))
    assert {s.metric for s in single.trends} == {SECONDS}
    runs = stored(16)
    for i in range(5):
        curves = [
            msgspec.structs.replace(arm, curves=[
                msgspec.structs.replace(c, epochs=[
                    msgspec.structs.replace(e, val_accuracy=e.val_accuracy and e.val_accuracy + 0.03)
                    for e in c.epochs
                ])
                for c in arm.curves
            ])
            for arm in runs[i].arms
        ]  # fmt: skip
        runs[i] = changed(runs[i], arms=curves)
    found = trend(history.build(sample_run(), runs), metric=LEARNING, test=LEARNS)
    assert [c.text for c in found.changes] == ["-3.00 points since the run of 2026-01-06"]
    assert found.changes[0].worse and found.shift == "+0.00 points"


def test_a_pinned_run_is_the_new_level_and_its_reason_is_told() -> None:
    runs = stored(10, slower_from=6, ratio=1.3)
    runs[6] = changed(runs[6], acceptance=accepted("a slower loader, on purpose", pins=True, forced=True))
    built = history.build(sample_run(), runs)
    found = trend(built, "one_conv_less")
    assert found.level == statistics.median(point.value for point in found.stored[6:])
    (pin,) = sparkline(found).pins
    assert "a slower loader, on purpose" in pin.title and "pinned" in pin.title and "by force" in pin.title
    assert "1 pinned run" in found.sentence
    row = next(r for r in built.runs if r.id == "run-6")
    assert row.reason == "a slower loader, on purpose"
    text = html_page.render(sample_run(), runs)
    assert text.count("a slower loader, on purpose") >= 2


def test_this_run_and_later_ones_are_no_part_of_its_past() -> None:
    run = sample_run()
    runs = stored(6)
    built = history.build(run, [*runs, run, changed(runs[0], id="later", started="2027-01-01T00:00:00+00:00")])
    assert built.later == 1
    assert {r.id for r in built.runs} == {r.id for r in runs}


def test_a_run_given_twice_counts_once() -> None:
    runs = stored(6)
    assert history.build(sample_run(), runs + runs) == history.build(sample_run(), runs)


@pytest.mark.parametrize("seconds", [[0.0] * 10, [], [math.nan] * 10, [1.0, math.inf]])
def test_rounds_that_are_no_durations_are_left_out(seconds: list[float]) -> None:
    runs = stored(3)
    odd = [msgspec.structs.replace(arm, round_seconds=seconds) for arm in runs[1].arms]
    found = trend(history.build(sample_run(), [runs[0], changed(runs[1], arms=odd), runs[2]]))
    assert [point.run.id for point in found.stored if point.run] == ["run-0", "run-2"]


def test_no_stored_runs_and_dates_that_are_none() -> None:
    assert history.build(sample_run(), []) == history.History()
    assert "a history begins with the first baseline" in html_page.render(sample_run())
    runs = [changed(run, started="yesterday <i>") for run in stored(2)]
    assert trend(history.build(sample_run(), runs)).points[0].when == "run-0"


def test_regressed_and_changed_figures_come_first() -> None:
    built = history.build(sample_run(), stored(16, slower_from=9))
    assert built.trends[0].badge.word == "REGRESSED"
    rest = [bool(s.changes) for s in built.trends[1:]]
    assert rest == sorted(rest, reverse=True)
