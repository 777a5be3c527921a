"""The one view of a run that every renderer shows: built from a `Run` and stored runs by pure functions.

Nothing here judges: verdicts are read from the run. This module orders them (red first), counts them, says the run's
outcome in one sentence and names what differs from the stored runs.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from dlcv04.harness.environment import throttle_reasons
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.schema import Arm, Claim, Comparison, Recheck, Run

#: From so many exact figures on a card they stand in one table instead of a paragraph each.
COUNTED_FROM = 3
#: How a control's node id ends: `test_x[control]`, `test_x[a-control]`.
_CONTROL_ID = re.compile(r"\[(.*?)-?\bcontrol\]$")


@dataclass(frozen=True)
class Badge:
    """A verdict as shown: its word, a symbol and a tone, so that colour never carries the meaning alone."""

    word: str
    symbol: str
    tone: str
    meaning: str

    @property
    def text(self) -> str:
        """The word for a reader: `NO BASELINE`."""
        return self.word.replace("_", " ")


#: Tones: good, better, unsure, none, bad. The order is the order of display, worst first.
BADGES: dict[str, Badge] = {
    b.word: b
    for b in (
        Badge("ERROR", "✗", "bad", "the test ended with an error before a verdict"),
        Badge("VIOLATED", "✗", "bad", "the interval's far bound falls short of the margin"),
        Badge("REGRESSED", "▼", "bad", "worse than the stored runs, beyond the gate"),
        Badge("MISSING", "∅", "bad", "stored for this profile, but not run"),
        Badge("STALE", "↻", "bad", "the test's code, arms or recipe changed since the baseline was stored"),
        Badge("SURVIVED", "✗", "bad", "the claim held on a control that should have broken it"),
        Badge("NOT RUN", "✗", "bad", "the control asserted nothing, so it shows nothing"),
        Badge("WEAK CONTROL", "?", "unsure", "the control ran but could not have told the difference"),
        Badge("INCONCLUSIVE", "?", "unsure", "the interval straddles the margin"),
        Badge("NOT TRIED", "○", "none", "controls run only with --dl-controls"),
        Badge("NOT JUDGED", "○", "none", "this profile is too small to judge the claim"),
        Badge("NO_BASELINE", "○", "none", "nothing is stored for this figure"),
        Badge("INCOMPARABLE", "○", "none", "stored only for another machine class or other data"),
        Badge("IMPROVED", "▲", "better", "better than the stored runs, beyond the gate"),
        Badge("BROKE", "✓", "good", "the control broke the claim, as it should"),
        Badge("PASS", "✓", "good", "within the gate of the stored runs"),
        Badge("HOLDS", "✓", "good", "the interval's near bound lies beyond the margin"),
    )
}
_RANK = {word: rank for rank, word in enumerate(BADGES)}


@dataclass(frozen=True)
class Headline:
    """The verdict of the whole run in one sentence."""

    text: str
    tone: str
    symbol: str


@dataclass(frozen=True)
class Tile:
    """One count on the first screen: `4 / 6 claims hold`."""

    value: str
    label: str
    tone: str


@dataclass(frozen=True)
class Fact:
    """A labelled value; `title` holds the long form, `warn` asks to be noticed."""

    label: str
    text: str
    title: str = ""
    warn: bool = False


@dataclass(frozen=True)
class Suspect:
    """Something to look at first: the verdict, what it is about, why, and what differs."""

    badge: Badge
    title: str
    text: str
    differences: tuple[str, ...] = ()
    anchor: str = ""


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
class ComparisonRow:
    """One figure held against stored runs, every value already text.

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


@dataclass(frozen=True)
class ControlRow:
    """What a claim's control did."""

    badge: Badge
    name: str
    text: str


@dataclass(frozen=True)
class ArmRow:
    """What one arm costs: parameters, memory and time, every value already text."""

    name: str
    network: str
    parameters: str
    macs: str
    weights: str
    optimizer: str
    activations: str
    epoch: str
    compiled: str
    facts: tuple[Fact, ...]
    values: str = ""


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
    stored_times: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    repeats: tuple[Arm, ...] = ()

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
    def also(self) -> tuple[Badge, ...]:
        """Red verdicts of the comparisons and controls, shown beside the claim's own."""
        rows: list[ComparisonRow | ControlRow] = [*self.comparisons, *self.controls]
        words = {r.badge.word for r in rows if r.badge.tone == "bad"} - {self.badge.word}
        return tuple(BADGES[word] for word in sorted(words, key=_RANK.__getitem__))

    @property
    def words(self) -> tuple[str, ...]:
        """Every verdict under which the card is found: its own first."""
        return tuple(b.word for b in (self.badge, *self.also))

    @property
    def rank(self) -> int:
        """Place in the report: the worst verdict on the card decides."""
        return min(_RANK[word] for word in self.words)


