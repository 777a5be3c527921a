"""What is red."""

from __future__ import annotations

import msgspec
import pytest

from dlcv04.harness.report.model import tone
from dlcv04.harness.report.model.badges import BADGES
from tests.harness.report.sample import changed, green_run, node, sample_run


@pytest.mark.parametrize(
    ("control_verdict", "verdict", "badge"),
    [
        ("BROKE", "VIOLATED", "BROKE"),
        ("SURVIVED", "INCONCLUSIVE", "SURVIVED"),
        ("BROKE", "HOLDS", "BROKE"),
        ("NOT RUN", "INCONCLUSIVE", "NOT RUN"),
        ("CONTROL_WEAK", "VIOLATED", "WEAK CONTROL"),
    ],
)
def test_what_a_control_did(control_verdict: str, verdict: str, badge: str) -> None:
    control = msgspec.structs.replace(
        green_run().claims[0], is_control=True, control_verdict=control_verdict, verdict=verdict, comparisons=[]
    )
    assert tone.control_badge(control, green_run()).word == badge


def test_failures_that_a_verdict_explains_are_not_counted_twice() -> None:
    run = sample_run()
    explained = [node("test_half_filters_learn_as_well"), "control SURVIVED: a claim: control (x): y"]
    assert tone.unexplained_failures(changed(run, failures=explained)) == []
    crashed = f"{node('test_half_filters_learn_as_well')}: ValueError: no"
    assert tone.unexplained_failures(changed(run, failures=[crashed])) == [crashed]


@pytest.mark.parametrize(
    ("tones", "whole"),
    [
        ([], "none"),
        (["none", "better"], "good"),
        (["good", "unsure", "none"], "unsure"),
        (["good", "unsure", "bad"], "bad"),
    ],
)
def test_the_worst_part_gives_the_whole_its_tone(tones: list[str], whole: str) -> None:
    assert tone.worst(tones) == whole


def test_an_undecided_claim_and_a_weak_control_need_attention_without_being_red() -> None:
    for word in ("INCONCLUSIVE", "WEAK CONTROL"):
        assert tone.needs_attention(BADGES[word]) and not tone.is_red(BADGES[word])
    assert tone.is_notable(BADGES["IMPROVED"]) and not tone.needs_attention(BADGES["IMPROVED"])
