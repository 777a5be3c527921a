"""The epochs that a training of somebody else's gives, in whatever form, as one learning curve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dlcv04.harness.claims.claim import ClaimError
from dlcv04.harness.store.schema import KERAS_NAMES, EpochRow, SeedCurve, finite

_PLACES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
_LOSSES = ("train_loss", "val_loss")


def curve(name: str, function: Callable[[int], Any], seed: int) -> SeedCurve:
    """Call the function of an arm with a seed; the curve ends before the first epoch whose loss is not finite.

    Raises:
        ClaimError: it gives no epochs, or something in them is no number.
    """
    rows: list[EpochRow] = []
    for number, (seconds, figures) in enumerate(_timed(name, function(seed)), 1):
        row = {KERAS_NAMES.get(figure, figure): _number(name, figure, value) for figure, value in figures.items()}
        for loss in _LOSSES:
            if loss in row and not math.isfinite(row[loss]):
                reason = f"The {loss.partition('_')[0]} loss was {row[loss]} in epoch {number}."
                return SeedCurve(seed=seed, epochs=rows, status="diverged", reason=reason)
        train_loss, train_accuracy, val_loss, val_accuracy = (finite(row.pop(place, None)) for place in _PLACES)
        rows.append(
            EpochRow(
                train_seconds=seconds,
                train_loss=train_loss,
                train_accuracy=train_accuracy,
                val_loss=val_loss,
                val_accuracy=val_accuracy,
                metrics={figure: finite(value) for figure, value in row.items()},
            )
        )
    if not rows:
        raise ClaimError(f"The training of {name!r} gave no epoch: yield or return a dict of numbers for each.")
    return SeedCurve(seed=seed, epochs=rows)


def _timed(name: str, given: Any) -> Iterator[tuple[float, Mapping[str, Any]]]:
    """Each epoch's figures, and the seconds until they came; a training that returns all at once has none."""
    rows = _rows(name, given)
    start = time.perf_counter()
    for row in rows:
        if not isinstance(row, Mapping):
            raise ClaimError(f"The training of {name!r} gave {row!r} for an epoch: give a dict of named numbers.")
        now = time.perf_counter()
        yield now - start, row
        start = time.perf_counter()


def _rows(name: str, given: Any) -> Iterable[Any]:
    history = getattr(given, "history", given)  # of Keras
    if isinstance(history, Mapping):
        columns = {figure: list(values) if _is_list(values) else [values] for figure, values in history.items()}
        if len({len(values) for values in columns.values()}) > 1:
            lengths = ", ".join(f"{figure} {len(values)}" for figure, values in columns.items())
            raise ClaimError(
                f"The training of {name!r} gave lists of unequal lengths ({lengths}): give one value an epoch."
            )
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if not isinstance(history, Iterable):
        raise ClaimError(
            f"The training of {name!r} gave {history!r}: yield or return rows of named numbers, a dict of lists, or a "
            "Keras History."
        )
    return history


def _is_list(values: Any) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, str) and getattr(values, "ndim", 1) > 0


def _number(name: str, figure: Any, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ClaimError(f"The training of {name!r} gave {figure!r} = {value!r}, which is not a number.") from error
