"""Arms to draw, and pictures read back."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from dlcv04.harness.store.schema import Arm, EpochRow, Published, SeedCurve
from tests.harness.report.sample import SIZE_2016, node, sample_run

PUBLISHED = Published(size=SIZE_2016, epoch_seconds={"base": 18, "one_conv_less": 11, "three_conv_more": 39})


def arms(test: str) -> list[Arm]:
    return [arm for arm in sample_run().arms if arm.test == node(test)]


def timed(name: str, rounds: list[float]) -> Arm:
    return Arm(name=name, test="t", round_seconds=rounds, images_per_round=1, images_per_epoch=1)


def learned(name: str, curve: list[float | None], losses: list[float | None] | None = None, **changes: object) -> Arm:
    rows = [
        EpochRow(train_seconds=1.0, train_loss=None, train_accuracy=v, val_loss=loss, val_accuracy=v)
        for v, loss in zip(curve, losses or [None] * len(curve), strict=True)
    ]
    return Arm(name=name, test="t", curves=[SeedCurve(seed=1, epochs=rows, **changes)])  # type: ignore[arg-type]


def parsed_svg(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)
