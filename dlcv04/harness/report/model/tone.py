"""What is red, undecided or good in a report: every decision of a tone stands here, and in the table of badges.

A tone is a word that the page's style sheet knows as a class.
"""

from __future__ import annotations

from collections.abc import Iterable

from dlcv04.harness.report.model.badges import BADGES, Badge
from dlcv04.harness.report.model.claims import controls, real_claims
from dlcv04.harness.store.schema import Assertion, Claim, Run

RED, UNDECIDED, NONE, BETTER, GOOD = "bad", "unsure", "none", "better", "good"


def claim_badge(claim: Claim) -> Badge:
    """The badge of a claim; one that this profile can't judge says so."""
    return BADGES[claim.verdict if claim.judged else "NOT JUDGED"]


def assertion_badge(assertion: Assertion, claim: Claim) -> Badge:
    """The badge of one assertion of a claim, by the same rule."""
    return BADGES[assertion.verdict if claim.judged else "NOT JUDGED"]


def control_badge(control: Claim) -> Badge:
    """The badge of a control: a claim that holds on its control has survived it."""
    if control.verdict == "HOLDS":
        return BADGES["SURVIVED"]
    verdict = control.control_verdict
    if verdict == "CONTROL_WEAK":
        return BADGES["WEAK CONTROL"]
    return BADGES[verdict if verdict in {"SURVIVED", "NOT RUN"} else "BROKE"]


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
    badges = [claim_badge(c) for c in real_claims(run)] + [control_badge(c) for c in controls(run)]
    badges += [BADGES[c.verdict] for c in run.comparisons]
    return RED if unexplained_failures(run) else worst(b.tone for b in badges)


def of_share(count: int, total: int) -> str:
    """The tone of `count` good ones among `total`: what is not good has a count of its own, in its own tone."""
    return GOOD if count == total and total else NONE


def of_verdict(verdict: str) -> str:
    """The tone of a comparison's verdict, which is empty where nothing was compared."""
    return BADGES[verdict].tone if verdict else NONE


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
    """Failed tests that no red verdict of a claim explains."""
    red = {c.test for c in real_claims(run) if c.verdict == "VIOLATED"}
    red |= {c.test for c in controls(run) if is_red(control_badge(c))}
    red |= {c.test for c in run.comparisons if is_red(BADGES[c.verdict])}
    # A failed control is reported both as a claim of the run and as a sentence that starts with its verdict.
    return [text for text in run.failures if text not in red and not text.startswith("control ")]
