"""This machine's error rates, measured and replayed."""
