"""Unchanged code against five stored processes, whole runs on this machine, quiet or beside a busy loop on one core.

Usage: stored_live.py [quiet=N] [busy=N]. Stores five processes of the embedded digits first where this machine class
has fewer (`dlcv04 baseline`): run it in a clone whose baselines may change.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from live_bars import TIMING, neighbour, rate

from dlcv04.harness.judge import SECONDS


def store():
    """Five fresh processes of the timing part."""
    command = ["baseline", "--processes", "5", "--no-learning", "--data", "embedded", "--force"]
    reason = ["--reason", "unchanged code, to be held against itself"]
    subprocess.run([sys.executable, "-c", "from dlcv04.cli import main; main()", *command, *reason], check=True)


def one_run(folder):
    """The verdicts of one run's gated times, and its exit code."""
    out = folder / "run.json"
    command = [sys.executable, "-m", "pytest", TIMING, "-k", "longer or faster", "--dl-data=embedded", "-q"]
    done = subprocess.run(
        [*command, "--benchmark-compare", f"--benchmark-json={out}", f"--dl-report-dir={folder}"],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    claims = json.loads(out.read_text())["dlcv04"]["claims"]
    rows = [row for claim in claims for row in claim["comparisons"] if row["metric"] == SECONDS]
    return [row["verdict"] for row in rows if row["verdict"] != "NO_BASELINE"], done.returncode


def main(wanted):
    """Store, then run in turns, and print what it adds up to."""
    counts = {name: int(count) for name, count in (text.split("=") for text in wanted)}
    store()
    words, reds, runs = {}, Counter(), Counter()
    for turn in range(max(counts.values(), default=0)):
        for what in (what for what, count in counts.items() if turn < count):
            with neighbour(what == "busy"), tempfile.TemporaryDirectory() as folder:
                found, code = one_run(Path(folder))
            words.setdefault(what, Counter()).update(found)
            runs[what] += 1
            reds[what] += "REGRESSED" in found
            print(f"{what} {runs[what]}: exit {code}, {dict(Counter(found))}", flush=True)
    for what in runs:
        print(f"{what}: runs red {rate(reds[what], runs[what])}; {dict(words[what])}")


if __name__ == "__main__":
    main(sys.argv[1:])
