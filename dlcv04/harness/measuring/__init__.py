"""What is measured: interleaved rounds, seeds, values, process pairs."""

__all__ = ["blocks", "fresh_process", "process_pairs", "round_server", "seeds", "sides", "values"]