@dataclass(frozen=True)
class EnvironmentRow:
    """One property of the machine or its software, now and in the stored runs."""

    group: str
    name: str
    now: str
    then: str
    differs: bool


@dataclass(frozen=True)
class View:
    """A run as every renderer shows it."""

    run: Run
    headline: Headline
    tiles: tuple[Tile, ...]
    facts: tuple[Fact, ...]
    suspects: tuple[Suspect, ...]
    cards: tuple[Card, ...]
    comparisons: tuple[ComparisonRow, ...]
    comparison_counts: tuple[tuple[Badge, int], ...]
    claim_counts: tuple[tuple[Badge, int], ...]
    control_counts: tuple[tuple[Badge, int], ...]
    tasks: tuple[str, ...]
    environment: tuple[EnvironmentRow, ...]
    clocks: tuple[Fact, ...]
    calibrator: tuple[Fact, ...]
    overhead: tuple[Fact, ...]
    held_against: str


def build(run: Run, baselines: Sequence[Run] = ()) -> View:
    """Build the view of `run` beside the stored runs `baselines` (none, one or several)."""
    cards = _cards(run, baselines)
    anchors = {card.test: card.anchor for card in cards}
    rows = tuple(
        sorted(
            (_comparison_row(c, anchors.get(c.test, "")) for c in run.comparisons),
            key=lambda row: (_RANK[row.badge.word], row.test, row.name),
        )
    )
    return View(
        run=run,
        headline=headline(run),
        tiles=_tiles(run),
        facts=_facts(run),
        suspects=_suspects(run, cards, rows),
        cards=cards,
        comparisons=rows,
        comparison_counts=_counts(row.badge.word for row in rows),
        claim_counts=_counts(word for card in cards for word in card.words),
        control_counts=_counts(control_badge(c).word for c in controls(run)),
        tasks=tuple(sorted({card.claim.task for card in cards if card.claim.task})),
        environment=_environment(run, baselines),
        clocks=_clocks(run),
        calibrator=_calibrator(run, baselines),
        overhead=_overhead(run),
        held_against=_held_against(run),
    )


def _counts(words: Iterable[str]) -> tuple[tuple[Badge, int], ...]:
    """How often each verdict occurs, worst first; what never does is left out."""
    counts = Counter(words)
    return tuple((badge, counts[name]) for name, badge in BADGES.items() if counts[name])


def claim_badge(claim: Claim) -> Badge:
    """The badge of a claim; one that this profile can't judge says so."""
    return BADGES[claim.verdict if claim.judged else "NOT JUDGED"]


def control_badge(control: Claim) -> Badge:
    """The badge of a control: a claim that holds on its control has survived it."""
    if control.verdict == "HOLDS":
        return BADGES["SURVIVED"]
    said = control.control_verdict
    return BADGES["WEAK CONTROL" if said == "CONTROL_WEAK" else said if said in {"SURVIVED", "NOT RUN"} else "BROKE"]


def real_test(control: str) -> str:
    """The node id of the claim that a control's node id belongs to."""
    return _CONTROL_ID.sub(lambda m: f"[{m[1]}]" if m[1] else "", control)


def real_claims(run: Run) -> list[Claim]:
    """The claims of a run without their controls."""
    return [c for c in run.claims if not c.is_control]


def controls(run: Run) -> list[Claim]:
    """The controls of a run."""
    return [c for c in run.claims if c.is_control]


def errors(run: Run) -> list[str]:
    """Failed tests that no red verdict of a claim explains."""
    red = {c.test for c in real_claims(run) if c.verdict == "VIOLATED"}
    red |= {c.test for c in controls(run) if control_badge(c).tone == "bad"}
    red |= {c.test for c in run.comparisons if BADGES[c.verdict].tone == "bad"}
    # A failed control is told both as a claim of the run and as a sentence that starts with its verdict.
    return [text for text in run.failures if text not in red and not text.startswith("control ")]


