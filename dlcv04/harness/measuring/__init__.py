"""What is measured: interleaved rounds, seeds, values, process pairs."""
