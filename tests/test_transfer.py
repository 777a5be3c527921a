"""Fine-tuning: frozen to the bit, computed features give the whole network's result, choices see train alone."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv04 import backends, checkpoints, transfer
from dlcv04.backends import keras
from dlcv04.bases import Base, Tap, TransferError, trained_base, vgg16_base
from dlcv04.checkpoints import Checkpoint
from dlcv04.datasets import DataError, Dataset
from dlcv04.features import FeatureSet, Scaling, compute_features
from dlcv04.networks import cifar_convnet
from dlcv04.recipes import Recipe, head_recipe
from dlcv04.training import Trainer
from dlcv04.transfer import Grafted, Head, HeadNetwork, choose, fine_tune, train_head
from tests import own_layers

RECIPE = Recipe("fine", "SGD", 0.05, 16, 3, optimizer_options=(("momentum", 0.9),))
LEARNT = dataclasses.replace(RECIPE, learning_rate=0.02, epochs=12)
NET = functools.partial(cifar_convnet, batch_norm=True, filters=(4, 6), dense_units=16, input_shape=(16, 16, 3))


def pictures(classes: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright square whose place tells the class."""
    random = np.random.RandomState(seed)
    labels = random.permutation(np.arange(count) % classes).astype(np.int32)
    x = random.randint(0, 120, (count, 16, 16, 3))
    for picture, label in zip(x, labels, strict=True):
        picture[4 * (label // 4) : 4 * (label // 4) + 4, 4 * (label % 4) : 4 * (label % 4) + 4] += 130
    return x.astype(np.uint8), labels


def dataset(name: str, classes: int, train: int = 96, val: int = 40, seed: int = 0) -> Dataset:
    return Dataset(name, *pictures(classes, train, seed), *pictures(classes, val, seed + 1), classes)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def base(cache: Path) -> Base:
    return trained_base(NET, dataset("ten", 10), LEARNT, 3, folder=cache)


@pytest.fixture(scope="module")
def buildings() -> Dataset:
    return dataset("buildings", 5, seed=7)


@pytest.fixture(scope="module")
def features(base: Base, buildings: Dataset, cache: Path) -> dict[Tap, FeatureSet]:
    taps = [base.end, Tap("pool1", "avg"), Tap("pool1", "max")]
    return compute_features(base, buildings, taps, folder=cache)


def by_layer(model: Any) -> dict[str, list[np.ndarray]]:
    """Every layer's weights by its name, nested models looked into; drawing states left out."""
    found: dict[str, list[np.ndarray]] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= by_layer(layer)
        elif layer.weights:
            found[layer.name] = [backends.to_numpy(variable) for variable in layer.weights]
    return found


def unchanged(model: Any, base: Base) -> dict[str, bool]:
    before = by_layer(base.model)
    return {
        name: all(np.array_equal(a, b) for a, b in zip(values, before[name], strict=True))
        for name, values in by_layer(model).items()
        if name in before
    }


# --- bases


def test_a_trained_base_is_kept_and_comes_back_to_the_bit(base: Base, cache: Path) -> None:
    def never(number: int, epoch: Any) -> None:
        raise AssertionError("trained again")

    again = trained_base(NET, dataset("ten", 10), LEARNT, 3, folder=cache, on_epoch=never)
    assert again.fingerprint == base.fingerprint
    assert again.provenance == base.provenance and ", accuracy " in base.provenance
    other = trained_base(NET, dataset("ten", 10), RECIPE, 4, folder=cache)
    assert other.fingerprint != base.fingerprint
    assert base.end == Tap("dense1_dropout", "none")


class OwnNet:
    """A network whose state tells how it is built; each object looks the same."""

    def __init__(self, units: int = 16, first: Any = None) -> None:
        self.units, self.first = units, first

    def __call__(self) -> keras.Model:
        if self.first is None:
            return NET(dense_units=self.units)
        dense = keras.layers.Dense(10, activation="softmax")
        return keras.Sequential([keras.Input((16, 16, 3)), self.first(), keras.layers.Flatten(), dense])


@dataclasses.dataclass(frozen=True)
class OwnRecipe(Recipe):
    def make_optimizer(self) -> Any:
        return keras.optimizers.SGD(1e-4)


def trained(cache: Path, network: Any = NET, recipe: Recipe = RECIPE, **options: Any) -> tuple[Base, bool]:
    """The base, and whether it was trained now."""
    epochs: list[int] = []
    found = trained_base(
        network, dataset("ten", 10), recipe, folder=cache, on_epoch=lambda number, _: epochs.append(number), **options
    )
    return found, bool(epochs)


def test_a_network_is_known_by_what_it_builds(tmp_path: Path) -> None:
    """Two objects with other state are other networks; equal layers and equal first weights are the same one."""
    assert [trained(tmp_path, OwnNet(units))[1] for units in (16, 8, 16, 8)] == [True, True, False, False]
    assert not trained(tmp_path, NET)[1]


def unnamed() -> keras.Model:
    """Keras numbers its layers by how many there were before."""
    dense = keras.layers.Dense(10, activation="softmax")
    return keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(4), dense])


