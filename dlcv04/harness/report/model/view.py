"""The whole view of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from dlcv04.harness.report.model.badges import Badge, rank
from dlcv04.harness.report.model.cards import Card, cards
from dlcv04.harness.report.model.claims import controls, waiting_claims
from dlcv04.harness.report.model.comparisons import ComparisonRow, comparison_row, held_against
from dlcv04.harness.report.model.concerns import Concern, concerns
from dlcv04.harness.report.model.environment import EnvironmentRow, environment
from dlcv04.harness.report.model.facts import Fact, facts
from dlcv04.harness.report.model.headline import Headline, headline
from dlcv04.harness.report.model.readings import calibrator, clocks, overhead
from dlcv04.harness.report.model.tiles import Tile, tiles
from dlcv04.harness.report.model.tone import badge_counts, control_badge
from dlcv04.harness.store.schema import Claim, Run


@dataclass(frozen=True)
class View:
    """A run as every renderer shows it."""

    run: Run
    headline: Headline
    tiles: tuple[Tile, ...]
    facts: tuple[Fact, ...]
    concerns: tuple[Concern, ...]
    cards: tuple[Card, ...]
    comparisons: tuple[ComparisonRow, ...]
    comparison_counts: tuple[tuple[Badge, int], ...]
    claim_counts: tuple[tuple[Badge, int], ...]
    control_counts: tuple[tuple[Badge, int], ...]
    waiting: tuple[tuple[str, tuple[Claim, ...]], ...]
    tasks: tuple[str, ...]
    environment: tuple[EnvironmentRow, ...]
    clocks: tuple[Fact, ...]
    calibrator: tuple[Fact, ...]
    overhead: tuple[Fact, ...]
    held_against: str


def build(run: Run, baselines: Sequence[Run] = ()) -> View:
    """Build the view of `run` beside the stored runs `baselines` (none, one or several)."""
    shown = cards(run, baselines)
    anchors = {card.test: card.anchor for card in shown}
    rows = tuple(
        sorted(
            (comparison_row(c, run, anchors.get(c.test, "")) for c in run.comparisons),
            key=lambda row: (rank(row.badge.word), row.test, row.name),
        )
    )
    return View(
        run=run,
        headline=headline(run),
        tiles=tiles(run),
        facts=facts(run),
        concerns=concerns(run, shown, rows),
        cards=shown,
        comparisons=rows,
        comparison_counts=badge_counts(row.badge for row in rows),
        claim_counts=badge_counts(badge for card in shown for badge in card.badges),
        control_counts=badge_counts(control_badge(c, run) for c in controls(run)),
        waiting=tuple((need, tuple(found)) for need, found in groupby(waiting_claims(run), lambda c: c.needs)),
        tasks=tuple(sorted({card.claim.task for card in shown if card.claim.task})),
        environment=environment(run, baselines),
        clocks=clocks(run),
        calibrator=calibrator(run, baselines),
        overhead=overhead(run),
        held_against=held_against(run),
    )
