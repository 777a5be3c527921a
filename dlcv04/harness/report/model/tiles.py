"""The counts on the first screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dlcv04.harness.judging import outcome
from dlcv04.harness.report.model.badges import Badge, in_sentence
from dlcv04.harness.report.model.claims import controls, real_claims
from dlcv04.harness.report.model.tone import (
    RED,
    badge_counts,
    claim_badge,
    control_badge,
    interrupted_badge,
    lost_badge,
    of_share,
    row_badge,
    unexplained_failures,
    worst,
)
from dlcv04.harness.store.schema import Run


@dataclass(frozen=True)
class Tile:
    """One count on the first screen: `4 / 6 claims hold`."""

    value: str
    label: str
    tone: str


def tiles(run: Run) -> tuple[Tile, ...]:
    """What is counted of a run: claims, figures, controls and errors."""
    claims = _Counts(claim_badge(claim, run) for claim in real_claims(run))
    compared = _Counts(row_badge(row, run) for row in run.comparisons)
    tried = _Counts(control_badge(control, run) for control in controls(run))
    shown = [_share(claims["HOLDS"], claims.total, "claims hold", "claim holds")]
    shown += claims.tiles({"VIOLATED": "violated", "INCONCLUSIVE": "inconclusive"})
    if compared.total:
        shown.append(_share(compared["PASS"], compared.total, "figures pass", "figure passes"))
        shown += compared.tiles(_FIGURES)
    if kinds := outcome.lost_kinds(run):
        shown.append(
            Tile(str(len(kinds)), f"{'kinds' if len(kinds) > 1 else 'kind'} not comparable", lost_badge().tone)
        )
    if tried.total:
        shown.append(Tile(f"{tried['BROKE']} / {tried.total}", "controls broke their claim", worst(tried.tones)))
    if failed := unexplained_failures(run):
        shown.append(Tile(str(len(failed)), "ended with an error", RED))
    if run.interrupted:
        shown.append(Tile(str(len(run.not_run)), "not run to the end", interrupted_badge(run).tone))
    return tuple(shown)


_FIGURES = {name: in_sentence(name) for name in ("REGRESSED", "MISSING", "STALE")} | {
    "INCONCLUSIVE": "figure{s} inconclusive",
    "IMPROVED": "improved",
    "CHANGED": "figure{s} changed",
    "NO_BASELINE": "without baseline",
}


class _Counts:
    """How often each verdict occurs, and in which tone."""

    def __init__(self, badges: Iterable[Badge]) -> None:
        self._found = {badge.word: (badge, count) for badge, count in badge_counts(badges)}
        self.total = sum(count for _, count in self._found.values())
        self.tones = [badge.tone for badge, _ in self._found.values()]

    def __getitem__(self, word: str) -> int:
        return self._found[word][1] if word in self._found else 0

    def tiles(self, labels: Mapping[str, str]) -> list[Tile]:
        """A tile for each of these verdicts that occurs."""
        shown = [(*self._found[word], label) for word, label in labels.items() if word in self._found]
        return [
            Tile(str(count), label.format(s="" if count == 1 else "s"), badge.tone) for badge, count, label in shown
        ]


def _share(count: int, total: int, label: str, label_of_one: str) -> Tile:
    return Tile(f"{count} / {total}", label_of_one if total == 1 else label, of_share(count, total))
