"""Verdicts: pure functions of what was measured and of what is stored, no I/O."""

__all__ = [
    "assertions",
    "card_times",
    "comparisons",
    "differences",
    "metrics",
    "outcome",
    "pair_gate",
    "power",
    "replay",
    "stored_times",
    "suspects",
    "verdicts",
]
