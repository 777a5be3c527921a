"""Local classification: boxes by their rules, batches as one by one, and heat where a network looks, nowhere else."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcv04 import networks
from dlcv04.backends import keras
from dlcv04.datasets import DataError
from dlcv04.visualization import occlusion
from dlcv04.visualization.classifiers import Classifier, ClassifierError

HEIGHT, WIDTH = 18, 14


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(4)
    net = networks.cifar_convnet(filters=(6,), dense_units=12, input_shape=(HEIGHT, WIDTH, 3), classes=4)
    for layer in net.layers:
        if layer.weights:
            layer.set_weights([3 * values for values in layer.get_weights()])
    return Classifier("mine", net, ("a", "b", "c", "d"), batch_size=8)


def looks_at(rows, columns, *, height=HEIGHT, width=WIDTH):
    """A network of two classes: the second is the more probable the brighter some pixels are."""
    net = keras.Sequential(
        [keras.Input((height, width, 1)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )
    where = np.zeros((height, width))
    where[rows, columns] = 6 / where[rows, columns].size
    kernel = np.stack([np.zeros(height * width), where.ravel()], axis=1)
    net.layers[-1].set_weights([kernel, np.zeros(2)])
    return Classifier("corner", net)


def noise(count=1, channels=3, seed=0):
    return np.random.RandomState(seed).randint(1, 256, (count, HEIGHT, WIDTH, channels)).astype(np.uint8)


@st.composite
def boxes_in_pictures(draw):
    """Some boxes of a picture's own size and place: boxes, height, width."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        found.append([top, left, draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))])
    return np.array(found, np.int32), height, width


def cover(box, height, width):
    """The pixels of a box."""
    found = np.zeros((height, width), bool)
    found[box[0] : box[2], box[1] : box[3]] = True
    return found


# --- boxes


