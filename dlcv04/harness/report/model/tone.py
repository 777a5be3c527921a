"""The tones of a report: a tone is a word that the page's style sheet knows as a class.

What is red and what is undecided is `judging.outcome`'s decision, the same that gave the run its exit code. Here it
becomes a tone; the table of badges says how everything else looks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from dlcv04.harness.judging import outcome
from dlcv04.harness.report.model.badges import BADGES, Badge, rank
from dlcv04.harness.report.model.claims import controls, real_claims
from dlcv04.harness.store.schema import Claim, Comparison, Run

RED, UNDECIDED, NONE, BETTER, GOOD = _WORST_FIRST = "bad", "unsure", "none", "better", "good"
_DECIDED: dict[outcome.Colour, str] = {"red": RED, "yellow": UNDECIDED}


def claim_badge(claim: Claim, run: Run) -> Badge:
    """The badge of a claim's own verdict."""
    return _decided(BADGES[claim.verdict], outcome.of_verdict(claim, strict=run.strict))


def row_badge(row: Comparison, run: Run) -> Badge:
    """The badge of one comparison."""
    return _decided(BADGES[row.verdict], outcome.of_row(row, strict=run.strict))


def control_badge(control: Claim, run: Run) -> Badge:
    """The badge of a control."""
    found = outcome.of_control(control, strict=run.strict)
    word = {"CONTROL_WEAK": "WEAK CONTROL"}.get(found.word, found.word)
    return _decided(BADGES[word], found.colour)


def lost_badge() -> Badge:
    """The badge of a kind of figure of which something is stored and nothing could be compared."""
    return replace(BADGES["NO_BASELINE"], tone=UNDECIDED)


def interrupted_badge(run: Run) -> Badge:
    """The badge of a run that did not come to its end: nobody knows what the rest of it says."""
    return _decided(BADGES["INCONCLUSIVE"], "red" if run.strict else "yellow")


def _decided(badge: Badge, colour: outcome.Colour) -> Badge:
    """The badge in the tone of what was decided; what is neither red nor undecided looks as the table says."""
    return replace(badge, tone=_DECIDED.get(colour, badge.tone))


def badge_counts(badges: Iterable[Badge]) -> tuple[tuple[Badge, int], ...]:
    """How often each verdict occurs, worst first, in the worst tone that it has."""
    by_word: dict[str, list[Badge]] = defaultdict(list)
    for badge in badges:
        by_word[badge.word].append(badge)
    counted = [(min(found, key=lambda badge: _WORST_FIRST.index(badge.tone)), len(found)) for found in by_word.values()]
    return tuple(sorted(counted, key=lambda pair: rank(pair[0].word)))


def is_red(badge: Badge) -> bool:
    """Whether a verdict is a failure."""
    return badge.tone == RED


def needs_attention(badge: Badge) -> bool:
    """Whether a verdict is red or undecided."""
    return badge.tone in {RED, UNDECIDED}


def is_notable(badge: Badge) -> bool:
    """Whether a figure deserves a line of its own where only what stands out is listed."""
    return needs_attention(badge) or badge.tone == BETTER


def worst(tones: Iterable[str]) -> str:
    """The tone of the whole from the tones of its parts."""
    found = set(tones)
    if RED in found:
        return RED
    if UNDECIDED in found:
        return UNDECIDED
    return GOOD if found & {GOOD, BETTER} else NONE


def of_run(run: Run) -> str:
    """The tone of a whole run."""
    if outcome.is_red(run):
        return RED
    badges = [claim_badge(c, run) for c in real_claims(run)] + [control_badge(c, run) for c in controls(run)]
    badges += [row_badge(row, run) for row in run.comparisons]
    return UNDECIDED if outcome.is_open(run) else worst(badge.tone for badge in badges)


def of_share(count: int, total: int) -> str:
    """The tone of `count` good ones among `total`: what is not good has a count of its own, in its own tone."""
    return GOOD if count == total and total else NONE


def is_regression(verdict: str) -> bool:
    """Whether a figure got worse; its history stands among the first."""
    return verdict == "REGRESSED"


def of_interval(verdict: str) -> str:
    """The tone in which an assertion's interval is drawn."""
    return {"HOLDS": GOOD, "VIOLATED": RED}.get(verdict, UNDECIDED)


def of_change(worse: bool) -> str:
    """The tone of a changed level."""
    return RED if worse else BETTER


def symbol(tone: str) -> str:
    """The symbol beside a sentence of this tone."""
    return {RED: "✗", UNDECIDED: "?", GOOD: "✓"}.get(tone, "○")


def unexplained_failures(run: Run) -> list[str]:
    """Failed tests that no red verdict of the run explains."""
    failed = [claim for claim in run.claims if outcome.of_test(claim, strict=run.strict).is_red]
    red = {claim.test for claim in failed} | {row.test for row in run.missing}
    # A failed control is reported both as a claim of the run and as a sentence that starts with its verdict.
    known = ("control ",) if any(claim.is_control for claim in failed) else ()
    return [text for text in run.failures if text not in red and not text.startswith(known)]
