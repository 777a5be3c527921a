"""Faults planted into a run of the bench, each loaded as a pytest plugin: `pytest bench -p tests.faults.<name>`."""
