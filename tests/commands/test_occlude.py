"""``dlcv04 occlude``: six panels as PNG of anyone's picture and network, and one sentence for what can't be shown."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv04.backends import keras
from dlcv04.datasets import Dataset
from dlcv04.recipes import OCCLUSION_PROFILES
from tests.commands import asking
from tests.commands.asking import Command, halve, unbuilt

run = Command("occlude")
layers = keras.layers
pytestmark = [  # what Python would print below the one sentence
    pytest.mark.filterwarnings("error::UserWarning"),
    pytest.mark.filterwarnings("error::RuntimeWarning"),
]
SIDE = 20
HEADS = ("bar on the box", "bar beside it", "box only", "all but the box")


def draw(name, size=(50, 40), mode="RGB", **options):
    pixels = np.random.RandomState(0).randint(40, 256, (size[1], size[0], 3)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(name, **options)
    return name


def save(*stack, shape=(SIDE, SIDE, 3)):
    return asking.save(*stack, shape=shape)


def classifier(shape=(SIDE, SIDE, 3)):
    body = [layers.Conv2D(4, 3, activation="relu", name="conv"), layers.Flatten()]
    return save(*body, layers.Dense(3, activation="softmax", name="classes"), shape=shape)


def looks_at(rows, columns):
    """A grey network of two classes without a convolution: the brighter some pixels, the more probable class 1."""
    model = save(layers.Flatten(), layers.Dense(2, activation="softmax"), shape=(SIDE, SIDE, 1))
    where = np.zeros((SIDE, SIDE))
    where[rows, columns] = 6 / where[rows, columns].size
    model.layers[-1].set_weights([np.stack([0 * where.ravel(), where.ravel()], axis=1), np.zeros(2)])
    model.save("mine.keras")


def refused(*arguments):
    sentence = run.refused(*arguments)
    assert sentence.strip().endswith((".", "`.")), sentence
    return sentence


def said(lines):
    """The last eight lines: network, whole, four masked pictures, the patch, the file; as numbers."""
    network, whole, *masked, patch, stored = lines[-8:]
    assert network.startswith("classified by ") and stored.startswith("stored: ")
    assert [line.split(": prob ")[0] for line in masked] == list(HEADS)
    fall = re.fullmatch(r"sliding patch: at most −(\d\.\d{3})", patch)
    label = re.fullmatch(r"(.+): prob (\d\.\d{3})", whole)
    assert fall and label, lines
    numbers = [float(label[2]), *(float(line.split(": prob ")[1]) for line in masked), float(fall[1])]
    assert all(0 <= number <= 1 for number in numbers)
    return label[1], numbers


def panels(path="occlusion.png"):
    """Six panels of the figure, each 302 x 260 pixels."""
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.size == (3 * 260, 2 * 302)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return [pixels[row : row + 302, column : column + 260] for row in (0, 302) for column in (0, 260, 520)]


def shown(panel):
    """The pixels of a panel's picture, without the margin and the text."""
    return panel[20:200, 40:220]


# --- figures


def test_a_picture_and_a_file_of_ones_own(folder):
    classifier()
    lines = run(draw("cat.jpg"), "--model", "mine.keras", "--out", "a.png")
    label, numbers = said(lines)
    assert re.fullmatch(r"classified by mine\.keras \(sha256 [0-9a-f]{12}\)", lines[0])
    assert lines[-1] == "stored: a.png" and len(lines) == 8
    assert label in ("class 0", "class 1", "class 2") and numbers[0] >= 0.333
    found = panels("a.png")
    assert [shown(panel).std() > 10 for panel in found] == [True] * 6
    black = [(shown(panel) < 3).all(axis=-1).mean() for panel in found]
    assert black[0] < 0.02 and black[5] < 0.02 and all(share > 0.05 for share in black[1:5])
    assert black[3] + black[4] == pytest.approx(1, abs=0.1)
    first = (folder / "a.png").read_bytes()
    assert run("cat.jpg", "--model", "mine.keras", "--out", "a.png") == lines
    assert (folder / "a.png").read_bytes() == first


def test_a_network_without_convolution_that_looks_at_one_corner(folder):
    looks_at(slice(0, 8), slice(0, 8))
    Image.new("L", (60, 60), 255).save("white.png")
    corner = ["--box", 0, 0, 0.4, 0.4, "--patch", 8, "--stride", 2]
    label, (whole, on, beside, only, without, fall) = said(run("white.png", "--model", "mine.keras", *corner))
    assert label == "class 1" and whole == beside == only == 0.998 and on == without == 0.5 and fall == 0.498
    heat = panels()[5][20:230, 20:240]
    red = heat[..., 0] > heat[..., 2] + 40
    assert red[:80, :80].mean() > 0.5 and not red[110:, 110:].any()
    middle = said(run("white.png", "--model", "mine.keras", "--patch", 8, "--stride", 4))
    assert middle[1][4] > without  # the middle tells less


