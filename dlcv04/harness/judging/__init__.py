"""Verdicts: pure functions of what was measured and of what is stored, no I/O."""
