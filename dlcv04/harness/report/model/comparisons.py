"""The figures compared with stored runs, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.badges import Badge
from dlcv04.harness.report.model.claims import short_name
from dlcv04.harness.report.model.tone import row_badge
from dlcv04.harness.store.schema import Comparison, Run


@dataclass(frozen=True)
class ComparisonRow:
    """One figure compared with stored runs, every value already text.

    `by_pairs`: it looked slower than the stored times, and process pairs decided in their place.
    """

    badge: Badge
    test: str
    name: str
    new: str
    old: str
    effect: str
    gate: str
    detectable: str
    n: str
    method: str
    reason: str
    differences: tuple[str, ...]
    against: str
    anchor: str = ""
    by_pairs: bool = False

    @property
    def note(self) -> tuple[object, ...]:
        """What stands below the figures; rows in a row with the same one share it."""
        return self.badge.word, self.reason, self.differences, self.method, self.against


def comparison_row(c: Comparison, run: Run, anchor: str) -> ComparisonRow:
    """One comparison of a run as text; `anchor` is that of its claim's card."""
    return ComparisonRow(
        badge=row_badge(c, run),
        test=c.test,
        name=f"{c.arm}: {fmt.metric_name(c.metric)}" if c.arm else f"{short_name(c.test)}: {fmt.metric_name(c.metric)}",
        new=fmt.metric_value(c.metric, c.unit, c.new),
        old=fmt.metric_value(c.metric, c.unit, c.old),
        effect=fmt.comparison_effect(c),
        gate=fmt.in_unit(c.gate, c.unit, bare=c.unit != "points"),
        detectable=fmt.in_unit(c.minimum_detectable_effect, c.unit, bare=c.unit != "points").lstrip("+"),
        n=f"{c.n_new:,} / {c.n_old:,}",
        method=c.method,
        reason=c.reason,
        differences=tuple(c.differences),
        against=_against(c.baselines),
        anchor=anchor,
        by_pairs=c.first_look is not None,
    )


def share_notes(rows: Sequence[ComparisonRow]) -> list[tuple[ComparisonRow, int]]:
    """Each row with how many rows, itself the last, the note below it speaks of; 0 where a later row's note does."""
    noted = []
    for _, group in groupby(rows, key=lambda row: row.note):
        shared = list(group)
        noted += [*((row, 0) for row in shared[:-1]), (shared[-1], len(shared))]
    return noted


def _against(baselines: Sequence[str]) -> str:
    more = f" and {len(baselines) - 2} more" if len(baselines) > 2 else ""
    return ", ".join(baselines[:2]) + more


def held_against(run: Run) -> str:
    """What a run's figures were compared with, as part of a sentence."""
    sides = [fmt.plural(len(run.compared_with), "stored run")] if run.compared_with else []
    if run.against is not None:
        pairs = len({rounds.pair for rounds in run.against.pairs})
        sides.append(f"{run.against.rev} in {fmt.plural(pairs, 'process pair')}")
    return f"against {' and '.join(sides)}" if sides else "(no stored run to compare with)"
