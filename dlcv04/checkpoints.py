"""Training that goes on where it was stopped: its last whole epoch lies on disk, the whole of it or an older one."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dlcv04 import caching, seeding, training
from dlcv04.training import Epoch, Trainer, TrainingRun

# A training with halves or metrics of its own is not kept: those are asked for by claims alone.
_FIGURES = tuple(field.name for field in fields(Epoch) if field.name not in ("val_loss_halves", "metrics"))
_FEWEST_SECONDS = 1.0  # between two writings
_SHARE = 20  # writing takes a twentieth of the time at most


@dataclass(frozen=True)
class Checkpoint:
    """Where a training is kept while it lasts.

    Attributes:
        path: the file.
        key: all that decides the training's result, as plain values for JSON; a file with another key is not used.
        tell: is given a sentence when a training goes on, or when the file is damaged or can't be written.
    """

    path: Path
    key: Mapping[str, Any]
    tell: caching.Tell = lambda sentence: None

    @classmethod
    def of(
        cls,
        kind: str,
        key: Mapping[str, Any],
        folder: str | Path | None = None,
        tell: caching.Tell = lambda sentence: None,
    ) -> "Checkpoint":
        """In a cache's folder, under a name made of kind and key."""
        return cls(caching.location(kind, key, folder), key, tell)

    def remove(self) -> None:
        """Forget it, once the result is kept elsewhere."""
        with suppress(OSError):  # never written, or in a folder that can't be written to
            self.path.unlink()


def complete(
    trainer: Trainer, checkpoint: Checkpoint | None, on_epoch: Callable[[int, Epoch], None] | None = None
) -> TrainingRun:
    """As `dlcv04.training.complete`, from the checkpoint's last epoch on if there is one; the result is the same.

    Args:
        trainer: a fresh one.
        checkpoint: where to keep it; None keeps nothing.
        on_epoch: called after each epoch that is trained now, with its number (from 1) and its figures.
    """
    if checkpoint is None:
        return training.complete(trainer, on_epoch)
    done = _resumed(trainer, checkpoint)
    keeper = _Keeper(trainer, checkpoint, done)

    def after(number: int, epoch: Epoch) -> None:
        keeper.after(epoch)
        if on_epoch is not None:
            on_epoch(number, epoch)

    return training.complete(trainer, after, tuple(done))


def _resumed(trainer: Trainer, checkpoint: Checkpoint) -> list[Epoch]:
    """The epochs that the checkpoint holds, the trainer put after the last of them."""
    if not checkpoint.path.exists():
        return []
    try:
        arrays = caching.read(checkpoint.path, checkpoint.key)
        rows = arrays.pop("epochs").tolist()
        figures: list[dict[str, Any]] = [dict(zip(_FIGURES, row, strict=True)) for row in rows]
        epochs = [Epoch(**figure) for figure in figures]
        trainer.resume([arrays[name] for name in sorted(arrays)], len(epochs))
    except (caching.CacheError, seeding.TrainingError, KeyError, TypeError, ValueError) as error:
        checkpoint.tell(f"{error} The training starts again from the beginning.")
        return []
    checkpoint.tell(f"The training continues after epoch {len(epochs)}, where it was stopped.")
    return epochs


class _Keeper:
    """Writes the trainer's state after an epoch, where that costs little."""

    def __init__(self, trainer: Trainer, checkpoint: Checkpoint, done: list[Epoch]) -> None:
        self._trainer, self._checkpoint, self._epochs = trainer, checkpoint, list(done)
        self._due, self._failed = time.monotonic() + _FEWEST_SECONDS, False

    def after(self, epoch: Epoch) -> None:
        self._epochs.append(epoch)
        start = time.monotonic()
        if start < self._due:
            return
        self._write()
        end = time.monotonic()
        self._due = end + max(_FEWEST_SECONDS, _SHARE * (end - start))

    def _write(self) -> None:
        state = {f"state{number:04d}": values for number, values in enumerate(self._trainer.state())}
        rows = [[getattr(epoch, name) for name in _FIGURES] for epoch in self._epochs]
        epochs = np.array(rows, np.float64).reshape(-1, len(_FIGURES))
        path = self._checkpoint.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            caching.store(path, self._checkpoint.key, {"epochs": epochs, **state})
        except OSError as error:
            if not self._failed:
                self._checkpoint.tell(
                    f"{path} can't be written ({error}): a training that is stopped starts again from the beginning."
                )
            self._failed = True
