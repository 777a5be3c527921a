"""A large report: its time, memory and size in a fresh process, and the same bytes from every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.harness.report.large import large_run, stored_runs

#: Run as a program, so that imports and the reading of every file count too. The peak is that of this process alone:
#: getrusage's survives exec, and would be that of whoever started it.
BUILD = """
import json, re, sys, time
start = time.perf_counter()
from pathlib import Path
from dlcv04.harness import report
from dlcv04.harness.store.reading import read_run
folder = Path(sys.argv[1])
run, *stored = [read_run(path) for path in [folder / "run.json", *sorted(folder.glob("stored-*.json"))]]
path = report.write(run, stored, folder / "reports")
status = Path("/proc/self/status")
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]) / 1024 if status.exists() else 0
print(json.dumps({"seconds": time.perf_counter() - start, "mebibytes": peak, "bytes": path.stat().st_size}))
"""

#: The same of the trends of many runs, by the command: one thread, so its processor time is that of an idle machine.
TRENDS = """
import json, sys, time
from pathlib import Path
from dlcv04.cli import app
files = sorted(map(str, Path(sys.argv[1]).glob("*.json")))
app(["report", *files, "--page", "trends", "--out", sys.argv[1]], standalone_mode=False)
size = (Path(sys.argv[1]) / "trends.html").stat().st_size
print(json.dumps({"seconds": time.process_time(), "bytes": size}))
"""


def save(folder: Path, claims: int, runs: int) -> None:
    run = large_run(claims)
    for name, saved in [("run", run), *((s.id, s) for s in stored_runs(run, runs))]:
        (folder / f"{name}.json").write_bytes(msgspec.json.encode({"dlcv04": saved}))


def build(folder: Path, hash_seed: str = "0", program: str = BUILD) -> dict[str, float]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_every_process_writes_the_same_bytes_of_a_tenth_of_the_full_size(tmp_path: Path) -> None:
    save(tmp_path, claims=20, runs=10)
    pages = []
    for hash_seed in ("1", "2"):
        found = build(tmp_path, hash_seed)
        pages.append((tmp_path / "reports/latest.html").read_bytes())
    assert pages[0] == pages[1]
    assert found["bytes"] < 700_000 and found["mebibytes"] < 400, found


def test_trends_of_a_tenth_of_the_full_size_are_the_same_bytes_from_every_process(tmp_path: Path) -> None:
    save(tmp_path, claims=20, runs=50)
    pages = []
    for hash_seed in ("1", "2"):
        found = build(tmp_path, hash_seed, TRENDS)
        pages.append((tmp_path / "trends.html").read_bytes())
    assert pages[0] == pages[1]
    assert found["bytes"] < 500_000, found


@pytest.mark.nightly
def test_trends_of_200_claims_over_50_runs(tmp_path: Path) -> None:
    save(tmp_path, claims=200, runs=49)
    found = build(tmp_path, program=TRENDS)
    print(found)
    assert found["seconds"] <= 10 and found["bytes"] <= 5_000_000, found


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_200_claims_of_400_benchmarks_beside_50_stored_runs(tmp_path: Path) -> None:
    save(tmp_path, claims=200, runs=50)
    found = build(tmp_path)
    print(found)
    assert found["seconds"] <= 10 and found["mebibytes"] <= 1024 and found["bytes"] <= 5_000_000, found
