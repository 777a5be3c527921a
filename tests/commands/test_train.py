"""``dlcv04 train``: one of Task 1's networks, its curve on screen and as JSON."""

import json
from pathlib import Path

import pytest

from tests.commands.asking import Command

train = Command("train")


def test_prints_its_curve_and_writes_it():
    """The real thing, for one epoch of smoke on the embedded digits."""
    lines = train("half_filters", "--epochs", 1, "--out", "curve.json")
    assert any(line.startswith("epoch 1 of 1: ") for line in lines) and lines[-1].startswith("accuracy: 0.")
    curve = json.loads(Path("curve.json").read_text())
    assert curve["network"] == "half_filters" and len(curve["epochs"]) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["bse"], "Invalid value for 'variant': 'bse' is not one of 'base', 'one_conv_less', "),
        (["base", "--data", "real"], "dlcv04 fetch mnist"),
        (["base", "--epochs", "0"], "Invalid value for '--epochs': "),
        (["base", "--profile", "smok"], "'smok' is not one of 'smoke', 'standard', 'paper'."),
        (["base", "--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'gpu'."),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(arguments, sentence):
    assert sentence in train.refused(*arguments)
