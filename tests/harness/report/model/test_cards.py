"""One card a claim: its verdict, its reason, its controls and its exact figures."""

from __future__ import annotations

import msgspec
import pytest

from dlcv04.harness.report import model
from dlcv04.harness.report.model.cards import COUNTED_FROM
from tests.harness.report.sample import changed, green_run, node, sample_run


def test_claims_below_their_profile_are_listed_and_have_no_card() -> None:
    run = green_run()
    waiting = [
        msgspec.structs.replace(claim, test=f"t{number}", judged=False, judged_from=profile, comparisons=[])
        for number, (claim, profile) in enumerate(zip(run.claims, ("paper", "standard", "paper"), strict=False))
    ]
    alone = model.build(changed(run, claims=waiting, missing=[]))
    assert alone.headline.tone == "none" and not alone.cards
    assert alone.headline.text == "3 claims wait for a larger profile (1 for standard, 2 for paper)."
    assert [(name, [c.test for c in found]) for name, found in alone.waiting] == [
        ("the profile standard", ["t1"]),
        ("the profile paper", ["t0", "t2"]),
    ]
    elsewhere = msgspec.structs.replace(waiting[1], judged_from="smoke", waits_for="jax on a gpu (slow)")
    both = model.build(changed(run, claims=[elsewhere, waiting[0]], missing=[]))
    expected = "1 claim waits for a larger profile (1 for paper), 1 for another backend or device."
    assert both.headline.text == expected
    assert [name for name, _ in both.waiting] == ["the profile paper", "jax on a gpu (slow)"]
    beside = model.build(changed(run, claims=[*run.claims, waiting[0]]))
    assert "hold, 1 claim waits for a larger profile (1 for paper)" in beside.headline.text
    assert len(beside.cards) == len(model.build(run).cards)


@pytest.mark.parametrize(
    ("suffix", "real"),
    [("[control]", "bench/t.py::test_a"), ("[x-control]", "bench/t.py::test_a[x]")],
)
def test_a_control_stands_on_its_claims_card(suffix: str, real: str) -> None:
    claim = msgspec.structs.replace(green_run().claims[0], test=real)
    control = msgspec.structs.replace(
        claim, test="bench/t.py::test_a" + suffix, is_control=True, control_verdict="SURVIVED", comparisons=[]
    )
    view = model.build(changed(green_run(), claims=[claim, control]))
    (card,) = view.cards
    assert [c.badge.word for c in card.controls] == ["SURVIVED"]
    assert view.headline.tone == "bad"


def test_a_control_without_its_claim_has_a_card() -> None:
    run = sample_run()
    view = model.build(changed(run, claims=[c for c in run.claims if c.is_control]))
    assert len(view.cards) == 5
    assert all(card.sentence.startswith("Control of: ") for card in view.cards)


def test_many_exact_figures_are_counted_and_few_are_shown_singly() -> None:
    run = sample_run()
    claim = next(c for c in run.claims if c.test == node("test_parameter_counts"))
    few = msgspec.structs.replace(claim, assertions=claim.assertions[: COUNTED_FROM - 1])
    many = msgspec.structs.replace(claim, assertions=claim.assertions[:COUNTED_FROM])
    for shown, counted in ((few, 0), (many, COUNTED_FROM)):
        (card,) = model.build(changed(green_run(), claims=[shown])).cards
        assert (len(card.counted), len(card.detailed)) == (counted, len(shown.assertions) - counted)


def test_an_anchor_is_its_tests_own_whatever_else_ran() -> None:
    run = sample_run()
    whole = {card.test: card.anchor for card in model.build(run).cards}
    alone = model.build(changed(run, claims=run.claims[2:3])).cards[0]
    assert alone.anchor == whole[alone.test]
    assert alone.anchor.startswith("claim-bench-test_task1_architecture-py-test_")


def test_ids_that_read_alike_have_anchors_of_their_own() -> None:
    tests = ["t.py::test_a[x-y]", "t.py::test_a[x y]", "t.py::test_b"]
    claims = [msgspec.structs.replace(green_run().claims[0], test=test, comparisons=[]) for test in tests]
    anchors = [card.anchor for card in model.build(changed(green_run(), claims=claims)).cards]
    assert len({*anchors}) == 3 and "claim-t-py-test_b" in anchors


def test_what_needs_a_person_stands_first() -> None:
    cards = model.build(sample_run()).cards
    needed = [card.needs_attention for card in cards]
    assert any(needed) and not all(needed) and needed == sorted(needed, reverse=True)


def test_the_worst_assertion_stands_for_the_claim() -> None:
    claim = next(c for c in sample_run().claims if len(c.assertions) > 2)
    worst = msgspec.structs.replace(claim.assertions[2], verdict="VIOLATED")
    rows = [*claim.assertions[:2], worst, *claim.assertions[3:]]
    (card,) = model.build(changed(green_run(), claims=[msgspec.structs.replace(claim, assertions=rows)])).cards
    assert card.lead == worst