@pytest.mark.parametrize("pixels", ["unit", "bytes", "imagenet"])
def test_what_the_network_takes(pixels):
    model = classifier()
    rows = {"unit": lambda x: x / 255, "bytes": lambda x: x}
    rows["imagenet"] = lambda x: x[..., ::-1] - np.array([103.939, 116.779, 123.68])
    _, numbers = said(run(draw("cat.png", (SIDE, SIDE)), "--model", "mine.keras", "--pixels", pixels))
    with Image.open("cat.png") as picture:
        given = rows[pixels](np.asarray(picture).astype(np.float32))
    wanted = keras.ops.convert_to_numpy(model(given[None].astype(np.float32)))[0]
    assert numbers[0] == pytest.approx(wanted.max(), abs=1e-3)


@pytest.mark.parametrize("shape", [(SIDE, SIDE, 1), (12, 30, 3)])
def test_pictures_of_every_kind(shape):
    classifier(shape)
    Image.new("RGB", (5000, 4000), "orange").save("large.jpg")
    kinds = {"grey.jpg": "L", "clear.png": "RGBA", "print.jpg": "CMYK", "palette.png": "P", "bits.png": "1"}
    for name in ["large.jpg", *(draw(name, mode=mode) for name, mode in kinds.items()), draw("few.png", (4, 4))]:
        assert said(run(name, "--model", "mine.keras"))[1][0] >= 0.333
        found = panels()
        assert shown(found[0]).max() > 30 and all(panel.std() > 5 for panel in found), name


def test_transparent_parts_are_white_and_boxes_are_shares(folder):
    looks_at(slice(0, SIDE), slice(0, SIDE))
    Image.new("RGBA", (80, 40), (0, 0, 0, 0)).save("clear.png")
    half = ["--box", 0, 0.5, 1, 1]
    _, (whole, _, _, only, without, _) = said(run("clear.png", "--model", "mine.keras", *half))
    assert whole == 0.998 and only == without == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-3)


def test_without_a_picture_a_photograph_is_shown():
    classifier()
    lines = run("--model", "mine.keras")
    assert len(lines) == 8 and said(lines) and shown(panels()[0]).std() > 20


def small_buildings(*_, **__):
    """Two kinds of buildings, told apart by where they are bright."""
    random = np.random.RandomState(0)
    labels = (np.arange(80) % 2).astype(np.int32)
    x = random.randint(0, 100, (80, 16, 16, 3))
    boxes = np.array([[2, 2 + 6 * label, 14, 8 + 6 * label] for label in labels], np.int32)
    for picture, (top, left, bottom, right) in zip(x, boxes.tolist(), strict=True):
        picture[top:bottom, left:right] += 150
    x = x.astype(np.uint8)
    parts = (x[:64], labels[:64], x[64:], labels[64:])
    return Dataset(
        "terrassa", *parts, 2, class_names=("ajuntament", "mercat"), boxes_train=boxes[:64], boxes_val=boxes[64:]
    )


def test_without_weights_a_network_is_trained_here_once(monkeypatch):
    monkeypatch.setattr("dlcv04.datasets.load", small_buildings)
    lines = run()
    assert lines[0].startswith("VGG16's ImageNet weights are not at ")
    assert lines[0].endswith("Instead a small network is trained on drawn buildings: it knows nothing else.")
    told = range(8, OCCLUSION_PROFILES["smoke"].epochs + 1, 8)
    trained = 1 + len(told)
    assert [line.partition(",")[0] for line in lines[1:trained]] == [f"training: epoch {n}" for n in told]
    label, numbers = said(lines)
    assert label == "ajuntament" and numbers[0] > 0.8 and len(lines) == trained + 8
    again = run("--model", "buildings")
    assert again == lines[trained:]  # neither trained again nor told why
    assert "'smok' is not one of 'smoke', 'standard', 'paper'." in refused("--model", "buildings", "--profile", "smok")


# --- what can't be shown


def text(name):
    return lambda: Path(name).write_text("a letter")


@pytest.mark.parametrize(
    ("make", "name", "sentence"),
    [
        (lambda: None, "gone.jpg", "gone.jpg can't be read: No such file or directory."),
        (lambda: None, ".", ". can't be read: Is a directory."),
        (text("text.jpg"), "text.jpg", "text.jpg is not a JPEG or PNG picture, whatever its name says"),
        (lambda: halve(draw("cut.jpg", (90, 90))), "cut.jpg", "cut.jpg can't be decoded"),
        (lambda: draw("one.png", (1, 1)), "one.png", "one.png has 1 x 1 pixels, too few to show anything."),
        (lambda: draw("wide.png", (200, 2)), "wide.png", "wide.png has 200 x 2 pixels, too few to show anything."),
        (lambda: Image.new("1", (10_000, 9_000)).save("big.png"), "big.png", "big.png has 10000 x 9000 pixels; make"),
    ],
)
def test_a_picture_that_is_none_is_one_sentence(folder, make, name, sentence):
    classifier()
    make()
    assert sentence in refused(name, "--model", "mine.keras")
    assert not (folder / "occlusion.png").exists()


