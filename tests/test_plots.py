"""The pictures of a fine-tuning show what was counted, and names stay legible."""

import dataclasses
import io
import itertools

import numpy as np
import pytest
from PIL import Image

from dlcv04 import plots
from dlcv04.training import Epoch

COUNTS = np.array([[8, 2, 0], [0, 5, 0], [1, 0, 0]])
NAMES = ("ajuntament", "a name so long that no axis would have the room for it", "x")


def rendered(figure) -> np.ndarray:
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=80)
    return np.asarray(Image.open(held).convert("RGB"))


def test_the_confusion_matrix_shows_counts_and_shares_of_rows() -> None:
    figure = plots.confusion_matrix(COUNTS, NAMES, "the title, n = 16")
    axes = figure.axes[0]
    shares = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shares, [[0.8, 0.2, 0], [0, 1, 0], [1, 0, 0]])
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "8"), ((1, 0), "2"), ((1, 1), "5"), ((0, 2), "1"),
    }  # fmt: skip
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "ajuntament (10)" and labels[1].endswith("… (5)") and len(labels[1]) < 35
    assert figure.get_suptitle() == "the title, n = 16"


@pytest.mark.parametrize("classes", [2, 13, 42])
def test_no_name_is_cut_and_none_lies_on_another(classes: int) -> None:
    names = [f"class number {number}" for number in range(classes)]
    figure = plots.confusion_matrix(np.eye(classes, dtype=int) * 3, names, "title")
    figure.draw_without_rendering()
    whole = figure.bbox
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(box.x0 >= whole.x0 and box.y0 >= whole.y0 for box in boxes)
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in itertools.pairwise(boxes))


def test_an_empty_row_is_no_division_by_nothing() -> None:
    figure = plots.confusion_matrix(np.array([[2, 0], [0, 0]]), ("a", "b"), "title")
    assert np.isfinite(np.asarray(figure.axes[0].images[0].get_array())).all()


@pytest.mark.parametrize("count", [1, 5, 350])
def test_the_curves_show_both_splits(count: int) -> None:
    first = Epoch(1.0, 2.0, 0.1, 2.0, 0.2, 2.1, 0.15)
    epochs = [dataclasses.replace(first, val_loss=2.0 / (n + 1), train_accuracy=n / count) for n in range(count)]
    figure = plots.curves(epochs, "title")
    loss, accuracy = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in loss.lines}
    np.testing.assert_allclose(lines["validation pictures"], [epoch.val_loss for epoch in epochs])
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), [epoch.train_accuracy for epoch in epochs])
    assert rendered(figure).std() > 5
