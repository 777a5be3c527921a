"""Facts of the whole run."""

from __future__ import annotations

from dlcv04.harness.report import model
from tests.harness.report.sample import sample_run


def test_a_dirty_commit_is_flagged() -> None:
    fact = next(f for f in model.build(sample_run()).facts if f.label == "Commit")
    assert fact.warn and "uncommitted changes" in fact.text
