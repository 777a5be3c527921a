"""This repository's own settings; the plugin registers itself through its entry points."""

import os

# The tests and the bench of this repository never fetch anything, and a CPU run never looks for a GPU's libraries.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
