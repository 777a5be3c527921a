"""Trends of many runs: which runs share a trend, where a level is said to have changed, and what is known of it."""

from __future__ import annotations

import msgspec
import pytest

from dlcv04.harness.report.model import over_time
from dlcv04.harness.report.model.trends import Trend
from dlcv04.harness.store.schema import LEARNING, SECONDS, Commit, Run
from tests.harness.report.past_runs import accepted, stored
from tests.harness.report.sample import changed, node

TIMED = node("test_more_conv_layers_take_longer")
LEARNS = node("test_one_conv_less_learns_worse")


def saved(count: int, **kwargs: object) -> list[Run]:
    """Runs of a commit each; every other one was accepted, which makes no difference here."""
    runs = stored(count, **kwargs)  # type: ignore[arg-type]
    claims = with_claims().claims
    return [
        changed(run, claims=claims, commit=Commit(id=f"{number:x}" * 40), acceptance=accepted() if number % 2 else None)
        for number, run in enumerate(runs)
    ]


def with_claims() -> Run:
    from tests.harness.report.sample import sample_run

    run = sample_run()
    return changed(run, claims=[claim for claim in run.claims if not claim.is_control])


def trends(view: over_time.OverTime) -> list[Trend]:
    return [trend for group in view.groups for trend in (*group.changed, *group.level)]


def trend(view: over_time.OverTime, arm: str = "one_conv_less", metric: str = SECONDS, test: str = TIMED) -> Trend:
    (found,) = (t for t in trends(view) if (t.test, t.arm, t.metric) == (test, arm, metric))
    return found


def test_every_figure_is_drawn_in_order_of_time_whether_accepted_or_not() -> None:
    view = over_time.build(list(reversed(saved(6))))
    found = trend(view)
    assert [point.run.id for point in found.points if point.run] == [f"run-{number}" for number in range(6)]
    names = {(t.arm, t.metric) for t in trends(view)}
    assert {
        ("one_conv_less", SECONDS),
        ("base", LEARNING),
        ("", "effect: base takes longer than one_conv_less"),
    } <= names


def test_a_change_names_the_commits_it_lies_between() -> None:
    found = trend(over_time.build(saved(8, slower_from=4, ratio=1.3)))
    (change,) = found.changes
    assert change.index == 4 and change.worse
    assert change.text.endswith("% between 3333333333 and 4444444444 (2026-01-05)") and change.text[0] == "+"


def test_the_headline_names_where_most_figures_changed() -> None:
    sentence = over_time.build(saved(8, slower_from=4, ratio=1.3)).sentence
    assert sentence.endswith("all for the worse; all between 3333333333 and 4444444444.")


def test_the_largest_change_for_the_worse_comes_first_and_counts_have_no_direction() -> None:
    runs = saved(8, slower_from=4, ratio=1.3)
    for number in range(4, 8):
        arms = [
            msgspec.structs.replace(
                a,
                parameters=a.parameters + 10,
                round_seconds=[s * (2 if a.name == "base" else 1) for s in a.round_seconds],
            )
            for a in runs[number].arms
        ]
        runs[number] = changed(runs[number], arms=arms)
    found = [t for group in over_time.build(runs).groups for t in group.changed]
    assert found[0].arm == "base" and found[0].changes[0].worse
    assert found[-1].metric == "parameters" and {c.tone for c in found[-1].changes} == {"none"}


def test_a_change_within_one_commit_is_not_the_codes() -> None:
    runs = [changed(run, commit=Commit(id="a" * 40)) for run in saved(8, slower_from=4, ratio=1.3)]
    (change,) = trend(over_time.build(runs)).changes
    assert change.about[0] == "the same commit before and after"


def test_versions_that_changed_there_are_named() -> None:
    runs = saved(8, slower_from=4, ratio=1.3)
    newer = {**runs[0].environment.software, "tensorflow": "9.9"}
    for number in range(4, 8):
        environment = msgspec.structs.replace(runs[number].environment, software=newer)
        runs[number] = changed(runs[number], environment=environment)
    (change,) = trend(over_time.build(runs)).changes
    assert any("tensorflow" in text and "9.9" in text for text in change.about)


def test_five_runs_are_enough_and_four_are_not() -> None:
    assert trend(over_time.build(saved(5, slower_from=3, ratio=2))).changes
    assert not trend(over_time.build(saved(4, slower_from=2, ratio=2))).changes


@pytest.mark.parametrize("what", ["machine class", "backend", "profile", "data"])
def test_other_settings_stand_apart(what: str) -> None:
    def other(run: Run) -> Run:
        if what == "machine class":
            return changed(run, environment=msgspec.structs.replace(run.environment, machine_class="gpu-x"))
        if what == "data":
            record = msgspec.structs.replace(run.data[0], fingerprint="other", kind="real")
            arms = [msgspec.structs.replace(arm, key={"data": "other"}) for arm in run.arms]
            return changed(run, data=[record], arms=arms)
        return changed(run, key={**run.key, what: "other"})

    runs = saved(6)
    view = over_time.build([*runs, *(changed(other(run), id=f"other-{run.id}") for run in runs)])
    assert len(view.groups) == 2
    for group in view.groups:
        found = {
            point.run.id.startswith("other") for t in (*group.changed, *group.level) for point in t.points if point.run
        }
        assert len(found) == 1


def test_a_run_stored_in_two_parts_is_one_point() -> None:
    runs = saved(6)
    view = over_time.build([*runs, *runs])
    assert len(trend(view).points) == 6 and len(view.runs) == 6


def test_a_baseline_without_its_claims_has_its_figures_all_the_same() -> None:
    runs = saved(6)
    view = over_time.build([*(changed(run, claims=[]) for run in runs[:5]), runs[5]])
    assert len(trend(view).points) == 6


def test_counts_are_told_where_they_change_and_counted_where_not() -> None:
    runs = saved(4)
    arms = [msgspec.structs.replace(a, parameters=a.parameters + 10) if a.name == "base" else a for a in runs[3].arms]
    view = over_time.build([*runs[:3], changed(runs[3], arms=arms)])
    (change,) = trend(view, "base", "parameters").changes
    assert change.text.startswith("+10 between 2222222222 and 3333333333")
    (group,) = view.groups
    assert group.steady > 0 and not any(t.metric == "MACs" for t in trends(view))


def test_noise_alone_changes_about_nothing() -> None:
    view = over_time.build(saved(12))
    assert sum(bool(t.changes) for t in trends(view)) <= 1


def test_learning_falls_for_the_worse_in_points() -> None:
    runs = saved(8)
    for number in range(4, 8):
        arms = [
            msgspec.structs.replace(arm, curves=[
                msgspec.structs.replace(c, epochs=[
                    msgspec.structs.replace(e, val_accuracy=e.val_accuracy and e.val_accuracy - 0.03)
                    for e in c.epochs
                ])
                for c in arm.curves
            ])
            for arm in runs[number].arms
        ]  # fmt: skip
        runs[number] = changed(runs[number], arms=arms)
    (change,) = trend(over_time.build(runs), "base", LEARNING, LEARNS).changes
    assert change.worse and change.text.startswith("-3.00 points between ")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_runs_have_no_trend(count: int) -> None:
    view = over_time.build(saved(count))
    assert view.groups == () and "no figure" in view.sentence
