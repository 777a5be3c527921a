"""A training that was stopped goes on to the same curves; a checkpoint that can't be used costs time alone."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv04 import backends, caching, checkpoints, training
from dlcv04.checkpoints import Checkpoint
from dlcv04.features import FeatureSet
from dlcv04.recipes import Recipe
from dlcv04.training import Trainer, TrainingRun
from dlcv04.transfer import Head, HeadNetwork

KEY = {"seed": 1}
RECIPE = Recipe("fine", "SGD", 0.05, 16, 9, optimizer_options=(("momentum", 0.9),), decay=0.01)
NETWORK = HeadNetwork(6, 4, Head(l2=0.01, dropout=0.3))


class Stopped(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def features() -> FeatureSet:
    random = np.random.RandomState(0)
    x = random.standard_normal((60, 6)).astype(np.float32)
    y = (np.arange(60) % 4).astype(np.int32)
    return FeatureSet("f", x, y, x[::2], y[::2], 4, base="b", tap="t")


@pytest.fixture(scope="module")
def trainer(features: FeatureSet) -> Trainer:
    """Compiled once, deterministically; every use of it starts with `reset`."""
    with backends.deterministic():
        return Trainer(NETWORK, features, RECIPE, seed=1)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch is kept."""
    monkeypatch.setattr(checkpoints, "_FEWEST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", 0.0)


def complete(trainer: Trainer, checkpoint: Checkpoint | None, stop_after: int | None = None) -> TrainingRun:
    def on_epoch(number: int, epoch: Any) -> None:
        if number == stop_after:
            raise Stopped

    with backends.deterministic():
        return checkpoints.complete(trainer.reset(1), checkpoint, on_epoch)


def curves(run: TrainingRun) -> list[tuple[float, ...]]:
    return [dataclasses.astuple(epoch)[1:] for epoch in run.epochs]


@pytest.fixture(scope="module")
def whole(trainer: Trainer) -> list[tuple[float, ...]]:
    return curves(complete(trainer, None))


@pytest.mark.parametrize("stops", [(1,), (8,), (2, 3, 7), (9,)])
def test_a_stopped_training_ends_as_an_uninterrupted_one(stops, trainer, whole, always, tmp_path: Path) -> None:
    """To the bit, dropout and momentum included, however often it is stopped."""
    told: list[str] = []
    checkpoint = Checkpoint.of("training", KEY, tmp_path, told.append)
    for stop in stops:
        with pytest.raises(Stopped):
            complete(trainer, checkpoint, stop)
    run = complete(trainer, checkpoint)
    assert curves(run) == whole and run.images_seen == 9 * 48
    assert told == [f"The training continues after epoch {stop}, where it was stopped." for stop in stops]
    checkpoint.remove()
    checkpoint.remove()
    assert not list(tmp_path.iterdir())


def test_epochs_that_take_no_time_are_not_written(trainer, tmp_path: Path) -> None:
    complete(trainer, Checkpoint.of("training", KEY, tmp_path))
    assert not list(tmp_path.iterdir())


def test_writing_takes_a_twentieth_of_the_time_at_most(trainer, features, monkeypatch, tmp_path: Path) -> None:
    """On a clock of ours: an epoch takes 1 s, writing 2 s."""
    now, written = 0.0, []

    def store(path: Path, key: Any, arrays: caching.Arrays) -> None:
        nonlocal now
        now += 2.0
        written.append(len(arrays["epochs"]))

    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)
    monkeypatch.setattr(caching, "store", store)
    keeper = checkpoints._Keeper(trainer, Checkpoint.of("training", KEY, tmp_path), [])
    epoch = training.Epoch(*[0.5] * 7)
    for _ in range(100):
        now += 1.0
        keeper.after(epoch)
    assert written == [1, 41, 81]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 200):  # one alone may lie between two arrays
        content[place] ^= 1
    path.write_bytes(content)


def pickled(path: Path) -> None:
    np.savez(path, key=np.array(json.dumps(KEY)), epochs=np.array([{}], dtype=object))


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (flip, "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_text("hello"), "damaged"),
        (pickled, "damaged"),
        (lambda path: caching.store(path, {"seed": 2}, {"epochs": np.ones((3, 7))}), "another seed"),
        (lambda path: caching.store(path, KEY, {"epochs": np.ones((3, 7)), "state": np.ones(3)}), "not one of head"),
        (lambda path: caching.store(path, KEY, {"epochs": np.ones((3, 5))}), "argument"),
        (lambda path: caching.store(path, KEY, {"state": np.ones(3)}), "epochs"),
    ],
    ids=["flipped", "cut", "empty", "text", "pickled", "other key", "other network", "other figures", "no figures"],
)
def test_a_checkpoint_that_cannot_be_used_is_told(damage, word, trainer, whole, always, tmp_path: Path) -> None:
    told: list[str] = []
    checkpoint = Checkpoint.of("training", KEY, tmp_path, told.append)
    with pytest.raises(Stopped):
        complete(trainer, checkpoint, 4)
    damage(checkpoint.path)
    assert curves(complete(trainer, checkpoint)) == whole
    assert len(told) == 1 and word in told[0] and told[0].endswith("The training starts again from the beginning.")


def test_another_key_is_another_file(trainer, whole, always, tmp_path: Path) -> None:
    """What was kept for other settings stays for them."""
    told: list[str] = []
    one, other = (Checkpoint.of("training", key, tmp_path, told.append) for key in (KEY, {"seed": 2}))
    with pytest.raises(Stopped):
        complete(trainer, one, 4)
    with pytest.raises(Stopped):
        complete(trainer, other, 2)
    assert curves(complete(trainer, one)) == whole
    assert told == ["The training continues after epoch 4, where it was stopped."]


def test_a_place_that_cannot_be_written_to_is_told_once(trainer, whole, always, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told: list[str] = []
    checkpoint = Checkpoint.of("training", KEY, tmp_path / "file" / "cache", told.append)
    assert curves(complete(trainer, checkpoint)) == whole
    assert len(told) == 1 and "can't be written" in told[0]


def test_a_full_disk_leaves_the_older_checkpoint(trainer, whole, always, monkeypatch, tmp_path: Path) -> None:
    told: list[str] = []
    checkpoint = Checkpoint.of("training", KEY, tmp_path, told.append)
    with pytest.raises(Stopped):
        complete(trainer, checkpoint, 3)

    def full(file: Any, **arrays: Any) -> None:
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(Stopped):
            complete(trainer, checkpoint, 6)
    assert "No space left" in told[-1] and len(told) == 2
    assert curves(complete(trainer, checkpoint)) == whole
    assert told[-1] == "The training continues after epoch 3, where it was stopped."
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