@pytest.mark.parametrize(
    "box",
    [
        (0.6, 0.2, 0.4, 0.8),
        (0.2, 0.8, 0.8, 0.2),
        (0.5, 0.5, 0.5, 0.5),
        (0.5, 0.5, 0.501, 0.501),
        (-0.1, 0, 1, 1),
        (0, 0, 1, 1.2),
        (10, 20, 90, 80),
        ("nan", 0, 1, 1),
        (0, 0, "inf", 1),
        ("-inf", 0, 1, 1),
    ],
)
def test_a_box_that_is_none_is_one_sentence(folder, box):
    classifier()
    sentence = refused(draw("cat.png"), "--model", "mine.keras", "--box", *box)
    assert re.match(r"The box [\d. einaf-]+ is not a box: give top, left, bottom and right as shares", sentence)
    assert not (folder / "occlusion.png").exists()


def test_a_box_of_everything_leaves_no_bar(folder):
    classifier()
    _, (whole, on, beside, only, _, _) = said(run(draw("cat.png"), "--model", "mine.keras", "--box", 0, 0, 1, 1))
    assert whole == on == beside == only


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--patch", "20"], "A patch of 20 pixels that moves by 1 does not suit a picture of 20 x 20: choose a patch"),
        (["--patch", "0"], "A patch of 0 pixels that moves by 1 does not suit a picture of 20 x 20"),
        (["--patch", "-3"], "A patch of -3 pixels"),
        (["--stride", "0"], "choose a patch of 1 to 19 pixels and a stride of at least 1."),
        (["--out", "gone/a.png"], "There is no folder gone: make it, or choose another place for a.png."),
        (["--pixels", "byte"], "'byte' is not one of 'unit', 'bytes', 'imagenet'."),
        (["--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'gpu'."),
        (["--model", "gone.keras"], "gone.keras is not a file that ends with .keras"),
        (["--model", "~nobody-of-that-name/a.keras"], "~nobody-of-that-name/a.keras is not a file that ends"),
        (["--model", "vgg19"], "There is no model 'vgg19': give imagenet, buildings, or a file that ends with .keras."),
        (["--model", "imagenet"], "VGG16's ImageNet weights are not at "),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(folder, arguments, sentence):
    classifier()
    assert sentence in run.refused(draw("cat.png"), "--model", "mine.keras", *arguments)
    assert not (folder / "occlusion.png").exists()


def test_an_out_that_is_a_folder(folder):
    classifier()
    (folder / "a.png").mkdir()
    assert "a.png" in run.refused(draw("cat.png"), "--model", "mine.keras", "--out", "a.png")


def cut():
    classifier()
    halve("mine.keras")


def unnormalised():
    model = save(layers.Flatten(), layers.Dense(3))
    model.layers[-1].set_weights([np.zeros((SIDE * SIDE * 3, 3)), np.full(3, 2.0)])
    model.save("mine.keras")


def two_inputs():
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    keras.Model([one, two], layers.Dense(2)(layers.Flatten()(layers.Add()([one, two])))).save("mine.keras")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (text("mine.keras"), "mine.keras can't be read as a Keras model"),
        (cut, "mine.keras can't be read as a Keras model"),
        (
            lambda: save(layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(2)),
            "mine.keras holds Python code (a Lambda layer), and nothing in a file is run: build it of stock layers.",
        ),
        (
            lambda: asking.spoil(classifier(), "conv"),
            "mine.keras holds NaN or infinity in its weights conv/kernel: train it again.",
        ),
        (unnormalised, "mine.keras gives numbers that add up to 6, no probabilities: end it with a softmax."),
        (two_inputs, "mine.keras takes several arrays, not pictures of one size"),
        (lambda: save(layers.Conv2D(3, 3)), "mine.keras gives arrays of (18, 18, 3) for a picture"),
        (lambda: save(layers.Dense(2), shape=(7,)), "mine.keras takes arrays of (7,), not pictures of one size"),
        (unbuilt, "mine.keras takes arrays of no known shape"),
    ],
)
def test_a_model_that_is_no_classifier_is_one_sentence(folder, make, sentence):
    make()
    assert sentence in refused(draw("cat.png"), "--model", "mine.keras")
    assert not (folder / "occlusion.png").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.png"], "gone.png can't be read"),
        (["--box", "0.5", "0", "0.2", "1"], "is not a box: give top, left, bottom and right"),
        (["--out", "folder"], "folder is a folder: name a picture in it, as in folder/picture.png"),
    ],
)
def test_what_is_wrong_is_said_before_a_network_is_trained(folder, monkeypatch, arguments, sentence):
    (folder / "folder").mkdir()
    monkeypatch.setattr("dlcv04.commands.occlude._network", lambda *given: pytest.fail("a network was made"))
    assert sentence in refused(*arguments)
