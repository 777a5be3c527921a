"""What is written to disk and read back: records, files, acceptance, selectors."""
