"""The small picture of a history."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.report.model.trends import PastRun, Point, Trend
from dlcv04.harness.report.plots.sparkline import HEIGHT, WIDTH, sparkline
from dlcv04.harness.store.schema import SECONDS


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=60))
def test_every_point_lies_in_the_picture(values: list[float]) -> None:
    label = PastRun("r", "2026-01-01", "", True, False, False, "")
    points = tuple(Point(value, "2026-01-01", label) for value in values)
    trend = Trend("t", "a", SECONDS, points, (), values[0], True, "", None)
    places = [tuple(map(float, pair.split())) for pair in sparkline(trend).line[1:].split("L")]
    assert len(places) == len(values)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    order = sorted(range(len(values)), key=lambda i: values[i])
    heights = [places[i][1] for i in order]
    assert heights == sorted(heights, reverse=True)
