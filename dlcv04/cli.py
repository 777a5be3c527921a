"""People's door: the `dlcv04` command.

Heavy modules are imported inside the commands that need them, so that `--help` is instant.
"""

from __future__ import annotations

import difflib
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, cast

import typer

from dlcv04.harness.policy import RECORDED_SEEDS

if TYPE_CHECKING:
    from dlcv04.finetuning import Result
    from dlcv04.harness.store.acceptance import Candidate
    from dlcv04.recipes import Recipe
    from dlcv04.training import TrainingRun

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Judge claims about deep-learning experiments.")

Reason = Annotated[str, typer.Option("--reason", help="why these figures are the ones to hold")]
Force = Annotated[bool, typer.Option("--force", help="store in spite of a dirty tree or red claims; shown ever after")]
Source = Annotated[str, typer.Option("--data", help="auto, real or embedded")]
ProfileName = Annotated[str, typer.Option("--profile", help="smoke, standard or paper")]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu or gpu")]

say = typer.echo


def _stop(sentence: str, code: int = 2) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def _choose(value: str, choices: tuple[str, ...], what: str) -> str:
    if value not in choices:
        near = difflib.get_close_matches(value, choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}."
        _stop(f"There is no {what} {value!r}; {hint}")
    return value


# -- doctor ------------------------------------------------------------------------------------------------


@app.command(epilog="Example: dlcv04 doctor")
def doctor() -> None:
    """Say what device, framework, data and baselines were found, and what to do about the rest.

    Exit 1 where something is broken (not merely absent).
    """
    from dlcv04.harness.machine import facts

    device = facts.chosen_device("auto")
    machine = facts.machine_class(device, facts.hardware())
    say(f"device: {device}, machine class {machine}")
    if unused := facts.unused_gpu("auto"):
        say(f"  {unused}")
    broken = [*_framework(), *_data(), *_baselines(machine), *_disk()]
    for sentence in broken:
        say(f"  {sentence}")
    if broken:
        _stop(f"{len(broken)} of these must be mended.", 1)


def _framework() -> list[str]:
    from importlib import metadata

    from dlcv04 import workbench

    backend = workbench.planned_key("cpu")["backend"]
    try:
        say(f"framework: Keras {metadata.version('keras')} on {backend} {metadata.version(backend)}")
    except metadata.PackageNotFoundError as error:
        return [f"{error.name} is not installed: `pip install {error.name}`, or set KERAS_BACKEND."]
    return []


def _data() -> list[str]:
    from dlcv04 import datasets

    folder = os.environ.get("DLCV04_DATA")
    if folder and not (Path(folder) / "mnist.npz").is_file():
        return [f"DLCV04_DATA={folder} has no mnist.npz: `dlcv04 fetch mnist --to {folder}`, or unset it."]
    try:
        data = datasets.load("mnist")
    except datasets.DataError as error:
        return [str(error)]
    say(f"data: {data.provenance}, fingerprint {data.fingerprint[:12]}")
    if data.kind != "real":
        say("  real MNIST: `dlcv04 fetch mnist`, or set DLCV04_DATA to a folder with mnist.npz")
    return [sentence for name in datasets.names() if name != "mnist" for sentence in _other_data(name)]


def _other_data(name: str) -> list[str]:
    """Reads a data set only where it is real: a drawn one can't be broken, and takes seconds to draw."""
    from dlcv04 import datasets

    try:
        datasets.where(name)
    except datasets.DataError as error:  # a place was named that is not there
        return [str(error)]
    try:
        datasets.where(name, "real")
    except datasets.DataError as lack:
        say(f"data: {datasets.where(name)}")
        say(f"  {lack}")
        return []
    try:
        data = datasets.load(name, "real")
    except datasets.DataError as error:
        return [str(error)]
    say(f"data: {data.provenance}, fingerprint {data.fingerprint[:12]}")
    return []


def _baselines(machine: str) -> list[str]:
    from dlcv04.harness.store import acceptance, baselines

    loaded = baselines.Store("baselines").load(machine_class=machine)
    span = acceptance.span(loaded.timing)
    say(f"baselines: {span.processes} timing processes on {span.days} days, {len(loaded.portable)} portable runs")
    lack = acceptance.enough_processes(loaded.timing)
    if lack:
        say(f"  {lack}")
    return [*loaded.problems, *_self_test(machine)]


