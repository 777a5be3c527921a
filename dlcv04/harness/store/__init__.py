"""What is written to disk and read back: records, files, acceptance, selectors."""

__all__ = ["acceptance", "baselines", "files", "frames", "reading", "schema", "selection", "selftests", "stored"]
