"""The commands of `dlcv04`, one module each. A command is a function; its signature lists its options.

Heavy modules are imported inside the functions that need them, so that `--help` is instant.
"""