def _self_test(machine: str) -> list[str]:
    from dlcv04 import workbench
    from dlcv04.harness.session import against
    from dlcv04.harness.store import selftests

    key = {"profile": "smoke", **workbench.planned_key("gpu" if machine.startswith("gpu") else "cpu")}
    try:
        spread = against.known_spread(Path("baselines"), machine, key)
    except selftests.SelfTestError as error:
        return [str(error)]
    say(f"--dl-against: between processes {spread.sd:.1%} on {spread.df:g} degrees of freedom ({spread.source})")
    return []


def _disk() -> list[str]:
    import psutil

    free = psutil.disk_usage(".").free
    say(f"disk: {free / 1e9:.1f} GB free here")
    return [] if free > 200e6 else ["Less than 0.2 GB is free: a run's files and its report may not fit."]


# -- new ---------------------------------------------------------------------------------------------------


@app.command(epilog="Example: dlcv04 new my-claims")
def new(folder: Annotated[Path, typer.Argument(help="a folder that is new or empty")]) -> None:
    """Write a small example project: own data, own networks, and three claims about them with their controls."""
    from dlcv04 import example

    try:
        for path in example.write(folder):
            say(f"written: {path}")
    except example.ExampleError as error:
        _stop(str(error))
    say(f"next: cd {shlex.quote(str(folder))} && pytest bench/")


# -- fetch -------------------------------------------------------------------------------------------------


@app.command(epilog="Example: dlcv04 fetch mnist --to ~/data")
def fetch(name: str, to: Annotated[Path | None, typer.Option(help="folder (default: Keras's cache)")] = None) -> None:
    """Download a data set, with progress and checksum. A test run never uses the network."""
    from dlcv04.datasets import DataError
    from dlcv04.datasets import fetch as fetching

    try:
        say(f"stored: {fetching.fetch(name, to)}")
    except (DataError, fetching.FetchError) as error:
        _stop(str(error), 1)


# -- train -------------------------------------------------------------------------------------------------


@app.command(epilog="Example: dlcv04 train base --profile smoke --seed 1 --out base.json")
def train(
    variant: str,
    data: Source = "auto",
    profile: ProfileName = "smoke",
    seed: int = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="passes, instead of the profile's")] = None,
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option(help="write the curve there, as JSON")] = None,
) -> None:
    """Train one of Task 1's networks and print its curve; the last line is its accuracy with a 95 % interval."""
    from dataclasses import replace

    from dlcv04 import backends, datasets, recipes
    from dlcv04.networks import MNIST_VARIANTS

    _choose(variant, tuple(MNIST_VARIANTS), "network")
    try:
        recipe = recipes.mnist_recipe(profile)
        dataset = datasets.load("mnist", cast(Any, data))
        backends.select_device(cast(Any, _choose(device, ("auto", "cpu", "gpu"), "device")))
    except (recipes.RecipeError, datasets.DataError, backends.DeviceError) as error:
        _stop(str(error))
    recipe = replace(recipe, epochs=epochs or recipe.epochs)
    say(dataset.provenance)
    run = _train(MNIST_VARIANTS[variant], dataset, recipe, seed)
    if out:
        _write_curve(out, variant, run)
    size = run.footprint
    say(f"{size.parameters:,} parameters, {size.macs:,} MACs, peak memory {run.peak_memory_bytes / 1e6:.0f} MB")
    if run.status != "ok":
        _stop(run.reason, 1)
    _say_accuracy(run, min(recipe.val_images or len(dataset.x_val), len(dataset.x_val)))


def _train(network: Any, dataset: Any, recipe: Recipe, seed: int) -> TrainingRun:
    from rich.console import Console
    from rich.progress import Progress

    from dlcv04 import training

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
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

    from dlcv04.harness.store.schema import finite

    def plain(value: Any) -> Any:
        return finite(value) if isinstance(value, float) else value

    epochs = [{name: plain(value) for name, value in asdict(epoch).items()} for epoch in run.epochs]
    curve = {"network": variant, "seed": run.seed, "status": run.status, "reason": run.reason, "epochs": epochs}
    try:
        out.write_text(json.dumps(curve, indent=1, allow_nan=False, default=str))
    except OSError as error:
        _stop(f"{out} can't be written: {error}.", 1)
    say(f"stored: {out}")


