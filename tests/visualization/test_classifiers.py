"""Classifiers: the model's own probabilities whatever its pixels, kept on disk where trained, one sentence else."""

import dataclasses
import functools
import re
from pathlib import Path

import numpy as np
import pytest

from dlcv04.backends import keras
from dlcv04.bases import TransferError, trained_base
from dlcv04.datasets import Dataset
from dlcv04.features import Scaling, compute_features
from dlcv04.networks import cifar_convnet, from_unit
from dlcv04.recipes import OCCLUSION_PROFILES, Recipe, RecipeError
from dlcv04.visualization import classifiers
from dlcv04.visualization.classifiers import Classifier, ClassifierError, from_file, from_model
from dlcv04.weights import WeightsError

SIDE = 12
LEARNT = Recipe("fine", "SGD", 0.02, 16, 12, optimizer_options=(("momentum", 0.9),))
NET = functools.partial(
    cifar_convnet, batch_norm=True, dropout=False, filters=(4,), dense_units=12, input_shape=(SIDE, SIDE, 3), classes=4
)
layers = keras.layers
pytestmark = pytest.mark.usefixtures("empty_folder")


def stack(*parts, shape=(SIDE, SIDE, 3)):
    return keras.Sequential([keras.Input(shape), *parts], name="mine")


def plain(classes=3, shape=(SIDE, SIDE, 3)):
    keras.utils.set_random_seed(3)
    body = [layers.Conv2D(4, 3, activation="relu", name="conv"), layers.GlobalAveragePooling2D(name="pool")]
    return stack(*body, layers.Dense(classes, activation="softmax", name="classes"), shape=shape)


def ending(bias, activation=None):
    """A model that gives the same numbers for every picture."""
    model = stack(layers.Flatten(), layers.Dense(len(bias), activation=activation))
    model.layers[-1].set_weights([np.zeros((SIDE * SIDE * 3, len(bias))), np.array(bias)])
    return model


def noise(count=4, channels=3):
    return np.random.RandomState(0).randint(0, 256, (count, SIDE, SIDE, channels)).astype(np.uint8)


def squares(count, seed):
    """Noise with a bright square whose place is the class."""
    random = np.random.RandomState(seed)
    labels = random.permutation(np.arange(count) % 4).astype(np.int32)
    x = random.randint(0, 120, (count, SIDE, SIDE, 3))
    for picture, label in zip(x, labels, strict=True):
        picture[6 * (label // 2) : 6 * (label // 2) + 6, 6 * (label % 2) : 6 * (label % 2) + 6] += 130
    return x.astype(np.uint8), labels


def dataset(name="squares", seed=0):
    return Dataset(name, *squares(96, seed), *squares(40, seed + 1), 4, class_names=("a", "b", "c", "d"))


def one_sentence(caught):
    said = str(caught.value)
    assert "\n" not in said and said.endswith((".", "`."))
    return said


# --- any model


@pytest.mark.parametrize("count", [1, 2, 33])
def test_its_probabilities_are_the_models_own(count):
    classifier = Classifier("mine", plain(), batch_size=8)
    found = classifier.probabilities(noise(count))
    assert found.dtype == np.float32 and classifier.input_shape == (SIDE, SIDE, 3)
    wanted = classifier.model(noise(count).astype(np.float32) / 255)
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(wanted), atol=1e-6)


def test_dropout_and_random_layers_are_still():
    body = [layers.RandomFlip(), layers.Flatten(), layers.Dropout(0.5)]
    classifier = Classifier("mine", stack(*body, layers.Dense(3, activation="softmax")))
    np.testing.assert_array_equal(classifier.probabilities(noise()), classifier.probabilities(noise()))


def joined():
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([one, two], layers.Dense(3, activation="softmax")(layers.Flatten()(layers.Add()([one, two]))))


def forked():
    given = keras.Input((8, 8, 3))
    flat = layers.Flatten()(given)
    return keras.Model(given, [layers.Dense(3, activation="softmax")(flat), layers.Dense(2)(flat)])


def spoilt(value):
    model = plain()
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[1, 1, 1, 1] = value
    model.get_layer("conv").set_weights([kernel, bias])
    return model


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (joined, "mine takes several arrays, not pictures of one size"),
        (lambda: stack(layers.Dense(3, activation="softmax"), shape=(7,)), r"mine takes arrays of \(7,\), not pict"),
        (lambda: plain(shape=(None, None, 3)), r"mine takes arrays of \(None, None, 3\), not pictures of one size"),
        (lambda: plain(shape=(SIDE, SIDE, 2)), r"its input must be \(height, width, 1 or 3\)"),
        (lambda: keras.Sequential([layers.Flatten(), layers.Dense(3)]), "mine takes arrays of no known shape"),
        (forked, "mine gives several arrays for a picture, not one row of probabilities: it is no classifier"),
        (lambda: stack(layers.Conv2D(3, 3)), r"mine gives arrays of \(10, 10, 3\) for a picture"),
        (lambda: stack(layers.Flatten(), layers.Dense(1, activation="sigmoid")), r"mine gives arrays of \(1,\) for"),
        (lambda: spoilt(np.nan), "mine holds NaN or infinity in its weights mine/conv/kernel: train it again"),
        (lambda: spoilt(np.inf), "mine holds NaN or infinity in its weights mine/conv/kernel: train it again"),
    ],
)
def test_a_model_that_is_no_classifier_is_refused_at_once(make, sentence):
    with pytest.raises(ClassifierError, match=sentence) as caught:
        from_model(make(), "mine")
    one_sentence(caught)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ending([2.0, 3.0]), "mine gives numbers that add up to 5, no probabilities: end it with a softmax"),
        (lambda: ending([1.5, -0.5]), "mine gives numbers that add up to 1, no probabilities"),
        (lambda: ending([3.0, 3.0], "sigmoid"), "mine gives numbers that add up to 1.91, no probabilities"),
        (
            lambda: stack(layers.Rescaling(np.inf), layers.Flatten(), layers.Dense(2, activation="softmax")),
            "mine gives NaN or infinity for a picture: train it again, or look at its layers",
        ),
    ],
)
def test_what_gives_no_probabilities_is_refused_at_the_first_picture(make, sentence):
    classifier = from_model(make(), "mine")
    with pytest.raises(ClassifierError, match=sentence) as caught:
        classifier.probabilities(noise())
    one_sentence(caught)


