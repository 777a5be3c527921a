"""A pytest plugin: every claim on learning is judged on seeds that no run before has seen.

    PYTHONPATH=.ci DLCV04_FRESH_SEEDS=500 pytest bench/ -k task2 --dl-profile standard -p fresh_seeds

Seeds start at DLCV04_FRESH_SEEDS in place of 0, those of controls as far behind them as ever.
"""

import os

from dlcv04.harness.measuring.seeds import SeededBlock

FIRST = int(os.environ["DLCV04_FRESH_SEEDS"])
_real = SeededBlock.__init__


def _begin_later(self, trainers, *, first_seed=0, **facts):
    _real(self, trainers, first_seed=FIRST + first_seed, **facts)


SeededBlock.__init__ = _begin_later
