"""``dlcv04 tsne``: a map as PNG of anyone's pictures, pixels or features, and one sentence for what has none."""

import re

import numpy as np
import pytest
from PIL import Image

from dlcv04.backends import keras
from dlcv04.visualization.embedding import COLOURS
from tests.commands import asking
from tests.commands.asking import Command, halve, unbuilt

run = Command("tsne")
layers = keras.layers
pytestmark = [  # what Python would print below the one sentence
    pytest.mark.filterwarnings("error::UserWarning"),
    pytest.mark.filterwarnings("error::RuntimeWarning"),
]
CLASSES = ("cow", "dog", "owl")


def draw(path, seed, colour=(128, 128, 128), size=(20, 16), mode="RGB", **options):
    """A noisy picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(seed).normal(0, 20, (size[1], size[0], 3)) + colour
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)
    picture.save(path, **options)


def pets(root, each=20, classes=CLASSES):
    """A folder of pictures a class; each class has a colour of its own."""
    for number, name in enumerate(classes):
        colour = [40 + 170 * (number == channel) for channel in range(3)]
        for picture in range(each):
            draw(root / name / f"{picture}.png", 1000 * number + picture, colour)
    return root


def save(*stack, shape=(16, 16, 3)):
    return asking.save(*stack, shape=shape)


def classifier(shape=(16, 16, 3)):
    body = [layers.Conv2D(6, 3, activation="relu", name="conv"), layers.Flatten(), layers.Dense(5, name="below")]
    return save(*body, layers.Dense(3, activation="softmax"), shape=shape)


def refused(*arguments):
    sentence = run.refused(*arguments)
    assert sentence.strip().endswith((".", "`.")), sentence
    return sentence


def looked_at(path, classes):
    """The map is a picture of 900 x 900 with each class's colour in it."""
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.size == (900, 900)
        pixels = np.asarray(picture.convert("RGB")).astype(float)
    for colour in COLOURS[:classes]:
        wanted = 0.85 * np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) + 0.15 * 255
        assert (np.abs(pixels - wanted).max(axis=-1) <= 4).sum() > 50, colour


def figures(line):
    pattern = (
        r"KL divergence (\d+\.\d{3}); of 10 neighbours (\d\.\d\d) are of one class \(by chance (\d\.\d\d)\); "
        r"trustworthiness (\d\.\d{3}) \(by chance 0\.5\)"
    )
    found = re.fullmatch(pattern, line)
    assert found, line
    return [float(part) for part in found.groups()]


# --- maps


def test_a_folder_of_ones_own(folder):
    pets(folder / "pets")
    lines = run("pets", "--perplexity", 8, "--out", "map.png")
    assert lines[0].startswith("48 pictures of 60 pictures of 3 classes, ") and len(lines) == 3
    divergence, pure, chance, trusted = figures(lines[1])
    assert divergence > 0 and pure > 0.95 and chance == 0.33 and trusted > 0.7
    assert lines[2] == "stored: map.png"
    looked_at(folder / "map.png", 3)
    first = (folder / "map.png").read_bytes()
    assert run("pets", "--perplexity", 8, "--out", "map.png") == lines and (folder / "map.png").read_bytes() == first
    fewer = run("pets", "--perplexity", 8, "--images", 30, "--seed", 4, "--size", 8)
    assert fewer[0].startswith("30 pictures of ") and fewer[2] == "stored: tsne.png"
    assert (folder / "tsne.png").read_bytes() != first


@pytest.mark.parametrize(("name", "alike"), [("mnist", 0.4), ("cifar10", 0.0), ("terrassa", 0.0)])
def test_a_named_data_set(folder, name, alike):  # photographs of a class are not alike in their pixels
    lines = run(name, "--images", 150, "--perplexity", 15, "--data", "embedded")
    assert lines[0].startswith("150 pictures of ")
    _, pure, chance, trusted = figures(lines[1])
    assert alike <= pure < 1 and 0.07 < chance < 0.13 and trusted > 0.7
    looked_at(folder / "tsne.png", 10)


