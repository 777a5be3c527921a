"""The view model: the sentence, the order, the counts and what differs."""

from __future__ import annotations

import msgspec
import pytest

from dlcv04.harness.report import model
from dlcv04.harness.schema import Run
from tests.harness.report.sample import empty_run, green_run, node, sample_baselines, sample_run


def changed(run: Run, **fields: object) -> Run:
    return msgspec.structs.replace(run, **fields)


def test_one_sentence_says_what_held_passed_and_regressed() -> None:
    text = model.build(sample_run()).headline.text
    assert text.startswith("4 of 6 claims hold, 1 inconclusive, 1 violated; 7 of 14 figures pass against 5 stored runs")
    assert "1 regressed: three_conv_more seconds an epoch" in text
    assert "3 of 5 controls broke their claim, 1 too weak to tell, 1 survived" in text
    assert "1 test ended with an error." in text


def test_a_green_run_is_green_and_an_empty_run_is_neither() -> None:
    green = model.build(green_run())
    assert (green.headline.tone, green.headline.symbol) == ("good", "✓")
    assert green.headline.text.startswith("All 4 claims hold")
    assert green.suspects == ()
    empty = model.build(empty_run())
    assert (empty.headline.text, empty.headline.tone) == ("No claim was run.", "none")


def test_a_missing_figure_alone_makes_the_run_red_and_is_named() -> None:
    run = sample_run()
    view = model.build(changed(green_run(), missing=run.missing))
    assert view.headline.tone == "bad"
    assert "1 missing (missing extra_fc128 seconds an epoch)" in view.headline.text
    assert [s.badge.word for s in view.suspects] == ["MISSING"]


def test_claims_below_their_profile_get_no_verdict() -> None:
    run = green_run()
    claims = [msgspec.structs.replace(c, judged=False, judged_from="paper", comparisons=[]) for c in run.claims]
    view = model.build(changed(run, claims=claims))
    assert view.headline.tone == "none"
    assert "shown without a verdict" in view.headline.text
    assert {card.badge.word for card in view.cards} == {"NOT JUDGED"}
    assert all("paper" in card.reason for card in view.cards)


def test_red_comes_first() -> None:
    view = model.build(sample_run(), sample_baselines())
    ranks = [card.rank for card in view.cards]
    assert ranks == sorted(ranks)
    assert view.cards[0].badge.word == "VIOLATED"
    tones = [s.badge.tone for s in view.suspects]
    assert tones == sorted(tones, key=["bad", "unsure"].index)
    assert [row.badge.word for row in view.comparisons][:3] == ["REGRESSED", "MISSING", "STALE"]


def test_a_suspect_names_what_changed_and_points_to_its_card() -> None:
    view = model.build(sample_run())
    regressed = next(s for s in view.suspects if s.badge.word == "REGRESSED")
    assert "tensorflow 2.20.0 → 2.21.0" in regressed.differences
    card = next(c for c in view.cards if c.anchor == regressed.anchor)
    assert card.test == node("test_more_conv_layers_take_longer")


@pytest.mark.parametrize(
    ("suffix", "real"),
    [("[control]", "bench/t.py::test_a"), ("[x-control]", "bench/t.py::test_a[x]")],
)
def test_a_control_stands_on_its_claims_card(suffix: str, real: str) -> None:
    claim = msgspec.structs.replace(green_run().claims[0], test=real)
    control = msgspec.structs.replace(
        claim, test="bench/t.py::test_a" + suffix, is_control=True, verdict="HOLDS", comparisons=[]
    )
    view = model.build(changed(green_run(), claims=[claim, control]))
    (card,) = view.cards
    assert [c.badge.word for c in card.controls] == ["SURVIVED"]
    assert view.headline.tone == "bad"


def test_the_control_of_a_claim_that_is_not_judged_names_the_profile_that_runs_it() -> None:
    claim = msgspec.structs.replace(green_run().claims[0], judged=False, judged_from="standard", control="x")
    (row,) = model.build(changed(green_run(), claims=[claim])).cards[0].controls
    assert row.badge.word == "NOT TRIED" and "--dl-controls in the profile 'standard' to see" in row.text


@pytest.mark.parametrize(
    ("said", "verdict", "badge"),
    [
        ("BROKE", "VIOLATED", "BROKE"),
        ("SURVIVED", "INCONCLUSIVE", "SURVIVED"),
        ("", "HOLDS", "SURVIVED"),
        ("NOT RUN", "INCONCLUSIVE", "NOT RUN"),
        ("CONTROL_WEAK", "VIOLATED", "WEAK CONTROL"),
    ],
)
def test_what_a_control_did(said: str, verdict: str, badge: str) -> None:
    control = msgspec.structs.replace(
        green_run().claims[0], is_control=True, control_verdict=said, verdict=verdict, comparisons=[]
    )
    assert model.control_badge(control).word == badge


