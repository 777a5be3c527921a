"""The report as one HTML file that needs nothing else: no network, no script to be readable, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dlcv04.harness.policy import Policy
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report import model
from dlcv04.harness.report.model import history
from dlcv04.harness.report.model.noise import noise
from dlcv04.harness.report.plots import curves, detection
from dlcv04.harness.report.plots.epoch_times import epoch_times
from dlcv04.harness.report.plots.epochs_to_target import epochs_to_target
from dlcv04.harness.report.plots.forest import bar, forest
from dlcv04.harness.report.plots.sparkline import sparkline
from dlcv04.harness.report.renderers import templating
from dlcv04.harness.store.schema import SECONDS, Run
from dlcv04.harness.store.selftests import SelfTest
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import jinja2

    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


@dataclass(frozen=True)
class Plots:
    """The pictures of one card as SVG text; empty where there is nothing to draw."""

    bar: str
    forest: list[str]
    times: str
    reach: list[str]
    learning: list[str]
    published: str


def render(run: Run, baselines: Sequence[Run] = (), self_test: SelfTest | None = None) -> str:
    """The report of `run` beside the stored runs `baselines`, as the text of one HTML page.

    `self_test` is the newest one of the run's machine class and key; without it the page says how to get one.
    """
    view = model.build(run, baselines)
    policy = Policy(profile=run.profile)
    page = _environment().get_template("report.html.j2")
    return str(
        page.render(
            view=view,
            unread=model.UNREAD,
            cards=[(card, _plots(card)) for card in view.cards],
            history=history.build(run, baselines),
            noise=noise(self_test, policy) if self_test is not None else (),
            detection=detection.detection_curve(self_test, policy) if self_test is not None else None,
            baselines=len(baselines),
            **templating.looks("report.css"),
            **_constants(),
        )
    )


def _environment() -> jinja2.Environment:
    return templating.environment(
        ("short_name", model.short_name),
        ("fingerprint", fmt.fingerprint),
        ("groupby_stable", _grouped),
        ("share_notes", model.share_notes),
        ("sparkline", sparkline),
        ("effect", fmt.assertion_effect),
        ("provenance", fmt.provenance),
    )


def _constants() -> dict[str, Any]:
    """What the template says of the rules behind the figures."""
    return {
        "seconds": SECONDS,
        "curves_caption": curves.CAPTION,
        "least": history.LEAST_FOR_CHANGES,
        "slope": stats.PRIOR_SLOPE,
        "axes": detection.axes(),
        "prior": f"{stats.PRIOR_PROCESS_SD:.1%} with {stats.PRIOR_PROCESS_DF:g} degrees of freedom",
    }


def _plots(card: model.Card) -> Plots:
    published = card.claim.published
    return Plots(
        bar=bar(card.lead) if card.lead else "",
        forest=forest(card.claim.assertions),
        times=epoch_times(card.arms, card.stored_times, published, card.repeats),
        reach=[svg for a in card.claim.assertions if (svg := epochs_to_target(a, card.arms))],
        learning=curves.learning_curves(card.arms, card.claim.assertions),
        published=curves.published_curves(published, card.arms),
    )


@dataclass(frozen=True)
class _Group:
    name: str
    rows: list[model.EnvironmentRow]


def _grouped(rows: Sequence[model.EnvironmentRow]) -> list[_Group]:
    """Rows of the environment under their heading, in their own order."""
    return [_Group(name, list(found)) for name, found in groupby(rows, key=lambda row: row.group)]
