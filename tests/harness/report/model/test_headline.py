"""The sentence that says the verdict of a run."""

from __future__ import annotations

import msgspec
import pytest

from dlcv04.harness.report import model
from tests.harness.report.sample import changed, empty_run, green_run, sample_baselines, sample_run


def test_one_sentence_says_what_held_passed_and_regressed() -> None:
    text = model.build(sample_run()).headline.text
    assert text.startswith("4 of 6 claims hold, 1 inconclusive, 1 violated; 7 of 14 figures pass against 5 stored runs")
    assert "1 regressed: three_conv_more seconds an epoch" in text
    assert "3 of 5 controls broke their claim, 1 too weak to tell, 1 survived" in text
    assert "1 test ended with an error." in text


def test_the_heading_of_the_page_names_only_what_made_the_run_red_or_left_it_open() -> None:
    red = model.build(sample_run()).headline
    assert red.brief == (
        "1 claim violated; 1 figure regressed, 1 missing, 1 stale; 1 control survived; 1 test ended with an error."
    )
    verdicts = [msgspec.structs.replace(c, verdict="INCONCLUSIVE") for c in green_run().claims[:2]]
    is_open = model.build(changed(green_run(), claims=[*verdicts, *green_run().claims[2:]])).headline
    assert (is_open.tone, is_open.brief) == ("unsure", "2 claims inconclusive.")
    interrupted = model.build(changed(green_run(), interrupted="Ctrl-C")).headline
    assert interrupted.brief == "The run was interrupted (Ctrl-C)."
    green = model.build(green_run()).headline
    assert green.brief == green.text


@pytest.mark.parametrize(
    ("held", "total", "said"),
    [
        (1, 1, "The only claim holds; the only figure passes"),
        (0, 1, "0 of 1 claim holds, 1 inconclusive; 0 of 1 figure passes"),
        (1, 3, "1 of 3 claims holds, 2 inconclusive; 1 of 3 figures passes"),
        (2, 3, "2 of 3 claims hold, 1 inconclusive; 2 of 3 figures pass"),
        (3, 3, "All 3 claims hold; all 3 figures pass"),
    ],
)
def test_one_of_one_is_said_in_grammatical_words(held: int, total: int, said: str) -> None:
    like = next(c for c in green_run().claims if c.comparisons)
    claims = [
        msgspec.structs.replace(
            like,
            test=f"test_{number}",
            verdict="HOLDS" if number < held else "INCONCLUSIVE",
            comparisons=[
                msgspec.structs.replace(like.comparisons[0], verdict="PASS" if number < held else "INCONCLUSIVE")
            ],
        )
        for number in range(total)
    ]
    assert model.build(changed(green_run(), claims=claims)).headline.text.startswith(said)


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