@pytest.mark.parametrize("pictures", [noise(channels=1), noise()[:, :-1], noise(0)])
def test_pictures_of_another_shape_are_refused(pictures):
    classifier = Classifier("mine", plain())
    for ask in (classifier.probabilities, classifier.features):
        with pytest.raises(ClassifierError, match=r"mine takes pictures of \(12, 12, 3\), not \(\d+, \d+, \d\)"):
            ask(pictures)


def test_classes_have_their_names_or_numbers():
    assert Classifier("mine", plain(), ("cat", "dog", "cow")).class_name(1) == "dog"
    assert Classifier("mine", plain()).class_name(1) == "class 1"
    with pytest.raises(ClassifierError, match="mine has 3 classes; 2 names were given"):
        from_model(plain(), "mine", class_names=("cat", "dog"))
    assert from_model(plain(), "mine", "bytes", ["x", "y", "z"]).class_names == ("x", "y", "z")


def test_pictures_get_a_networks_channels():
    grey, colour = noise(2, 1), noise(2, 3)
    assert classifiers.in_channels(grey, 1) is grey and classifiers.in_channels(colour, 3) is colour
    np.testing.assert_array_equal(classifiers.in_channels(grey, 3), np.concatenate([grey] * 3, axis=-1))
    np.testing.assert_array_equal(classifiers.in_channels(classifiers.in_channels(grey, 3), 1), grey)
    pure = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]]], np.uint8)
    assert classifiers.in_channels(pure, 1).ravel().tolist() == [76, 150, 29, 255]


# --- pixels and features


@pytest.mark.parametrize("pixels", ["bytes", "imagenet"])
def test_a_model_that_takes_other_pixels_gives_the_same(pixels):
    inner = plain()
    given = keras.Input((SIDE, SIDE, 3))
    whole = Classifier("whole", keras.Model(given, inner(from_unit(given, pixels))))
    found = from_model(inner, "mine", pixels)
    np.testing.assert_allclose(found.probabilities(noise()), whole.probabilities(noise()), atol=1e-6)
    assert np.abs(found.probabilities(noise()) - from_model(inner, "mine").probabilities(noise())).max() > 0.05


