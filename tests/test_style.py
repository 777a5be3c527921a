"""Neural style: the loss of 2016, L-BFGS that can be stopped and goes on, weights that follow the features' scale."""

from dataclasses import replace

import numpy as np
import pytest
import threadpoolctl

from dlcv04 import backends, style
from dlcv04.backends import keras
from dlcv04.bases import Base
from dlcv04.style import LossWeights, StyleError, Stylist, noise_like, run
from dlcv04.weights import WeightsError

SHAPE = (12, 10, 3)
NAMES = ("block1_conv1", "block2_conv1", "block4_conv2", "block5_conv1")
LAYERS = ("conv1_1", "conv2_1", "conv5_1")


def base_of(scales=(1.0, 1.0, 1.0, 1.0), shape=SHAPE):
    """A small chain with VGG16's names, features of each layer as many times as large."""
    keras.utils.set_random_seed(4)
    inputs = outputs = keras.Input(shape)
    for name in NAMES:
        outputs = keras.layers.Conv2D(5, 3, padding="same", activation="relu", name=name)(outputs)
    model = keras.Model(inputs, outputs, name="small")
    before = 1.0
    for name, scale in zip(NAMES, scales, strict=True):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel * scale / before, (bias + 0.1) * scale])
        before = scale
    return Base("small", model, "0..255 / 255", "drawn")


def pictures(shape=SHAPE):
    random = np.random.default_rng(0)
    return tuple(random.integers(0, 256, (2, *shape), dtype=np.uint8))


@pytest.fixture(scope="module")
def stylist():
    return Stylist(base_of(), *pictures(), style_layers=LAYERS).calibrated()


def by_hand(base, content, look, picture, layers):
    """The parts of the 2016 experiment's loss in NumPy, but for the features."""

    def features(pixels, name):
        model = keras.Model(base.model.inputs, base.model.get_layer(name).output)
        return backends.to_numpy(model((pixels[None] / 255).astype(np.float32))).astype(np.float64)[0]

    def gram(pixels, name):
        columns = features(pixels, name).reshape(-1, 5)
        return columns.T @ columns

    height, width = picture.shape[:2]
    found = [((features(picture, "block4_conv2") - features(content, "block4_conv2")) ** 2).sum()]
    for name in layers:
        found.append(((gram(picture, name) - gram(look, name)) ** 2).sum() / (4 * 3**2 * (height * width) ** 2))
    squares = (picture[:-1, :-1] - picture[1:, :-1]) ** 2 + (picture[:-1, :-1] - picture[:-1, 1:]) ** 2
    return [*found, (squares**1.25).sum()]


def test_the_loss_is_the_seeds():
    base, (content, look), picture = base_of(), pictures(), noise_like(SHAPE, 3)
    raw = Stylist(base, content, look, style_layers=LAYERS)
    names = ("block1_conv1", "block2_conv1", "block5_conv1")
    expected = by_hand(base, content, look, picture, names)
    parts = raw.parts(picture)
    assert [parts.content, *parts.style.values(), parts.variation] == pytest.approx(expected, rel=1e-4)
    assert tuple(parts.style) == names
    loss, _ = raw.evaluate(picture)
    assert loss == pytest.approx(0.025 * expected[0] + sum(expected[1:4]) / 3 + expected[4], rel=1e-4)


def test_the_gradient_is_that_of_the_loss(stylist):
    picture, random = noise_like(SHAPE, 3), np.random.default_rng(1)
    _, gradient = stylist.evaluate(picture)
    assert gradient.shape == SHAPE and gradient.dtype == np.float64
    for _ in range(5):
        way = random.choice([-1.0, 1.0], SHAPE)
        ahead, behind = (stylist.evaluate(picture + step * way)[0] for step in (0.5, -0.5))
        assert ahead - behind == pytest.approx((gradient * way).sum(), rel=0.05, abs=1e-5)


