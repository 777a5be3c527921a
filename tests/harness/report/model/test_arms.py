"""The times of the same arm in stored runs."""

from __future__ import annotations

import msgspec

from dlcv04.harness.report import model
from dlcv04.harness.store.schema import Run
from tests.harness.report.sample import changed, node, sample_baselines, sample_run


def test_stored_times_belong_to_the_same_test_and_arm() -> None:
    view = model.build(sample_run(), sample_baselines())
    card = next(c for c in view.cards if c.test == node("test_more_conv_layers_take_longer"))
    assert {name: len(times) for name, times in card.stored_times.items()} == {
        "one_conv_less": 50, "base": 50, "three_conv_more": 50,
    }  # fmt: skip


def test_stored_times_of_other_data_are_not_drawn_beside_ours() -> None:
    """Another data set's epoch has another size: 1.7 s and 15 s of one arm are no spread."""

    def drawn(baseline: Run) -> set[str]:
        return {name for card in model.build(sample_run(), [baseline]).cards for name in card.stored_times}

    stored = sample_baselines()[0]
    arms = [msgspec.structs.replace(arm, key={**arm.key, "data": "another"}) for arm in stored.arms]
    assert drawn(stored) and not drawn(changed(stored, arms=arms))