def _say_accuracy(run: TrainingRun, images: int) -> None:
    from dlcv04.harness.stats import clopper_pearson

    accuracy = run.epochs[-1].val_accuracy
    bounds = clopper_pearson(round(accuracy * images), images, 0.95)
    say(f"accuracy: {accuracy:.4f} [{bounds.low:.4f}, {bounds.high:.4f}] ({images} validation images)")


# -- finetune ----------------------------------------------------------------------------------------------


@app.command(epilog="Example: dlcv04 finetune photos/ --base vgg16 --epochs 350 --out tuned")
def finetune(
    folder: Annotated[Path, typer.Argument(help="folder/class/*.jpg, or Terrassa's layout as a folder or zip file")],
    base: Annotated[str, typer.Option(help="vgg16, or cifar10 (trained here on CIFAR-10)")] = "vgg16",
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
    rate: Annotated[float | None, typer.Option(help="learning rate (default: the seed's)")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="draws split, folds, head and order")] = 0,
    val: Annotated[float, typer.Option(help="share of each class drawn for validation, if not split already")] = 0.2,
    data: Annotated[str, typer.Option("--data", help="CIFAR-10 for the base: auto, real or embedded")] = "auto",
    profile: Annotated[str, typer.Option(help="how long cifar10 is trained: smoke, standard or paper")] = "standard",
    device: DeviceName = "auto",
    out: Annotated[Path | None, typer.Option(help="folder for the results (default: finetuned/FOLDER-BASE)")] = None,
) -> None:
    """Fine-tune a trained network on a folder of pictures; the last line is its accuracy with a 95 % interval.

    What is slow is kept in the cache (DLCV04_CACHE) as it comes: the same command goes on where it was stopped, to
    the same result. Writes confusion.png, curves.png and result.json.
    """
    try:
        from dlcv04 import backends, finetuning, transfer

        fixed = None if l2 is None and dropout is None else transfer.Head(l2 or 0.0, dropout or 0.0)
        place = out or Path("finetuned") / f"{folder.resolve().stem}-{base}"
        settings = finetuning.Settings(
            base, weights, size, train_from, tap, fixed, epochs, rate, seed, val, cast(Any, data), profile
        )
        try:
            finetuning.resolved(settings)
            _writable(place)
            backends.select_device(cast(Any, _choose(device, ("auto", "cpu", "gpu"), "device")))
            with _Stages() as stages:
                result = finetuning.finetune(folder, settings, stages)
        except (*finetuning.ERRORS, backends.DeviceError) as error:
            _stop(str(error))
        except finetuning.DivergedError as error:
            _stop(str(error), 1)
        _keep(result, place)
    except KeyboardInterrupt:
        _stop("Stopped. The same command goes on from what is kept in the cache.", 130)


def _writable(folder: Path) -> None:
    """Before minutes of work."""
    from dlcv04 import caching

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with caching.replacing(folder / ".probe"):
            pass
        (folder / ".probe").unlink()
    except OSError as error:
        _stop(f"{folder} can't be written to ({error.strerror}): name another folder with --out.", 1)


def _keep(result: Result, folder: Path) -> None:
    """Write the pictures and the record, and say the accuracy."""
    from dlcv04 import caching, finetuning, plots
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
            with caching.replacing(folder / name) as file:
                figure.savefig(file, format="png", dpi=110)
        with caching.replacing(folder / "result.json") as file:
            file.write(json.dumps(record, indent=1, allow_nan=False).encode())
    except OSError as error:
        _stop(f"{folder} can't be written to ({error}): the same command with another --out goes on from here.", 1)
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


# -- pictures ----------------------------------------------------------------------------------------------


