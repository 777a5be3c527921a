"""The values that can be chosen are those of the modules that take them, and a wrong one is one sentence."""

from typing import get_args

import pytest

from dlcv04 import backends, datasets, finetuning_settings, networks, recipes
from dlcv04.commands import options
from dlcv04.harness import policy, report
from tests.commands.asking import Command


@pytest.mark.parametrize(
    ("chosen", "known"),
    [
        (options.Base, finetuning_settings.BASES),
        (options.Format, ("html", *report.TEXTS)),
        (options.Pixels, get_args(networks.Pixels)),
        (options.Variant, tuple(networks.MNIST_VARIANTS)),
        (policy.Data, datasets.SOURCES),
        (policy.Device, get_args(backends.Device)),
        (policy.Profile, tuple(recipes.CIFAR_PROFILES)),
    ],
)
def test_what_can_be_chosen_is_what_there_is(chosen, known):
    assert get_args(chosen) == tuple(known)


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (command, option)
        for option, commands in {
            "--data": ("train x", "finetune x", "filters", "tsne", "baseline", "selftest"),
            "--device": ("train x", "finetune x", "filters", "style", "occlude", "baseline", "selftest"),
            "--pixels": ("filters", "tsne", "occlude"),
            "--profile": ("train x", "finetune x", "filters", "occlude", "baseline", "selftest"),
        }.items()
        for command in commands
    ],
)
def test_a_wrong_choice_is_one_sentence_with_the_choices(command, option):
    name, *arguments = command.replace("train x", "train base").split()
    sentence = Command(name).refused(*arguments, option, "wrong", *(["--reason", "x"] if name == "baseline" else []))
    assert sentence.startswith(f"Invalid value for '{option}': 'wrong' is not one of '") and sentence.endswith("'.\n")
