"""Everything about one claim: its assertions, comparisons, controls and arms."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dlcv04.harness.claims.controls import real_id
from dlcv04.harness.judging.verdicts import evidence
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.arms import ArmRow, Times, arm_key, arm_row, stored_times
from dlcv04.harness.report.model.badges import BADGES, Badge, rank
from dlcv04.harness.report.model.claims import controls, real_claims, told_apart
from dlcv04.harness.report.model.comparisons import ComparisonRow, comparison_row
from dlcv04.harness.report.model.tone import (
    badge_counts,
    claim_badge,
    control_badge,
    is_notable,
    is_red,
    needs_attention,
    row_badge,
)
from dlcv04.harness.store.schema import Arm, Assertion, Claim, Run

#: What is said of tests whose code has no hash.
UNREAD = "Its code can't be read, so changes to it go unnoticed"
#: From so many exact figures on a card they stand in one table instead of a paragraph each.
COUNTED_FROM = 3


@dataclass(frozen=True)
class AssertionRow:
    """One assertion of a claim, every figure already text."""

    badge: Badge
    sentence: str
    effect: str
    margin: str
    n: str
    detectable: str
    kind: str
    method: str
    reason: str
    limit: str


@dataclass(frozen=True)
class ControlRow:
    """What a claim's control did."""

    badge: Badge
    name: str
    text: str