@app.command(epilog="Example: dlcv04 filters vgg16 --layer conv5_1 --filters 16 --out filters.png")
def filters(
    model: Annotated[str, typer.Argument(help="vgg16, cifar10 (trained here) or a .keras file")] = "vgg16",
    layer: Annotated[str, typer.Option(help="a convolution (default: conv5_1, conv4, or a file's last one)")] = "",
    count: Annotated[int, typer.Option("--filters", min=0, help="the first that answer to noise; 0 for all")] = 64,
    size: Annotated[int | None, typer.Option(min=8, help="pixels a side (default: 128, or the model's own)")] = None,
    steps: Annotated[int, typer.Option(min=1, help="steps up the gradient")] = 20,
    weights: Annotated[
        str, typer.Option(help="of vgg16: imagenet, hed, random or a file (default: what is there)")
    ] = "",
    pixels: Annotated[str, typer.Option(help="what a file's model takes: unit, bytes or imagenet")] = "unit",
    data: Source = "auto",
    profile: Annotated[str, typer.Option(help="how long cifar10 is trained: smoke, standard or paper")] = "standard",
    seed: Annotated[int, typer.Option(min=0, help="draws the noise")] = 0,
    device: DeviceName = "auto",
    out: Annotated[Path, typer.Option(help="the PNG")] = Path("filters.png"),
) -> None:
    """Show what the filters of a convolution look for: a grid of pictures that excite them, by gradient ascent."""
    from dlcv04.commands import filters as command
    from dlcv04.networks import PIXELS

    kind = cast(Any, _choose(pixels, PIXELS, "kind of pixels"))
    _on_device(device)
    asked = command.Asked(model, layer, count, size, steps, weights, kind, cast(Any, data), profile, seed, out)
    try:
        command.write(asked, say)
    except (ValueError, OSError) as error:
        _stop(str(error))


@app.command(epilog="Example: dlcv04 style photo.jpg painting.jpg --size 400 --out painted.png")
def style(
    content: Annotated[Path | None, typer.Argument(help="a picture (default: scikit-learn's china.jpg)")] = None,
    look: Annotated[
        Path | None, typer.Argument(metavar="[STYLE]", help="a picture (default: scikit-learn's flower.jpg)")
    ] = None,
    size: Annotated[int, typer.Option(help="pixels of the longer side")] = 400,
    layers: Annotated[str, typer.Option(help="of the style")] = "conv1_1,conv2_1,conv3_1,conv4_1,conv5_1",
    iterations: Annotated[int, typer.Option(min=1, help="of 20 evaluations each")] = 20,
    stages: Annotated[str, typer.Option(help="iterations that the strip shows")] = "1,5,10,20",
    weights: Annotated[str, typer.Option(help="imagenet, hed, random or a file (default: what is there)")] = "",
    content_weight: Annotated[float | None, typer.Option(min=0, help="of the content (default: 0.3)")] = None,
    style_weight: Annotated[float | None, typer.Option(min=0, help="of the style (default: 1)")] = None,
    variation_weight: Annotated[float | None, typer.Option(min=0, help="of the total variation (default: 1)")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="weights as in the seed: not fitted to the trunk's features")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="draws the noise at the start")] = 0,
    device: DeviceName = "auto",
    out: Annotated[Path, typer.Option(help="the PNG; a strip of iterations and the state lie beside it")] = Path(
        "style.png"
    ),
) -> None:
    """Paint the content of one picture in the style of another. The same command goes on where it was stopped."""
    from dlcv04.commands import style as command

    _on_device(device)
    given = {"content": content_weight, "style": style_weight, "variation": variation_weight}
    try:
        counts = command.loss_weights(given, raw)
        places = command.stages(stages)
        layered = tuple(name.strip() for name in layers.split(",") if name.strip())
        asked = command.Asked(content, look, size, layered, iterations, places, weights, counts, raw, seed, out)
        command.paint(asked, say)
    except command.Stopped as stopped:
        _stop(str(stopped), 130)
    except (ValueError, OSError) as error:
        _stop(str(error))


