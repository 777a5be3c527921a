"""The sentence that says the verdict of a run."""

from __future__ import annotations

import msgspec

from dlcv04.harness.report import model
from tests.harness.report.sample import changed, empty_run, green_run, sample_baselines, sample_run


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
    assert green.concerns == ()
    empty = model.build(empty_run())
    assert (empty.headline.text, empty.headline.tone) == ("No claim was run.", "none")


def test_a_missing_figure_alone_makes_the_run_red_and_is_named() -> None:
    run = sample_run()
    view = model.build(changed(green_run(), missing=run.missing))
    assert view.headline.tone == "bad"
    assert "1 missing (missing extra_fc128 seconds an epoch)" in view.headline.text
    assert [s.badge.word for s in view.concerns] == ["MISSING"]


def test_baselines_beside_a_run_that_was_not_compared_are_its_history_alone() -> None:
    alone = changed(
        green_run(), compared_with=[], claims=[msgspec.structs.replace(c, comparisons=[]) for c in green_run().claims]
    )
    assert model.build(alone, sample_baselines()).headline == model.build(alone).headline