def test_a_grey_network_takes_no_imagenet_pixels():
    with pytest.raises(ClassifierError, match="mine takes grey pictures; pixels 'imagenet' are of three colours"):
        from_model(plain(shape=(SIDE, SIDE, 1)), "mine", "imagenet")
    assert from_model(plain(shape=(SIDE, SIDE, 1)), "mine", "bytes").probabilities(noise(channels=1)).shape == (4, 3)


@pytest.mark.parametrize("pixels", ["unit", "bytes", "imagenet"])
def test_features_are_those_below_the_last_layer(pixels):
    model = plain()
    pooled = keras.Model(model.inputs, model.get_layer("pool").output)
    given = keras.Input((SIDE, SIDE, 3))
    wanted = keras.Model(given, pooled(from_unit(given, pixels)))(noise().astype(np.float32) / 255)
    for _ in range(2):  # a model's second use must not give its first one's
        found = from_model(model, "mine", pixels).features(noise())
        assert found.dtype == np.float32 and found.shape == (4, 4)
        np.testing.assert_allclose(found, keras.ops.convert_to_numpy(wanted), rtol=1e-4, atol=1e-4)


def test_features_of_maps_are_flattened_and_models_in_models_looked_into():
    convolutional = stack(layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), layers.Softmax())
    assert Classifier("mine", convolutional).features(noise()).shape == (4, 2)
    flat = stack(layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2, activation="softmax"))
    assert Classifier("mine", flat).features(noise()).shape == (4, 2 * 10 * 10)
    nested = stack(plain())
    np.testing.assert_allclose(
        Classifier("nested", nested).features(noise()), Classifier("mine", nested.layers[-1]).features(noise())
    )


@pytest.mark.parametrize("pixels", ["unit", "bytes"])
def test_a_file_has_features_in_a_new_process_where_keras_numbers_anew(pixels):
    keras.utils.clear_session()
    given, below = keras.Input((SIDE, SIDE, 3)), keras.Input((2 * 10 * 10,))
    body, head = keras.Model(given, layers.Conv2D(2, 3)(given)), keras.Model(below, layers.Softmax()(below))
    stack(body, layers.Flatten(), head).save("mine.keras")
    assert [part.name for part in (body, head)] == ["functional", "functional_1"]
    keras.utils.clear_session()
    assert from_file("mine.keras", pixels).features(noise()).shape == (4, 200)


def test_a_last_layer_of_two_things_has_no_features():
    given = keras.Input((SIDE, SIDE, 3))
    flat = layers.Flatten()(given)
    ends = [layers.Dense(3, activation="softmax")(flat) for _ in range(2)]
    classifier = Classifier("mine", keras.Model(given, layers.Average()(ends)))
    assert classifier.probabilities(noise()).shape == (4, 3)
    with pytest.raises(ClassifierError, match="mine has no single layer below its last one: give a plain classifier"):
        classifier.features(noise())


# --- files


def test_a_file_gives_what_the_model_gave():
    model = plain()
    model.save("mine.keras")
    found = from_file("mine.keras", class_names=("cat", "dog", "cow"))
    assert found.title.startswith("mine.keras (sha256 ") and found.class_name(2) == "cow"
    np.testing.assert_allclose(found.probabilities(noise()), Classifier("m", model).probabilities(noise()), atol=1e-6)


def saved(model):
    model.save("mine.keras")


def cut():
    saved(plain())
    content = Path("mine.keras").read_bytes()
    Path("mine.keras").write_bytes(content[: len(content) // 2])


def written(text):
    Path("mine.keras").write_text(text)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: None, r"mine\.keras is not a file that ends with \.keras: save the model with"),
        (lambda: written("no model"), r"mine\.keras can't be read as a Keras model"),
        (lambda: written(""), r"mine\.keras can't be read as a Keras model"),
        (cut, r"mine\.keras can't be read as a Keras model"),
        (lambda: saved(stack(layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(2))), r"holds Python code"),
        (lambda: saved(spoilt(np.nan)), r"mine\.keras holds NaN or infinity in its weights .*conv/kernel: train it"),
        (lambda: saved(stack(layers.Conv2D(3, 3))), r"mine\.keras gives arrays of \(10, 10, 3\) for a picture"),
        (lambda: saved(keras.Sequential([layers.Flatten(), layers.Dense(2)])), r"arrays of no known shape"),
    ],
)
def test_a_file_that_is_no_classifier_is_one_sentence(make, sentence):
    make()
    with pytest.raises(ClassifierError, match=sentence) as caught:
        from_file("mine.keras")
    one_sentence(caught)


