"""Comparisons as rows of a table."""

from __future__ import annotations

from dlcv04.harness.report import model
from tests.harness.report.sample import sample_run


def test_rows_in_a_row_share_their_note() -> None:
    rows = model.build(sample_run()).comparisons
    noted = model.share_notes([rows[0], rows[1], rows[1], rows[1], rows[0]])
    assert [row for row, _ in noted] == [rows[0], rows[1], rows[1], rows[1], rows[0]]
    assert [count for _, count in noted] == [1, 0, 0, 3, 1]
