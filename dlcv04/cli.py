"""People's door: the `dlcv04` command.

Heavy modules are imported inside the commands that need them, so that `--help` is instant.
"""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Judge claims about deep-learning experiments.")

Reason = Annotated[str, typer.Option("--reason", help="why these figures are the ones to hold")]
Force = Annotated[bool, typer.Option("--force", help="store in spite of a dirty tree or red claims; shown ever after")]
Source = Annotated[str, typer.Option("--data", help="auto, real or embedded")]


def _stop(sentence: str, code: int = 2) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def _say(line: str) -> None:
    typer.echo(line)


def _this_class() -> str:
    from dlcv04.harness import environment

    device = "gpu" if environment.gpu_present() else "cpu"
    return environment.machine_class(device, environment.hardware())  # type: ignore[arg-type]


@app.command(epilog="Example: dlcv04 doctor")
def doctor() -> None:
    """Say what device, data and baselines were found, and what to do about the rest."""
    from dlcv04 import datasets
    from dlcv04.harness import baselines

    machine = _this_class()
    _say(f"machine class: {machine}")
    _say(f"data: {datasets.where('mnist')}")
    if not os.environ.get("DLCV04_DATA"):
        _say("  real MNIST: `dlcv04 fetch mnist`, or set DLCV04_DATA to a folder with mnist.npz")
    loaded = baselines.Store("baselines").load(machine_class=machine)
    span = baselines.span(loaded.timing)
    _say(f"baselines: {span.processes} timing processes on {span.days} days, {len(loaded.portable)} portable runs")
    lack = baselines.enough_processes(loaded.timing)
    if lack:
        _say(f"  {lack}")
    for problem in loaded.problems:
        _say(f"  {problem}")


@app.command(epilog="Example: dlcv04 fetch mnist --to ~/data")
def fetch(name: str, to: Annotated[Path | None, typer.Option(help="folder (default: Keras's cache)")] = None) -> None:
    """Download a data set, with progress and checksum. A test run never uses the network."""
    from dlcv04.datasets import DataError
    from dlcv04.datasets import fetch as fetching

    try:
        _say(f"stored: {fetching.fetch(name, to)}")
    except (DataError, fetching.FetchError) as error:
        _stop(str(error), 1)


@app.command(epilog="Example: dlcv04 train base --profile smoke --seed 1")
def train(
    variant: str,
    data: Source = "auto",
    profile: Annotated[str, typer.Option(help="smoke, standard or paper")] = "smoke",
    seed: int = 0,
) -> None:
    """Train one of Task 1's networks and print its curve; the last line is its accuracy with a 95 % interval."""
    from dlcv04 import datasets, recipes, training
    from dlcv04.harness.statistics import clopper_pearson
    from dlcv04.networks import MNIST_VARIANTS

    if variant not in MNIST_VARIANTS:
        near = difflib.get_close_matches(variant, MNIST_VARIANTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(MNIST_VARIANTS)}."
        _stop(f"There is no network {variant!r}; {hint}")
    try:
        recipe, dataset = recipes.mnist_recipe(profile), datasets.load("mnist", data)  # type: ignore[arg-type]
    except (recipes.RecipeError, datasets.DataError) as error:
        _stop(str(error))
    _say(dataset.provenance)

    def show(number: int, epoch: Any) -> None:
        _say(
            f"epoch {number} of {recipe.epochs}: {epoch.train_seconds:.1f} s, loss {epoch.running_loss:.4f}, "
            f"validation loss {epoch.val_loss:.4f}, accuracy {epoch.val_accuracy:.4f}"
        )

    run = training.train(MNIST_VARIANTS[variant], dataset, recipe, seed, on_epoch=show)
    size = run.footprint
    _say(f"{size.parameters:,} parameters, {size.macs:,} MACs, peak memory {run.peak_memory_bytes / 1e6:.0f} MB")
    if run.status != "ok":
        _stop(run.reason, 1)
    images = min(recipe.val_images or len(dataset.x_val), len(dataset.x_val))
    accuracy = run.epochs[-1].val_accuracy
    bounds = clopper_pearson(round(accuracy * images), images, 0.95)
    _say(f"accuracy: {accuracy:.4f} [{bounds.low:.4f}, {bounds.high:.4f}] ({images} validation images)")