def worst_first(words: Iterable[str]) -> list[str]:
    """Verdicts in order of display, red first."""
    return sorted(words, key=_RANK.__getitem__)


def word(name: str) -> str:
    """A verdict as part of a sentence: `no baseline`."""
    return name.replace("_", " ").lower()


# --- the headline ---


def headline(run: Run) -> Headline:
    """Say the verdict of `run` in one sentence."""
    failed = errors(run)
    parts = [_claims_part(run), _comparisons_part(run), _controls_part(run)]
    if failed:
        parts.append(f"{fmt.plural(len(failed), 'test')} ended with an error")
    text = "; ".join(part for part in parts if part) + "."
    tone = _tone(run, bool(failed))
    symbol = {"bad": "✗", "unsure": "?", "good": "✓"}.get(tone, "○")
    return Headline(text[:1].upper() + text[1:], tone, symbol)


def _tone(run: Run, failed: bool) -> str:
    badges = [claim_badge(c) for c in real_claims(run)] + [control_badge(c) for c in controls(run)]
    tones = {b.tone for b in badges} | {BADGES[c.verdict].tone for c in run.comparisons}
    if failed or "bad" in tones:
        return "bad"
    if "unsure" in tones:
        return "unsure"
    return "good" if tones & {"good", "better"} else "none"


def _claims_part(run: Run) -> str:
    claims = real_claims(run)
    judged = Counter(c.verdict for c in claims if c.judged)
    total = sum(judged.values())
    if not claims:
        return "" if run.claims else "no claim was run"
    shown = len(claims) - total
    if not total:
        return f"{fmt.plural(shown, 'claim')} shown without a verdict: profile {run.profile!r} is too small to judge"
    if judged["HOLDS"] == total:
        text = "the only claim holds" if total == 1 else f"all {total} claims hold"
    else:
        text = f"{judged['HOLDS']} of {fmt.plural(total, 'claim')} hold{'s' if total == 1 else ''}"
    text += "".join(f", {judged[v]} {v.lower()}" for v in ("INCONCLUSIVE", "VIOLATED") if judged[v])
    return text + (f", {shown} shown without a verdict" if shown else "")


def _held_against(run: Run) -> str:
    found = [fmt.plural(len(run.compared_with), "stored run")] if run.compared_with else []
    if run.against is not None:
        pairs = len({rounds.pair for rounds in run.against.pairs})
        found.append(f"{run.against.rev} in {fmt.plural(pairs, 'process pair')}")
    return f"against {' and '.join(found)}" if found else "(no stored run to compare with)"


def _comparisons_part(run: Run) -> str:
    compared = sorted(run.comparisons, key=lambda c: _RANK[c.verdict])
    if not compared:
        return ""
    counts: Counter[str] = Counter(c.verdict for c in compared)
    against = _held_against(run)
    text = f"{counts['PASS']} of {fmt.plural(len(compared), 'figure')} pass {against}"
    alone = counts["NO_BASELINE"] + counts["INCOMPARABLE"]
    text += f", {alone} without a comparable baseline" if alone else ""
    order = ("IMPROVED", "INCONCLUSIVE", "STALE", "MISSING", "REGRESSED")
    text += "".join(f", {counts[v]} {word(v)}" for v in order if counts[v])
    worst = compared[0]
    if BADGES[worst.verdict].tone != "bad":
        return text
    named = [_figure_name(c) for c in compared if c.verdict == worst.verdict]
    more = f" and {len(named) - 2} more" if len(named) > 2 else ""
    # The worst verdict need not be the one the list ends with, so it is named again where they differ.
    label = "" if counts["REGRESSED"] else f"{word(worst.verdict)} "
    return text + (": " if not label else f" ({label}") + ", ".join(named[:2]) + more + (")" if label else "")


def _figure_name(comparison: Comparison) -> str:
    name = fmt.shorten(comparison.arm or test_name(comparison.test), 40)
    return f"{name} {fmt.metric_name(fmt.shorten(comparison.metric, 40))}".strip()


def _controls_part(run: Run) -> str:
    counts = Counter(control_badge(c).word for c in controls(run))
    total = sum(counts.values())
    if not total:
        return ""
    text = f"{counts['BROKE']} of {fmt.plural(total, 'control')} broke {'its' if total == 1 else 'their'} claim"
    order = (("WEAK CONTROL", "too weak to tell"), ("NOT RUN", "not run"), ("SURVIVED", "survived"))
    return text + "".join(f", {counts[name]} {label}" for name, label in order if counts[name])


