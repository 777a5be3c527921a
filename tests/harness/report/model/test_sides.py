"""Runs side by side: which claims stand first, what is said to have moved, and what can't be compared."""

from __future__ import annotations

import math
import random

import msgspec
import pytest

from dlcv04.harness.report.model import sides
from dlcv04.harness.store.schema import Arm, Claim, Run
from tests.harness.report.past_runs import stored
from tests.harness.report.sample import changed, node, sample_run

TIMED = node("test_more_conv_layers_take_longer")
LEARNS = node("test_one_conv_less_learns_worse")


def real(run: Run, *tests: str) -> Run:
    """The run with these claims alone, and no controls."""
    return changed(run, claims=[c for c in run.claims if not c.is_control and (not tests or c.test in tests)])


def with_claim(run: Run, test: str, **changes: object) -> Run:
    return changed(run, claims=[msgspec.structs.replace(c, **changes) if c.test == test else c for c in run.claims])


def with_arms(run: Run, **changes: object) -> Run:
    return changed(run, arms=[msgspec.structs.replace(arm, **changes) for arm in run.arms])


def slower(run: Run, ratio: float, test: str = TIMED) -> Run:
    arms = [
        msgspec.structs.replace(a, round_seconds=[s * ratio for s in a.round_seconds]) if a.test == test else a
        for a in run.arms
    ]
    return changed(run, arms=arms)


def worse(run: Run, points: float) -> Run:
    """The run with every validation accuracy lower."""

    def lower(arm: Arm) -> Arm:
        curves = [
            msgspec.structs.replace(
                curve,
                epochs=[
                    msgspec.structs.replace(e, val_accuracy=e.val_accuracy and e.val_accuracy - points)
                    for e in curve.epochs
                ],
            )
            for curve in arm.curves
        ]
        return msgspec.structs.replace(arm, curves=curves)

    return changed(run, arms=[lower(arm) for arm in run.arms])


def moved(row: sides.Row) -> set[tuple[str, str]]:
    return {(figure.arm, figure.name) for figure in row.moved}


def test_equal_runs_differ_in_nothing() -> None:
    run = real(sample_run())
    view = sides.build([run, changed(run, id="other")])
    assert len(view.alike) == 6 and not (view.differing or view.moved or view.partial)
    assert view.differences == () and view.notes == ()
    assert "6 without a change" in view.sentence


def test_different_verdicts_stand_first_and_are_those_of_the_runs() -> None:
    run = real(sample_run())
    other = with_claim(slower(run, 3.0), LEARNS, verdict="HOLDS")
    view = sides.build([run, other])
    assert [row.test for row in view.differing] == [LEARNS]
    assert [cell.badge.word for cell in view.differing[0].cells] == ["INCONCLUSIVE", "HOLDS"]
    assert [row.test for row in view.moved] == [TIMED]


def test_an_assertions_other_verdict_is_a_difference_too_and_leads_its_line() -> None:
    run = real(sample_run(), TIMED)
    second = msgspec.structs.replace(run.claims[0].assertions[1], verdict="INCONCLUSIVE")
    other = with_claim(run, TIMED, assertions=[run.claims[0].assertions[0], second])
    (row,) = sides.build([run, other]).differing
    assert row.lead is not None and row.lead.sentence == second.sentence


def test_a_time_three_times_as_long_moved_and_one_like_it_did_not() -> None:
    run = real(sample_run(), TIMED)
    (row,) = sides.build([run, slower(run, 3.0)]).moved
    assert ("base", "seconds an epoch") in moved(row)
    figure = next(f for f in row.figures if (f.arm, f.name) == ("base", "seconds an epoch"))
    assert figure.changes[0] is None and figure.changes[1].text.startswith("3.00× [") and figure.worse
    assert sides.build([run, slower(run, 1.01)]).moved == ()


def noisy(arm: Arm, rng: random.Random, calibrator: float) -> Arm:
    """The arm as another process of the same code measures it, with other seeds: 5 % a round, 3 % a process."""
    process = math.exp(rng.gauss(0, 0.03))
    changes: dict[str, object] = {}
    if arm.round_seconds:
        changes["round_seconds"] = [0.2 * process * math.exp(rng.gauss(0, 0.05)) for _ in range(10)]
        changes["calibrator_seconds"] = [0.06 * calibrator * math.exp(rng.gauss(0, 0.05)) for _ in range(10)]
    if arm.curves:
        changes["curves"] = [
            msgspec.structs.replace(
                curve,
                seed=rng.randrange(10**6),
                status="ok",
                reason="",
                epochs=[
                    msgspec.structs.replace(
                        row, val_accuracy=0.8 + level, train_accuracy=0.8 + level, val_loss=0.5, train_loss=0.4 + level
                    )
                    for row in curve.epochs
                ],
            )
            for curve, level in ((curve, rng.gauss(0, 0.01)) for curve in arm.curves)
        ]
    return msgspec.structs.replace(arm, **changes)


