"""``dlcv04 finetune``: what is wrong is said before any work; tests/test_finetuning.py has what is tuned."""

from pathlib import Path

import pytest

from dlcv04 import finetuning
from tests.commands.asking import Command

finetune = Command("finetune")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--base", "vgg61"], "Invalid value for '--base': 'vgg61' is not one of 'vgg16', 'cifar10'."),
        (["--profile", "standart"], "'standart' is not one of 'smoke', 'standard', 'paper'."),
        (["--dropout", "1"], "Invalid value for '--dropout': "),
        (["--weights", "random"], "photos is not there; name a folder"),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(arguments, sentence):
    assert sentence in finetune.refused("photos", *arguments)


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        (finetuning.DivergedError("The loss was not finite."), 1, "The loss was not finite."),
        (KeyboardInterrupt(), 130, "Stopped. The same command continues from what the cache holds."),
    ],
)
def test_exit_codes_of_a_training_that_does_not_end(monkeypatch, raised, code, sentence):
    def failing(*_):
        raise raised

    monkeypatch.setattr(finetuning, "finetune", failing)
    result = finetune.asked("photos", "--weights", "random")
    assert result.exit_code == code and result.stderr.strip() == sentence


def test_an_out_that_is_a_file_exits_1():
    Path("out").write_text("a file")
    result = finetune.asked("photos", "--weights", "random", "--out", "out")
    assert result.exit_code == 1 and "out can't be written to" in result.stderr