def test_a_plain_picture_has_a_gradient_too(stylist):
    loss, gradient = stylist.evaluate(np.full(SHAPE, 128.0))
    assert np.isfinite(loss) and np.isfinite(gradient).all()


def test_the_loss_falls_and_the_picture_comes_nearer(stylist):
    start = noise_like(SHAPE, 0)
    found = run(stylist, 4)
    assert found.iterations == 4 and found.losses == sorted(found.losses, reverse=True)
    assert found.losses[-1] < 0.5 * stylist.evaluate(start)[0]
    assert found.losses[-1] == pytest.approx(stylist.evaluate(found.picture)[0], rel=1e-5)
    assert all(15 <= count <= 45 for count in found.evaluations)  # the line search ends what it began
    assert [picture.dtype for picture in found.kept] == [np.uint8] * 4
    np.testing.assert_array_equal(found.kept[-1], np.clip(found.picture, 0, 255).astype(np.uint8))


def test_blas_has_one_thread_while_it_paints(stylist):
    """Its workers would spin on the cores of the next evaluation."""
    threads = set()

    def look(*_):
        threads.update(one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas")

    run(stylist, 1, on_evaluation=look)
    assert threads == {1}


def test_the_seed_draws_the_start(stylist):
    one, other = run(stylist, 1, seed=1), run(stylist, 1, seed=2)
    assert one.losses != other.losses and one.losses == run(stylist, 1, seed=1).losses


def test_stopped_in_an_iteration_it_goes_on_to_the_same_picture(stylist, tmp_path):
    whole, state = run(stylist, 3), tmp_path / "state.npz"

    def stop(iteration, evaluations, loss):
        if (iteration, evaluations) == (3, 7):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stylist, 3, state=state, on_evaluation=stop)
    told = []
    found = run(stylist, 3, state=state, on_iteration=lambda progress: told.append(progress.iterations))
    assert told == [3]
    assert found.losses == whole.losses and found.evaluations == whole.evaluations
    np.testing.assert_array_equal(found.picture, whole.picture)
    np.testing.assert_array_equal(found.kept, whole.kept)
    assert [*tmp_path.iterdir()] == [state]


def test_a_longer_run_goes_on_from_a_shorter_one_and_a_shorter_one_is_there(stylist, tmp_path):
    state = tmp_path / "state.npz"
    run(stylist, 1, state=state)
    assert run(stylist, 2, state=state).losses == run(stylist, 2).losses
    assert run(stylist, 1, state=state, on_evaluation=pytest.fail).iterations == 2
    progress = run(stylist, 1)
    assert run(stylist, 2, progress=progress) is progress and progress.losses == run(stylist, 2).losses


@pytest.mark.parametrize(
    "change",
    [
        lambda one: ({"seed": 1}, one),
        lambda one: ({}, one.with_weights(LossWeights(content=9.0))),
        lambda one: ({}, Stylist(one.base, one.content, one.style, style_layers=LAYERS[:2]).calibrated()),
        lambda one: ({}, Stylist(one.base, one.style, one.style, style_layers=LAYERS).calibrated()),
        lambda one: ({}, Stylist(base_of((1, 1, 1, 2)), one.content, one.style, style_layers=LAYERS)),
    ],
    ids=["seed", "weights", "layers", "content", "network"],
)
def test_the_state_of_another_run_is_refused_and_left(stylist, tmp_path, change):
    state = tmp_path / "state.npz"
    run(stylist, 1, state=state)
    before = state.read_bytes()
    options, other = change(stylist)
    with pytest.raises(StyleError, match=r"stored with another .*\. Choose another place for the output, or delete"):
        run(other, 2, state=state, **options)
    assert state.read_bytes() == before


def test_a_damaged_state_is_refused_and_one_that_cannot_be_written_is_told(stylist, tmp_path):
    (tmp_path / "state.npz").write_bytes(b"PK\3\4 cut")
    with pytest.raises(StyleError, match=r"state\.npz is damaged"):
        run(stylist, 1, state=tmp_path / "state.npz")
    with pytest.raises(StyleError, match="can't be written"):
        run(stylist, 1, state=tmp_path / "gone" / "state.npz")