def shifted() -> keras.Model:
    model = unnamed()
    model.layers[1].bias.assign(model.layers[1].bias + 1)
    return model


def test_layers_without_names_are_known_again_and_weights_set_by_hand_are_others(tmp_path: Path) -> None:
    assert [trained(tmp_path, net)[1] for net in (unnamed, unnamed, shifted)] == [True, False, True]


@pytest.mark.parametrize("own", [{"network": OwnNet(first=own_layers.Layer)}, {"recipe": OwnRecipe(**vars(RECIPE))}])
def test_what_has_code_of_ones_own_is_not_kept(own: dict[str, Any], tmp_path: Path) -> None:
    told: list[str] = []
    assert [trained(tmp_path, **own, tell=told.append)[1] for _ in range(2)] == [True, True]
    assert len(told) == 2 and "not kept on disk" in told[0] and not list(tmp_path.iterdir())


def test_features_of_layers_of_ones_own_are_not_kept(buildings: Dataset, tmp_path: Path) -> None:
    own = keras.Sequential([keras.Input((16, 16, 3)), own_layers.Layer(name="own"), keras.layers.Flatten()])
    passes: list[int] = []
    told: list[str] = []
    for _ in range(2):
        compute_features(
            Base("own", own, "", ""), buildings, [Tap("own")], folder=tmp_path, on_batch=passes.append, tell=told.append
        )
    assert told == ["own has layers of your own: its features are not kept on disk."] * 2
    assert passes[: len(passes) // 2] == passes[len(passes) // 2 :] and not list(tmp_path.iterdir())


def test_a_planted_fault_leaves_nothing_to_a_healthy_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Recipe.make_optimizer

    def at(divisor: int) -> Any:
        return lambda self: real(dataclasses.replace(self, learning_rate=self.learning_rate / divisor))

    found = {}
    for divisor in (10, 9, 10):
        with monkeypatch.context() as patched:
            patched.setattr(Recipe, "make_optimizer", at(divisor))
            base, now = trained(tmp_path)
        assert now == (divisor not in found)
        found[divisor] = base.fingerprint
    healthy, now = trained(tmp_path)
    assert now and len({healthy.fingerprint, *found.values()}) == 3


def test_another_dtype_policy_is_another_base(tmp_path: Path) -> None:
    before = keras.config.dtype_policy()
    try:
        for policy, now in (("float32", True), ("mixed_bfloat16", True), ("float32", False)):
            keras.config.set_dtype_policy(policy)
            assert trained(tmp_path)[1] == now
    finally:
        keras.config.set_dtype_policy(before)


def test_a_base_that_diverged_is_no_base(cache: Path) -> None:
    plain = functools.partial(NET, batch_norm=False)
    wild = dataclasses.replace(RECIPE, learning_rate=1e30)
    with pytest.raises(TransferError, match="did not learn ten"):
        trained_base(plain, dataset("ten", 10), wild, 0, folder=cache)
    assert not [path for path in cache.glob("trained-*.npz") if "1e+30" in str(np.load(path)["key"])]


def stop_after(count: int) -> Any:
    def on_epoch(number: int, epoch: Any) -> None:
        if number == count:
            raise KeyboardInterrupt

    return on_epoch


@pytest.fixture
def every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_FEWEST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", 0.0)


def test_a_base_whose_training_was_stopped_goes_on_to_the_bit(tmp_path: Path, every_epoch_is_kept: None) -> None:
    ten, told = dataset("ten", 10), []
    whole = trained_base(NET, ten, RECIPE, 3, folder=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained_base(NET, ten, RECIPE, 3, folder=tmp_path / "cut", on_epoch=stop_after(2))
    resumed = trained_base(NET, ten, RECIPE, 3, folder=tmp_path / "cut", tell=told.append)
    assert resumed.fingerprint == whole.fingerprint and resumed.provenance == whole.provenance
    assert told == ["The training continues after epoch 2, where it was stopped."]
    assert [path.name.partition("-")[0] for path in (tmp_path / "cut").glob("*.npz")] == ["trained"]


def test_random_vgg16_is_drawn_by_its_own_seed() -> None:
    one, same, other = (vgg16_base("random", input_shape=(32, 32, 3), until="conv1_2", seed=s) for s in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.name == "vgg16 (random, seed 1)"
    assert one.end == Tap("block1_conv2", "none")


# --- frozen


@pytest.mark.parametrize(
    ("train_from", "trained"),
    [
        ("head", set()),
        ("all", {"conv1", "conv2", "conv3", "conv4", "dense1"}),
        ("conv1", {"conv1", "conv2", "conv3", "conv4", "dense1"}),
        ("conv3", {"conv3", "conv4", "dense1"}),
        ("dense1", {"dense1"}),
    ],
)
def test_frozen_layers_keep_every_bit(train_from: str, trained: set[str], base: Base, buildings: Dataset) -> None:
    """Batch normalisation included: its moving statistics are weights too."""
    trainer = Trainer(Grafted(base, base.end, 5, train_from), buildings, RECIPE, seed=1)
    assert all(unchanged(trainer.model, base).values())
    trainer.train_epoch()
    trainer.evaluate("val")
    kept = unchanged(trainer.model, base)
    assert len(kept) == 9
    expected = trained | {f"{name}_norm" for name in trained if name.startswith("conv")}
    assert {name for name, same in kept.items() if not same} == expected


def test_the_base_itself_is_never_changed(base: Base, buildings: Dataset) -> None:
    before = base.fingerprint
    fine_tune(base, buildings, RECIPE, 1)
    assert dataclasses.replace(base).fingerprint == before


def test_frozen_layers_behave_in_training_as_in_inference(base: Base, buildings: Dataset) -> None:
    """No dropout, and batch normalisation by its stored statistics; free layers have both."""
    x = buildings.x_val.astype(np.float32) / 255

    def outputs(train_from: str) -> list[np.ndarray]:
        with backends.deterministic():
            model = Grafted(base, base.end, 5, train_from)()
            return [backends.to_numpy(model([x], training=training)) for training in (True, False)]

    np.testing.assert_array_equal(*outputs("head"))
    assert not np.allclose(*outputs("all"), atol=1e-3)


def test_a_head_below_the_first_trained_layer(base: Base, buildings: Dataset) -> None:
    with pytest.raises(TransferError, match="below 'conv4'"):
        Grafted(base, Tap("conv2"), 5, "conv4")()
    for wrong in (Grafted(base, Tap("conv9"), 5), Grafted(base, base.end, 5, "conv9")):
        with pytest.raises(TransferError, match=r"no layer 'conv9'; did you mean conv4\? It has conv1, conv1_norm"):
            wrong()


def test_fine_tuning_that_was_stopped_goes_on_to_the_bit(
    base: Base, buildings: Dataset, tmp_path: Path, every_epoch_is_kept: None
) -> None:
    """Dropout, batch normalisation and momentum included."""
    whole = fine_tune(base, buildings, RECIPE, 1, train_from="conv3")
    checkpoint = Checkpoint.of("finetune", {"seed": 1}, tmp_path)
    common: dict[str, Any] = {"train_from": "conv3", "checkpoint": checkpoint}
    with pytest.raises(KeyboardInterrupt):
        fine_tune(base, buildings, RECIPE, 1, on_epoch=stop_after(2), **common)
    resumed = fine_tune(base, buildings, RECIPE, 1, **common)
    assert resumed.predicted == whole.predicted
    curves = [[dataclasses.astuple(epoch)[1:] for epoch in tuned.run.epochs] for tuned in (resumed, whole)]
    assert curves[0] == curves[1]


# --- features computed once


def test_features_are_the_frozen_networks_outputs(base: Base, buildings: Dataset, features: dict) -> None:
    x = buildings.x_val.astype(np.float32) / 255
    expected = base.model([x], training=False)
    np.testing.assert_allclose(features[base.end].x_val, backends.to_numpy(expected), atol=1e-5)
    pooled = keras.Model(base.model.inputs, base.model.get_layer("pool1").output)([x], training=False)
    maps = backends.to_numpy(pooled)
    np.testing.assert_allclose(features[Tap("pool1", "avg")].x_val, maps.mean((1, 2)), atol=1e-5)
    np.testing.assert_allclose(features[Tap("pool1", "max")].x_val, maps.max((1, 2)), atol=1e-5)
    assert features[base.end].x_train.shape == (96, 16)


@pytest.mark.parametrize("head", [Head(), Head(l2=0.01), Head(dropout=0.3)])
def test_a_head_on_computed_features_is_the_whole_network_trained(
    head: Head, base: Base, buildings: Dataset, features: dict
) -> None:
    """The fast path is the slow one: curves, weights and every picture's class, after three epochs."""
    computed = features[base.end]
    fast = train_head(computed, RECIPE, 5, head=head)
    scaling = Scaling.of(computed.x_train)
    slow = fine_tune(base, buildings, RECIPE, 5, train_from="head", head=head, scaling=scaling)
    assert fast.predicted == slow.predicted and fast.correct == slow.correct
    assert (fast.base, fast.features, fast.train_from) == (slow.base, slow.features, slow.train_from)
    for ours, theirs in zip(fast.run.epochs, slow.run.epochs, strict=True):
        mine, other = (dataclasses.astuple(one)[1:7] for one in (ours, theirs))
        np.testing.assert_allclose(mine, other, atol=2e-4)


def test_features_are_computed_once_and_keyed_by_weights_and_data(base: Base, cache: Path) -> None:
    data, passes = dataset("buildings", 5, train=20, val=8, seed=11), []
    for where in (base, base, trained_base(NET, dataset("ten", 10), RECIPE, 4, folder=cache)):
        compute_features(where, data, [base.end], folder=cache, batch_size=8, on_batch=passes.append)
    assert passes == [8, 16, 20, 28] * 2
    darker = dataclasses.replace(data, x_train=data.x_train // 2)
    compute_features(base, darker, [base.end], folder=cache, on_batch=passes.append)
    assert len(passes) > 8


def test_the_batch_changes_no_feature_beyond_rounding(base: Base, buildings: Dataset, tmp_path: Path) -> None:
    one, many = (
        compute_features(base, buildings, [base.end], folder=tmp_path / str(size), batch_size=size)[base.end]
        for size in (7, 64)
    )
    np.testing.assert_allclose(one.x_train, many.x_train, atol=1e-5)


def test_a_fingerprint_of_features_does_not_hang_on_their_rounding(base: Base, buildings: Dataset, features) -> None:
    rounded = dataclasses.replace(features[base.end], x_train=features[base.end].x_train + np.float32(1e-6))
    assert rounded.fingerprint == features[base.end].fingerprint
    relabelled = dataclasses.replace(features[base.end], y_train=np.roll(buildings.y_train, 1))
    assert relabelled.fingerprint != features[base.end].fingerprint
    assert len({one.fingerprint for one in features.values()}) == 3


def test_pictures_of_another_size(base: Base) -> None:
    small = Dataset("small", *(a[:, :12] if a.ndim == 4 else a for a in (*pictures(5, 20, 0), *pictures(5, 20, 1))), 5)
    with pytest.raises(TransferError, match=r"takes pictures of \(16, 16, 3\)"):
        compute_features(base, small, [base.end])
    with pytest.raises(DataError, match="float64"):
        FeatureSet("x", np.zeros((2, 3)), np.zeros(2, np.int32), np.zeros((2, 3)), np.zeros(2, np.int32), 2)


def test_scaling_leaves_silent_features_alone() -> None:
    x = np.array([[1.0, 5.0, 0.0], [3.0, 5.0, 0.0]], np.float32)
    scaling = Scaling.of(x)
    np.testing.assert_array_equal(scaling.mean, [2, 5, 0])
    np.testing.assert_array_equal(scaling.spread, [1, 1, 1])


# --- choice and records


def informative(seed: int = 0) -> dict[Tap, FeatureSet]:
    """Three taps of noise; the label shows in the second alone."""
    random = np.random.RandomState(seed)
    y = (np.arange(120) % 4).astype(np.int32)
    sets = {}
    for tap in (Tap("noise"), Tap("signal"), Tap("more noise")):
        x = random.standard_normal((120, 6)).astype(np.float32)
        if tap.layer == "signal":
            x[np.arange(120), y] += 3
        # Validation features that would give the choice away, or break it, were they looked at.
        sets[tap] = FeatureSet("f", x, y, np.full((120, 6), np.nan, np.float32), y, 4, base="b", tap=tap.name)
    return sets


def test_the_choice_is_made_inside_train() -> None:
    recipe = dataclasses.replace(RECIPE, epochs=4)
    choice = choose(informative(), recipe, heads=(Head(), Head(l2=0.3)), folds=3)
    assert choice.tap == Tap("signal")
    assert len(choice.accuracies) == 6
    best = {(tap.layer, head.l2): accuracy for tap, head, accuracy in choice.accuracies}
    assert best["signal", 0.0] > 0.7 and best["noise", 0.0] < 0.5
    assert choose(informative(), recipe, heads=(Head(), Head(l2=0.3)), folds=3) == choice


def test_folds_are_equal_apart_and_spread_over_the_classes() -> None:
    labels = (np.arange(50) % 5).astype(np.int32)
    folds = transfer._folds(labels, 4, seed=1)
    assert [len(fold) for fold in folds] == [12] * 4
    assert len(set(np.concatenate(folds))) == 48
    for fold in folds:
        assert np.bincount(labels[fold]).min() >= 2
    with pytest.raises(TransferError, match="do not make 30 folds"):
        transfer._folds(labels, 30, seed=1)
    with pytest.raises(TransferError, match="nothing to choose"):
        choose({}, RECIPE)


def test_an_accuracy_that_was_kept_is_not_computed_again() -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    sets = informative()
    known = {tap.layer: 0.1 * number for number, tap in enumerate(sets, 1)}
    choice = choose(sets, recipe, kept=lambda tap, head, compute: known[tap.layer])
    assert choice.tap == Tap("more noise") and [accuracy for *_, accuracy in choice.accuracies] == list(known.values())


def test_labels_permuted_leave_nothing_to_choose_by() -> None:
    sets = informative()
    permuted = np.random.RandomState(1).permutation(next(iter(sets.values())).y_train)
    shuffled = {tap: dataclasses.replace(one, y_train=permuted) for tap, one in sets.items()}
    choice = choose(shuffled, dataclasses.replace(RECIPE, epochs=4), folds=3)
    assert max(accuracy for *_, accuracy in choice.accuracies) < 0.45


def test_a_record_tells_each_pictures_answer_in_order(base: Base, buildings: Dataset, features: dict) -> None:
    tuned = train_head(features[base.end], dataclasses.replace(RECIPE, val_images=30), 2)
    assert len(tuned.correct) == len(buildings.x_val) == 40
    assert tuned.correct == tuple(np.array(tuned.predicted) == buildings.y_val)
    assert tuned.accuracy == np.mean(tuned.correct)
    whole = train_head(features[base.end], RECIPE, 2)
    assert whole.run.epochs[-1].val_accuracy == pytest.approx(whole.accuracy)
    assert whole.features == "dense1_dropout" and Tap("block5_conv3").name == "pooled block5_conv3 (average)"
    assert whole.run.network == "head(16 -> 5, l2=0, dropout=0)"
    assert train_head(features[base.end], RECIPE, 2).predicted == whole.predicted


def test_a_head_learns_what_its_features_show(features: dict, base: Base) -> None:
    signal = informative()[Tap("signal")]
    easy = dataclasses.replace(signal, x_val=signal.x_train)
    recipe = dataclasses.replace(head_recipe(), learning_rate=0.1, epochs=20)
    assert train_head(easy, recipe).accuracy > 0.8
    shuffled = dataclasses.replace(easy, y_train=np.random.RandomState(0).permutation(easy.y_train))
    assert train_head(shuffled, recipe).accuracy < 0.5


def test_head_network_is_a_value() -> None:
    assert HeadNetwork(8, 5, Head()) == HeadNetwork(8, 5, Head())