# --- the first screen ---


def _tiles(run: Run) -> tuple[Tile, ...]:
    claims = Counter(claim_badge(c).word for c in real_claims(run))
    compared: Counter[str] = Counter(c.verdict for c in run.comparisons)
    tried = Counter(control_badge(c).word for c in controls(run))
    tiles = [_share(claims["HOLDS"], sum(claims.values()) - claims["NOT JUDGED"], "claims hold")]
    tiles += _nonzero(
        claims, (("VIOLATED", "violated"), ("INCONCLUSIVE", "inconclusive"), ("NOT JUDGED", "not judged"))
    )
    if compared:
        tiles.append(_share(compared["PASS"], sum(compared.values()), "figures pass"))
        tiles += _nonzero(
            compared,
            tuple((v, word(v)) for v in ("REGRESSED", "MISSING", "STALE"))
            + (("INCONCLUSIVE", "figures inconclusive"), ("IMPROVED", "improved"))
            + (("NO_BASELINE", "without baseline"), ("INCOMPARABLE", "incomparable")),
        )
    if tried:
        tones = {BADGES[name].tone for name in tried}
        tone = "bad" if "bad" in tones else "unsure" if "unsure" in tones else "good"
        tiles.append(Tile(f"{tried['BROKE']} / {sum(tried.values())}", "controls broke their claim", tone))
    if failed := errors(run):
        tiles.append(Tile(str(len(failed)), "ended with an error", "bad"))
    return tuple(tiles)


def _share(count: int, total: int, label: str) -> Tile:
    return Tile(f"{count} / {total}", label, "good" if count == total and total else "none")


def _nonzero(counts: Counter[str], labels: Iterable[tuple[str, str]]) -> list[Tile]:
    return [Tile(str(counts[name]), label, BADGES[name].tone) for name, label in labels if counts[name]]


def _facts(run: Run) -> tuple[Fact, ...]:
    commit = run.commit.id[:10] or "unknown"
    if run.commit.branch:
        commit += f" on {run.commit.branch}"
    if run.commit.dirty:
        commit += ", uncommitted changes"
    facts = [
        Fact("Profile", run.profile + (", whole suite" if run.whole_suite else ", part of the suite")),
        Fact("Device", run.device),
        Fact("Machine class", run.environment.machine_class),
        Fact("Commit", commit, run.commit.id, warn=run.commit.dirty),
        Fact("Started", fmt.moment(run.started), run.started),
        Fact("Duration", fmt.seconds(run.seconds)),
    ]
    facts += [
        Fact(
            "Data" if len(run.data) == 1 else f"Data: {d.name}",
            f"{d.name if len(run.data) == 1 else d.kind}, {d.provenance}, {fmt.fingerprint(d.fingerprint)}",
            f"{d.name} ({d.kind}), sha256 {d.fingerprint}",
        )
        for d in run.data
    ]
    if run.against is not None:
        known = f"{100 * run.against.process_sd:.1f} % on {run.against.process_df:g} degrees of freedom"
        text = f"{run.against.rev} ({run.against.commit[:10]}); between processes {known}, {run.against.process_source}"
        facts.append(Fact("Against", text))
    facts += [_recheck_fact(found) for found in run.rechecks]
    if run.acceptance:
        forced = ", forced" if run.acceptance.forced else ""
        facts.append(Fact("Accepted", f"{fmt.moment(run.acceptance.accepted)}{forced}: {run.acceptance.reason}"))
    return tuple(replace(f, text=fmt.shorten(f.text, 160), title=f.title or f.text) for f in facts)


def _recheck_fact(found: Recheck) -> Fact:
    """What decided a test whose time looked slower than the stored ones."""
    if found.against is None:
        return Fact("Looked slower", f"{test_name(found.test)}: no process pairs: {found.why}", warn=True)
    count = len({rounds.pair for rounds in found.against.pairs})
    return Fact(
        "Looked slower", f"{test_name(found.test)}: {fmt.plural(count, 'process pair')} against {found.against.rev}"
    )


