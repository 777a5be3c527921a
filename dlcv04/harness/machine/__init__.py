"""The machine: its facts, its load, its GPU, and git."""

__all__ = ["cpu", "facts", "git", "gpu", "load", "probing"]
