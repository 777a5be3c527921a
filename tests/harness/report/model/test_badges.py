"""The order of verdicts."""

from __future__ import annotations

from dlcv04.harness.report.model.badges import BADGES, in_sentence, worst_first


def test_red_verdicts_come_first_and_good_ones_last() -> None:
    order = ["bad", "unsure", "none", "better", "good"]
    assert [badge.tone for badge in BADGES.values()] == sorted((b.tone for b in BADGES.values()), key=order.index)
    assert worst_first(["HOLDS", "INCONCLUSIVE", "VIOLATED"]) == ["VIOLATED", "INCONCLUSIVE", "HOLDS"]


def test_a_verdict_reads_as_words() -> None:
    assert BADGES["NO_BASELINE"].text == "NO BASELINE" and in_sentence("NO_BASELINE") == "no baseline"