def _suspects(run: Run, cards: Sequence[Card], rows: Sequence[ComparisonRow]) -> tuple[Suspect, ...]:
    found = [Suspect(BADGES["ERROR"], fmt.shorten(text, 200), "") for text in errors(run)]
    for card in cards:
        if card.badge.tone in {"bad", "unsure"}:
            found.append(Suspect(card.badge, card.sentence, _why(card), (), card.anchor))
        for control in card.controls:
            if control.badge.tone in {"bad", "unsure"} and not card.claim.is_control:
                title = f"Control of “{card.sentence}”"
                text = f"{control.name}: {control.text}"
                found.append(Suspect(control.badge, title, text, (), card.anchor))
    for row in rows:
        if row.badge.tone in {"bad", "unsure"}:
            title = row.name if row.name.startswith(test_name(row.test)) else f"{row.name} in {test_name(row.test)}"
            text = row.reason or (f"{row.new} against {row.old}: {row.effect}" if row.effect != fmt.ABSENT else "")
            found.append(Suspect(row.badge, title, text, row.differences, row.anchor))
    short = [replace(s, title=fmt.shorten(s.title, 300), text=fmt.shorten(s.text, 600)) for s in found]
    return tuple(sorted(short, key=lambda s: _RANK[s.badge.word]))


def _why(card: Card) -> str:
    """The reason of the claim where it is its own, else its worst assertion with the figures."""
    if card.reason or not card.assertions:
        return card.reason
    worst = min(card.assertions, key=lambda a: _RANK[a.badge.word])
    return f"{worst.sentence}: {worst.effect}, {worst.limit} {worst.margin}. {worst.reason}".strip()


# --- one card a claim ---


def _cards(run: Run, baselines: Sequence[Run]) -> tuple[Card, ...]:
    real = {c.test for c in real_claims(run)}
    orphans = [c for c in controls(run) if real_test(c.test) not in real]
    shown = [*real_claims(run), *orphans]
    stored = _stored_times(run, baselines)
    cards = [_card(claim, f"claim-{i}", run, stored) for i, claim in enumerate(shown, start=1)]
    return tuple(sorted(cards, key=lambda card: card.rank))


def _card(claim: Claim, anchor: str, run: Run, stored: _Times) -> Card:
    arms = tuple(a for a in run.arms if a.test == claim.test)
    where = [claim.task] if claim.task else []
    where += [f"slide {claim.slide}"] if claim.slide is not None else []
    return Card(
        anchor=anchor,
        badge=control_badge(claim) if claim.is_control else claim_badge(claim),
        sentence=("Control of: " if claim.is_control else "") + claim.sentence,
        test=claim.test,
        where=" · ".join(where),
        reason=_reason(claim, run),
        command=claim.command,
        seconds=fmt.seconds(claim.seconds),
        published=claim.published.sentence,
        assertions=tuple(_assertion_rows(claim)),
        comparisons=tuple(
            sorted((_comparison_row(c, anchor) for c in claim.comparisons), key=lambda r: _RANK[r.badge.word])
        ),
        controls=tuple(_control_rows(claim, run)),
        arm_rows=tuple(_arm_row(a) for a in arms),
        claim=claim,
        arms=arms,
        repeats=tuple(a for a in run.repeats if a.test == claim.test),
        stored_times={arm.name: tuple(times) for arm in arms if (times := stored.get(_arm_key(arm)))},
    )


def _reason(claim: Claim, run: Run) -> str:
    """Why a claim has its verdict, unless that only repeats its assertions, which stand below it."""
    if not claim.judged:
        return f"Figures only: judged from the profile {claim.judged_from!r} on, and this run is {run.profile!r}."
    repeated = any(text and text in claim.reason for a in claim.assertions for text in (a.sentence, a.reason))
    return "" if repeated else claim.reason


def _assertion_rows(claim: Claim) -> Iterable[AssertionRow]:
    for a in claim.assertions:
        yield AssertionRow(
            badge=BADGES[a.verdict] if claim.judged else BADGES["NOT JUDGED"],
            sentence=a.sentence,
            effect=fmt.assertion_effect(a),
            margin=fmt.assertion_margin(a),
            n=fmt.plural(a.n, a.n_unit.removesuffix("s")) if a.n_unit not in {"", "count"} else f"{a.n:,}",
            detectable=fmt.detectable(a),
            kind=a.kind,
            method=a.method,
            reason=a.reason,
            limit=fmt.limit_name(a),
        )


