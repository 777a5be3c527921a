"""This machine's error rates, measured and replayed."""

__all__ = ["learning_faults", "replaying", "running", "sentences"]
