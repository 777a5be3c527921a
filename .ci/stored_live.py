"""Runs against five stored processes of the same commit: unchanged code, quiet or beside a busy loop, and slowed code.

Usage: stored_live.py FOLDER [quiet=N] [busy=N] [planted=N]     measures what FOLDER lacks, a file a run
       stored_live.py FOLDER                                    says what all its runs add up to

Everything runs in a clone of the last commit in FOLDER (so that the stored commit is clean and git has it): first
`dlcv04 baseline` stores five processes of the embedded digits, then `pytest bench --benchmark-compare` runs in turns. A
planted run has a change in the clone's working tree that makes one network's steps 20 % longer.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from live_bars import TIMING, neighbour, rate

from dlcv04.harness.store.reading import read_run
from dlcv04.harness.store.schema import SECONDS

ROOT = Path(__file__).resolve().parent.parent
#: The timed networks of Task 1 by their number of parameters: what the planted fault knows them by.
NETWORKS = {
    "base": 600_810,
    "one_conv_less": 693_962,
    "three_conv_more": 370_506,
    "fc1024": 4_861_674,
    "half_filters": 298_810,
}
SLOWER = 0.2


def inside(tree, *command, **variables):
    """Run this Python in the clone, with the clone's own code."""
    environment = {**os.environ, "PYTHONPATH": str(tree), **variables}
    return subprocess.run([sys.executable, *command], cwd=tree, env=environment, stdout=subprocess.PIPE, check=False)


def clone(folder):
    """The clone with its five stored processes; the one that is there, where FOLDER has been used before."""
    tree = folder / "tree"
    if (tree / "stored").exists():
        return tree
    subprocess.run(["git", "clone", "-q", ROOT, tree], check=True)
    options = ["--processes", "5", "--no-learning", "--data", "embedded", "--force"]
    reason = ["--reason", "unchanged code, to be held against itself"]
    done = inside(tree, "-c", "from dlcv04.cli import main; main()", "baseline", *options, *reason)
    print(done.stdout.decode(), flush=True)
    if done.returncode:
        raise SystemExit("no baseline was stored")
    # In the clone's own list of what git ignores: the tree must stay clean.
    with (tree / ".git/info/exclude").open("a", encoding="utf-8") as file:
        file.write("/stored\n")
    (tree / "stored").touch()
    return tree


def one_run(tree, out, network):
    """One comparing run into the file `out`; with a network, its steps are slowed in the clone's working tree."""
    conftest = tree / "conftest.py"
    text = conftest.read_text(encoding="utf-8")
    command = ["-m", "pytest", TIMING, "-k", "longer or faster", "--dl-data=embedded", "-q", "--benchmark-compare"]
    variables = {"DLCV04_FAULT_SLEEP": str(SLOWER), "DLCV04_FAULT_PARAMETERS": str(NETWORKS.get(network, ""))}
    start = time.perf_counter()
    try:
        if network:
            conftest.write_text(text + '\npytest_plugins = ["tests.faults.sleeping_loop"]\n', encoding="utf-8")
        done = inside(tree, *command, f"--benchmark-json={out}", f"--dl-report-dir={out.parent}/reports", **variables)
    finally:
        conftest.write_text(text, encoding="utf-8")
    if not out.exists():
        raise SystemExit(done.stdout.decode()[-3000:])
    return time.perf_counter() - start


def times(run):
    """The rows of gated times."""
    return [row for row in run.comparisons if row.metric == SECONDS and row.verdict != "NO_BASELINE"]


def measure(folder, counts):
    """Run what is wanted and not there yet, in turns, so that a drift of the machine meets all kinds."""
    tree = clone(folder)
    for turn in range(max(counts.values())):
        for what in (what for what, count in counts.items() if turn < count):
            network = list(NETWORKS)[turn % len(NETWORKS)] if what == "planted" else ""
            out = folder / f"{what}-{turn:02d}{network and '-' + network}.json"
            if out.exists():
                continue
            with neighbour(what == "busy"):
                seconds = one_run(tree, out, network)
            run = read_run(out)
            print(f"{out.stem}: exit {run.exit_status}, {seconds:.0f} s, {told(run)}", flush=True)


def told(run):
    """A run's verdicts, and what decided the times that looked slower."""
    odd = [f"{row.arm} {row.verdict} {row.effect:.2f}" for row in times(run) if row.verdict != "PASS"]
    decided = [f"{row.arm} {row.first_look:.2f} -> {row.verdict} {row.effect:.2f}, n = {row.n_new}"
               for row in times(run) if row.first_look is not None]  # fmt: skip
    why = [found.why for found in run.rechecks if found.why]
    return f"{dict(Counter(row.verdict for row in times(run)))}; not PASS: {odd}; by pairs: {decided}; {why or ''}"


def say(folder):
    """What the runs add up to."""
    for what in ("quiet", "busy", "planted"):
        paths = sorted(folder.glob(f"{what}-*.json"))
        if not paths:
            continue
        runs = {path: read_run(path) for path in paths}
        words, slowed, looked = Counter(), Counter(), 0
        for path, run in runs.items():
            network = path.stem.split("-")[2] if what == "planted" else None
            for row in times(run):
                (slowed if row.arm == network else words)[row.verdict] += 1
                looked += row.first_look is not None
        red = sum(any(row.verdict == "REGRESSED" for row in times(run)) for run in runs.values())
        seconds = sorted(run.seconds for run in runs.values())
        print(f"{what}: runs red {rate(red, len(runs))}; unchanged arms {dict(words)}; {looked} decided by pairs")
        print(f"  seconds of a run: median {seconds[len(seconds) // 2]:.0f}, {seconds[0]:.0f} to {seconds[-1]:.0f}")
        if slowed:
            print(f"  slowed arms red {rate(slowed['REGRESSED'], slowed.total())}; {dict(slowed)}")


def main(folder, *wanted):
    """Measure what is wanted, and say what there is."""
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    counts = {name: int(count) for name, count in (text.split("=") for text in wanted)}
    if counts:
        measure(folder, counts)
    say(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