@pytest.mark.parametrize("test", [TIMED, LEARNS])
def test_noise_alone_moves_something_in_1_pair_of_100(test: str) -> None:
    """150 pairs of runs of equal code: at the promised 1 % more than 6 would be one chance in a thousand."""
    run, rng, wrong = real(sample_run(), test), random.Random(7), 0

    def again() -> Run:
        calibrator = math.exp(rng.gauss(0, 0.03))
        return changed(run, arms=[noisy(arm, rng, calibrator) for arm in run.arms])

    for _ in range(150):
        wrong += bool(sides.build([again(), again()]).moved)
    assert wrong <= 6


def test_other_machines_times_are_a_ratio_with_a_note() -> None:
    run = real(sample_run(), TIMED)
    card = changed(run, environment=msgspec.structs.replace(run.environment, machine_class="gpu-x"))
    view = sides.build([run, slower(card, 0.1)])
    assert any("Different machines (A cpu" in note for note in view.notes)
    (row,) = view.alike
    figure = next(f for f in row.figures if (f.arm, f.name) == ("base", "seconds an epoch"))
    assert (figure.changes[1].text, figure.changes[1].note, figure.moved) == ("0.10×", "not comparable", False)


def test_other_data_can_not_be_compared() -> None:
    run = real(sample_run(), LEARNS)
    first = with_arms(run, key={"data": "a"})
    other = worse(with_arms(run, key={"data": "b"}), 0.2)
    data = [msgspec.structs.replace(record, fingerprint="sha256:" + "b" * 64) for record in run.data]
    view = sides.build([first, changed(other, data=data)])
    assert any("Different data of mnist:" in note for note in view.notes)
    assert not view.moved


def test_a_run_that_used_fewer_variants_of_a_data_set_has_no_other_data() -> None:
    run = sample_run()
    features = msgspec.structs.replace(run.data[0], name="mnist, features", fingerprint="sha256:" + "c" * 64)
    again = msgspec.structs.replace(run.data[0], fingerprint="sha256:" + "d" * 64)
    view = sides.build([changed(run, data=[*run.data, again, features]), run])
    assert not any("Different data" in note for note in view.notes)


def test_what_got_worse_and_what_was_measured_come_before_further_counts() -> None:
    run = real(sample_run(), TIMED)
    slow = slower(run, 3.0)
    arms = [msgspec.structs.replace(a, parameters=a.parameters + 1, macs=(a.macs or 0) + 1) for a in slow.arms]
    (row,) = sides.build([run, changed(slow, arms=arms)]).moved
    names = [figure.name for figure in row.moved]
    assert names[0] == "seconds an epoch" and names.index("parameters") < names.index("MACs") == len(
        names
    ) - names.count("MACs")


def test_other_sizes_can_not_be_compared() -> None:
    run = real(sample_run(), LEARNS)
    other = changed(worse(run, 0.2), profile="standard", key={**run.key, "profile": "standard"})
    view = sides.build([run, other])
    assert any("A smoke, B standard" in note for note in view.notes) and not view.moved


def test_backends_are_compared_and_named() -> None:
    run = real(sample_run())
    jax = changed(slower(worse(run, 0.2), 2.0), key={**run.key, "backend": "jax"})
    torch = changed(run, key={**run.key, "backend": "torch"})
    view = sides.build([run, jax, torch])
    assert [side.letter for side in view.sides] == ["A", "B", "C"]
    assert any("(A tensorflow, B jax, C torch)" in note for note in view.notes)
    assert {TIMED, LEARNS} <= {row.test for row in view.moved}
    row = next(row for row in view.moved if row.test == LEARNS)
    assert all(change is None or not change.moved for figure in row.figures for change in figure.changes[2:])


def test_another_count_of_parameters_moved_by_that_many() -> None:
    run = real(sample_run(), TIMED)
    arms = [msgspec.structs.replace(a, parameters=a.parameters + 10) if a.name == "base" else a for a in run.arms]
    (row,) = sides.build([run, changed(run, arms=arms)]).moved
    figure = row.moved[0]
    assert (figure.arm, figure.name, figure.changes[1].text) == ("base", "parameters", "+10")


@pytest.mark.parametrize(
    ("claims", "why"),
    [(lambda c: [], "not in this run"), (lambda c: [waiting(c[0])], "waits for the profile standard")],
    ids=["absent", "waits"],
)
def test_a_claim_that_one_run_did_not_judge_says_why(claims: object, why: str) -> None:
    run = real(sample_run(), TIMED)
    view = sides.build([run, changed(run, claims=claims(run.claims))])  # type: ignore[operator]
    (row,) = view.partial
    assert row.cells[1].badge is None and row.cells[1].why == why
    assert "1 not judged in every run" in view.sentence


def waiting(claim: Claim) -> Claim:
    return msgspec.structs.replace(claim, judged=False, judged_from="standard", assertions=[])


def test_runs_without_claims_are_shown_for_what_they_are() -> None:
    view = sides.build([changed(run, claims=[]) for run in stored(2)])
    assert view.sentence == "None of these runs judged a claim."


def test_one_runs_lack_of_an_arm_is_no_error() -> None:
    run = real(sample_run(), TIMED)
    other = changed(run, arms=[arm for arm in run.arms if arm.name != "base"])
    view = sides.build([run, other])
    assert [row.test for group in (view.differing, view.moved, view.alike) for row in group] == [TIMED]