def test_a_file_of_another_name_is_not_opened(tmp_path):
    (tmp_path / "mine.h5").write_text("x")
    (tmp_path / "folder.keras").mkdir()
    for name in ("mine.h5", "folder.keras"):
        with pytest.raises(ClassifierError, match=rf"{re.escape(name)} is not a file that ends with \.keras"):
            from_file(name)


def test_imagenets_network_without_weights_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(classifiers.networks, "vgg16", lambda **_: pytest.fail("138 million weights drawn in vain"))
    with pytest.raises(WeightsError, match=r"VGG16's ImageNet weights are not at .*: run `dlcv04 fetch vgg16-top`"):
        classifiers.imagenet()


# --- trained here


def kept(tmp_path, kind):
    return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob(f"{kind}-*.npz")}


def accuracy(classifier, data):
    return (classifier.probabilities(data.x_val).argmax(axis=1) == data.y_val).mean()


def test_a_new_head_is_learnt_once_and_kept(tmp_path):
    base = trained_base(NET, dataset(), LEARNT, 3)
    data = dataset("others", seed=5)
    first = classifiers.fine_tuned(base, base.end, data, LEARNT, seed=1)
    assert first.class_names == data.class_names and accuracy(first, data) > 0.8
    assert first.name.endswith(f"with a head for others (accuracy {accuracy(first, data):.2f})")
    files = kept(tmp_path, "head")
    learnt, found = np.load(tmp_path / "cache" / next(iter(files))), compute_features(base, data, [base.end])[base.end]
    scores = Scaling.of(found.x_train).apply(found).x_val @ learnt["kernel"] + learnt["bias"]
    wanted = keras.ops.convert_to_numpy(keras.ops.softmax(scores))
    np.testing.assert_allclose(first.probabilities(data.x_val), wanted, atol=1e-4)
    again = classifiers.fine_tuned(base, base.end, data, LEARNT, seed=1)
    np.testing.assert_array_equal(again.probabilities(data.x_val), first.probabilities(data.x_val))
    assert again.name == first.name and len(files) == 1 and kept(tmp_path, "head") == files
    other = classifiers.fine_tuned(base, base.end, data, LEARNT, seed=2)
    assert (other.probabilities(data.x_val) != first.probabilities(data.x_val)).any()
    assert len(kept(tmp_path, "head")) == 2
    with pytest.raises(ClassifierError, match=r"The head on .* did not learn others: ") as caught:
        classifiers.fine_tuned(base, base.end, data, dataclasses.replace(LEARNT, learning_rate=1e38))
    one_sentence(caught)
    small = Dataset("small", *(part[..., :8, :8, :] if part.ndim == 4 else part for part in arrays(data)), 4)
    with pytest.raises(TransferError, match=r"takes pictures of \(12, 12, 3\); 'small' has \(8, 8, 3\)"):
        classifiers.fine_tuned(base, base.end, small, LEARNT)


def arrays(data):
    return data.x_train, data.y_train, data.x_val, data.y_val


EPOCHS = OCCLUSION_PROFILES["smoke"].epochs


def test_a_small_network_is_trained_once_and_kept(tmp_path):
    told, data = [], dataset()
    first = classifiers.trained(data, on_epoch=lambda number, epoch: told.append((number, epoch.val_accuracy)))
    assert [number for number, _ in told] == [*range(1, EPOCHS + 1)] and accuracy(first, data) > 0.8
    assert first.class_names == data.class_names and first.input_shape == data.input_shape
    files = kept(tmp_path, "*")
    again = classifiers.trained(data, on_epoch=lambda number, epoch: told.append((number, epoch.val_accuracy)))
    assert len(told) == EPOCHS and kept(tmp_path, "*") == files
    np.testing.assert_array_equal(again.probabilities(data.x_val), first.probabilities(data.x_val))


def test_a_profile_that_there_is_not():
    with pytest.raises(RecipeError, match="There is no profile 'smok'; choose one of smoke, standard, paper"):
        classifiers.trained(dataset(), "smok")
