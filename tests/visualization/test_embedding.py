"""t-SNE: clusters stay clusters, its two measures by their formulas, a PNG that tells classes apart, clear refusals."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from PIL import Image
from scipy import ndimage
from sklearn import manifold

from dlcv04.datasets import DataError
from dlcv04.visualization import embedding
from dlcv04.visualization.embedding import COLOURS, Map

CLASSES, EACH = 4, 20
LABELS = np.arange(CLASSES * EACH) % CLASSES


def clusters(spread=1.0):
    """Crowds about corners that are far apart, in the order of `LABELS`."""
    random = np.random.RandomState(0)
    return 40 * np.eye(CLASSES, 30)[LABELS] + random.normal(0, spread, (len(LABELS), 30))


@pytest.fixture(scope="module")
def mapped():
    return embedding.tsne(clusters(), seed=3, perplexity=8)


def chosen(pixels, colour, far=4):
    """Which pixels have about this colour."""
    return np.abs(pixels - 255 * np.array(colour)).max(axis=-1) <= far


def on_white(colour):
    return 0.85 * np.array(to_rgb(colour)) + 0.15


def pixels_of(png):
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(float)


# --- the map


def test_equal_seeds_give_the_same_map(mapped):
    again = embedding.tsne(clusters(), seed=3, perplexity=8)
    np.testing.assert_array_equal(again.points, mapped.points)
    assert again.kl_divergence == mapped.kl_divergence and again.perplexity == mapped.perplexity == 8
    assert mapped.points.shape == (80, 2) and mapped.points.dtype == np.float64


def test_clusters_stay_clusters_and_dealt_labels_are_at_chance(mapped):
    assert embedding.purity(mapped.points, LABELS).mean() > 0.99
    dealt = np.random.RandomState(1).permutation(LABELS)
    assert embedding.purity(mapped.points, dealt).mean() == pytest.approx(1 / CLASSES, abs=0.06)
    assert embedding.trustworthiness(clusters(), mapped.points).mean() > 0.85
    shuffled = np.random.RandomState(1).permutation(mapped.points)
    assert embedding.trustworthiness(clusters(), shuffled).mean() == pytest.approx(0.5, abs=0.06)


def test_one_crowd_is_no_four_clusters():
    found = embedding.tsne(clusters()[:, CLASSES:], perplexity=8)
    assert embedding.purity(found.points, LABELS).mean() == pytest.approx(1 / CLASSES, abs=0.08)


def test_pictures_are_mapped_as_their_pixels_in_zero_to_one():
    pictures = np.random.RandomState(0).randint(0, 256, (24, 4, 5, 3)).astype(np.uint8)
    rows = embedding.features(pictures)
    assert rows.shape == (24, 60) and rows.max() <= 1
    np.testing.assert_array_equal(rows[1].reshape(4, 5, 3) * 255, pictures[1])
    np.testing.assert_array_equal(embedding.features(clusters().astype(np.float32)), clusters().astype(np.float32))
    np.testing.assert_array_equal(
        embedding.tsne(pictures, perplexity=5).points, embedding.tsne(rows, perplexity=5).points
    )


@pytest.mark.parametrize("scale", [1e25, 1e-30])
def test_the_scale_of_the_features_means_nothing(scale):
    found = embedding.tsne(clusters() * scale, perplexity=8)
    assert embedding.purity(found.points, LABELS).mean() > 0.99 and found.kl_divergence > 0


def bad(value):
    rows = clusters()
    rows[7, 3] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "perplexity", "sentence"),
    [
        (clusters()[:19], 5, "t-SNE needs 20 pictures or more to show anything; there are 19"),
        (clusters(), 0.5, "A perplexity of 0.5 does not suit 80 pictures"),
        (clusters(), 27, "A perplexity of 27 does not suit 80 pictures: choose 1 to a third of them"),
        (clusters(), np.nan, "A perplexity of nan does not suit"),
        (bad(np.nan), 8, "A feature is NaN or infinite, so there is no map: look at the network's weights"),
        (bad(-np.inf), 8, "A feature is NaN or infinite"),
        (clusters()[:, :1], 8, "2 features or more"),
        (np.full((30, 4, 4, 1), 7, np.uint8), 8, "all alike, so there is no map"),
    ],
)
def test_what_has_no_map_is_one_sentence(rows, perplexity, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        embedding.tsne(rows, perplexity=perplexity)
    assert "\n" not in str(caught.value)


def test_the_fewest_pictures_and_the_largest_perplexity():
    assert embedding.tsne(clusters()[:20], perplexity=20 / 3).points.shape == (20, 2)


# --- its measures


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 5), st.data())
@settings(max_examples=60, deadline=None)
def test_trustworthiness_is_scikit_learns(seed, count, features, data):
    random = np.random.RandomState(seed)
    rows, points = random.normal(size=(count, features)), random.normal(size=(count, 2))
    neighbours = data.draw(st.integers(1, (count - 1) // 2))
    found = embedding.trustworthiness(rows, points, neighbours)
    assert found.shape == (count,) and found.min() >= -1e-12 and found.max() <= 1
    assert found.mean() == pytest.approx(manifold.trustworthiness(rows, points, n_neighbors=neighbours))


@given(st.integers(0, 2**32 - 1), st.integers(2, 25), st.data())
@settings(max_examples=60, deadline=None)
def test_purity_is_the_share_of_the_nearest_others(seed, count, data):
    random = np.random.RandomState(seed)
    points, labels = random.normal(size=(count, 2)), random.randint(0, 3, count)
    neighbours = data.draw(st.integers(1, count - 1))
    found = embedding.purity(points, labels, neighbours)
    for number in range(count):
        others = [other for other in range(count) if other != number]
        others.sort(key=lambda other: ((points[other] - points[number]) ** 2).sum())
        assert found[number] == np.mean([labels[other] == labels[number] for other in others[:neighbours]])


def test_a_map_that_is_its_pictures_can_be_trusted_picture_by_picture():
    points = np.random.RandomState(0).normal(size=(40, 2))
    np.testing.assert_array_equal(embedding.trustworthiness(points, points), 1)
    moved = points.copy()
    moved[5] = points[points[:, 0].argmax()] + 0.01  # one among strangers
    found = embedding.trustworthiness(points, moved)
    assert found.argmin() == 5 and found[5] < 0.7


# --- the picture


def grid(count, columns):
    return np.stack([np.arange(count) % columns, np.arange(count) // columns], axis=1).astype(float)


def test_a_picture_shows_every_class_in_its_colour_on_white():
    shown, labels = Map(grid(60, 10), 0.1, 5.0), np.arange(60) % 3
    pixels = pixels_of(embedding.draw(shown, labels, ["one", "two", "three", "four"], side=500))
    assert pixels.shape == (500, 500, 3) and (pixels == 255).all(axis=-1).mean() > 0.5
    for colour in COLOURS[:3]:
        assert chosen(pixels, on_white(colour)).sum() > 20 * 10
        assert chosen(pixels, 0.6 * np.array(to_rgb(colour))).sum() > 20  # its name, darker
    assert not chosen(pixels, on_white(COLOURS[3])).any()  # no picture of class four is there


def test_a_title_stands_above():
    shown, labels = Map(grid(20, 5), 0.1, 5.0), np.zeros(20, int)
    plain, titled = (pixels_of(embedding.draw(shown, labels, ["a"], title=title)) for title in ("", "20 pictures"))
    assert plain.shape == titled.shape == (640, 640, 3)
    assert (titled[:25].sum(axis=-1) < 100).sum() > 50 > (plain[:25].sum(axis=-1) < 100).sum()


def test_a_name_stands_in_the_largest_crowd_not_between_two():
    random = np.random.RandomState(0)
    crowds = np.concatenate([random.normal(0, 0.3, (20, 2)), random.normal(0, 0.3, (16, 2)) + [20, 0]])
    pixels = pixels_of(embedding.draw(Map(crowds, 0.1, 5.0), np.zeros(36, int), ["M"]))
    columns = np.nonzero(chosen(pixels, 0.6 * np.array(to_rgb(COLOURS[0]))))[1]
    assert len(columns) > 20 and columns.max() < 0.3 * 640


def marks(png):
    """Number of the colour, and shape in a square of 15 pixels, of each mark in a picture."""
    pixels = pixels_of(png)
    named, _ = ndimage.label((pixels < 200).any(axis=-1) | (np.ptp(pixels, axis=-1) > 25))
    for number, (rows, columns) in enumerate(ndimage.find_objects(named), 1):
        inside = named[rows, columns] == number
        if max(inside.shape) > 15:
            continue  # the frame
        shape = np.zeros((15, 15), bool)
        shape[: inside.shape[0], : inside.shape[1]] = inside
        yield int(np.argmax([chosen(pixels[rows, columns], on_white(colour)).sum() for colour in COLOURS])), shape


def test_twenty_classes_are_told_apart_by_colour_or_shape():
    shown = Map(grid(20, 5), 0.1, 5.0)
    found = list(marks(embedding.draw(shown, np.arange(20), [""] * 20)))
    assert len(found) == 20
    assert sorted(colour for colour, _ in found) == sorted([*range(10)] * 2)
    for number in range(10):
        one, two = (shape for colour, shape in found if colour == number)
        assert (one ^ two).sum() > 0.2 * one.sum()


def test_more_classes_can_not_be_told_apart():
    shown = Map(grid(21, 5), 0.1, 5.0)
    with pytest.raises(DataError, match="21 classes can't be told apart in one map: show at most 20"):
        embedding.draw(shown, np.arange(21), [""] * 21)
    assert embedding.draw(shown, np.minimum(np.arange(21), 19), [""] * 21)  # 20 of them are there


def test_names_are_shown_as_they_are():
    shown, labels = Map(grid(20, 5), 0.1, 5.0), np.arange(20) % 2
    pixels = pixels_of(embedding.draw(shown, labels, [r"5$ \x 6$", "10_000"]))
    assert chosen(pixels, 0.6 * np.array(to_rgb(COLOURS[0]))).sum() > 40
