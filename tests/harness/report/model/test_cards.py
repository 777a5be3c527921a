"""One card a claim: its verdict, its reason, its controls and its exact figures."""

from __future__ import annotations

import msgspec
import pytest

from dlcv04.harness.report import model
from dlcv04.harness.report.model.cards import COUNTED_FROM
from tests.harness.report.sample import changed, green_run, node, sample_run


def test_claims_below_their_profile_get_no_verdict() -> None:
    run = green_run()
    claims = [msgspec.structs.replace(c, judged=False, judged_from="paper", comparisons=[]) for c in run.claims]
    view = model.build(changed(run, claims=claims))
    assert view.headline.tone == "none"
    assert "shown without a verdict" in view.headline.text
    assert {card.badge.word for card in view.cards} == {"NOT JUDGED"}
    assert all("paper" in card.reason for card in view.cards)


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


def test_the_control_of_a_claim_that_is_not_judged_names_the_profile_that_runs_it() -> None:
    claim = msgspec.structs.replace(green_run().claims[0], judged=False, judged_from="standard", control="x")
    (row,) = model.build(changed(green_run(), claims=[claim])).cards[0].controls
    assert row.badge.word == "NOT TRIED" and "--dl-controls in the profile 'standard' to see" in row.text


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
