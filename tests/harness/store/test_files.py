"""Strict JSON, kills, races, and a file that is never overwritten."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest

from dlcv04.harness.store import baselines
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import BaselineError
from dlcv04.harness.store.reading import contents
from tests.harness.store.records import COMMIT, HERE, accept, make_document, make_run


def test_numbers_of_other_types_and_nan_become_strict_json(store):
    numpy = pytest.importorskip("numpy")
    document = make_document(make_run())
    document["dlcv04"]["arms"][0]["facts"] = {"rate": numpy.float32(0.5), "n": numpy.int64(3), "bad": math.inf}
    document["dlcv04"]["arms"][0]["round_seconds"] = (numpy.float64(0.1),)
    document["dlcv04"]["arms"][0]["round_index"] = [0]
    path = store.accept(document, part="timing", reason="r", commit=COMMIT)
    arm = store.load(machine_class=HERE).timing[0].run.arms[0]
    assert arm.facts == {"rate": 0.5, "n": 3, "bad": None}
    json.loads(path.read_text(), parse_constant=pytest.fail)


def test_what_json_cannot_hold_is_refused_and_nothing_stored(store):
    document = make_document(make_run())
    document["extra"] = object()
    with pytest.raises(BaselineError, match="object"):
        store.accept(document, part="timing", reason="r", commit=COMMIT)
    assert store.load(machine_class=HERE).timing == []


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "baselines").write_text("a file, no folder")
    with pytest.raises(BaselineError, match="can't be written"):
        accept(Store(tmp_path / "baselines"))


WRITER = """
import sys, msgspec, json
from pathlib import Path
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.schema import Commit
root, source, prefix, count = sys.argv[1:]
document = json.loads(Path(source).read_text())
print("ready", flush=True)
for i in range(int(count)):
    document["dlcv04"]["id"] = f"{prefix}-{i}"
    Store(root).accept(document, part="timing", reason="r", commit=Commit(), name=prefix)
"""


def writer(root, source, prefix, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), str(source), prefix, str(count)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def source(tmp_path):
    document = make_document(make_run())
    document["benchmarks"] = [{"padding": ["x" * 100] * 2000}]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_kill_leaves_every_file_readable(tmp_path, source):
    root = tmp_path / "baselines"
    known = {}
    for attempt in range(6):
        process = writer(root, source, f"p{attempt}", 10_000)
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.03 + 0.017 * attempt)
        while attempt == 5 and len(list(root.rglob("*.json"))) < 3 and process.poll() is None:
            time.sleep(0.005)  # on a machine that others use all kills may come too early
        process.send_signal(signal.SIGKILL)
        process.communicate()
        loaded = Store(root).load(machine_class=HERE)
        assert loaded.problems == []
        found = {stored.path: contents(stored.path) for stored in loaded.timing}
        assert known.items() <= found.items(), "a file vanished or was overwritten"
        known = found
    assert known, "no attempt stored anything: the kills came too early to mean something"
    accept(Store(root), make_run("after"))
    assert not list(root.rglob("*.partial")), "the next acceptance clears what a kill left behind"


KILLED = """
import os, signal, sys
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
link, moment = os.link, sys.argv.pop()
if moment == "before the link":
    os.link = die
elif moment == "after the link":
    os.link = lambda *names: (link(*names), die())
else:
    os.fsync = die
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
@pytest.mark.parametrize(("moment", "stored"), [("before the sync", 0), ("before the link", 0), ("after the link", 0)])
def test_a_kill_at_each_step(tmp_path, source, moment, stored):
    """Before the manifest lists a file it does not count; tests/faults/test_kills.py has every step."""
    root = tmp_path / "baselines"
    command = [sys.executable, "-c", KILLED + WRITER, str(root), str(source), "p", "1", moment]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert list(root.rglob("*.partial")), "the kill came too early or too late to mean something"
    loaded = Store(root).load(machine_class=HERE)
    assert (len(loaded.timing), loaded.problems) == (stored, [])
    assert accept(Store(root), make_run("after")).name.startswith(f"{stored + 1:04d}")
    assert not list(root.rglob("*.partial")), "the next acceptance clears what a kill left behind"


def test_writers_at_the_same_time_get_their_own_numbers(tmp_path, source):
    root = tmp_path / "baselines"
    processes = [writer(root, source, prefix, 8) for prefix in ("a", "b")]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    names = sorted(path.name for path in (root / HERE).glob("*.json"))
    assert [int(name[:4]) for name in names] == list(range(1, 17))
    loaded = Store(root).load(machine_class=HERE)
    assert len(loaded.timing) == 16 and loaded.problems == []


@pytest.mark.parametrize("links", [True, False])
def test_nothing_is_ever_overwritten(store, monkeypatch, links):
    """Even when another program took the name between the choice of the number and the link."""
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    first = accept(store)
    before = first.read_bytes()
    monkeypatch.setattr(baselines, "_next_number", lambda *_: 1)
    with pytest.raises(BaselineError, match="can't be written"):
        accept(store, make_run("second"))
    assert first.read_bytes() == before
    assert not list(store.root.rglob("*.partial"))


def test_a_full_disk_leaves_nothing_behind(store, monkeypatch):
    accept(store)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BaselineError, match="No space left"):
        accept(store, make_run("second"))
    assert [path.name for path in sorted((store.root / HERE).iterdir())] == ["0001_smoke.json"]