def test_calibrated_weights_follow_the_features_scale(stylist):
    """Layers whose features are tenfold, a tenth, threefold: the loss and its parts stay."""
    scaled = Stylist(base_of((10.0, 0.1, 3.0, 0.5)), *pictures(), style_layers=LAYERS).calibrated()
    for picture in (noise_like(SHAPE, 1), stylist.content.astype(np.float64)):
        (one, slope), (other, other_slope) = stylist.evaluate(picture), scaled.evaluate(picture)
        assert one == pytest.approx(other, rel=1e-3)
        np.testing.assert_allclose(slope, other_slope, atol=1e-3 * np.abs(slope).max())
    raw = LossWeights(variation=0.0)
    one, other = (which.with_weights(raw).evaluate(noise_like(SHAPE, 1))[0] for which in (stylist, scaled))
    assert one != pytest.approx(other, rel=0.5)


def test_calibrated_weights_are_the_balance_at_their_references(stylist):
    """A picture whose features were all 0 would have the content's and the style's part of the balance."""
    counts = stylist.calibrated(LossWeights(content=0.7, style=2.0, variation=0.4)).loss_weights
    (content, *grams) = ((backends.to_numpy(target) ** 2).sum(dtype=float) for target in stylist._targets)
    assert counts.content * content == pytest.approx(0.7, rel=1e-4)
    shares = [
        counts.style / 3 * counts.layers[name] * gram for name, gram in zip(stylist.style_layers, grams, strict=True)
    ]
    assert shares == pytest.approx([2.0 / 3] * 3, rel=1e-4)
    assert counts.variation * stylist.parts(noise_like(SHAPE, 0)).variation == pytest.approx(0.4, rel=1e-4)


def test_a_layers_weight_does_not_depend_on_the_others(stylist):
    few = Stylist(stylist.base, stylist.content, stylist.style, style_layers=LAYERS[:1]).calibrated()
    assert few.loss_weights.layers["block1_conv1"] == pytest.approx(stylist.loss_weights.layers["block1_conv1"])
    assert few.loss_weights.content == pytest.approx(stylist.loss_weights.content)


def test_with_weights_leaves_the_original_alone(stylist):
    before = stylist.loss_weights
    assert stylist.with_weights(replace(before, style=0.0)).loss_weights.style == 0
    assert stylist.loss_weights is before


def test_layers_that_are_none_twice_or_unknown():
    for layers in ((), ("conv1_1", "block1_conv1")):
        with pytest.raises(StyleError, match="Style layers must be one or more, each once"):
            Stylist(base_of(), *pictures(), style_layers=layers)
    with pytest.raises(ValueError, match=r"has no layer 'conv9_9'; the nearest are"):
        style.style_base("random", (32, 32, 3), style_layers=("conv9_9",))


def test_the_base_ends_with_the_last_layer_asked_for():
    base = style.style_base("random", (32, 40, 3), style_layers=("conv1_1", "conv2_1"), content_layer="conv1_2")
    assert base.model.layers[-1].name == "block2_conv1" and base.model.input_shape == (None, 32, 40, 3)
    with pytest.raises(ValueError, match="at least 32x32"):
        style.style_base("random", (20, 40, 3))


def test_pictures_that_do_not_fit_and_weights_that_are_no_numbers():
    content, look = pictures()
    with pytest.raises(StyleError, match=r"of the style is uint8 of shape \(10, 12, 3\); small was made for uint8 of"):
        Stylist(base_of(), content, np.ascontiguousarray(look.swapaxes(0, 1)), style_layers=LAYERS)
    with pytest.raises(StyleError, match="of the content is float64"):
        Stylist(base_of(), content / 255, look, style_layers=LAYERS)
    with pytest.raises(WeightsError, match="are not finite"):
        Stylist(base_of((1, 1, np.nan, 1)), content, look, style_layers=LAYERS)