@dataclass(frozen=True)
class Card:
    """Everything about one claim."""

    anchor: str
    badge: Badge
    sentence: str
    test: str
    where: str
    reason: str
    command: str
    seconds: str
    published: str
    assertions: tuple[AssertionRow, ...]
    comparisons: tuple[ComparisonRow, ...]
    controls: tuple[ControlRow, ...]
    arm_rows: tuple[ArmRow, ...]
    claim: Claim
    arms: tuple[Arm, ...]
    stored: tuple[tuple[Badge, int], ...] = ()
    stored_times: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    repeats: tuple[Arm, ...] = ()
    told_apart: str = ""

    def named(self, width: int) -> str:
        """Its sentence on one line of about `width`; cut is the sentence, not what tells it apart from its like."""
        apart = f" {fmt.shorten(self.told_apart, 160)}" if self.told_apart else ""
        return fmt.shorten(self.sentence, max(20, width - len(apart)) if apart else width) + apart

    @property
    def lead(self) -> Assertion | None:
        """The assertion that stands for the claim on its line: the first of its worst ones."""
        return min(self.claim.assertions, key=lambda a: rank(a.verdict), default=None)

    @property
    def needs_attention(self) -> bool:
        """Whether the claim, its control or one of its comparisons is red or undecided."""
        return any(map(needs_attention, self.badges)) or any(needs_attention(row.badge) for row in self.comparisons)

    @property
    def is_unread(self) -> bool:
        """Whether its test's code has no hash, though it was judged by it."""
        return bool(self.assertions) and not self.claim.source_hash and not self.claim.is_control

    @property
    def counted(self) -> tuple[AssertionRow, ...]:
        """The exact figures where they are many: they have no interval, and share their method."""
        found = tuple(row for row in self.assertions if row.kind == "EXACT")
        return found if len(found) >= COUNTED_FROM else ()

    @property
    def detailed(self) -> tuple[AssertionRow, ...]:
        """The assertions that are shown one by one."""
        return tuple(row for row in self.assertions if row not in self.counted)

    @property
    def unremarkable(self) -> int:
        """Comparisons of figures that no claim asserts and that do not stand out: listed with all others below."""
        return len(self.claim.comparisons) - len(self.comparisons)

    @property
    def other_red(self) -> tuple[Badge, ...]:
        """Red verdicts of the comparisons and controls, shown beside the claim's own."""
        rows: list[ComparisonRow | ControlRow] = [*self.comparisons, *self.controls]
        found = {r.badge for r in rows if is_red(r.badge) and r.badge.word != self.badge.word}
        return tuple(sorted(found, key=lambda badge: rank(badge.word)))

    @property
    def badges(self) -> tuple[Badge, ...]:
        """Every verdict under which the card is found: its own first."""
        return (self.badge, *self.other_red)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its badges."""
        return tuple(badge.word for badge in self.badges)

    @property
    def rank(self) -> int:
        """Place in the report: the worst verdict on the card decides."""
        return min(map(rank, self.words))


def cards(run: Run, baselines: Sequence[Run]) -> tuple[Card, ...]:
    """A card for each claim and for each control without its claim, worst first."""
    real = {c.test for c in real_claims(run)}
    orphans = [c for c in controls(run) if real_id(c.test) not in real]
    shown = [*real_claims(run), *orphans]
    stored = stored_times(run, baselines)
    apart = told_apart(shown)
    anchors = _anchors([claim.test for claim in shown])
    found = [
        replace(_card(claim, anchor, run, stored), told_apart=apart.get(claim.test, ""))
        for claim, anchor in zip(shown, anchors, strict=True)
    ]
    return tuple(sorted(found, key=lambda card: (not card.needs_attention, card.rank)))


def _anchors(tests: Sequence[str]) -> list[str]:
    """An anchor a test, the same in every report: its id in plain characters, a hash where that is not unique."""
    plain = [re.sub("[^A-Za-z0-9_]+", "-", test).strip("-")[:120] for test in tests]
    often = Counter(plain)
    return [
        f"claim-{name}"
        + (f"-{hashlib.sha256(test.encode('utf-8', 'replace')).hexdigest()[:8]}" if often[name] > 1 else "")
        for name, test in zip(plain, tests, strict=True)
    ]


def _card(claim: Claim, anchor: str, run: Run, stored: Times) -> Card:
    arms = tuple(a for a in run.arms if a.test == claim.test)
    where = [claim.task] if claim.task else []
    where += [f"slide {claim.slide}"] if claim.slide is not None else []
    return Card(
        anchor=anchor,
        badge=control_badge(claim, run) if claim.is_control else claim_badge(claim, run),
        sentence=("Control of: " if claim.is_control else "") + claim.sentence,
        test=claim.test,
        where=" · ".join(where),
        reason=_reason(claim),
        command=claim.command,
        seconds=fmt.seconds(claim.seconds),
        published=claim.published.sentence,
        assertions=tuple(_assertion_rows(claim)),
        comparisons=_shown(claim, run, anchor),
        controls=tuple(_control_rows(claim, run)),
        arm_rows=tuple(arm_row(a) for a in arms),
        claim=claim,
        arms=arms,
        stored=badge_counts(row_badge(row, run) for row in claim.comparisons),
        repeats=tuple(a for a in run.repeats if a.test == claim.test),
        stored_times={arm.name: tuple(times) for arm in arms if (times := stored.get(arm_key(arm)))},
    )


def _shown(claim: Claim, run: Run, anchor: str) -> tuple[ComparisonRow, ...]:
    """The comparisons of what the claim asserts, and of all else what stands out, worst first."""
    shown = (c for c in claim.comparisons if c.asserted or is_notable(row_badge(c, run)))
    return tuple(sorted((comparison_row(c, run, anchor) for c in shown), key=lambda row: rank(row.badge.word)))


def _reason(claim: Claim) -> str:
    """Why a claim has its verdict, unless that only repeats its assertions, which stand below it."""
    repeated = any(text and text in claim.reason for a in claim.assertions for text in (a.sentence, a.reason))
    reason = "" if repeated else claim.reason
    return f"Expected to fail (xfail: {claim.expected}). {reason}".rstrip() if claim.expected else reason


def _assertion_rows(claim: Claim) -> Iterable[AssertionRow]:
    for a in claim.assertions:
        yield AssertionRow(
            badge=BADGES[a.verdict],
            sentence=a.sentence,
            effect=fmt.assertion_effect(a),
            margin=fmt.assertion_margin(a),
            n=evidence(a) if a.n_unit not in {"", "count"} else f"{a.n:,}",
            detectable=fmt.detectable(a),
            kind=a.kind,
            method=a.method,
            reason=a.reason,
            limit=fmt.limit_name(a),
        )


def _control_rows(claim: Claim, run: Run) -> Iterable[ControlRow]:
    ran = [c for c in controls(run) if real_id(c.test) == claim.test]
    for control in ran:
        badge = control_badge(control, run)
        outcome = {"BROKE": "broke the claim", "SURVIVED": "survived: the claim holds where it should not"}
        text = f"{outcome.get(badge.word, badge.meaning)}. {_control_figures(control)}"
        yield ControlRow(badge, control.control or claim.control, text.strip())
    if not ran and claim.control and not claim.is_control:
        text = claim.control_verdict or "run the suite with --dl-controls to see whether it breaks the claim."
        yield ControlRow(BADGES["NOT TRIED"], claim.control, text)


def _control_figures(control: Claim) -> str:
    """The figures of a control's deciding assertion."""
    if control.reason:
        return control.reason
    return "; ".join(f"{fmt.assertion_effect(a)}, {fmt.assertion_limit(a)}" for a in control.assertions[:2])
