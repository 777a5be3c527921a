"""How tests ask a command of `dlcv04`, and the model files that they hand it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dlcv04.backends import keras
from dlcv04.cli import app


@dataclass(frozen=True)
class Command:
    """A command of `dlcv04` by its name."""

    name: str

    def __call__(self, *arguments):
        """The lines it prints; it says nothing on standard error."""
        result = self.asked(*arguments)
        assert result.exit_code == 0 and result.stderr == "", result.output
        return result.stdout.splitlines()

    def refused(self, *arguments):
        """The one sentence on standard error with which it refuses."""
        result = self.asked(*arguments)
        assert result.exit_code == 2 and len(result.stderr.strip().splitlines()) == 1, result.output
        return result.stderr

    def asked(self, *arguments):
        return CliRunner().invoke(app, [self.name, *map(str, arguments)])


def save(*layers, shape):
    """A model in `mine.keras`."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape), *layers], name="mine")
    model.save("mine.keras")
    return model


def spoil(model, layer):
    """The same model with NaN for a layer's kernel."""
    kernel, bias = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([np.full_like(kernel, np.nan), bias])
    model.save("mine.keras")


def unbuilt():
    """A model that was never given its input's shape."""
    with pytest.warns(UserWarning, match="not yet been built"):
        keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)]).save("mine.keras")


def halve(name):
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: len(content) // 2])


def commit_all(folder):
    """Make the folder a clean git tree."""
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