@app.command(epilog='Example: dlcv04 baseline --processes 5 --reason "first baseline of this runner"')
def baseline(
    reason: Reason,
    processes: Annotated[int, typer.Option(help="fresh processes for the timing part")] = 5,
    profile: Annotated[str, typer.Option(help="smoke, standard or paper")] = "smoke",
    data: Source = "auto",
    suite: Annotated[str, typer.Option(help="folder of the claims")] = "bench",
    force: Force = False,
) -> None:
    """Run the suite in fresh processes and store the result: nothing at all is stored if one of them fails."""
    from dlcv04.harness import baselines, environment

    commit = environment.commit(".")
    if commit.dirty and not force:
        _stop("The working tree has uncommitted changes: commit them first, or use --force.", 1)
    jobs = ["learning", *["timing"] * processes]
    documents = []
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(jobs):
            _say(f"process {number + 1} of {len(jobs)}: {part}")
            out = Path(folder) / f"{number}.json"
            command = [sys.executable, "-m", "pytest", suite, f"--dl-record={part}", f"--benchmark-json={out}", "-q"]
            command += [f"--dl-profile={profile}", f"--dl-data={data}", f"--dl-report-dir={folder}"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0 or not out.exists():
                _stop(f"{(done.stdout + done.stderr)[-3000:]}\nProcess {number + 1} failed: nothing was stored.", 1)
            documents.append((part, json.loads(out.read_text())))
    store = baselines.Store("baselines")
    for part, document in documents:
        half: Any = "portable" if part == "learning" else "timing"
        try:
            path = store.accept(document, part=half, reason=reason, commit=commit, forced=force, name=profile)
        except ValueError as error:
            _stop(str(error), 1)
        _say(f"stored: {path}")
    _show_power(store, documents[-1][1])


def _show_power(store: Any, document: dict[str, Any]) -> None:
    """Print the smallest slowdown that the gate now sees, benchmark by benchmark."""
    from dlcv04.harness import judge
    from dlcv04.harness.policy import Policy
    from dlcv04.harness.schema import decode_run

    run = decode_run(document["dlcv04"], "the last process")
    loaded = store.load(machine_class=run.environment.machine_class)
    stored = judge.Stored(timing=[(str(s.path), s.run) for s in loaded.timing])
    context = judge.Context(run.key, run.environment.machine_class, Policy(profile=run.profile))
    for claim in run.claims:
        arms = [arm for arm in run.arms if arm.test == claim.test]
        for row in judge.compare_claim(claim, arms, stored, context):
            if row.metric == judge.SECONDS and row.minimum_detectable_effect:
                seen = f"smallest slowdown seen in 4 of 5 runs {row.minimum_detectable_effect - 1:.0%}"
                _say(f"{claim.test.split('::')[-1]}<{row.arm}>: {row.old:.3g} s an epoch, {seen}")


@app.command(epilog='Example: dlcv04 accept .benchmarks/*/0003_x.json --reason "new data loader, slower on purpose"')
def accept(run: Path, reason: Reason, force: Force = False) -> None:
    """Accept one saved run as a baseline (after an intended change)."""
    from dlcv04.harness import baselines, environment
    from dlcv04.harness.schema import RunFileError, read_run

    try:
        stored = read_run(run)
        refusal = baselines.may_accept(stored)
        if refusal and not force:
            _stop(refusal, 1)
        document, store = json.loads(run.read_text()), baselines.Store("baselines")
        for part in baselines.parts(stored):
            path = store.accept(document, part=part, reason=reason, commit=environment.commit("."), forced=force)
            _say(f"stored: {path}")
    except (RunFileError, baselines.BaselineError) as error:
        _stop(str(error))


@app.command(epilog="Example: dlcv04 report .benchmarks/*/0003_x.json")
def report(
    run: Path,
    stored: Annotated[list[Path] | None, typer.Argument(help="baselines to show beside it")] = None,
    out: Annotated[Path, typer.Option(help="folder")] = Path("reports"),
) -> None:
    """Rebuild the HTML report of a saved run, offline."""
    from dlcv04.harness import report as reporting
    from dlcv04.harness.schema import RunFileError, read_run

    try:
        _say(f"report: {reporting.write(read_run(run), [read_run(path) for path in stored or []], out)}")
    except RunFileError as error:
        _stop(str(error))


def main() -> None:
    """Entry point of the command."""
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("Stopped; nothing was stored.", err=True)
        raise SystemExit(130) from None