@app.command(epilog="Example: dlcv04 tsne mnist --images 2500 --out map.png")
def tsne(
    source: Annotated[
        str, typer.Argument(help="mnist, cifar10, terrassa, or a folder of folder/class/*.jpg")
    ] = "mnist",
    images: Annotated[int, typer.Option(min=1, help="at most so many, drawn by the seed")] = 1000,
    model: Annotated[Path | None, typer.Option(help="a .keras file: map what it sees (default: the pixels)")] = None,
    pixels: Annotated[str, typer.Option(help="what its network takes: unit, bytes or imagenet")] = "unit",
    size: Annotated[int, typer.Option(help="pixels a side of a folder's pictures, without a model")] = 32,
    perplexity: Annotated[float, typer.Option(help="about how many neighbours count")] = 30.0,
    data: Source = "auto",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="draws the pictures and the map")] = 0,
    out: Annotated[Path, typer.Option(help="the PNG")] = Path("tsne.png"),
) -> None:
    """Draw a map of pictures by t-SNE, where neighbours are alike, and say how far it can be trusted."""
    from dlcv04.commands import tsne as command
    from dlcv04.networks import PIXELS

    kind = cast(Any, _choose(pixels, PIXELS, "kind of pixels"))
    asked = command.Asked(source, images, cast(Any, data), model, kind, size, perplexity, seed, out)
    try:
        command.write(asked, say)
    except (ValueError, OSError) as error:
        _stop(str(error))


@app.command(epilog="Example: dlcv04 occlude cat.jpg --box 0.1 0.2 0.6 0.8 --out occlusion.png")
def occlude(
    picture: Annotated[Path | None, typer.Argument(help="a JPEG or PNG (default: one that suits the network)")] = None,
    model: Annotated[
        str, typer.Option(help="imagenet, buildings (trained here) or a .keras file (default: what is there)")
    ] = "",
    pixels: Annotated[str, typer.Option(help="what a file's network takes: unit, bytes or imagenet")] = "unit",
    box: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(help="the object's top, left, bottom, right, as shares of the picture (default: its middle)"),
    ] = None,
    patch: Annotated[int | None, typer.Option(help="side of the sliding patch in pixels (default: a fifth)")] = None,
    stride: Annotated[int | None, typer.Option(help="pixels from place to place (default: a sixteenth)")] = None,
    profile: ProfileName = "smoke",
    device: DeviceName = "auto",
    out: Annotated[Path, typer.Option(help="the PNG")] = Path("occlusion.png"),
) -> None:
    """Say how probable a picture's class stays with parts of it blacked out, and draw a heat map of a sliding patch."""
    from dlcv04.commands import occlude as command
    from dlcv04.networks import PIXELS

    kind = cast(Any, _choose(pixels, PIXELS, "kind of pixels"))
    _on_device(device)
    asked = command.Asked(picture, model, kind, box, patch, stride, profile, out)
    try:
        command.write(asked, say)
    except (ValueError, OSError) as error:
        _stop(str(error))


def _on_device(device: str) -> None:
    from dlcv04 import backends

    try:
        backends.select_device(cast(Any, _choose(device, ("auto", "cpu", "gpu"), "device")))
    except (backends.DeviceError, backends.BackendError) as error:
        _stop(str(error))


# -- baselines ---------------------------------------------------------------------------------------------


