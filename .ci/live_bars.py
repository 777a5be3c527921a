"""Whole `--dl-against HEAD` runs on this machine: unchanged code, quiet or beside a neighbour; planted slowdowns.

Usage: live_bars.py RUNS_UNCHANGED RUNS_AT_20_PERCENT [OUT.json]
Every second unchanged run has a busy loop beside it. Prints each run's verdicts and what they add up to.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from dlcv04 import fixtures
from dlcv04.harness import against, environment
from dlcv04.harness.policy import Policy
from dlcv04.harness.process_pairs import Side, absolute_data
from dlcv04.harness.round_server import PLANTED
from dlcv04.harness.schema import to_builtins

ROOT = Path.cwd()
TIMING = ["bench/test_task1_architecture.py"]
POLICY = Policy(against=True)


@contextlib.contextmanager
def neighbour(wanted):
    """A busy loop on one core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if wanted else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def one_run(tree, commit, spread, tests, ratio):
    """Every benchmark's verdict, the run's record, and seconds of measuring a benchmark (mean)."""
    old = Side("old", tree, absolute_data())
    new = Side("new", ROOT, {**absolute_data(), PLANTED: f"{ratio - 1:.3f}"})
    start = time.perf_counter()
    record = against.measure(
        old,
        new,
        [*TIMING, "--dl-data=embedded"],
        rev="HEAD",
        commit=commit,
        tests=len(tests),
        wanted=tests,
        spread=spread,
        policy=POLICY,
        told=lambda what: None,
    )
    names = against.benchmarks(record)
    verdicts = [against.judge(record, *name, POLICY).verdict for name in names]
    measured = sum(sum(rounds.old_seconds) + sum(rounds.new_seconds) for rounds in record.pairs) / len(names)
    return verdicts, record, measured, time.perf_counter() - start


def main(unchanged, planted, out):
    """Run the bars."""
    machine = environment.machine_class("cpu", environment.hardware())
    key = {"profile": "smoke", **fixtures.planned_key("cpu")}
    spread = against.known_spread(ROOT / "baselines", machine, key)
    functions = ("test_more_conv_layers_take_longer", "test_fc1024_takes_longer", "test_half_the_filters_are_faster")
    tests = [f"{TIMING[0]}::{name}" for name in functions]
    commit = against.resolve(ROOT, "HEAD")
    print(f"{machine}; between processes {spread.sd:.1%} on {spread.df:g} df ({spread.source})", flush=True)
    records, totals = [], {}
    plan = [("busy" if i % 2 else "quiet", 1.0) for i in range(unchanged)] + [("quiet", 1.2)] * planted
    with against.worktree(ROOT, commit) as tree:
        for number, (noise, ratio) in enumerate(plan):
            with neighbour(noise == "busy"):
                verdicts, record, measured, wall = one_run(tree, commit, spread, tests, ratio)
            what = f"x{ratio:g} {noise}"
            totals.setdefault(what, Counter()).update(verdicts)
            totals[what]["runs"] += 1
            totals[what]["red runs"] += "REGRESSED" in verdicts
            print(
                f"run {number + 1} of {len(plan)} ({what}): {dict(Counter(verdicts))}, {measured:.1f} s of measuring a "
                f"benchmark, {wall:.0f} s in all",
                flush=True,
            )
            records.append({"what": what, "verdicts": verdicts, "against": to_builtins(record)})
            if out:
                Path(out).write_text(json.dumps(records))
    for what, counted in totals.items():
        print(f"{what}: {dict(counted)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
