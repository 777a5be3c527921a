"""The trends of many runs as one HTML file that needs nothing else: readable without network and script."""

from __future__ import annotations

from collections.abc import Sequence

from dlcv04.harness.report.model import history, over_time
from dlcv04.harness.report.model.claims import short_name
from dlcv04.harness.report.plots.sparkline import sparkline
from dlcv04.harness.report.renderers import templating
from dlcv04.harness.store.schema import Run


def render(runs: Sequence[Run]) -> str:
    """Every figure of these runs over time, as the text of one HTML page."""
    return str(
        templating.environment(("short_name", short_name), ("sparkline", sparkline))
        .get_template("trends.html.j2")
        .render(
            view=over_time.build(runs),
            least=history.LEAST_FOR_CHANGES,
            **templating.looks("report.css", "several.css"),
        )
    )
