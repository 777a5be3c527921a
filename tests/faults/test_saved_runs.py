"""Runs that pytest-benchmark saves for us, in `.benchmarks/` and by `--benchmark-json`: whole, and none lost.

What is written is what pytest-benchmark writes: its own command lists and compares it.
"""

import json
import logging
import os
import subprocess
import sys
import threading

import pytest
from pytest_benchmark.storage.file import FileStorage

from dlcv04.harness.session import benchmark_adapter
from dlcv04.harness.store.reading import read_run
from tests.faults.rows import Row
from tests.harness.inner_runs import run_apart

WRITERS, SAVES = 8, 30

ROWS = [
    Row("eight-saves", "eight runs are saved at the same time, thirty times", "", 0, "all 240, each with a number"),
    Row("saved-to-a-fifo", "`--benchmark-json` names a FIFO that somebody reads", "", 0, "the FIFO; the reader has it"),
    Row("past-9999", "ten thousand runs are saved", "", 0, "all; the next number has five digits"),
]


@pytest.fixture
def storage(tmp_path):
    return FileStorage(tmp_path / ".benchmarks", logging.getLogger(), default_machine_id="Linux-here")


def saved(storage):
    return sorted(path for path in storage.path.rglob("*.json"))


def test_runs_that_are_saved_at_the_same_time_are_all_kept(storage):
    children = []
    for writer in range(WRITERS):
        child = os.fork()
        if child == 0:
            try:
                for number in range(SAVES):
                    benchmark_adapter._save(storage, {"run": f"{writer}-{number}", "padding": ["x"] * 200}, "kept")
            finally:
                os._exit(sys.exc_info()[0] is not None)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * WRITERS
    paths = saved(storage)
    assert [path.name for path in paths] == [f"{number:04d}_kept.json" for number in range(1, WRITERS * SAVES + 1)]
    assert len({json.loads(path.read_text())["run"] for path in paths}) == WRITERS * SAVES
    assert [entry.name for entry in paths[0].parent.iterdir() if entry.suffix != ".json"] == [".lock"]


def test_numbers_go_on_after_9999(storage):
    first = storage.get("9999_kept.json")
    first.write_text("{}")
    for _ in range(2):
        benchmark_adapter._save(storage, {}, "kept")
    assert [path.name for path in saved(storage)] == ["10000_kept.json", "10001_kept.json", "9999_kept.json"]


def test_pytest_benchmarks_own_command_reads_what_is_saved(suite):
    pytester = suite()
    for _ in range(2):
        assert run_apart(pytester, "bench", "--benchmark-save=kept").ret == 0
    first, second = sorted((pytester.path / ".benchmarks").rglob("*.json"))
    assert (first.name, second.name) == ("0001_kept.json", "0002_kept.json")
    assert read_run(first).id != read_run(second).id
    for command, shown in (("list", str(second)), ("compare", "test_longer_is_slower<long> (0002_kept)")):
        program = [sys.executable, "-m", "pytest_benchmark", command]
        done = subprocess.run(program, cwd=pytester.path, check=True, capture_output=True, text=True)
        assert shown in done.stdout.replace("\n", " ") or shown in done.stderr, done.stdout


def test_json_through_a_fifo(suite):
    pytester = suite()
    fifo, got = pytester.path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    assert run_apart(pytester, "bench", "--benchmark-json=fifo").ret == 0
    reader.join(10)
    assert json.loads(got[0])["dlcv04"]["claims"] and fifo.is_fifo()
