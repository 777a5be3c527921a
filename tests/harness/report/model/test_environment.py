"""What differs from the stored runs."""

from __future__ import annotations

from dlcv04.harness.report import model
from dlcv04.harness.report.model.environment import EnvironmentRow
from dlcv04.harness.store.schema import Run
from tests.harness.report.sample import sample_baselines, sample_run


def differences(run: Run, baselines: list[Run]) -> tuple[EnvironmentRow, ...]:
    return tuple(row for row in model.build(run, baselines).environment if row.differs)


def test_environment_names_what_differs_from_the_stored_runs() -> None:
    rows = differences(sample_run(), sample_baselines())
    assert [(r.name, r.now, r.stored) for r in rows] == [("tensorflow", "2.21.0", "2.20.0")]
    assert differences(sample_run(), []) == ()


def test_mixed_stored_runs_are_counted_by_value() -> None:
    mixed = [*sample_baselines()[:2], sample_run()]
    (row,) = differences(sample_run(), mixed)
    assert row.stored == "2.20.0 (2×), 2.21.0 (1×)"
