"""The verdict of the whole run in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dlcv04.harness import policy
from dlcv04.harness.judging import outcome
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.badges import in_sentence, rank
from dlcv04.harness.report.model.claims import controls, real_claims, short_name, waiting_claims
from dlcv04.harness.report.model.comparisons import held_against
from dlcv04.harness.report.model.tone import (
    RED,
    UNDECIDED,
    badge_counts,
    claim_badge,
    control_badge,
    interrupted_badge,
    is_red,
    lost_badge,
    of_run,
    row_badge,
    symbol,
    unexplained_failures,
)
from dlcv04.harness.store.schema import Comparison, Run


@dataclass(frozen=True)
class Headline:
    """The verdict of the whole run in one sentence.

    `brief` names only what made the run red, or else what left it open: for a heading with all counts below it.
    """

    text: str
    brief: str
    tone: str
    symbol: str


def headline(run: Run) -> Headline:
    """Say the verdict of `run` in one sentence."""
    failed = unexplained_failures(run)
    parts = [lost_part(run), _claims_part(run), _comparisons_part(run), _controls_part(run)]
    if failed:
        parts.append(f"{fmt.plural(len(failed), 'test')} ended with an error")
    if run.interrupted:
        parts.append(interruption(run))
    tone = of_run(run)
    text = _sentence(parts)
    return Headline(text, _sentence(_deciding(run, tone)) or text, tone, symbol(tone))


def _sentence(parts: Iterable[str]) -> str:
    text = "; ".join(part for part in parts if part)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _deciding(run: Run, tone: str) -> Iterator[str]:
    """What has the tone of a red or open run: claims, figures and controls counted, then what has no verdict."""
    if tone not in (RED, UNDECIDED):
        return
    kinds = {
        "claim": [claim_badge(claim, run) for claim in real_claims(run)],
        "figure": [row_badge(row, run) for row in run.comparisons],
        "control": [control_badge(control, run) for control in controls(run)],
    }
    for noun, badges in kinds.items():
        counts = badge_counts(badge for badge in badges if badge.tone == tone)
        words = [f"{count} {in_sentence(badge.word)}" for badge, count in counts]
        if counts:
            words[0] = f"{fmt.plural(counts[0][1], noun)} {in_sentence(counts[0][0].word)}"
            yield ", ".join(words)
    if tone == RED and (failed := unexplained_failures(run)):
        yield f"{fmt.plural(len(failed), 'test')} ended with an error"
    if tone == lost_badge().tone:
        yield lost_part(run)
    if run.interrupted and tone == interrupted_badge(run).tone:
        yield interruption(run)


def interruption(run: Run) -> str:
    """What ended a run before its time, and what it did not come to."""
    text = f"the run was interrupted ({fmt.shorten(run.interrupted, 120)})"
    if not run.not_run:
        return text
    named = ", ".join(fmt.shorten(short_name(test), 60) for test in run.not_run[:3])
    more = f" and {len(run.not_run) - 3} more" if len(run.not_run) > 3 else ""
    return f"{text}, {fmt.plural(len(run.not_run), 'test')} not run to the end: {named}{more}"


def _claims_part(run: Run) -> str:
    claims, waits = real_claims(run), waiting_claims(run)
    waiting = policy.waiting(claim.waits_for or claim.judged_from for claim in waits) if waits else ""
    expected = sum(1 for c in claims if c.verdict == "VIOLATED" and c.expected)
    judged = Counter(c.verdict for c in claims)
    total = len(claims)
    if not claims:
        return waiting or ("" if run.claims else f"no claim was {'judged' if run.failures else 'run'}")
    text = _share(judged["HOLDS"], total, "claim", "hold", "holds")
    counts = {
        "inconclusive": judged["INCONCLUSIVE"],
        "violated as expected": expected,
        "violated": judged["VIOLATED"] - expected,
    }
    text += "".join(f", {count} {what}" for what, count in counts.items() if count)
    return text + (f", {waiting}" if waiting else "")


def _comparisons_part(run: Run) -> str:
    compared = sorted(run.comparisons, key=lambda c: rank(c.verdict))
    if not compared:
        return ""
    counts: Counter[str] = Counter(c.verdict for c in compared)
    against = held_against(run)
    text = f"{_share(counts['PASS'], len(compared), 'figure', 'pass', 'passes')} {against}"
    text += f", {counts['NO_BASELINE']} without a comparable baseline" if counts["NO_BASELINE"] else ""
    order = ("IMPROVED", "CHANGED", "INCONCLUSIVE", "STALE", "MISSING", "REGRESSED")
    text += "".join(f", {counts[v]} {in_sentence(v)}" for v in order if counts[v])
    red = [row for row in compared if is_red(row_badge(row, run))]
    if not red:
        return text
    worst = red[0]
    named = [_figure_name(row) for row in red if row.verdict == worst.verdict]
    more = f" and {len(named) - 2} more" if len(named) > 2 else ""
    # The worst verdict need not be the one the list ends with, so it is named again where they differ.
    label = "" if counts["REGRESSED"] else f"{in_sentence(worst.verdict)} "
    return text + (": " if not label else f" ({label}") + ", ".join(named[:2]) + more + (")" if label else "")


def _share(count: int, total: int, noun: str, verb: str, verb_of_one: str) -> str:
    """`all 3 claims hold`, `the only claim holds`, `2 of 3 claims hold`, `1 of 3 claims holds`."""
    if count == total:
        return f"the only {noun} {verb_of_one}" if total == 1 else f"all {total} {noun}s {verb}"
    return f"{count} of {fmt.plural(total, noun)} {verb_of_one if 1 in (count, total) else verb}"


def lost_part(run: Run) -> str:
    """Which kinds of figures are stored and had nothing comparable: said whatever else passes."""
    kinds = outcome.lost_kinds(run)
    named = {"times": "time", "learning": "figure of learning", "exact": "exact figure"}
    return f"no {' and no '.join(named[kind] for kind in kinds)} could be compared" if kinds else ""


def _figure_name(comparison: Comparison) -> str:
    name = fmt.shorten(comparison.arm or short_name(comparison.test), 40)
    return f"{name} {fmt.metric_name(fmt.shorten(comparison.metric, 40))}".strip()


def _controls_part(run: Run) -> str:
    counts = Counter(control_badge(c, run).word for c in controls(run))
    total = sum(counts.values())
    if not total:
        return ""
    text = f"{counts['BROKE']} of {fmt.plural(total, 'control')} broke {'its' if total == 1 else 'their'} claim"
    order = (("WEAK CONTROL", "too weak to tell"), ("NOT RUN", "not run"), ("SURVIVED", "survived"))
    return text + "".join(f", {counts[name]} {label}" for name, label in order if counts[name])
