"""The `dlcv04` command: it only registers the commands of `dlcv04.commands`."""

import io
import sys
from collections.abc import Callable
from typing import Annotated

import typer

import dlcv04
from dlcv04.commands import (
    accept,
    baseline,
    doctor,
    fetch,
    filters,
    finetune,
    judge,
    new,
    occlude,
    report,
    selftest,
    style,
    train,
    tsne,
)
from dlcv04.commands.speech import PlainSpoken, say

#: Each command with its example, in the order of the help.
COMMANDS: dict[Callable[..., None], str] = {
    doctor.doctor: "dlcv04 doctor",
    new.new: "dlcv04 new my-claims",
    fetch.fetch: "dlcv04 fetch mnist --to ~/data",
    train.train: "dlcv04 train base --profile smoke --seed 1 --out base.json",
    finetune.finetune: "dlcv04 finetune photos/ --base vgg16 --epochs 350 --out tuned",
    filters.filters: "dlcv04 filters vgg16 --layer conv5_1 --filters 16 --out filters.png",
    style.style: "dlcv04 style photo.jpg painting.jpg --size 400 --out painted.png",
    tsne.tsne: "dlcv04 tsne mnist --images 2500 --out map.png",
    occlude.occlude: "dlcv04 occlude cat.jpg --box 0.1 0.2 0.6 0.8 --out occlusion.png",
    baseline.baseline: 'dlcv04 baseline --processes 5 --reason "first baseline of this runner"',
    accept.accept: 'dlcv04 accept .benchmarks/*/0003_x.json --reason "new data loader, slower on purpose"',
    judge.judge: "dlcv04 judge .benchmarks/*/0003_x.json --against baselines/portable/0002_real-mnist.json",
    report.report: "dlcv04 report .benchmarks/*/0003_x.json baselines/my-machine/*.json",
    selftest.selftest: "dlcv04 selftest --quick",
}

# Plain help: rich's frames take half a second to load, and break sentences in two.
app = typer.Typer(
    cls=PlainSpoken,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command, example in COMMANDS.items():
    app.command(epilog=f"Example: {example}")(command)


def _say_version(wanted: bool) -> None:
    if wanted:
        say(f"dlcv04 {dlcv04.__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Judge claims about deep-learning experiments."""


def main() -> None:
    """Entry point of the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an ASCII terminal, or a file name that is no text: said all the same
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="dlcv04")
