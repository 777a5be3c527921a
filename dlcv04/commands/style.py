"""``dlcv04 style``: a picture with the content of one and the style of another, and a strip of its iterations."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcv04.commands.options import DeviceName
from dlcv04.commands.speech import bar, refusing, say, select_device, stop

if TYPE_CHECKING:
    from dlcv04.style import Progress, Stylist


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
    raw: Annotated[bool, typer.Option("--raw", help="weights as in 2016: not fitted to the trunk's features")] = False,
    seed: Annotated[int, typer.Option(min=0, help="draws the noise at the start")] = 0,
    device: DeviceName = "auto",
    out: Annotated[Path, typer.Option(help="the PNG; a strip of iterations and the state lie beside it")] = Path(
        "style.png"
    ),
) -> None:
    """Paint the content of one picture in the style of another.

    If you stop the command, run it again: it goes on from there.
    """
    from dlcv04.visualization import tiles

    select_device(device)
    with refusing():
        given = {"content": content_weight, "style": style_weight, "variation": variation_weight}
        asked = {name: weight for name, weight in given.items() if weight is not None}
        shown = _stages(stages)
        tiles.require_folder(out)
        stylist = _weighted(_stylist(content, look, size, _listed(layers), weights), asked, raw)
        run = _run(stylist, iterations, seed, out.with_name(f"{out.stem}-state.npz"))
        _write(run, stylist, {stage for stage in shown if stage <= iterations} | {iterations}, out)


def _listed(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(",") if word.strip())


def _stages(listed: str) -> tuple[int, ...]:
    words = _listed(listed)
    if not words or not all(word.isdecimal() and int(word) for word in words):
        raise ValueError(f"Stages are numbers of iterations, as in 1,5,10,20, not {listed!r}.")
    return tuple(map(int, words))


def _stylist(content: Path | None, look: Path | None, size: int, layers: tuple[str, ...], weights: str) -> Stylist:
    """The loss between a picture and the two, which are decoded to one size."""
    from dlcv04 import style
    from dlcv04 import weights as stored
    from dlcv04.datasets import pictures, samples
    from dlcv04.datasets.tree import File

    drawn = samples.photograph("china") if content is None else File.at(content)
    painted = samples.photograph("flower") if look is None else File.at(look)
    picture = pictures.decode_within(drawn.read(), size, drawn.name)
    fitting = pictures.decode_covering(painted.read(), picture.shape, painted.name)
    base = style.style_base(weights or stored.available(dense=False), picture.shape, style_layers=layers)
    stylist = style.Stylist(base, picture, fitting, style_layers=layers)
    say(f"{base.provenance}, {picture.shape[1]} x {picture.shape[0]} pixels")
    return stylist


def _weighted(stylist: Stylist, asked: dict[str, Any], raw: bool) -> Stylist:
    """The loss with the weights that were asked for: raw ones, or parts at their references."""
    from dlcv04.style import BALANCE, PUBLISHED_WEIGHTS

    counts = replace(PUBLISHED_WEIGHTS if raw else BALANCE, **asked)
    stylist = stylist.with_weights(counts) if raw else stylist.calibrated(counts)
    counts = stylist.loss_weights
    say(f"weights: content {counts.content:.3g}, style {counts.style:.3g}, variation {counts.variation:.3g}")
    return stylist


def _run(stylist: Stylist, iterations: int, seed: int, state: Path) -> Progress:
    """Lower the loss. Each iteration is kept in `state`, also where Ctrl-C stops it."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    from dlcv04 import style

    text = TextColumn("iteration {task.fields[iteration]}, loss {task.fields[loss]:.4g}")
    with bar(text, BarColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("", total=iterations * style.EVALUATIONS, iteration=1, loss=math.nan)

        def evaluated(iteration: int, evaluations: int, loss: float) -> None:
            # The line search may take an evaluation more.
            done = (iteration - 1) * style.EVALUATIONS + min(evaluations, style.EVALUATIONS)
            progress.update(task, completed=done, iteration=iteration, loss=loss)

        def iterated(run: Progress) -> None:
            say(f"iteration {run.iterations} of {iterations}: loss {run.losses[-1]:.4g}")

        try:
            return style.run(
                stylist, iterations, seed=seed, state=state, on_evaluation=evaluated, on_iteration=iterated
            )
        except KeyboardInterrupt:
            progress.stop()
            kept = f"what was done is kept in {state}" if state.exists() else "no iteration was done"
            stop(f"Stopped; {kept}. The same command continues from there.", 130)


def _write(run: Progress, stylist: Stylist, shown: set[int], out: Path) -> None:
    """The picture of the last iteration shown, and a strip of all of them."""
    from dlcv04.visualization import tiles

    pictured = [(f"{number} iteration{'s' * (number > 1)}", run.kept[number - 1]) for number in sorted(shown)]
    strip = out.with_name(f"{out.stem}-strip.png")
    tiles.write_png(out, run.kept[max(shown) - 1])
    tiles.write_png(strip, tiles.strip([("content", stylist.content), ("style", stylist.style), *pictured]))
    say(f"stored: {out}, {strip} and, to continue from, {out.with_name(f'{out.stem}-state.npz')}")
