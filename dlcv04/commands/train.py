"""``dlcv04 train``: trains one of Task 1's networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcv04.commands.options import DeviceName, ProfileName, Source, Variant
from dlcv04.commands.speech import bar, say, select_device, stop

if TYPE_CHECKING:
    from dlcv04.recipes import Recipe
    from dlcv04.training import TrainingRun


def train(
    variant: Annotated[Variant, typer.Argument(help="one of Task 1's networks")],
    data: Source = "auto",
    profile: ProfileName = "smoke",
    seed: int = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="passes, instead of the profile's")] = None,
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option(help="write the curve there, as JSON")] = None,
) -> None:
    """Train one of Task 1's networks and print its curve.

    The last line is its accuracy with a 95 % interval.
    """
    from dataclasses import replace

    from dlcv04 import datasets, recipes
    from dlcv04.networks import MNIST_VARIANTS

    try:
        recipe = recipes.mnist_recipe(profile)
        dataset = datasets.load("mnist", data)
    except (recipes.RecipeError, datasets.DataError) as error:
        stop(str(error))
    select_device(device)
    recipe = replace(recipe, epochs=epochs or recipe.epochs)
    say(dataset.provenance)
    run = _train(MNIST_VARIANTS[variant], dataset, recipe, seed)
    if out:
        _write_curve(out, variant, run)
    size = run.footprint
    macs = "unknown" if size.known_macs is None else f"{size.known_macs:,}"
    say(f"{size.parameters:,} parameters, {macs} MACs, peak memory {run.peak_memory_bytes / 1e6:.0f} MB")
    if run.status != "ok":
        stop(run.reason, 1)
    _say_accuracy(run, min(recipe.val_images or len(dataset.x_val), len(dataset.x_val)))


def _train(network: Any, dataset: Any, recipe: Recipe, seed: int) -> TrainingRun:
    from dlcv04 import training

    with bar() as progress:
        task = progress.add_task("training", total=recipe.epochs)

        def show(number: int, epoch: Any) -> None:
            progress.update(task, advance=1)
            say(
                f"epoch {number} of {recipe.epochs}: {epoch.train_seconds:.1f} s, loss {epoch.running_loss:.4f}, "
                f"validation loss {epoch.val_loss:.4f}, accuracy {epoch.val_accuracy:.4f}"
            )

        return training.train(network, dataset, recipe, seed, on_epoch=show)


def _write_curve(out: Path, variant: str, run: TrainingRun) -> None:
    from dataclasses import asdict

    from dlcv04 import atomic
    from dlcv04.harness.store.schema import finite

    def plain(value: Any) -> Any:
        return finite(value) if isinstance(value, float) else value

    epochs = [{name: plain(value) for name, value in asdict(epoch).items()} for epoch in run.epochs]
    curve = {"network": variant, "seed": run.seed, "status": run.status, "reason": run.reason, "epochs": epochs}
    try:
        atomic.write(out, json.dumps(curve, indent=1, allow_nan=False, default=str).encode())
    except OSError as error:
        stop(f"{out} can't be written: {error}.", 1)
    say(f"stored: {out}")


def _say_accuracy(run: TrainingRun, images: int) -> None:
    from dlcv04.harness.stats import clopper_pearson

    accuracy = run.epochs[-1].val_accuracy
    assert accuracy is not None  # this package's networks are compiled with it
    bounds = clopper_pearson(round(accuracy * images), images, 0.95)
    say(f"accuracy: {accuracy:.4f} [{bounds.low:.4f}, {bounds.high:.4f}] ({images} validation images)")
