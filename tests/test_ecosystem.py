"""Saved runs stay readable by the tools that read pytest-benchmark's files: the fields that each one takes.

The readers below take what theirs take: github-action-benchmark's tool `pytest` (src/extract.ts; its pages show
the same name, value, unit, range and extra) and Bencher's adapter `python_pytest` (lib/bencher_adapter/src/adapters/
python/pytest.rs, which asks for `machine_info`, `commit_info` and each benchmark's `fullname`, `stats.median` and
`stats.iqr`, in seconds). Neither is run here.
"""

import csv
import json
import math
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run with a claim, and a plain benchmark beside it, as `--benchmark-json` writes it."""
    from tests.conftest import FAKE_MACHINE, SUITE

    folder = tmp_path_factory.mktemp("saved")
    (folder / "bench").mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(FAKE_MACHINE)
    (folder / "bench/test_it.py").write_text(SUITE)
    (folder / "bench/test_plain.py").write_text("def test_plain(benchmark):\n    benchmark(sum, range(10))\n")
    path = folder / "run.json"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "bench", f"--benchmark-json={path}", "-q"], cwd=folder, capture_output=True
    )
    assert done.returncode == 0, done.stdout.decode()
    return path


def test_pytest_benchmarks_own_command_compares_it(saved):
    table = saved.parent / "table.csv"
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(saved), f"--csv={table}"]
    done = subprocess.run(command, cwd=saved.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with table.open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert set(rows) == {
        "bench/test_it.py::test_longer_is_slower<short>",
        "bench/test_it.py::test_longer_is_slower<long>",
        "bench/test_plain.py::test_plain",
    }
    assert all(float(row["median"]) > 0 for row in rows.values())


def github_action_benchmark(document):
    """Name, value and unit of each benchmark, and its extra text."""
    found = []
    for bench in document["benchmarks"]:
        stats = bench["stats"]
        extra = f"mean: {stats['mean']} sec\nrounds: {stats['rounds']}"
        found.append((bench["fullname"], stats["ops"], "iter/sec", f"stddev: {stats['stddev']}", extra))
    return found


def bencher(document):
    """Latency of each benchmark in nanoseconds, with the bounds that Bencher stores."""
    assert isinstance(document["machine_info"], dict) and isinstance(document["commit_info"], dict)
    found = {}
    for bench in document["benchmarks"]:
        value, spread = bench["stats"]["median"] * 1e9, bench["stats"]["iqr"] * 1e9
        found[bench["fullname"]] = (value, value - spread, value + spread)
    return found


@pytest.fixture(scope="module")
def document(saved):
    return json.loads(saved.read_text())


def test_github_action_benchmark_finds_names_and_rates(document):
    found = github_action_benchmark(document)
    assert len(found) == len({name for name, *_ in found}) == 3
    assert all(isinstance(rate, float) and math.isfinite(rate) and rate > 0 for _, rate, *_ in found)


def test_bencher_finds_a_latency_for_every_arm(document):
    found = bencher(document)
    short, long = (found[f"bench/test_it.py::test_longer_is_slower<{arm}>"][0] for arm in ("short", "long"))
    assert long / short == pytest.approx(2, rel=0.1)
    assert all(math.isfinite(value) for values in found.values() for value in values)


def test_what_they_need_around_it_is_there(document):
    """The version says which form the file has; the commit's id and time order runs on a page."""
    assert document["version"] and {"id", "time"} <= document["commit_info"].keys() and document["datetime"]
    assert document["dlcv04"]["schema"] == 2