def _comparison_row(c: Comparison, anchor: str) -> ComparisonRow:
    return ComparisonRow(
        badge=BADGES[c.verdict],
        test=c.test,
        name=f"{c.arm}: {fmt.metric_name(c.metric)}" if c.arm else f"{test_name(c.test)}: {fmt.metric_name(c.metric)}",
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


def noted(rows: Sequence[ComparisonRow]) -> list[tuple[ComparisonRow, int]]:
    """Each row with how many rows, itself the last, the note below it speaks of; 0 where a later row's note does."""
    found = []
    for _, group in groupby(rows, key=lambda row: row.note):
        shared = list(group)
        found += [*((row, 0) for row in shared[:-1]), (shared[-1], len(shared))]
    return found


def _against(baselines: Sequence[str]) -> str:
    more = f" and {len(baselines) - 2} more" if len(baselines) > 2 else ""
    return ", ".join(baselines[:2]) + more


def _control_rows(claim: Claim, run: Run) -> Iterable[ControlRow]:
    ran = [c for c in controls(run) if real_test(c.test) == claim.test]
    for control in ran:
        badge = control_badge(control)
        said = {"BROKE": "broke the claim", "SURVIVED": "survived: the claim holds where it should not"}
        text = f"{said.get(badge.word, badge.meaning)}. {_seen(control)}"
        yield ControlRow(badge, control.control or claim.control, text.strip())
    if not ran and claim.control and not claim.is_control:
        profile = "" if claim.judged else f" in the profile {claim.judged_from!r}"
        text = claim.control_verdict or f"run the suite with --dl-controls{profile} to see whether it breaks the claim."
        yield ControlRow(BADGES["NOT TRIED"], claim.control, text)


def _seen(control: Claim) -> str:
    """The figures of a control's deciding assertion."""
    if control.reason:
        return control.reason
    return "; ".join(f"{fmt.assertion_effect(a)}, {fmt.assertion_limit(a)}" for a in control.assertions[:2])


def _arm_row(arm: Arm) -> ArmRow:
    times = arm.epoch_seconds
    facts = [Fact(str(name), _flat(value)) for name, value in sorted(arm.facts.items())]
    return ArmRow(
        name=arm.name + (" (noisy)" if arm.noisy else ""),
        network=arm.network,
        parameters=fmt.number(arm.parameters),
        macs=fmt.number(arm.macs),
        weights=fmt.data_size(arm.weight_bytes),
        optimizer=fmt.data_size(arm.optimizer_bytes),
        activations=fmt.data_size(arm.activation_bytes),
        epoch=fmt.seconds(statistics.median(times)) if times else fmt.ABSENT,
        compiled=fmt.seconds(arm.compile_seconds),
        facts=tuple(facts),
        values=_values(arm),
    )


def _values(arm: Arm) -> str:
    """What an arm is that was neither timed nor trained, and the mean of its values where they are stored."""
    if arm.parameters is not None or arm.round_seconds or arm.curves:
        return ""
    mean = f"mean {fmt.number(statistics.fmean(arm.values))} of {len(arm.values):,} values" if arm.values else ""
    return ", ".join(filter(None, (arm.network, mean))) or "computed"


def _flat(value: object) -> str:
    """A fact's value on one line; nested facts as `name=value` pairs."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={_flat(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_flat(inner) for inner in value)
    return fmt.number(value) if isinstance(value, float) else str(value)


_Times = Mapping[tuple[str, str, str], Sequence[float]]


def _stored_times(run: Run, baselines: Sequence[Run]) -> _Times:
    """Seconds an epoch of every arm in the stored runs of this run's key, by test, arm and the arm's own key."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for baseline in baselines:
        for arm in baseline.arms if baseline.key == run.key else []:
            found.setdefault(_arm_key(arm), []).extend(arm.epoch_seconds)
    return found


def _arm_key(arm: Arm) -> tuple[str, str, str]:
    return arm.test, arm.name, repr(sorted(arm.key.items()))


def test_name(node: str) -> str:
    """A test's own name without its file: `bench/test_a.py::test_b` becomes `test_b`."""
    return node.rsplit("::", 1)[-1]


test_name.__test__ = False  # type: ignore[attr-defined]


# --- environment ---


def _environment(run: Run, baselines: Sequence[Run]) -> tuple[EnvironmentRow, ...]:
    rows = [_environment_row("machine", "machine class", [_machine(b) for b in baselines], _machine(run))]
    for group, pick in (("hardware", _hardware), ("software", _software), ("key", _key)):
        stored = [pick(b) for b in baselines]
        names = dict.fromkeys([*pick(run), *(name for values in stored for name in values)])
        rows += [
            _environment_row(group, name, [s.get(name, "absent") for s in stored], pick(run).get(name, "absent"))
            for name in names
        ]
    # The clocks themselves move from run to run; that something slowed them is a difference.
    if now := _throttled(run):
        rows.append(_environment_row("clocks", "GPU throttled", [_throttled(b) or "unknown" for b in baselines], now))
    return tuple(rows)


def _throttled(run: Run) -> str:
    """What slowed the GPU's clocks in any timed arm, "no", or "" where no GPU was read."""
    read = [arm.clocks for arm in run.arms if "gpu throttle" in arm.clocks]
    if not read:
        return ""
    return ", ".join(dict.fromkeys(reason for one in read for reason in throttle_reasons(one))) or "no"


def _environment_row(group: str, name: str, stored: Sequence[str], now: str) -> EnvironmentRow:
    seen = Counter(stored)
    text = ", ".join(value if len(seen) == 1 else f"{value} ({count}×)" for value, count in sorted(seen.items()))
    return EnvironmentRow(group, name, now, text, any(value != now for value in seen))


def _machine(run: Run) -> str:
    return run.environment.machine_class


def _hardware(run: Run) -> dict[str, str]:
    return run.environment.hardware


def _software(run: Run) -> dict[str, str]:
    return run.environment.software


def _key(run: Run) -> dict[str, str]:
    return run.key


def differences(run: Run, baselines: Sequence[Run]) -> tuple[EnvironmentRow, ...]:
    """The rows of the environment that differ between `run` and the stored runs."""
    return tuple(row for row in _environment(run, baselines) if row.differs)


#: How a reading of the clocks is shown: its name, a figure's form, and the unit of the range.
_READINGS = {
    "gpu sm mhz": ("GPU clock", "{:,.0f}", "MHz"),
    "gpu memory mhz": ("GPU memory clock", "{:,.0f}", "MHz"),
    "gpu celsius": ("GPU temperature", "{:.0f}", "°C"),
    "gpu watts": ("GPU power", "{:.0f}", "W"),
    "cpu mhz": ("CPU clock", "{:,.0f}", "MHz"),
    "cpu steal": ("Taken by the hypervisor", "{:.1%}", ""),
}


def _clocks(run: Run) -> tuple[Fact, ...]:
    """The worst readings of each timed block, from the least to the most of all blocks."""
    facts = []
    for name, (label, form, unit) in _READINGS.items():
        if values := [arm.clocks[name] for arm in run.arms if name in arm.clocks]:
            ends = dict.fromkeys(form.format(value).replace("%", " %") for value in (min(values), max(values)))
            facts.append(Fact(label, f"{' to '.join(ends)} {unit}".strip()))
    if throttled := _throttled(run):
        facts.append(Fact("GPU throttled", throttled, warn=throttled != "no"))
    return tuple(facts)


def _calibrator(run: Run, baselines: Sequence[Run]) -> tuple[Fact, ...]:
    rounds = _calibrator_rounds(run)
    if not rounds:
        return ()
    middle = statistics.median(rounds)
    facts = [
        Fact("Rounds", str(len(rounds))),
        Fact("Median", fmt.seconds(middle)),
        Fact("Range", f"{fmt.seconds(min(rounds))} to {fmt.seconds(max(rounds))}"),
    ]
    if len(rounds) > 1 and middle:
        facts.append(Fact("Spread (sd / median)", f"{100 * statistics.stdev(rounds) / middle:.1f} %"))
    stored = [statistics.median(found) for b in baselines if (found := _calibrator_rounds(b))]
    if stored and middle:
        then = statistics.median(stored)
        facts.append(Fact("Stored runs", f"median {fmt.seconds(then)}, this run at {middle / then:.2f} of it"))
    return tuple(facts)


def _calibrator_rounds(run: Run) -> list[float]:
    """All rounds of the calibrator; arms that were measured in one block share theirs, which count once."""
    blocks = dict.fromkeys((arm.test, tuple(arm.calibrator_seconds)) for arm in run.arms)
    return [value for _, block in blocks for value in block if math.isfinite(value) and value > 0]


def _overhead(run: Run) -> tuple[Fact, ...]:
    ordered = sorted(run.overhead_seconds.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Fact(name, fmt.seconds(value) + (f" ({100 * value / run.seconds:.1f} %)" if run.seconds > 0 else ""))
        for name, value in ordered
    )
