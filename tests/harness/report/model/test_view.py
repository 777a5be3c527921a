"""The order of a view."""

from __future__ import annotations

from dlcv04.harness.report import model
from tests.harness.report.sample import sample_baselines, sample_run


def test_red_comes_first() -> None:
    view = model.build(sample_run(), sample_baselines())
    ranks = [card.rank for card in view.cards]
    assert ranks == sorted(ranks)
    assert view.cards[0].badge.word == "VIOLATED"
    tones = [s.badge.tone for s in view.concerns]
    assert tones == sorted(tones, key=["bad", "unsure"].index)
    assert [row.badge.word for row in view.comparisons][:3] == ["REGRESSED", "MISSING", "STALE"]