def test_a_control_without_its_claim_has_a_card() -> None:
    run = sample_run()
    view = model.build(changed(run, claims=[c for c in run.claims if c.is_control]))
    assert len(view.cards) == 5
    assert all(card.sentence.startswith("Control of: ") for card in view.cards)


def test_failures_that_a_verdict_explains_are_not_counted_twice() -> None:
    run = sample_run()
    told = [node("test_half_filters_learn_as_well"), "control SURVIVED: a claim: control (x): y"]
    assert model.errors(changed(run, failures=told)) == []
    crashed = f"{node('test_half_filters_learn_as_well')}: ValueError: no"
    assert model.errors(changed(run, failures=[crashed])) == [crashed]


def test_environment_names_what_differs_from_the_stored_runs() -> None:
    rows = model.differences(sample_run(), sample_baselines())
    assert [(r.name, r.now, r.then) for r in rows] == [("tensorflow", "2.21.0", "2.20.0")]
    assert model.differences(sample_run(), []) == ()


def test_mixed_stored_runs_are_counted_by_value() -> None:
    mixed = [*sample_baselines()[:2], sample_run()]
    (row,) = model.differences(sample_run(), mixed)
    assert row.then == "2.20.0 (2×), 2.21.0 (1×)"


def test_stored_times_belong_to_the_same_test_and_arm() -> None:
    view = model.build(sample_run(), sample_baselines())
    card = next(c for c in view.cards if c.test == node("test_more_conv_layers_take_longer"))
    assert {name: len(times) for name, times in card.stored_times.items()} == {
        "one_conv_less": 50, "base": 50, "three_conv_more": 50,
    }  # fmt: skip


def test_calibrator_rounds_that_arms_share_count_once() -> None:
    view = model.build(sample_run(), sample_baselines())
    assert view.calibrator[0].text == "30"


def test_a_dirty_commit_is_flagged() -> None:
    fact = next(f for f in model.build(sample_run()).facts if f.label == "Commit")
    assert fact.warn and "uncommitted changes" in fact.text


def test_stored_times_of_other_data_are_not_drawn_beside_ours() -> None:
    """Another data set's epoch has another size: 1.7 s and 15 s of one arm are no spread."""

    def drawn(baseline: Run) -> set[str]:
        return {name for card in model.build(sample_run(), [baseline]).cards for name in card.stored_times}

    stored = sample_baselines()[0]
    arms = [msgspec.structs.replace(arm, key={**arm.key, "data": "another"}) for arm in stored.arms]
    assert drawn(stored) and not drawn(changed(stored, arms=arms))


def test_many_exact_figures_are_counted_and_few_are_told_one_by_one() -> None:
    run = sample_run()
    claim = next(c for c in run.claims if c.test == node("test_parameter_counts"))
    few = msgspec.structs.replace(claim, assertions=claim.assertions[: model.COUNTED_FROM - 1])
    many = msgspec.structs.replace(claim, assertions=claim.assertions[: model.COUNTED_FROM])
    for one, counted in ((few, 0), (many, model.COUNTED_FROM)):
        (card,) = model.build(changed(green_run(), claims=[one])).cards
        assert (len(card.counted), len(card.detailed)) == (counted, len(one.assertions) - counted)


def test_rows_in_a_row_share_their_note() -> None:
    rows = model.build(sample_run()).comparisons
    noted = model.noted([rows[0], rows[1], rows[1], rows[1], rows[0]])
    assert [row for row, _ in noted] == [rows[0], rows[1], rows[1], rows[1], rows[0]]
    assert [count for _, count in noted] == [1, 0, 0, 3, 1]


def test_the_clocks_and_what_slowed_them_are_shown_and_compared() -> None:
    def on_a_card(run: Run, clock: float, bits: float) -> Run:
        clocks = {"gpu sm mhz": clock, "gpu throttle": bits, "cpu steal": 0.021}
        arms = [msgspec.structs.replace(arm, clocks=clocks) if arm.round_seconds else arm for arm in run.arms]
        return changed(run, arms=arms)

    view = model.build(on_a_card(sample_run(), 1410, 0x4), [on_a_card(one, 1980, 0) for one in sample_baselines()])
    shown = {fact.label: (fact.text, fact.warn) for fact in view.clocks}
    assert shown == {
        "GPU clock": ("1,410 MHz", False),
        "Taken by the hypervisor": ("2.1 %", False),
        "GPU throttled": ("software power cap", True),
    }
    row = next(row for row in view.environment if row.name == "GPU throttled")
    assert (row.now, row.then, row.differs) == ("software power cap", "no", True)
    assert model.build(sample_run(), sample_baselines()).clocks == ()


def test_baselines_beside_a_run_that_was_not_compared_are_its_history_alone() -> None:
    alone = changed(
        green_run(), compared_with=[], claims=[msgspec.structs.replace(c, comparisons=[]) for c in green_run().claims]
    )
    assert model.build(alone, sample_baselines()).headline == model.build(alone).headline
