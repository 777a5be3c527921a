"""The 2016 figures that stand beside ours, read from `baselines/published/`.

`runs.csv` holds what the runs logged an epoch (whole seconds on a GTX 970, accuracy as Keras 1 printed it);
`epoch_seconds.csv` the table of Task 1, slides before logs (the base net: 18 s on the slide, 19 s in the log).
"""

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from dlcv04 import Published

FOLDER = Path(__file__).parent.parent / "baselines" / "published"
TASK1_SIZE = "60,000 images an epoch, batch 128, 12 epochs, GTX 970"

#: Task 1's arms and the names that their runs were logged under; two variants left no log.
LOGGED = {
    "base": "task1/base",
    "one_conv_less": "task1/one-conv-less",
    "one_fc128_more": "task1/one-fc128-more",
    "half_filters": "task1/half-filters",
    "kernel_5x5": "task1/kernel-5x5",
    "double_pooling": "task1/double-pooling",
}


@cache
def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def task1(sentence: str, arms: Iterable[str]) -> Published:
    """The published epoch times and curves of these arms of Task 1."""
    names = list(arms)
    seconds = {row["arm"]: float(row["seconds"]) for row in _rows("epoch_seconds.csv") if row["arm"] in names}
    return Published(
        sentence=sentence,
        epoch_seconds={name: seconds[name] for name in names},
        val_accuracy=_curves(names, "val_accuracy"),
        train_accuracy=_curves(names, "accuracy"),
        size=TASK1_SIZE,
    )


def _curves(names: list[str], column: str) -> dict[str, list[float]]:
    return {
        name: [float(row[column]) for row in _rows("runs.csv") if row["experiment"] == LOGGED[name]]
        for name in names
        if name in LOGGED
    }
