"""A pytest session that judges claims: its suite, its order, its end, its child processes."""

__all__ = [
    "against",
    "benchmark_adapter",
    "children",
    "claim_fixtures",
    "collecting",
    "ending_run",
    "ending_tests",
    "first_line",
    "hookspec",
    "items",
    "options",
    "recording",
    "state",
    "suite",
]
