"""The machine: its facts, its load, its GPU, and git."""
