"""Shapes are where they should be, and their edges are soft by one pixel."""

import numpy as np
import pytest

from dlcv04.datasets import paint

X, Y = paint.grid(200)
PIXEL = 2 / 200


def area(distance) -> float:
    return float(paint.cover(distance, PIXEL).mean() * 4)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (paint.ellipse(X, Y, 0.1, -0.1, 0.6, 0.3), np.pi * 0.6 * 0.3),
        (paint.box(X, Y, 0.2, 0.1, 0.5, 0.25), 0.5),
        (paint.limb(X, Y, (-0.5, 0.0), (0.5, 0.0), 0.1), 0.2 + np.pi * 0.01),
        (paint.polygon(X, Y, (-0.5, -0.5), (0.0, 0.5), (0.5, -0.5)), 0.5),
    ],
    ids=["ellipse", "box", "limb", "polygon"],
)
def test_shapes_have_their_area(distance, expected: float) -> None:
    assert area(distance) == pytest.approx(expected, rel=0.01)
    assert distance.dtype == np.float32


def test_up_is_up_and_right_is_right() -> None:
    x, y = paint.grid(8)
    assert x[0, -1] > 0 > x[0, 0]
    assert y[0, 0] > 0 > y[-1, 0]
    assert (x == -x[:, ::-1]).all()


def test_a_quarter_turn_changes_the_axes() -> None:
    x, y = paint.turned(X, Y, np.pi / 2)
    assert np.allclose(x, Y, atol=1e-3)
    assert np.allclose(y, -X, atol=1e-3)


def test_one_number_a_picture_draws_into_many() -> None:
    radius = np.array([0.2, 0.4], np.float32)[:, None, None]
    pictures = np.zeros((2, 3, 200, 200), np.float32)
    opacity = paint.cover(paint.ellipse(X, Y, 0.0, 0.0, radius, radius), PIXEL)
    paint.paint(pictures, opacity, np.full((2, 3, 1, 1), 255, np.float32))
    shares = paint.to_bytes(pictures).mean(axis=(1, 2, 3)) / 255 * 4
    assert shares == pytest.approx(np.pi * np.array([0.04, 0.16]), rel=0.02)


def test_to_bytes_clips_and_puts_channels_last() -> None:
    picture = np.stack([np.full((2, 2), value, np.float32) for value in (-9.0, 12.6, 999.0)])
    assert (paint.to_bytes(picture) == [0, 13, 255]).all()


def test_enlarging_keeps_the_range_and_a_constant() -> None:
    coarse = np.random.RandomState(0).uniform(-1, 1, (3, 5, 5)).astype(np.float32)
    fine = paint.enlarged(coarse, 40)
    assert fine.shape == (3, 40, 40)
    assert abs(fine).max() <= abs(coarse).max() + 1e-6
    assert (paint.enlarged(np.ones((4, 4), np.float32), 9) == 1).all()
