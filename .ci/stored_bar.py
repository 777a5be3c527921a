"""The stored gate's rule of three processes on this machine class: unchanged and 20 % slower, against five stored ones.

It decides where process pairs can't (another version of Keras, no such commit); `stored_live.py` tries the pairs.

Usage: stored_bar.py [FOLDER]. Records three processes of each on the embedded digits (or finds them in FOLDER); then
redraws three new and five stored ones of all unchanged processes, 20 times.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from dlcv04.harness.judging.replay import rejudge
from dlcv04.harness.machine import facts
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.reading import read_run
from dlcv04.harness.store.schema import SECONDS
from dlcv04.harness.store.stored import Stored


def record(path, slow):
    """One process, its loop sleeping `slow` times what its steps take."""
    fault = ["-p", "tests.faults.sleeping_loop"] if slow else []
    command = [sys.executable, "-m", "pytest", "bench", "--dl-record=timing", "--dl-data=embedded", "-q", *fault]
    variables = {**os.environ, "PYTHONPATH": ".", "DLCV04_FAULT_SLEEP": str(slow)}
    subprocess.run(
        [*command, f"--benchmark-json={path}", f"--dl-report-dir={path.parent}"],
        env=variables,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def verdicts(new, stored):
    """How each gated time of the first new process is judged, all new ones together."""
    held = Stored(timing=[(run.id, run) for run in stored])
    judged = rejudge(new[0], held, companions=new[1:])
    return [row.verdict for row in judged.comparisons if row.metric == SECONDS]


def main(folder):
    """Record, judge, print."""
    slow, same = ([folder / f"{name}{i}.json" for i in range(3)] for name in ("slow", "same"))
    for path in (*slow, *same):
        if not path.exists():
            record(path, 0.2 if path in slow else 0)
    slow, same = [read_run(path) for path in slow], [read_run(path) for path in same]
    machine = facts.machine_class("cpu", facts.hardware())
    data = same[0].data[0].fingerprint
    loaded = Store("baselines").load(machine_class=machine).timing
    stored = [one.run for one in loaded if one.run.data[0].fingerprint == data]
    print(f"+20 %: three new against the first five stored: {dict(Counter(verdicts(slow, stored[:5])))}")
    print(f"+0 %: three new against the first five stored: {dict(Counter(verdicts(same, stored[:5])))}")
    rng, counted, red = random.Random(0), Counter(), 0
    for _ in range(20):
        drawn = rng.sample([*stored, *same], 8)
        found = verdicts(drawn[:3], drawn[3:])
        counted.update(found)
        red += "REGRESSED" in found
    unchanged = len(stored) + len(same)
    print(f"+0 %, 20 draws of three and five from {unchanged} unchanged processes: {red} red, {dict(counted)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()))
