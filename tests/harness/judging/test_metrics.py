"""Figures of a curve: overfitting and gaps of losses."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.judging.metrics import FINAL_LOSS_GAP, GAIN_AFTER_TURN, LATE_LOSS_GAP, LOSS_RISE, Series
from dlcv04.harness.store.schema import EpochRow, SeedCurve


def overfitting(after, before=4, halves=True):
    """A curve whose validation loss falls to 1, then goes to `after`, while the training accuracy rises all along."""
    losses = [2 - k / before for k in range(before)] + [1 + (after - 1) * k / 5 for k in range(6)]
    rows = [
        EpochRow(
            train_seconds=1,
            train_loss=1,
            train_accuracy=0.5 + 0.04 * epoch,
            val_loss=loss,
            val_accuracy=0.5,
            val_loss_halves=[loss, 1.1 * loss] if halves else [],
        )
        for epoch, loss in enumerate(losses)
    ]
    return SeedCurve(seed=0, epochs=rows)


class TestOverfitting:
    def test_the_rise_is_that_of_the_half_that_did_not_choose_the_turn(self):
        curve = overfitting(after=1.5)
        assert LOSS_RISE.value(curve) == pytest.approx(1.5)
        assert GAIN_AFTER_TURN.value(curve) == pytest.approx(0.2)
        rows = [msgspec.structs.replace(row, val_loss_halves=[row.val_loss, 1.0]) for row in curve.epochs]
        assert LOSS_RISE.value(msgspec.structs.replace(curve, epochs=rows)) == 1.0

    def test_a_loss_that_only_falls_has_no_rise(self):
        assert LOSS_RISE.value(overfitting(after=0.2)) == 1.0 and GAIN_AFTER_TURN.value(overfitting(after=0.2)) == 0.0

    def test_noise_alone_shows_no_rise_on_average(self):
        """Any noisy curve has a minimum before its end: measured on the same pictures it looks like a rise."""
        rises, naive = [], []
        for seed in range(300):
            draw = random.Random(seed)
            halves = [[1 + draw.gauss(0, 0.1), 1 + draw.gauss(0, 0.1)] for _ in range(30)]
            rows = [msgspec.structs.replace(overfitting(1.0).epochs[0], val_loss_halves=half) for half in halves]
            rises.append(math.log(LOSS_RISE.value(SeedCurve(seed=seed, epochs=rows))))
            naive.append(math.log(halves[-1][0] / min(half[0] for half in halves)))
        assert abs(sum(rises) / 300) < 0.03 < 0.15 < sum(naive) / 300

    def test_curves_without_halves_have_no_such_figure(self):
        assert math.isnan(LOSS_RISE.value(overfitting(after=1.5, halves=False)))


def with_gaps(*gaps):
    """A curve whose validation loss lies so far above its training loss after each epoch; None where there is none."""
    losses = [(1.0, None if gap is None else 1.0 + gap) for gap in gaps]
    rows = [
        EpochRow(train_seconds=1, train_loss=train, train_accuracy=0.5, val_loss=val, val_accuracy=0.5)
        for train, val in losses
    ]
    return SeedCurve(seed=0, epochs=rows)


class TestLossGap:
    @given(st.lists(st.floats(0, 3), min_size=9, max_size=40), st.floats(-1e6, 1e6))
    def test_one_leap_of_a_loss_moves_the_late_gap_no_further_than_to_its_neighbours(self, gaps, leap):
        third = gaps[-(len(gaps) // 3) :]
        late = LATE_LOSS_GAP.value(with_gaps(*gaps[:-1], leap))
        assert min(third[:-1]) - 1e-6 <= late <= max(third[:-1]) + 1e-6

    def test_it_is_the_median_of_the_last_third(self):
        assert LATE_LOSS_GAP.value(with_gaps(9, 9, 9, 9, 9, 9, 1.0, 2.0, 1.5)) == pytest.approx(1.5)
        assert LATE_LOSS_GAP.value(with_gaps(9, 9, 9, 1.0)) == pytest.approx(1.0)
        assert LATE_LOSS_GAP.value(with_gaps(0.5)) == FINAL_LOSS_GAP.value(with_gaps(0.5)) == pytest.approx(0.5)

    def test_a_curve_without_losses_has_none(self):
        for metric in (LATE_LOSS_GAP, FINAL_LOSS_GAP):
            assert math.isnan(metric.value(with_gaps(None, None, None)))
            assert math.isnan(metric.value(with_gaps()))

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_a_loss_that_is_nan_leaves_no_gap_wherever_it_stands(self, at):
        gaps = [1.0] * 9
        gaps[6 + at] = math.nan
        assert math.isnan(LATE_LOSS_GAP.value(with_gaps(*gaps)))


def test_the_figure_after_the_last_epoch_is_that_of_the_last():
    losses = Series("validation loss", lambda epoch: epoch.val_loss, higher=False)
    curve = overfitting(after=3)
    assert losses.last().value(curve) == curve.epochs[-1].val_loss != curve.epochs[-2].val_loss
    assert math.isnan(losses.last().value(SeedCurve(seed=0, epochs=[])))