@pytest.mark.parametrize("pixels", ["unit", "bytes", "imagenet"])
def test_what_a_file_of_ones_own_sees(folder, pixels):
    pets(folder / "pets")
    classifier()
    lines = run("pets", "--perplexity", 8, "--model", "mine.keras", "--pixels", pixels)
    assert re.fullmatch(r"by 5 features of mine\.keras \(sha256 [0-9a-f]{12}\)", lines[1]) and len(lines) == 4
    assert figures(lines[2])[1] > 0.9
    looked_at(folder / "tsne.png", 3)


def test_grey_and_coloured_pictures_for_grey_and_coloured_networks(folder):
    classifier((28, 28, 3))
    assert run("mnist", "--images", 60, "--perplexity", 9, "--data", "embedded", "--model", "mine.keras")
    classifier((32, 32, 1))
    lines = run("terrassa", "--images", 60, "--perplexity", 9, "--data", "embedded", "--model", "mine.keras")
    assert lines[1].startswith("by 5 features of mine.keras (sha256 ")


def test_pictures_of_every_kind_among_them(folder):
    root = pets(folder / "pets")
    draw(root / "cow" / "grey.jpg", 1, mode="L")
    draw(root / "cow" / "clear.png", 2, mode="RGBA")
    draw(root / "dog" / "print.jpg", 3, mode="CMYK")
    draw(root / "dog" / "palette.png", 4, mode="P")
    draw(root / "owl" / "small.png", 5, size=(4, 4))
    Image.new("RGB", (5000, 4000), "orange").save(root / "owl" / "large.png")
    (root / "owl" / "notes.txt").write_text("not a picture")
    lines = run("pets", "--perplexity", 8)
    assert "of 66 pictures of 3 classes" in lines[0]
    looked_at(folder / "tsne.png", 3)


def test_names_of_classes_are_shown_as_they_are(folder):
    pets(folder / "pets", classes=(r"5$ \x 6$", "a_b", "owl"))
    assert run("pets", "--perplexity", 8)[-1] == "stored: tsne.png"
    looked_at(folder / "tsne.png", 3)


# --- what has no map


def text(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a letter")


def only(name):
    def make(root):
        pets(root)
        for other in set(CLASSES) - {name}:
            for path in (root / other).iterdir():
                path.unlink()
            (root / other).rmdir()

    return make


def beside(name, *options, **settings):
    """The pets, and one more picture."""

    def make(root):
        draw(pets(root) / "cow" / name, 77, *options, **settings)

    return make


def alike(root):
    """Files that differ, of pictures that do not."""
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for number in range(20):
            black = Image.new("RGB", (9, 9 + number + 20 * CLASSES.index(name)))
            black.save(root / name / f"{number}.png")


def cut(root):
    path = pets(root) / "cow" / "cut.jpg"
    draw(path, 5, size=(90, 90))
    path.write_bytes(path.read_bytes()[:-900])


def one_in_two(root):
    (pets(root) / "dog" / "same.png").write_bytes((root / "cow" / "0.png").read_bytes())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda root: None, "There is no folder and no data set 'pets'; the data sets are mnist, cifar10, terrassa."),
        (text, "pets is not a folder; name one that holds a folder of pictures for each class."),
        (lambda root: root.mkdir(), "pets holds 0 folders; it must hold one for each class, two at least."),
        (only("dog"), "pets holds 1 folders"),
        (lambda root: (pets(root) / "empty").mkdir(), r"empty holds no picture \(\.jpg, \.jpeg, \.png\)"),
        (beside("one.png", size=(1, 1)), r"one\.png has 1 x 1 pixels, too few to show anything"),
        (lambda root: text(pets(root) / "cow" / "text.jpg"), r"text\.jpg is not a JPEG or PNG picture, whatever its"),
        (cut, r"cut\.jpg can't be decoded"),
        (one_in_two, r"same\.png is the same picture as .*0\.png; keep it in one class"),
        (lambda root: pets(root, each=5), "t-SNE needs 20 pictures or more to show anything; there are 12"),
        (lambda root: pets(root, each=1), "cow holds 1 picture; one for training and one for validation"),
        (alike, "all alike, so there is no map"),
    ],
)
def test_a_folder_without_a_map_is_one_sentence(folder, make, sentence):
    make(folder / "pets")
    assert re.search(sentence, refused("pets", "--perplexity", 5))
    assert not (folder / "tsne.png").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--perplexity", "17"], "A perplexity of 17 does not suit 48 pictures: choose 1 to a third of them"),
        (["--perplexity", "0"], "A perplexity of 0 does not suit 48 pictures"),
        (["--perplexity", "nan"], "A perplexity of nan does not suit"),
        (["--images", "19"], "t-SNE needs 20 pictures or more to show anything; there are 19"),
        (["--size", "4"], "Pictures must have 8 to 1024 pixels a side, not 4"),
        (["--size", "4000"], "Pictures must have 8 to 1024 pixels a side, not 4000"),
        (["--out", "gone/a.png"], "There is no folder gone: make it, or choose another place for a.png"),
        (["--pixels", "byte"], "'byte' is not one of 'unit', 'bytes', 'imagenet'."),
        (["--model", "gone.keras"], "gone.keras is not a file that ends with .keras"),
        (["--model", "pets"], "pets is not a file that ends with .keras"),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(folder, arguments, sentence):
    pets(folder / "pets")
    assert sentence in run.refused("pets", *arguments)
    assert not (folder / "tsne.png").exists()


