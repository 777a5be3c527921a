"""What to look at first: everything that is red or undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.badges import BADGES, Badge, rank
from dlcv04.harness.report.model.cards import Card
from dlcv04.harness.report.model.claims import short_name
from dlcv04.harness.report.model.comparisons import ComparisonRow
from dlcv04.harness.report.model.headline import interruption, lost_part
from dlcv04.harness.report.model.tone import interrupted_badge, lost_badge, needs_attention, unexplained_failures
from dlcv04.harness.store.schema import Run


@dataclass(frozen=True)
class Concern:
    """Something to look at first: the verdict, what it is about, why, and what differs."""

    badge: Badge
    title: str
    text: str
    differences: tuple[str, ...] = ()
    anchor: str = ""


def concerns(run: Run, cards: Sequence[Card], rows: Sequence[ComparisonRow]) -> tuple[Concern, ...]:
    """Every red or undecided verdict of a run, worst first."""
    shown = [Concern(BADGES["ERROR"], fmt.shorten(text, 200), "") for text in unexplained_failures(run)]
    if lost := lost_part(run):
        shown.append(
            Concern(lost_badge(), lost[:1].upper() + lost[1:], "Store a baseline on this machine: dlcv04 baseline.")
        )
    if run.interrupted:
        shown.append(Concern(interrupted_badge(run), interruption(run), ""))
    for card in cards:
        if needs_attention(card.badge):
            shown.append(Concern(card.badge, card.named(200), _why(card), (), card.anchor))
        for control in card.controls:
            if needs_attention(control.badge) and not card.claim.is_control:
                title = f"Control of “{card.named(200)}”"
                text = f"{control.name}: {control.text}"
                shown.append(Concern(control.badge, title, text, (), card.anchor))
    for row in rows:
        if needs_attention(row.badge):
            title = row.name if row.name.startswith(short_name(row.test)) else f"{row.name} in {short_name(row.test)}"
            text = row.reason or (f"{row.new} against {row.old}: {row.effect}" if row.effect != fmt.ABSENT else "")
            shown.append(Concern(row.badge, title, text, row.differences, row.anchor))
    short = [replace(s, title=fmt.shorten(s.title, 300), text=fmt.shorten(s.text, 600)) for s in shown]
    return tuple(sorted(short, key=lambda s: rank(s.badge.word)))


def _why(card: Card) -> str:
    """The reason of the claim where it is its own, else its worst assertion with the figures."""
    if card.reason or not card.assertions:
        return card.reason
    worst = min(card.assertions, key=lambda a: rank(a.badge.word))
    if worst.kind == "EXACT" and worst.reason:  # it has the figures and what was expected
        return worst.reason
    return f"{worst.sentence}: {worst.effect}, {worst.limit} {worst.margin}. {worst.reason}".strip()
