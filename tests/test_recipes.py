"""Recipes and profiles: the 2016 experiment's settings, and what is refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from dlcv04.backends import keras, to_numpy
from dlcv04.recipes import (
    CIFAR_AUGMENTATION,
    PROFILES,
    Profile,
    Recipe,
    RecipeError,
    buildings_recipe,
    cifar_recipe,
    fine_tuning_recipe,
    head_recipe,
    mnist_recipe,
)


def test_paper_is_the_seeds_own_size() -> None:
    recipe = mnist_recipe("paper")
    assert (recipe.optimizer, recipe.learning_rate) == ("Adadelta", 1.0)
    assert (recipe.batch_size, recipe.epochs, recipe.train_images, recipe.val_images) == (128, 12, None, None)


def test_the_optimizer_has_the_recipes_rate_and_not_keras_default() -> None:
    optimizer = mnist_recipe("smoke").make_optimizer()
    assert type(optimizer).__name__ == "Adadelta"
    assert float(optimizer.learning_rate) == 1.0


def test_options_reach_the_optimizer() -> None:
    recipe = Recipe("sgd", "SGD", 0.01, 32, 1, optimizer_options=(("momentum", 0.9), ("nesterov", True)))
    optimizer = recipe.make_optimizer()
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_gives_a_recipe(profile: str) -> None:
    recipe = mnist_recipe(profile)
    assert recipe.name == f"mnist-{profile}"
    assert recipe.batch_size == PROFILES[profile].batch_size


def test_own_profile() -> None:
    assert mnist_recipe(Profile("mine", 256, 100, 1, 64)).train_images == 256


def test_unknown_profile_lists_the_others() -> None:
    with pytest.raises(RecipeError, match="smoke, standard, paper"):
        mnist_recipe("quick")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": ""}, "name"),
        ({"optimizer": None}, "optimizer"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": True}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 1.5}, "epochs"),
        ({"train_images": -1}, "train_images"),
        ({"val_images": 0}, "val_images"),
        ({"train_images": 31}, "one batch"),
        ({"decay": -1e-6}, "decay"),
        ({"decay": float("inf")}, "decay"),
    ],
)
def test_wrong_fields_are_named(change: dict, word: str) -> None:
    with pytest.raises(RecipeError, match=word):
        dataclasses.replace(mnist_recipe("smoke"), **change)


def test_unknown_optimizer_or_option() -> None:
    with pytest.raises(RecipeError, match="Adamsky"):
        Recipe("mine", "Adamsky", 0.1, 1, 1).make_optimizer()
    with pytest.raises(RecipeError, match="momentun"):
        Recipe("mine", "SGD", 0.1, 1, 1, optimizer_options=(("momentun", 0.9),)).make_optimizer()


def test_recipes_are_values() -> None:
    assert mnist_recipe("smoke") == mnist_recipe("smoke")
    with pytest.raises(dataclasses.FrozenInstanceError):
        mnist_recipe("smoke").epochs = 3  # type: ignore[misc]


def test_paper_sizes_of_the_other_recipes_are_the_seeds() -> None:
    sizes = {
        recipe("paper").name: (recipe("paper").batch_size, recipe("paper").epochs)
        for recipe in (cifar_recipe, buildings_recipe, fine_tuning_recipe, head_recipe)
    }
    assert sizes == {
        "cifar10-paper": (32, 200),
        "buildings-paper": (64, 30),
        "fine-tuning-paper": (32, 3000),
        "head-paper": (32, 350),
    }


@pytest.mark.parametrize("recipe", [cifar_recipe, buildings_recipe, fine_tuning_recipe, head_recipe])
@pytest.mark.parametrize("profile", ["smoke", "standard", "paper"])
def test_every_recipe_has_every_profile(recipe, profile: str) -> None:
    assert recipe(profile).make_optimizer().momentum == 0.9


def test_sgd_of_the_seed() -> None:
    for recipe in (cifar_recipe(), buildings_recipe(), fine_tuning_recipe()):
        optimizer = recipe.make_optimizer()
        assert (type(optimizer).__name__, optimizer.momentum, optimizer.nesterov) == ("SGD", 0.9, True)
        assert (recipe.learning_rate, recipe.decay) == (0.01, 1e-6)
    head = head_recipe().make_optimizer()
    assert (float(head.learning_rate), head.nesterov) == (pytest.approx(0.001), False)


def test_decay_is_keras_1s_formula_step_by_step() -> None:
    """Without momentum a step moves a weight by rate x gradient: the moves are 0.5 / (1 + 0.25 t), t from 0."""
    optimizer = Recipe("decaying", "SGD", 0.5, 1, 1, decay=0.25).make_optimizer()
    weight = keras.Variable(np.zeros(()))
    optimizer.build([weight])
    moved, before = [], 0.0
    for _ in range(4):
        optimizer.apply([np.float32(1.0)], [weight])
        moved.append(before - float(to_numpy(weight)))
        before = float(to_numpy(weight))
    assert moved == pytest.approx([0.5 / (1 + 0.25 * step) for step in range(4)], rel=1e-6)


def test_augmentation_is_a_value_and_makes_stock_layers() -> None:
    recipe = cifar_recipe(augmented=True)
    assert hash(recipe) != hash(cifar_recipe())
    assert recipe.augmentation == CIFAR_AUGMENTATION
    model = recipe.make_augmentation((32, 32, 3))
    assert [type(layer).__name__ for layer in model.layers] == ["RandomTranslation", "RandomFlip"]
    assert model.output_shape == (None, 32, 32, 3)
    assert cifar_recipe().make_augmentation((32, 32, 3)) is None


@pytest.mark.parametrize(
    "layer",
    [("RandomTranslations", ()), ("RandomFlip", (("mod", "horizontal"),)), ("RandomZoom", (("fill_mode", "up"),))],
)
def test_a_layer_that_keras_does_not_make(layer) -> None:
    with pytest.raises(RecipeError, match=layer[0]):
        dataclasses.replace(cifar_recipe(), augmentation=(layer,)).make_augmentation((32, 32, 3))


def test_settings_of_a_recipe_stored_before_decay_and_augmentation_existed() -> None:
    stored = sorted(Path(__file__).parent.parent.glob("baselines/portable/*.json"))[0]
    arms = json.loads(stored.read_text())["dlcv04"]["arms"]
    (recipe, *_) = [arm["facts"]["recipe"] for arm in arms if "recipe" in arm.get("facts", {})]
    assert set(mnist_recipe("smoke").settings()) == set(recipe)
    settings = cifar_recipe(augmented=True).settings()
    assert (settings["decay"], settings["augmentation"]) == (1e-6, CIFAR_AUGMENTATION)
