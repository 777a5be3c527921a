"""Clocks and calibrator."""

from __future__ import annotations

import msgspec

from dlcv04.harness.report import model
from dlcv04.harness.store.schema import Run
from tests.harness.report.sample import changed, sample_baselines, sample_run


def test_calibrator_rounds_that_arms_share_count_once() -> None:
    view = model.build(sample_run(), sample_baselines())
    assert view.calibrator[0].text == "30"


def test_the_clocks_and_what_slowed_them_are_shown_and_compared() -> None:
    def on_a_card(run: Run, clock: float, bits: float) -> Run:
        clocks = {"gpu sm mhz": clock, "gpu throttle": bits, "cpu steal": 0.021}
        more = {"clocks": clocks, "neighbours": ["process 4711 (train.py)"] if bits else []}
        arms = [msgspec.structs.replace(arm, **more) if arm.round_seconds else arm for arm in run.arms]
        return changed(run, arms=arms)

    view = model.build(
        on_a_card(sample_run(), 1410, 0x4), [on_a_card(baseline, 1980, 0) for baseline in sample_baselines()]
    )
    shown = {fact.label: (fact.text, fact.warn) for fact in view.clocks}
    assert shown == {
        "GPU clock": ("1,410 MHz", False),
        "Taken by the hypervisor": ("2.1 %", False),
        "GPU throttled": ("software power cap", True),
        "Others on the card": ("process 4711 (train.py)", True),
    }
    row = next(row for row in view.environment if row.name == "GPU throttled")
    assert (row.now, row.stored, row.differs) == ("software power cap", "no", True)
    assert model.build(sample_run(), sample_baselines()).clocks == ()
