"""Several runs side by side as one HTML file that needs nothing else: readable without network and script."""

from __future__ import annotations

from collections.abc import Sequence

from dlcv04.harness.report.model import sides
from dlcv04.harness.report.plots import beside
from dlcv04.harness.report.renderers import templating
from dlcv04.harness.store.schema import Run


def render(runs: Sequence[Run]) -> str:
    """Two to `sides.MOST_SIDES` runs beside each other, as the text of one HTML page."""
    view = sides.build(runs)
    return str(
        templating.environment(("bars", _bars), ("curves", _curves))
        .get_template("side_by_side.html.j2")
        .render(
            view=view,
            letters=[side.letter for side in view.sides],
            **templating.looks("report.css", "several.css"),
        )
    )


def _bars(line: sides.Asserted | None) -> list[str]:
    """The interval of each run, in the order of the runs."""
    return beside.bars([cell.drawn for cell in line.cells]) if line else []


def _curves(arms: Sequence[object], letters: Sequence[str]) -> list[str]:
    return beside.curves(list(zip(letters, arms, strict=True)))  # type: ignore[arg-type]
