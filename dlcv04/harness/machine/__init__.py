"""The machine: its facts, its load, its GPU, and git."""

__all__ = ["ci_job", "cpu", "facts", "git", "gpu", "load", "probing"]
