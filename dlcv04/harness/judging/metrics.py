"""Figures drawn from learning curves: what a claim on learning asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isnan
from statistics import fmean, median

from dlcv04.harness.store.schema import EpochRow, SeedCurve


@dataclass(frozen=True)
class Metric:
    """A figure drawn from one learning curve.

    Ready-made are `MEAN_VAL_ACCURACY` (over the epochs; what `claim.better` uses), `MEAN_TRAIN_ACCURACY`,
    `FINAL_VAL_ACCURACY`, `FINAL_TRAIN_ACCURACY`, `FINAL_LOSS_GAP`, `LATE_LOSS_GAP`, and of overfitting `LOSS_RISE` and
    `GAIN_AFTER_TURN`.

    Attributes:
        name: what reports call it.
        of: the figure of a curve's epochs, each with `train_seconds`, `train_loss`, `train_accuracy`, `val_loss` and
            `val_accuracy`; None where it does not exist.
        higher: which way is better.
        unit: "points" for fractions (0.01 = one point), else a word such as "loss".
        proportion: whether it is a share of the validation pictures, so that it has their sampling error too.

    Examples:
        >>> best = Metric("best validation accuracy", lambda epochs: max(epoch.val_accuracy for epoch in epochs))
        >>> loss = Metric("final loss", lambda epochs: epochs[-1].val_loss, higher=False, unit="nats")
        >>> def test_wide_is_better(learning, claim):
        ...     curves = learning(narrow=narrow_net, wide=wide_net)
        ...     claim.better(curves.wide, than=curves.narrow, by=0.01, of=FINAL_VAL_ACCURACY)
        ...     claim.better(curves.wide, than=curves.narrow, by=0.05, of=loss)
    """

    name: str
    of: Callable[[list[EpochRow]], float | None]
    higher: bool = True
    unit: str = "points"
    proportion: bool = False

    @property
    def beats(self) -> str:
        """The verb between a better figure and a worse one."""
        return "exceeds" if self.higher else "lies below"

    def value(self, curve: SeedCurve) -> float:
        """The figure of one seed, NaN where it diverged or lacks it."""
        value = self.of(curve.epochs) if curve.status == "ok" else None
        return float("nan") if value is None else value


@dataclass(frozen=True)
class Series:
    """A figure that every epoch has, of which a claim asks when it reaches a target.

    Attributes:
        name: what reports call it.
        of: draws it from one epoch; None where it lacks it.
        higher: which way is better.

    Examples:
        >>> train_loss = Series("training loss", lambda epoch: epoch.train_loss, higher=False)
    """

    name: str
    of: Callable[[EpochRow], float | None]
    higher: bool = True

    def last(self) -> Metric:
        """The figure after the last epoch."""
        return Metric(self.name, partial(_last, self.of), self.higher, "points" if is_accuracy(self.name) else "")

    def of_curve(self, curve: SeedCurve) -> list[float]:
        """The figure after each epoch, NaN where it is lacking."""
        values = (self.of(epoch) for epoch in curve.epochs)
        return [float("nan") if value is None else value for value in values]


#: Words in a figure's name that say which way is better.
_LOWER = frozenset(
    {"loss", "error", "mae", "mse", "rmse", "mape", "msle", "crossentropy", "perplexity", "divergence", "wer", "cer"}
)
_HIGHER = frozenset(
    {"accuracy", "acc", "auc", "precision", "recall", "f1", "iou", "dice", "r2", "map", "bleu", "similarity"}
)


def series_of(name: str, *, higher: bool | None = None) -> Series:
    """The figure that Keras's history calls so, or that a `trained_by` function gives, epoch by epoch.

    Args:
        name: such as "val_mae", or "mae" on the training split.
        higher: which way is better; found from the name unless given.

    Raises:
        ValueError: the name does not say which way is better.

    Examples:
        >>> series_of("val_mae").higher, series_of("val_auc").higher, series_of("val_reward", higher=True).higher
        (False, True, True)
    """
    if higher is None:
        words = _words(name)
        lower, higher = bool(words & _LOWER), bool(words & _HIGHER)
        if lower == higher:
            raise ValueError(
                f"{name!r} does not say which way is better: pass of=Series({name!r}, lambda epoch: "
                f"epoch.named({name!r}), higher=...), with .last() for the figure after the last epoch."
            )
    return Series(name, partial(_named, name), higher)


def is_accuracy(name: str) -> bool:
    """Whether a figure of this name is a share of rightly classed pictures, whose differences are points."""
    return bool({"accuracy", "acc"} & _words(name))


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower()))


def _named(name: str, epoch: EpochRow) -> float | None:
    return epoch.named(name)


def _last(of: Callable[[EpochRow], float | None], epochs: list[EpochRow]) -> float | None:
    return of(epochs[-1]) if epochs else None


def _middle(of: Callable[[list[float]], float], values: list[float | None]) -> float | None:
    """Their mean or median; None where one is lacking or NaN, which a median would put anywhere."""
    known = [value for value in values if value is not None and not isnan(value)]
    return of(known) if known and len(known) == len(values) else None


def _gap(epoch: EpochRow) -> float | None:
    if epoch.val_loss is None or epoch.train_loss is None:
        return None
    return epoch.val_loss - epoch.train_loss


def _late_gap(epochs: list[EpochRow]) -> float | None:
    return _middle(median, [_gap(epoch) for epoch in epochs[-max(1, len(epochs) // 3) :]])


def _turn(epochs: list[EpochRow]) -> int | None:
    """The epoch of the lowest loss on the first half of the validation pictures, counted from 0."""
    halves = [epoch.val_loss_halves for epoch in epochs]
    if not halves or any(len(half) != 2 for half in halves):
        return None
    return min(range(len(halves)), key=lambda number: halves[number][0])


def _loss_rise(epochs: list[EpochRow]) -> float | None:
    turn = _turn(epochs)
    if turn is None or epochs[turn].val_loss_halves[1] <= 0:
        return None
    return epochs[-1].val_loss_halves[1] / epochs[turn].val_loss_halves[1]


def _gain_after_turn(epochs: list[EpochRow]) -> float | None:
    turn = _turn(epochs)
    first, last = (None, None) if turn is None else (epochs[turn].train_accuracy, epochs[-1].train_accuracy)
    return None if first is None or last is None else last - first


MEAN_VAL_ACCURACY = Metric(
    "mean validation accuracy over epochs", lambda epochs: _middle(fmean, [epoch.val_accuracy for epoch in epochs])
)
"""Judges a whole curve ("worse at every epoch") without picking the epoch afterwards."""


MEAN_TRAIN_ACCURACY = Metric(
    "mean training accuracy over epochs", lambda epochs: _middle(fmean, [epoch.train_accuracy for epoch in epochs])
)
"""The same on the training pictures, unaugmented and in inference mode."""


FINAL_VAL_ACCURACY = Metric(
    "final validation accuracy", lambda epochs: epochs[-1].val_accuracy if epochs else None, proportion=True
)
"""The accuracy after the last epoch, as `claim.better(a, than=b, by=0.01, of=FINAL_VAL_ACCURACY)`."""


FINAL_TRAIN_ACCURACY = Metric("final training accuracy", lambda epochs: epochs[-1].train_accuracy if epochs else None)
"""The accuracy on the training pictures, unaugmented and in inference mode."""


FINAL_LOSS_GAP = Metric(
    "gap of validation and training loss after the last epoch",
    lambda epochs: _gap(epochs[-1]) if epochs else None,
    higher=False,
    unit="loss",
)
"""Both losses in inference mode, so that dropout itself is no part of the gap."""


FINAL_VAL_LOSS = Metric(
    "validation loss after the last epoch", lambda epochs: epochs[-1].val_loss if epochs else None, False, "loss"
)
"""In inference mode."""


FINAL_TRAIN_LOSS = Metric(
    "training loss after the last epoch", lambda epochs: epochs[-1].train_loss if epochs else None, False, "loss"
)
"""On the training pictures, unaugmented and in inference mode."""


LATE_LOSS_GAP = Metric(
    "median gap of validation and training loss over the last third of the epochs",
    _late_gap,
    higher=False,
    unit="loss",
)
"""The same where a net's loss may leap up for an epoch or three, as at a constant rate with momentum it now and then
does: one seed whose last epoch is such a one widens the interval of all."""


LOSS_RISE = Metric("validation loss after the last epoch over that at its turn", _loss_rise, unit="ratio")
"""Overfitting: the turn is the lowest loss on one half of the validation pictures, the rise is measured on the other,
since any noisy curve has a minimum before its end. Needs curves of `learning(..., halves=True)`."""


GAIN_AFTER_TURN = Metric("training accuracy gained after the turn of the validation loss", _gain_after_turn)
"""The other half of overfitting, with the same turn as `LOSS_RISE`."""


#: What `dlcv04 judge` can compute again from stored curves.
METRICS = (
    MEAN_VAL_ACCURACY,
    MEAN_TRAIN_ACCURACY,
    FINAL_VAL_ACCURACY,
    FINAL_TRAIN_ACCURACY,
    FINAL_LOSS_GAP,
    FINAL_VAL_LOSS,
    FINAL_TRAIN_LOSS,
    LATE_LOSS_GAP,
    LOSS_RISE,
    GAIN_AFTER_TURN,
)


VAL_ACCURACY = Series("validation accuracy", lambda epoch: epoch.val_accuracy)
"""What `claim.reaches_sooner` asks for unless told otherwise."""


TRAIN_ACCURACY = Series("training accuracy", lambda epoch: epoch.train_accuracy)
"""On the training pictures, in inference mode."""


VAL_LOSS = Series("validation loss", lambda epoch: epoch.val_loss, higher=False)
"""A loss is reached from above."""


#: The same for series.
SERIES = (VAL_ACCURACY, TRAIN_ACCURACY, VAL_LOSS)
