"""``dlcv04 finetune``: fine-tunes a trained network on a folder of pictures."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcv04.commands.options import Base, DeviceName
from dlcv04.commands.speech import say, select_device, stop
from dlcv04.harness.policy import Data, Profile

if TYPE_CHECKING:
    from dlcv04.finetuning import Result


def finetune(
    folder: Annotated[Path, typer.Argument(help="folder/class/*.jpg, or Terrassa's layout as a folder or zip file")],
    base: Annotated[Base, typer.Option(help="the trained network; cifar10 is trained here on CIFAR-10")] = "vgg16",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="passes (default: 350 for a head on frozen features, else 30)")
    ] = None,
    weights: Annotated[
        str, typer.Option(help="vgg16's: imagenet, hed, random or a file (default: imagenet or hed, what is there)")
    ] = "",
    size: Annotated[int | None, typer.Option(help="pixels on a side (default: 224 for vgg16; cifar10 has 32)")] = None,
    train_from: Annotated[
        str, typer.Option(help="head, all or the first layer to train (default: vgg16 head, cifar10 all)")
    ] = "",
    tap: Annotated[
        str, typer.Option(help="layer under the head, as in block5_conv3:avg (default: chosen inside train)")
    ] = "",
    l2: Annotated[float | None, typer.Option(min=0, help="the head's weight penalty (default: chosen)")] = None,
    dropout: Annotated[float | None, typer.Option(min=0, max=0.9, help="dropout before the head")] = None,
    rate: Annotated[float | None, typer.Option(help="learning rate (default: that of 2016)")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="draws split, folds, head and order")] = 0,
    val: Annotated[float, typer.Option(help="share of each class drawn for validation, if not split already")] = 0.2,
    data: Annotated[Data, typer.Option(help="CIFAR-10 for the base cifar10; auto takes what is there")] = "auto",
    profile: Annotated[Profile, typer.Option(help="how long cifar10 is trained")] = "standard",
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option(help="folder for the results (default: finetuned/FOLDER-BASE)")] = None,
) -> None:
    """Fine-tune a trained network on a folder of pictures.

    Writes confusion.png, curves.png and result.json. The last line is the accuracy with a 95 % interval.

    Slow steps are kept in the cache (DLCV04_CACHE). If you stop the command, run it again: it goes on from there, to
    the same result.
    """
    try:
        from dlcv04 import finetuning, finetuning_settings, transfer

        fixed = None if l2 is None and dropout is None else transfer.Head(l2 or 0.0, dropout or 0.0)
        place = out or Path("finetuned") / f"{folder.resolve().stem}-{base}"
        settings = finetuning_settings.Settings(
            base, weights, size, train_from, tap, fixed, epochs, rate, seed, val, data, profile
        )
        try:
            finetuning_settings.resolved(settings)
            _writable(place)
            select_device(device)
            with _Stages() as stages:
                result = finetuning.finetune(folder, settings, stages)
        except finetuning.ERRORS as error:
            stop(str(error))
        except finetuning.DivergedError as error:
            stop(str(error), 1)
        _keep(result, place)
    except KeyboardInterrupt:
        stop("Stopped. The same command continues from what the cache holds.", 130)


def _writable(folder: Path) -> None:
    """Before minutes of work."""
    from dlcv04 import atomic

    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.require_writable(folder)
    except OSError as error:
        stop(f"{folder} can't be written to ({error.strerror}): name another folder with --out.", 1)


def _keep(result: Result, folder: Path) -> None:
    """Write the pictures and the record, and say the accuracy."""
    from dlcv04 import atomic, finetuning, plots
    from dlcv04.harness.stats import clopper_pearson

    n = len(result.dataset.y_val)
    bounds = clopper_pearson(result.right, n, 0.95)
    accuracy = f"{result.right / n:.3f} [{bounds.low:.3f}, {bounds.high:.3f}]"
    tuned = result.tuned
    title = f"{result.dataset.name}: {tuned.base}, head on {tuned.features}\naccuracy {accuracy}, n = {n}"
    shown = {
        "confusion.png": plots.confusion_matrix(result.confusion, result.dataset.class_names, title),
        "curves.png": plots.curves(tuned.run.epochs, title),
    }
    record = finetuning.record(result, (bounds.low, bounds.high), bounds.level)
    try:
        for name, figure in shown.items():
            with atomic.replacing(folder / name) as file:
                figure.savefig(file, format="png", dpi=110)
        atomic.write(folder / "result.json", json.dumps(record, indent=1, allow_nan=False).encode())
    except OSError as error:
        stop(f"{folder} can't be written to ({error}): the same command with another --out continues from here.", 1)
    result.checkpoint.remove()
    say(f"time: {', '.join(f'{stage} {seconds:.1f} s' for stage, seconds in result.seconds.items())}")
    say(f"written: {', '.join(str(folder / name) for name in (*shown, 'result.json'))}")
    say(f"accuracy: {accuracy}")


class _Stages:
    """Shows a stage's progress and time left: a bar on a terminal, else a line every ten seconds (standard error)."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._bar = console.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        # Redirected, lines meant for a pipe would end on the terminal.
        whole = sys.stdout.isatty()
        self._progress = Progress(
            *columns, console=console, transient=True, disable=not self._bar, redirect_stdout=whole
        )
        self._task = self._progress.add_task("", visible=False)
        self._what, self._total, self._first = "", 0, 0
        self._start = self._told = 0.0

    def __enter__(self) -> _Stages:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, sentence: str) -> None:
        say(sentence)

    def begin(self, what: str, total: int) -> None:
        self._progress.reset(self._task, description=what, total=total, visible=True)
        self._what, self._total, self._first = what, total, -1
        self._start = self._told = time.monotonic()

    def at(self, done: int) -> None:
        self._progress.update(self._task, completed=done)
        now = time.monotonic()
        if self._first < 0:  # what was done before must not count as speed
            self._first, self._start = done, now
        elif not self._bar and now > self._told + 10:
            left = (now - self._start) / (done - self._first) * (self._total - done)
            say(f"{self._what}: {done} of {self._total}, about {left:.0f} s left", err=True)
            self._told = now