@given(boxes_in_pictures(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_box_and_all_but_the_box_are_the_picture(drawn, seed):
    boxes, height, width = drawn
    pictures = np.random.RandomState(seed).randint(1, 256, (len(boxes), height, width, 3)).astype(np.uint8)
    without, alone = occlusion.masked(pictures, boxes), occlusion.masked(pictures, boxes, keep=True)
    assert without.dtype == alone.dtype == np.uint8
    np.testing.assert_array_equal(without + alone, pictures)
    for box, outside, inside in zip(boxes, without, alone, strict=True):
        np.testing.assert_array_equal((outside == 0).all(axis=-1), cover(box, height, width))
        np.testing.assert_array_equal((inside > 0).all(axis=-1), cover(box, height, width))


def test_one_picture_for_all_boxes():
    picture, boxes = noise(), np.array([[0, 0, 2, 3], [4, 5, 18, 14], [0, 0, 0, 0]], np.int32)
    found = occlusion.masked(picture, boxes)
    assert (found == 0).all(axis=-1).sum(axis=(1, 2)).tolist() == [6, 14 * 9, 0] == occlusion.areas(boxes).tolist()
    np.testing.assert_array_equal(found[2], picture[0])


@given(boxes_in_pictures())
@settings(max_examples=150, deadline=None)
def test_bars_are_equally_large_one_in_the_box_and_one_beside_it(drawn):
    boxes, height, width = drawn
    over, beside = occlusion.bars(boxes, height, width)
    assert over.dtype == beside.dtype == np.int32
    np.testing.assert_array_equal(over[:, 2:] - over[:, :2], beside[:, 2:] - beside[:, :2])
    for box, inside, outside in zip(boxes.tolist(), over.tolist(), beside.tolist(), strict=True):
        mine, bar, other = (cover(one, height, width) for one in (box, inside, outside))
        assert not (bar & ~mine).any() and not (other & mine).any()
        assert bar.sum() == other.sum() == occlusion.areas(np.array([outside]))[0]
        room = box[0] > 0 or box[1] > 0 or box[2] < height or box[3] < width
        assert bool(bar.any()) == room
        assert abs((inside[0] - box[0]) - (box[2] - inside[2])) <= 1  # in the middle
        assert abs((inside[1] - box[1]) - (box[3] - inside[3])) <= 1


@pytest.mark.parametrize(
    ("box", "over", "beside"),
    [
        ([3, 0, 12, 10], [3, 0, 11, 10], [12, 0, 20, 10]),  # below, where 8 rows are left
        ([0, 6, 20, 10], [0, 6, 20, 10], [0, 1, 20, 5]),  # left, where there is more room than the box takes
        ([2, 2, 20, 10], [2, 5, 20, 7], [1, 0, 19, 2]),  # left: 18 x 2 are more than 2 x 8 above
        ([0, 0, 20, 10], [10, 0, 10, 10], [0, 0, 0, 10]),  # nowhere: no area
    ],
)
def test_the_bar_beside_is_the_largest_there_is_room_for(box, over, beside):
    found = occlusion.bars(np.array([box], np.int32), 20, 10)
    assert [one[0].tolist() for one in found] == [over, beside]


def test_central_boxes():
    found = occlusion.central_boxes(3, 100, 50)
    assert found.dtype == np.int32 and found.tolist() == [[20, 10, 80, 40]] * 3
    assert occlusion.central_boxes(1, 64, 64, share=0.5).tolist() == [[16, 16, 48, 48]]
    assert occlusion.central_boxes(1, 9, 9, share=1).tolist() == [[0, 0, 9, 9]]


@given(boxes_in_pictures(), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_moved_boxes_keep_their_size_and_stay_whole_in_the_picture(drawn, seed):
    boxes, height, width = drawn
    found = occlusion.moved_at_random(boxes, height, width, np.random.RandomState(seed))
    assert found.dtype == np.int32 and (found >= 0).all()
    assert (found[:, 2] <= height).all() and (found[:, 3] <= width).all()
    np.testing.assert_array_equal(found[:, 2:] - found[:, :2], boxes[:, 2:] - boxes[:, :2])


def test_boxes_are_moved_everywhere_and_by_the_seed():
    boxes = np.tile(np.array([0, 0, 3, 2], np.int32), (2000, 1))
    one, again, other = (occlusion.moved_at_random(boxes, 6, 4, np.random.RandomState(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    counts = np.unique(one[:, :2], axis=0, return_counts=True)[1]
    assert len(counts) == 4 * 3 and counts.min() > 100


@given(st.integers(2, 40), st.integers(2, 40), st.data())
@settings(max_examples=100, deadline=None)
def test_a_sliding_patch_covers_the_picture_to_its_edges(height, width, data):
    patch = data.draw(st.integers(1, min(height, width) - 1))
    stride = data.draw(st.integers(1, 45))
    found = occlusion.patch_boxes(height, width, patch, stride)
    assert found.dtype == np.int32 and (occlusion.areas(found.reshape(-1, 4)) == patch**2).all()
    assert found[0, 0].tolist() == [0, 0, patch, patch]
    assert found[-1, -1].tolist() == [height - patch, width - patch, height, width]
    for steps in (np.diff(found[:, 0, 0]), np.diff(found[0, :, 1])):
        assert (steps[:-1] == stride).all() and (steps > 0).all() and (steps <= stride).all()
    if stride <= patch:
        covered = np.zeros((height, width), int)
        for box in found.reshape(-1, 4):
            covered += cover(box, height, width)
        assert covered.min() >= 1


@pytest.mark.parametrize(("patch", "stride"), [(0, 1), (14, 1), (15, 3), (-1, 1), (3, 0), (3, -2)])
def test_a_patch_that_does_not_suit(classifier, patch, stride):
    sentence = f"A patch of {patch} pixels that moves by {stride} does not suit a picture of 18 x 14: choose a patch of"
    with pytest.raises(DataError, match=f"{sentence} 1 to 13 pixels and a stride of at least 1"):
        occlusion.heat_map(classifier, noise()[0], patch=patch, stride=stride)


# --- what the network says


def by_hand(classifier, picture, patch, stride):
    """Picture by picture: probabilities in the order of the places, and the mean drop on each pixel."""
    (whole,) = classifier.probabilities(picture[None])
    label, found = whole.argmax(), []
    fall, covered = np.zeros((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH))
    for top in sorted({*range(0, HEIGHT - patch, stride), HEIGHT - patch}):
        for left in sorted({*range(0, WIDTH - patch, stride), WIDTH - patch}):
            changed = picture.copy()
            changed[top : top + patch, left : left + patch] = 0
            found.append(classifier.probabilities(changed[None])[0, label])
            fall[top : top + patch, left : left + patch] += whole[label] - found[-1]
            covered[top : top + patch, left : left + patch] += 1
    drop = np.divide(fall, covered, out=np.zeros_like(fall), where=covered > 0)
    return label, whole[label], found, drop


@pytest.mark.parametrize(("patch", "stride"), [(5, 3), (3, 5), (13, 1)])  # the second leaves gaps
def test_in_batches_a_heat_map_is_that_of_pictures_one_by_one(classifier, patch, stride):
    picture = noise(seed=2)[0]
    found = occlusion.heat_map(classifier, picture, patch=patch, stride=stride)
    label, whole, probabilities, drop = by_hand(classifier, picture, patch, stride)
    assert found.label == label and found.whole == pytest.approx(whole, abs=1e-5)
    np.testing.assert_allclose(found.probabilities.ravel(), probabilities, atol=1e-5)
    np.testing.assert_allclose(found.drop, drop, atol=1e-5)
    assert found.probabilities.shape == found.boxes.shape[:2] and np.ptp(found.probabilities) > 0.01


@pytest.mark.parametrize("batch_size", [1, 7, 200])
def test_whatever_the_batch_the_heat_map_is_the_same(classifier, batch_size):
    whole = occlusion.heat_map(classifier, noise()[0], patch=4, stride=4)
    other = Classifier("mine", classifier.model, batch_size=batch_size)
    parts = occlusion.heat_map(other, noise()[0], patch=4, stride=4)
    np.testing.assert_allclose(parts.drop, whole.drop, atol=1e-5)
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=1e-5)


def test_heat_lies_where_the_network_looks_and_nowhere_else():
    picture = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    found = occlusion.heat_map(looks_at(slice(14, 18), slice(0, 3)), picture, patch=1, stride=1)
    corner = np.zeros((HEIGHT, WIDTH), bool)
    corner[14:, :3] = True
    assert found.label == 1 and found.whole == pytest.approx(1 / (1 + np.exp(-6)), abs=1e-5)
    assert (found.drop[corner] > 1e-3).all()
    np.testing.assert_allclose(found.drop[~corner], 0, atol=1e-6)
    wide = occlusion.heat_map(looks_at(slice(14, 18), slice(0, 3)), picture, patch=4, stride=2)
    assert np.unravel_index(wide.probabilities.argmin(), wide.probabilities.shape) == (wide.boxes.shape[0] - 1, 0)
    assert wide.probabilities.min() == pytest.approx(0.5, abs=1e-5)  # the corner whole
    np.testing.assert_allclose(wide.drop[:10, 8:], 0, atol=1e-6)


def test_a_picture_that_becomes_more_probable_has_a_drop_below_zero():
    net = looks_at(slice(0, 4), slice(0, 4))
    kernel, bias = net.model.layers[-1].get_weights()
    net.model.layers[-1].set_weights([kernel, bias + [7, 0]])  # the first class, in spite of the corner
    found = occlusion.heat_map(net, np.full((HEIGHT, WIDTH, 1), 255, np.uint8), patch=4, stride=4)
    assert found.label == 0 and found.drop.min() < -0.1 and found.drop.max() < 1e-6


def test_progress_is_told_to_the_end(classifier):
    told = []
    found = occlusion.heat_map(classifier, noise()[0], patch=6, stride=4, on_batch=lambda *at: told.append(at))
    count = found.probabilities.size + 1
    assert count == 4 * 3 + 1 and told == [(8, 13), (13, 13)]


def test_the_class_is_that_of_the_whole_picture(classifier):
    pictures, boxes = noise(5), np.tile(np.array([2, 2, 16, 12], np.int32), (5, 1))
    variants = [occlusion.masked(pictures, boxes), occlusion.masked(pictures, boxes, keep=True)]
    labels, found = occlusion.of_whole_class(classifier, pictures, variants)
    whole = classifier.probabilities(pictures)
    assert labels.tolist() == [int(row.argmax()) for row in whole] and len(found) == 3
    for shown, probabilities in zip([pictures, *variants], found, strict=True):
        rows = classifier.probabilities(shown)
        assert probabilities.dtype == np.float64
        assert probabilities.tolist() == pytest.approx([float(rows[n, label]) for n, label in enumerate(labels)])
    assert (np.abs(found[0] - found[1]) > 1e-3).any()


def test_pictures_of_another_shape_are_refused(classifier):
    with pytest.raises(ClassifierError, match=r"takes pictures of \(18, 14, 3\), not \(18, 14, 1\)"):
        occlusion.heat_map(classifier, noise(channels=1)[0], patch=4, stride=4)


# --- the picture


def test_six_panels_say_what_they_show(classifier):
    picture, told = noise()[0], []
    shown = occlusion.panels(classifier, picture, [4, 3, 14, 11], 4, 4, on_batch=lambda *at: told.append(at))
    label = int(classifier.probabilities(picture[None])[0].argmax())
    heads = [panel.text.splitlines()[0] for panel in shown]
    others = ["bar on the box", "bar beside it", "box only", "all but the box", "sliding patch"]
    assert heads == ["abcd"[label], *others]
    for panel in shown[:5]:
        probability = classifier.probabilities(panel.pixels[None])[0, label]
        assert float(panel.text.split("prob ")[1]) == pytest.approx(probability, abs=6e-4) and panel.drop is None
    np.testing.assert_array_equal(shown[3].pixels + shown[4].pixels, picture)
    black = [(panel.pixels == 0).all(axis=-1) for panel in shown[1:3]]
    box = cover([4, 3, 14, 11], HEIGHT, WIDTH)
    assert black[0].sum() == black[1].sum() > 0 and not (black[0] & ~box).any() and not (black[1] & box).any()
    mapped = occlusion.heat_map(classifier, picture, patch=4, stride=4)
    np.testing.assert_allclose(shown[5].drop, mapped.drop, atol=1e-6)
    fall = mapped.whole - mapped.probabilities.min()
    assert float(shown[5].text.split("at most −")[1]) == pytest.approx(max(fall, 0), abs=6e-4)
    assert told[-1][0] == told[-1][1] == mapped.probabilities.size + 1


def drawn(rows, side=150):
    with Image.open(io.BytesIO(occlusion.draw(rows, side=side))) as png:
        assert png.format == "PNG"
        return np.asarray(png.convert("RGB")).astype(int)


def test_a_hot_place_is_red_a_cold_one_blue_and_the_rest_neither():
    drop = np.zeros((40, 40))
    drop[:20, :20], drop[20:, 20:] = 0.5, -0.5
    panel = occlusion.Panel(np.full((40, 40, 3), 128, np.uint8), "text", drop)
    pixels = drawn([[panel]], side=300)
    assert pixels.shape == (342, 300, 3)
    middle = 150
    red, blue = pixels[20 : middle - 20, 20 : middle - 20], pixels[middle + 40 : 260, middle + 20 : 280]
    assert (red[..., 0] > red[..., 2] + 40).mean() > 0.9 and (blue[..., 2] > blue[..., 0] + 40).mean() > 0.9
    neutral = pixels[20 : middle - 40, middle + 40 : 280]
    assert np.abs(neutral[..., 0] - neutral[..., 2]).mean() < 12


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_shown_as_they_are_above_their_text(channels):
    pixels = np.zeros((20, 20, channels), np.uint8)
    pixels[:10] = [200] * channels if channels == 1 else [200, 90, 10]
    shown = drawn([[occlusion.Panel(pixels, "first\nprob 0.5"), occlusion.Panel(pixels // 2, "second")]] * 2, side=160)
    assert shown.shape == (2 * 202, 320, 3)
    wanted = [200, 200, 200] if channels == 1 else [200, 90, 10]
    assert (shown == wanted).all(axis=-1).sum() > 2 * 50 * 100
    assert (shown == [value // 2 for value in wanted]).all(axis=-1).sum() > 2 * 50 * 100
    bare = drawn([[occlusion.Panel(pixels, ""), occlusion.Panel(pixels // 2, "")]] * 2, side=160)
    assert (bare != shown).any(axis=-1).sum() > 100  # the text


def test_a_map_without_heat_and_a_name_with_dollars_are_drawn():
    panel = occlusion.Panel(np.full((20, 20, 1), 200, np.uint8), r"5$ \x 6$", np.zeros((20, 20)))
    pixels = drawn([[panel]])
    assert (pixels < 100).all(axis=-1).sum() > 20 and np.ptp(pixels[20:100, 40:110], axis=-1).max() < 12
