"""Two trees in alternating fresh processes."""

import math
import statistics

import pytest

from tests.harness.two_trees import LIVELY


def test_a_commit_older_than_process_pairs_is_named(committed, monkeypatch):
    fake = committed.path / "fake"
    fake.mkdir()
    (fake / "pytest.py").write_text(
        "import sys; print('error: unrecognized arguments: --dl-round-server=3'); sys.exit(4)"
    )
    from dlcv04.harness.measuring.process_pairs import PairError, Side, run_pair

    old, new = Side("old", fake), Side("new", committed.path)
    with pytest.raises(PairError, match="too old to be paired"):
        list(run_pair(old, new, ["bench"], number=0))


def test_a_slowdown_planted_in_one_arm_slows_that_arm_alone(committed):
    real_clock = LIVELY.replace("self.now += seconds * SLOWDOWN", "import time; time.sleep(seconds / 100); 0").replace(
        "clock=lambda: machine.now", "clock=__import__('time').perf_counter"
    )
    committed.change(real_clock)
    from dlcv04.harness.measuring.process_pairs import Side, run_pair
    from dlcv04.harness.measuring.round_server import PLANTED

    planted = {PLANTED: "bench/test_it.py::test_again<long>=1.0;bench/test_it.py::test_again<short>=0.0"}
    old, new = Side("old", committed.path), Side("new", committed.path, planted)
    found = list(run_pair(old, new, ["bench"], number=0, rounds=6, round_seconds=0.01))
    ratios = {(one.test.split("::")[1], one.arm): math.exp(statistics.median(one.log_ratios)) for one in found}
    assert ratios.pop(("test_again", "long")) > 1.6
    assert len(ratios) == 3 and max(ratios.values()) < 1.3
