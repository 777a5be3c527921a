"""Recipes and profiles: the seed's settings, and what is refused."""

import dataclasses

import pytest

from dlcv04.recipes import PROFILES, Profile, Recipe, RecipeError, mnist_recipe


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
