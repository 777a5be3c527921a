"""The verdicts as they are shown: word, symbol, tone and meaning of each, in order of display."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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
        Badge("CHANGED", "≠", "unsure", "differs from the stored runs without being plainly worse"),
        Badge("NOT TRIED", "○", "none", "controls run only with --dl-controls"),
        Badge("NO_BASELINE", "○", "none", "nothing comparable is stored for this figure"),
        Badge("IMPROVED", "▲", "better", "better than the stored runs, beyond the gate"),
        Badge("BROKE", "✓", "good", "the control broke the claim, as it should"),
        Badge("PASS", "✓", "good", "within the gate of the stored runs"),
        Badge("HOLDS", "✓", "good", "the interval's near bound lies beyond the margin"),
    )
}
_RANK = {name: place for place, name in enumerate(BADGES)}


def rank(verdict: str) -> int:
    """The place of a verdict in the order of display: 0 is the worst."""
    return _RANK[verdict]


def worst_first(words: Iterable[str]) -> list[str]:
    """Verdicts in order of display, red first."""
    return sorted(words, key=rank)


def in_sentence(verdict: str) -> str:
    """A verdict as part of a sentence: `no baseline`."""
    return verdict.replace("_", " ").lower()
