"""Neural style: each term of the loss against NumPy in float64, and what its content term is for.

The trunk is two convolutions with VGG16's names; the reference computes their features by shifted matrix products from
kernels drawn here. After some iterations the content's distance is measured by the reference, on the picture that the
run kept.
"""

from dataclasses import replace

import numpy as np
import pytest

from dlcv04 import style
from dlcv04.bases import Base
from dlcv04.lazy import LazyModule
from dlcv04.style import LossWeights, Stylist, noise_like

keras = LazyModule("keras")

SHAPE = HEIGHT, WIDTH, _ = 10, 8, 3
LOOK, CONTENT = "block1_conv1", "block4_conv2"
CLOSE = 1e-4  # relative: a sum of some hundred squares of differences in float32
ITERATIONS = 2
NEARER = 10  # times as near to the content with its term as without, at least


def kernels():
    random = np.random.RandomState(6)
    return {
        LOOK: (random.normal(0, 0.3, (3, 3, 3, 5)), random.normal(0, 0.1, 5)),
        CONTENT: (random.normal(0, 0.3, (3, 3, 5, 6)), random.normal(0, 0.1, 6)),
    }


def base():
    inputs = outputs = keras.Input(SHAPE)
    for name, (_, bias) in kernels().items():
        outputs = keras.layers.Conv2D(len(bias), 3, padding="same", activation="relu", name=name)(outputs)
    model = keras.Model(inputs, outputs)
    for name, values in kernels().items():
        model.get_layer(name).set_weights(values)
    return Base("two convolutions", model, "0..255 / 255", "drawn")


def features(picture):
    """By layer, in float64; shape (pixels, filters)."""
    x, found = np.asarray(picture, np.float64) / 255, {}
    for name, (kernel, bias) in kernels().items():
        kernel, bias = (values.astype(np.float32).astype(np.float64) for values in (kernel, bias))
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        x = bias + sum(
            padded[row : row + HEIGHT, column : column + WIDTH] @ kernel[row, column]
            for row in range(3)
            for column in range(3)
        )
        x = np.maximum(x, 0)
        found[name] = x.reshape(HEIGHT * WIDTH, -1)
    return found


def content_distance(picture, content):
    return ((features(picture)[CONTENT] - features(content)[CONTENT]) ** 2).sum()


def style_distance(picture, look):
    one, other = (features(pixels)[LOOK].T @ features(pixels)[LOOK] for pixels in (picture, look))
    return ((one - other) ** 2).sum() / (4 * 3**2 * (HEIGHT * WIDTH) ** 2)


def variation(picture):
    down = picture[:-1, :-1] - picture[1:, :-1]
    right = picture[:-1, :-1] - picture[:-1, 1:]
    return ((down**2 + right**2) ** 1.25).sum()


@pytest.fixture(scope="module")
def pictures():
    """The content, the style, and noise."""
    random = np.random.RandomState(2)
    content, look = random.randint(0, 256, (2, *SHAPE)).astype(np.uint8)
    return content, look, noise_like(SHAPE, 3)


@pytest.fixture(scope="module")
def stylist(pictures):
    content, look, _ = pictures
    return Stylist(base(), content, look, style_layers=["conv1_1"])


def check_parts(stylist, pictures):
    """Each part alone, and the loss as their weighted sum."""
    content, look, noise = pictures
    expected = content_distance(noise, content), style_distance(noise, look), variation(noise)
    parts = stylist.parts(noise)
    assert (parts.content, parts.style[LOOK], parts.variation) == pytest.approx(expected, rel=CLOSE)
    for counts in ((0.5, 0, 0), (0, 2.0, 0), (0, 0, 3.0), (1e6, 1e5, 1e-3)):
        loss, _ = stylist.with_weights(LossWeights(*counts)).evaluate(noise)
        assert loss == pytest.approx(np.dot(counts, expected), rel=CLOSE), counts


def check_slopes(stylist, pictures):
    """The gradient of each part along a direction is its difference there; the reference's, by central differences."""
    content, look, noise = pictures
    direction = np.random.RandomState(4).normal(0, 1, SHAPE)
    distances = {
        (1.0, 0, 0): lambda picture: content_distance(picture, content),
        (0, 1.0, 0): lambda picture: style_distance(picture, look),
        (0, 0, 1.0): variation,
    }
    for counts, distance in distances.items():
        _, gradient = stylist.with_weights(LossWeights(*counts)).evaluate(noise)
        expected = (distance(noise + 1e-3 * direction) - distance(noise - 1e-3 * direction)) / 2e-3
        assert (gradient * direction).sum() == pytest.approx(expected, rel=1e-3), counts


def check_the_terms_effect(stylist, pictures):
    """With its term the content is much nearer; without it only style and variation are."""
    content, _, noise = pictures
    distances = {}
    for share in (0.3, 0.0):
        counted = stylist.calibrated(LossWeights(content=share, style=1.0, variation=0.01))
        drawn = style.run(counted, ITERATIONS, seed=3).picture
        distances[share] = content_distance(drawn, content)
    assert distances[0.3] * NEARER < min(distances[0.0], content_distance(noise, content))


def test_each_part(stylist, pictures):
    check_parts(stylist, pictures)


def test_each_parts_slope(stylist, pictures):
    check_slopes(stylist, pictures)


def test_the_content_term_brings_the_content_nearer(stylist, pictures):
    check_the_terms_effect(stylist, pictures)


# -- planted faults ----------------------------------------------------------------------------------------------------


def leaving_out(**counts):
    """Evaluation with another weight of one term."""

    def fault(real):
        def faulty(self, picture):
            return real(self.with_weights(replace(self.loss_weights, **counts)), picture)

        return faulty

    return fault


def test_a_loss_without_its_content_term_is_seen(stylist, pictures, monkeypatch):
    monkeypatch.setattr(Stylist, "evaluate", leaving_out(content=0.0)(Stylist.evaluate))
    for check in (check_parts, check_slopes, check_the_terms_effect):
        with pytest.raises(AssertionError):
            check(stylist, pictures)


@pytest.mark.parametrize("term", ["style", "variation"])
def test_a_loss_without_another_term_is_seen(term, stylist, pictures, monkeypatch):
    monkeypatch.setattr(Stylist, "evaluate", leaving_out(**{term: 0.0})(Stylist.evaluate))
    for check in (check_parts, check_slopes):
        with pytest.raises(AssertionError):
            check(stylist, pictures)


def test_a_gram_matrix_that_is_not_normalised_is_seen(pictures, monkeypatch):
    real = Stylist._grams
    monkeypatch.setattr(Stylist, "_grams", lambda self, outputs, pixels: real(self, outputs, 1))
    content, look, _ = pictures
    with pytest.raises(AssertionError):
        check_parts(Stylist(base(), content, look, style_layers=["conv1_1"]), pictures)


def test_content_and_style_exchanged_are_seen(pictures):
    content, look, _ = pictures
    with pytest.raises(AssertionError):
        check_parts(Stylist(base(), look, content, style_layers=["conv1_1"]), pictures)