def test_a_data_source_that_there_is_not(folder):
    assert "'reel' is not one of 'auto', 'real', 'embedded'." in refused("mnist", "--data", "reel")
    assert "There is no real MNIST at " in refused("mnist", "--data", "real")


def test_a_home_that_there_is_not(folder):
    assert "no data set '~nobody-of-that-name/pets'" in refused("~nobody-of-that-name/pets")
    assert "is not a file that ends with .keras" in refused("mnist", "--model", "~nobody-of-that-name/a.keras")


def test_an_out_that_is_a_folder(folder):
    pets(folder / "pets")
    (folder / "a.png").mkdir()
    assert "a.png" in run.refused("pets", "--perplexity", 5, "--out", "a.png")


def damaged():
    classifier()
    halve("mine.keras")


def dead():
    """A network that says the same of every picture."""
    model = classifier()
    model.get_layer("below").set_weights([np.zeros((6 * 14 * 14, 5)), np.ones(5)])
    model.save("mine.keras")


def wide():
    classifier((16, 24, 3))


def of_one_feature():
    save(layers.Flatten(), layers.Dense(1), layers.Dense(3, activation="softmax"))


def two_below():
    given = keras.Input((16, 16, 3))
    flat = layers.Flatten()(given)
    ends = [layers.Dense(3, activation="softmax")(flat) for _ in range(2)]
    keras.Model(given, layers.Average()(ends)).save("mine.keras")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (damaged, "mine.keras can't be read as a Keras model"),
        (lambda: save(layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(2)), "holds Python code"),
        (lambda: asking.spoil(classifier(), "conv"), "mine.keras holds NaN or infinity in its weights"),
        (lambda: save(layers.Conv2D(3, 3)), "mine.keras gives arrays of (14, 14, 3) for a picture"),
        (lambda: save(layers.Dense(2), shape=(7,)), "mine.keras takes arrays of (7,), not pictures of one size"),
        (unbuilt, "mine.keras takes arrays of no known shape"),
        (wide, "mine.keras takes pictures of (16, 24, 3), and pets has (16, 16, 3)"),
        (dead, "all alike, so there is no map"),
        (of_one_feature, "2 features or more"),
        (two_below, "mine.keras has no single layer below its last one: give a plain classifier"),
    ],
)
def test_a_model_that_sees_nothing_is_one_sentence(folder, make, sentence):
    pets(folder / "pets")
    make()
    assert sentence in refused("pets", "--perplexity", 5, "--model", "mine.keras")
    assert not (folder / "tsne.png").exists()


def test_a_model_of_another_size_than_the_data_set(folder):
    classifier((16, 16, 1))
    sentence = refused("mnist", "--data", "embedded", "--model", "mine.keras")
    assert "mine.keras takes pictures of (16, 16, 1), and mnist has (28, 28, 1)" in sentence