@app.command(epilog='Example: dlcv04 baseline --processes 5 --reason "first baseline of this runner"')
def baseline(
    reason: Reason,
    processes: Annotated[int, typer.Option(min=0, help="fresh processes for the timing part; 0 for none")] = 5,
    profile: ProfileName = "smoke",
    data: Source = "auto",
    device: DeviceName = "auto",
    suite: Annotated[str, typer.Option(help="folder of the claims")] = "bench",
    learning: Annotated[bool, typer.Option(help="also record learning curves and exact figures")] = True,
    seeds: Annotated[int, typer.Option(min=RECORDED_SEEDS, help="seeds of the learning curves")] = RECORDED_SEEDS,
    name: Annotated[str, typer.Option(help="readable half of the files' names (default: the profile)")] = "",
    force: Force = False,
) -> None:
    """Run the suite in fresh processes and store the result: nothing at all is stored if one of them fails."""
    from dlcv04.harness.judging import power
    from dlcv04.harness.machine import git
    from dlcv04.harness.session import recording
    from dlcv04.harness.store import baselines, files
    from dlcv04.harness.store.reading import decode_run

    commit = git.commit(".")
    if commit.dirty and not force:
        _stop("The working tree has uncommitted changes: commit them first, or use --force.", 1)
    if processes == 0 and not learning:
        _stop("--processes 0 --no-learning records nothing: ask for one of them.")
    parts = [*(["portable"] if learning else []), *["timing"] * processes]
    options = [f"--dl-profile={profile}", f"--dl-data={data}", f"--dl-device={device}", f"--dl-seeds={seeds}"]
    store = baselines.Store("baselines")
    try:
        candidates = _record(parts, options, suite, force, name or profile)
        for path in store.accept_all(candidates, reason=reason, commit=commit):
            say(f"stored: {path}")
    except (recording.RecordingError, files.BaselineError) as error:
        _stop(str(error), 1)
    last = decode_run(dict(candidates[-1].document)["dlcv04"], "the last run")
    stored = [one.run for one in store.load(machine_class=last.environment.machine_class).timing]
    comparable = [run for run in stored if run.key == last.key]
    for seen in power.power(comparable, last) if comparable else []:
        say(
            f"{seen.benchmark}: {seen.seconds:.3g} s an epoch, smallest slowdown seen in 4 of 5 runs "
            f"{seen.smallest - 1:.0%}"
        )


def _record(parts: list[str], options: list[str], suite: str, force: bool, name: str) -> list[Candidate]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from dlcv04.harness.session import recording

    console = Console(stderr=True)
    columns = (SpinnerColumn(), *Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("{task.fields[part]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("recording", total=len(parts), part="")

        def one(number: int, part: str) -> Candidate:
            def started() -> None:
                progress.update(task, part=part)
                say(f"process {number} of {len(parts)}: {part}")

            half = cast(Literal["timing", "portable"], part)
            candidate = recording.record(half, options, suite=suite, forced=force, name=name, started=started)
            progress.update(task, advance=1)
            return candidate

        return [one(number, part) for number, part in enumerate(parts, 1)]


@app.command(epilog='Example: dlcv04 accept .benchmarks/*/0003_x.json --reason "new data loader, slower on purpose"')
def accept(
    run: Annotated[str, typer.Argument(help="a saved run: its path, id or number in .benchmarks/")],
    reason: Reason,
    force: Force = False,
) -> None:
    """Accept one saved run as a baseline (after an intended change)."""
    from dlcv04.harness.machine import git
    from dlcv04.harness.store import acceptance, baselines, files
    from dlcv04.harness.store.reading import RunFileError, read_run

    store = baselines.Store("baselines", saved=".benchmarks")
    try:
        path = store.find_saved(run)
        stored, document = read_run(path), json.loads(path.read_text())
        refusal = acceptance.may_accept(stored)
        if refusal and not force:
            _stop(refusal, 1)
        candidates = [acceptance.Candidate(document, part, force) for part in acceptance.parts(stored)]
        for written in store.accept_all(candidates, reason=reason, commit=git.commit(".")):
            say(f"stored: {written}")
    except (RunFileError, files.BaselineError) as error:
        _stop(str(error))


@app.command(epilog="Example: dlcv04 judge .benchmarks/*/0003_x.json --against baselines/portable/0002_real-mnist.json")
def judge(
    runs: Annotated[list[Path], typer.Argument(help="a stored run; several are processes of the same code")],
    against: Annotated[list[Path] | None, typer.Option(help="a stored run to hold it against; repeat it")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="INCONCLUSIVE fails, as --dl-strict")] = False,
) -> None:
    """Judge a stored run again, from files alone: the same verdicts and exit code on any machine.

    Of several runs the first one's claims are judged, and the times of all. Exit 0: all held or passed. 1: something
    failed. 7: nothing was comparable.
    """
    from dlcv04.harness.judging import replay
    from dlcv04.harness.report.renderers import terminal
    from dlcv04.harness.store import baselines, files
    from dlcv04.harness.store.reading import RunFileError, read_run

    try:
        first, *others = [read_run(run) for run in runs]
        stored = baselines.as_stored(against, first.environment.machine_class) if against else None
    except (RunFileError, files.BaselineError) as error:
        _stop(str(error))
    judged = replay.rejudge(first, stored, strict=strict, companions=others)
    for line in terminal.lines(judged):
        say(line)
    raise typer.Exit(judged.exit_status)


@app.command(epilog="Example: dlcv04 report .benchmarks/*/0003_x.json baselines/my-machine/*.json")
def report(
    run: Path,
    stored: Annotated[list[Path] | None, typer.Argument(help="baselines to show beside it")] = None,
    out: Annotated[
        Path | None, typer.Option(help="html: a folder (default: reports); else a file (default: standard output)")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="html, markdown or json")] = "html",
) -> None:
    """Rebuild the report of a saved run from files alone: as an HTML page, as Markdown, or as JSON for programs."""
    from dlcv04.harness import report as reporting
    from dlcv04.harness.store import selftests
    from dlcv04.harness.store.reading import RunFileError, read_run

    _choose(form, ("html", *reporting.TEXTS), "format")
    try:
        shown, beside = read_run(run), [read_run(path) for path in stored or []]
        self_test = selftests.latest(Path("baselines"), shown.environment.machine_class, shown.key)
        if form == "html":
            say(f"report: {reporting.write(shown, beside, out or Path('reports'), self_test)}")
        elif out is None:
            say(reporting.text(form, shown, beside, self_test), nl=False)
        else:
            say(f"report: {reporting.write_text(reporting.text(form, shown, beside, self_test), out)}")
    except (RunFileError, selftests.SelfTestError, reporting.ReportError) as error:
        _stop(str(error))


