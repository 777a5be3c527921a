"""``dlcv04 style``: a picture with the content of one and the style of another, and a strip of its iterations."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dlcv04 import style, weights
from dlcv04.datasets import pictures, samples
from dlcv04.datasets.tree import File
from dlcv04.visualization import tiles


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line.

    Attributes:
        content: a picture; None for scikit-learn's china.jpg.
        look: the picture of the style; None for its flower.jpg.
        size: pixels of the longer side.
        layers: of the style, in the seed's or Keras's spelling.
        iterations: of about 20 evaluations each.
        stages: iterations that the strip shows; the last one is always there.
        weights: VGG16's; "" for the best that are there.
        counts: how much content, style and variation count: parts at their references, or raw weights.
        raw: which of them.
        seed: draws the noise.
        out: the PNG of the last picture; the strip and the state lie beside it.
    """

    content: Path | None
    look: Path | None
    size: int
    layers: tuple[str, ...]
    iterations: int
    stages: tuple[int, ...]
    weights: str
    counts: style.LossWeights
    raw: bool
    seed: int
    out: Path

    @property
    def state(self) -> Path:
        """Where the run is kept after each iteration."""
        return self.out.with_name(f"{self.out.stem}-state.npz")


def loss_weights(given: Mapping[str, float | None], raw: bool) -> style.LossWeights:
    """What was given on the command line, the rest as by default."""
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(style.PUBLISHED_WEIGHTS if raw else style.BALANCE, **changed)


def stages(listed: str) -> tuple[int, ...]:
    """Iterations as they are listed on the command line.

    Raises:
        ValueError: one is no whole number of at least 1.
    """
    words = [word.strip() for word in listed.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and int(word) for word in words):
        raise ValueError(f"Stages are numbers of iterations, as in 1,5,10,20, not {listed!r}.")
    return tuple(map(int, words))


class Stopped(Exception):
    """Ctrl-C; the message says what is kept."""


def paint(asked: Asked, say: Callable[[str], None]) -> None:
    """Lower the loss and write the picture and its strip.

    Raises:
        Stopped: on Ctrl-C.
        ValueError: pictures, layers, weights or a state that do not fit; the message is one sentence for people.
        OSError: a PNG can't be written.
    """
    tiles.require_folder(asked.out)
    stylist = _stylist(asked, say)
    try:
        run = _run(asked, stylist, say)
    except KeyboardInterrupt:
        kept = f"what was done is kept in {asked.state}" if asked.state.exists() else "no iteration was done"
        raise Stopped(f"Stopped; {kept}. The same command goes on from there.") from None
    shown = sorted({stage for stage in asked.stages if stage <= asked.iterations} | {asked.iterations})
    pictured = [(f"{number} iteration{'s' * (number > 1)}", run.kept[number - 1]) for number in shown]
    strip = asked.out.with_name(f"{asked.out.stem}-strip.png")
    tiles.write_png(asked.out, run.kept[asked.iterations - 1])
    tiles.write_png(strip, tiles.strip([("content", stylist.content), ("style", stylist.style), *pictured]))
    say(f"stored: {asked.out}, {strip} and, to go on from, {asked.state}")


def _stylist(asked: Asked, say: Callable[[str], None]) -> style.Stylist:
    content = samples.photograph("china") if asked.content is None else File.at(asked.content)
    look = samples.photograph("flower") if asked.look is None else File.at(asked.look)
    picture = pictures.decode_within(content.read(), asked.size, content.name)
    fitting = pictures.decode_covering(look.read(), picture.shape, look.name)
    base = style.style_base(asked.weights or weights.available(dense=False), picture.shape, style_layers=asked.layers)
    stylist = style.Stylist(base, picture, fitting, style_layers=asked.layers)
    stylist = stylist.with_weights(asked.counts) if asked.raw else stylist.calibrated(asked.counts)
    counts = stylist.loss_weights
    say(f"{base.provenance}, {picture.shape[1]} x {picture.shape[0]} pixels")
    say(f"weights: content {counts.content:.3g}, style {counts.style:.3g}, variation {counts.variation:.3g}")
    return stylist


def _run(asked: Asked, stylist: style.Stylist, say: Callable[[str], None]) -> style.Progress:
    console = Console(stderr=True)
    told = TextColumn("iteration {task.fields[iteration]}, loss {task.fields[loss]:.4g}")
    columns = (told, BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=asked.iterations * style.EVALUATIONS, iteration=1, loss=math.nan)

        def evaluated(iteration: int, evaluations: int, loss: float) -> None:
            # The line search may take an evaluation more.
            done = (iteration - 1) * style.EVALUATIONS + min(evaluations, style.EVALUATIONS)
            progress.update(task, completed=done, iteration=iteration, loss=loss)

        def iterated(run: style.Progress) -> None:
            say(f"iteration {run.iterations} of {asked.iterations}: loss {run.losses[-1]:.4g}")

        return style.run(
            stylist,
            asked.iterations,
            seed=asked.seed,
            state=asked.state,
            on_evaluation=evaluated,
            on_iteration=iterated,
        )