@app.command(epilog="Example: dlcv04 selftest --quick")
def selftest(
    quick: Annotated[
        bool, typer.Option(help="one timing test, no faults of learning; 10 minutes at most on two cores")
    ] = False,
    identical: Annotated[int, typer.Option(min=4, help="process pairs of identical code; 20 are wanted")] = 20,
    planted: Annotated[int, typer.Option(min=0, help="process pairs of each planted slowdown; 4 make a run")] = 4,
    profile: ProfileName = "smoke",
    data: Source = "auto",
    device: DeviceName = "auto",
    suite: Annotated[str, typer.Option(help="folder of the claims")] = "bench",
) -> None:
    """Measure this machine's noise and what `--dl-against` makes of it: false alarms, detection, smallest slowdown.

    Then plant faults of learning (labels drawn at random, a tenth of the rate, validation pictures in training) and say
    whether the suite notices them. The result is stored with the machine class and used by the gate from then on.
    """
    from dlcv04 import workbench
    from dlcv04.faults import FAULTS
    from dlcv04.harness.machine import facts
    from dlcv04.harness.measuring import process_pairs
    from dlcv04.harness.policy import Policy
    from dlcv04.harness.selftest import learning_faults, replaying, running, sentences
    from dlcv04.harness.store import selftests

    found = facts.chosen_device(device)
    machine = facts.machine_class(found, facts.hardware())
    sizes = running.Sizes(identical, planted, tests=1 if quick else None)
    options = [suite, f"--dl-profile={profile}", f"--dl-data={data}", f"--dl-device={device}"]
    key = {"profile": profile, **workbench.planned_key(found)}
    faults = {} if quick else FAULTS
    seconds = sizes.pairs * (16 if quick else 40) + 40 * len(faults)
    say(f"{sizes.pairs} process pairs and {len(faults)} planted faults on {machine}; about {seconds / 60:.0f} min")
    try:
        test = running.measure(Path.cwd(), options, sizes, machine_class=machine, key=key, told=say, faults=faults)
    except (process_pairs.PairError, learning_faults.FaultError) as error:
        _stop(f"{error}\nNothing was stored.", 1)
    policy = Policy(profile=profile)
    test = replaying.with_replays(test, policy)
    say(f"stored: {selftests.keep(test, Path('baselines'))}")
    for line in sentences.lines(test, policy):
        say(line)


def main() -> None:
    """Entry point of the command."""
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("Stopped; nothing was stored.", err=True)
        raise SystemExit(130) from None
