"""Every writer is killed after each of its file system calls: what is stored reads as before or as after, and a retry
succeeds."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import typer

from dlcv04 import example
from dlcv04.cli import app
from dlcv04.datasets.fetch import Download, fetch
from dlcv04.harness.machine import git
from dlcv04.harness.session import benchmark_adapter
from dlcv04.harness.store import folders, selftests
from dlcv04.harness.store.acceptance import Candidate
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import BaselineError, strict
from dlcv04.harness.store.schema import Commit, to_builtins
from tests.conftest import Repository
from tests.faults.killing import WAYS, attacks, forked, warm
from tests.faults.rows import Row
from tests.faults.test_saved_runs import storage  # noqa: F401 - a fixture
from tests.harness.report.sample import sample_run
from tests.harness.selftest.made import a_test
from tests.harness.store.records import HERE, make_document, make_run

_END = -9
#: Torn files differ from whole ones only where a file is written, which is done in one place.
QUICK = ["kill", *(pytest.param(way, marks=pytest.mark.nightly) for way in WAYS[1:])]

ROWS = [
    Row(
        "accept",
        "`kill -9` or Ctrl-C at any file system call of `dlcv04 accept`",
        "",
        _END,
        "all of the run or nothing",
    ),
    Row("accept_all", "the same where `dlcv04 baseline` or `--append` stores", "", _END, "all processes or none"),
    Row(
        "baseline",
        "`kill -9` in the middle of `dlcv04 baseline --processes 5`",
        "",
        _END,
        "nothing, or all that it stores; the next call stores all",
        slow=True,
    ),
    Row("retire", "the same in `dlcv04 accept --retire`", "", _END, "the list of before or of after"),
    Row("selftest", "the same where `dlcv04 selftest` stores", "", _END, "the self-test or nothing"),
    Row(
        "selftest-whole",
        "`kill -9` in the middle of `dlcv04 selftest`",
        "",
        _END,
        "the stored self-test of before; the next call stores its own",
        slow=True,
    ),
    Row(
        "against",
        "`kill -9` in the middle of `--dl-against`",
        "",
        _END,
        "the working tree; the checkout and its entry in git are gone an hour later, at the next start",
        slow=True,
    ),
    Row("saved", "the same where pytest saves a run", "", _END, "the run or nothing; its number is used again"),
    Row("report", "the same in `dlcv04 report`", "", _END, "the old page or the new one"),
    Row("fetch", "the same in `dlcv04 fetch`", "", _END, "the old file or the new one"),
    Row("new", "the same in `dlcv04 new`", "", _END, "whole files; the same command goes on"),
]


@functools.cache
def commands():
    return typer.main.get_command(app)


def command(*arguments):
    return lambda: commands().main([*map(str, arguments)], prog_name="dlcv04")


class Folder:
    """A folder that every attack finds as it was, and what its store reads as."""

    def __init__(self, path):
        self.path, self.copy = path, path.with_name("copy")
        shutil.copytree(path, self.copy)

    def put_back(self):
        shutil.rmtree(self.path)
        shutil.copytree(self.copy, self.path)
        os.chdir(self.path)

    @property
    def store(self):
        return Store(self.path / "baselines")

    def runs(self):
        """The accepted runs; nothing is lost, and nothing is counted that will be gone."""
        loaded = self.store.load(machine_class=HERE)
        assert loaded.problems == []
        return sorted((stored.run.id, stored.run.acceptance.part) for stored in (*loaded.timing, *loaded.portable))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one accepted run and another one to accept."""
    path = tmp_path / "project"
    path.mkdir()
    monkeypatch.chdir(path)
    monkeypatch.setattr(git, "commit", lambda root: Commit())  # four processes, which write nothing
    (path / "run.json").write_text(json.dumps(strict(make_document(make_run("new")))))
    store = Store(path / "baselines")
    store.accept(make_document(make_run("old")), part="timing", reason="first", commit=Commit())
    return Folder(path)


OLD = [("old", "timing")]
BOTH = sorted([*OLD, ("new", "timing"), ("new", "portable")])
ACCEPT = command("accept", "run.json", "--reason", "x")


def all_or_nothing(folder, action, after, way, retried=True):
    """Attack at every call; return how many there were. `retried` says whether a second call stores nothing more."""
    count = 0
    warm(action)
    folder.put_back()
    for ended in attacks(action, way):
        count += 1
        assert "Traceback" not in ended.printed, ended.printed
        found = folder.runs()
        assert found in (OLD, after), f"{way} at call {count}: {found}"
        again = forked(action)
        assert "Traceback" not in again.printed, again.printed
        if retried:
            assert again.code == 0 or (found == after and "counts once" in again.printed), (count, again)
            assert folder.runs() == after, f"{way} at call {count}, then once more"
            left = [path.name for path in (folder.path / "baselines").rglob(".*") if path.name != ".lock"]
            assert left == [], f"{way} at call {count}: {left}"
        folder.put_back()
    return count


@pytest.mark.parametrize("way", WAYS)
def test_accept(project, way):
    assert all_or_nothing(project, ACCEPT, BOTH, way) > 10


@pytest.mark.parametrize("way", QUICK)
def test_the_first_accept_of_a_project(project, way):
    shutil.rmtree(project.path / "baselines")
    shutil.rmtree(project.copy / "baselines")
    count = 0
    warm(ACCEPT)
    project.put_back()
    for _ in attacks(ACCEPT, way):
        count += 1
        found = project.runs()
        assert found in ([], [("new", "portable"), ("new", "timing")]), f"{way} at call {count}: {found}"
        again = forked(ACCEPT)
        assert again.code == 0 or (found and "counts once" in again.printed), (count, again)
        assert len(project.runs()) == 2
        project.put_back()
    assert count > 10


@pytest.mark.nightly
@pytest.mark.parametrize("way", WAYS)
def test_what_baseline_stores(project, way):
    """One portable run and three processes, as `dlcv04 baseline` stores them at its end."""
    documents = [make_document(make_run(f"new{number}")) for number in range(4)]
    parts = ["portable", "timing", "timing", "timing"]
    candidates = [Candidate(document, part) for document, part in zip(documents, parts, strict=True)]
    after = sorted([*OLD, *((f"new{number}", part) for number, part in enumerate(parts))])

    def action():
        with contextlib.suppress(BaselineError):  # a run counts once
            Store("baselines").accept_all(candidates, reason="x", commit=Commit())

    assert all_or_nothing(project, action, after, way, retried=False) > 20
    forked(action, at=15)
    assert forked(ACCEPT).code == 0
    assert project.runs() in (BOTH, sorted({*BOTH, *after})), "another acceptance clears up or completes"


@pytest.mark.nightly
@pytest.mark.parametrize("way", WAYS)
def test_retire(project, way):
    action = command("accept", "--retire", "bench/test_a.py::test_slow", "--reason", "gone")
    warm(action)
    project.put_back()
    for ended in attacks(action, way):
        assert "Traceback" not in ended.printed
        (stored,) = project.store.load(machine_class=HERE).timing
        again = forked(action)
        assert again.code == 0 or (not stored.run.claims and "retired already" in again.printed), again
        project.put_back()


@pytest.mark.parametrize("way", QUICK)
def test_self_test(project, way):
    root, first, second = project.path / "baselines", a_test(0.01), msgspec.structs.replace(a_test(0.02), id="y")

    def newest():
        test = selftests.latest(root, "cpu-x", {"backend": "b"})
        return test and test.id

    for _ in attacks(lambda: selftests.keep(first, root), way):
        assert newest() in (None, "x")
        assert forked(lambda: selftests.keep(second, root)).code == 0 and newest() == "y"
        assert project.runs() == OLD
        project.put_back()


@pytest.mark.parametrize("way", WAYS)
def test_saved_run(storage, way):  # noqa: F811
    def action():
        benchmark_adapter._save(storage, {"run": 1, "padding": ["x"] * 100}, "kept")

    count = 0
    for _ in attacks(action, way):
        count += 1
        for path in storage.path.rglob("*.json"):
            assert json.loads(path.read_text())["run"] == 1
        shutil.rmtree(storage.path, ignore_errors=True)
    assert count > 4


@pytest.mark.parametrize("way", QUICK)
def test_report(project, way):
    (project.path / "run.json").write_text(json.dumps({"dlcv04": to_builtins(sample_run())}))
    action = command("report", "run.json")
    warm(action)
    whole = (project.path / "reports/latest.html").read_bytes()
    for ended in attacks(action, way):
        assert "Traceback" not in ended.printed
        pages = list((project.path / "reports").glob("*.html"))
        assert all(page.read_bytes() == whole for page in pages)
        for leftover in (project.path / "reports").glob(".*"):
            long_ago = time.time() - 7200
            os.utime(leftover, (long_ago, long_ago))
        assert forked(action).code == 0
        assert sorted(p.suffix for p in (project.path / "reports").iterdir()) == [".html", ".html"], "swept"


@pytest.mark.parametrize("way", WAYS)
def test_fetch(tmp_path, way):
    body = bytes(range(256)) * 1000
    source, folder = tmp_path / "source", tmp_path / "data"
    source.write_bytes(body)
    download = Download("mnist.npz", source.as_uri(), hashlib.sha256(body).hexdigest())
    target = folder / "mnist.npz"

    def action():
        fetch("mnist", folder, download=download, show=False)

    warm(action)
    target.write_bytes(b"old")
    for _ in attacks(action, way):
        assert target.read_bytes() in (b"old", body)
        for leftover in folder.glob(".*"):
            os.utime(leftover, (1, 1))
        target.write_bytes(b"old")
        assert forked(action).code == 0
        assert [path.name for path in folder.iterdir()] == ["mnist.npz"] and target.read_bytes() == body
        target.write_bytes(b"old")


@pytest.mark.nightly
@pytest.mark.parametrize("way", WAYS)
def test_new(tmp_path, way):
    whole = {path.name: path.read_bytes() for path in example.write(tmp_path / "whole" / "mine")}
    folder = tmp_path / "mine"
    action = command("new", folder)
    warm(action)
    shutil.rmtree(folder)
    for ended in attacks(action, way):
        there = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".partial"]
        found = {path.name: path.read_bytes() for path in there}
        assert found.items() <= whole.items()
        again = forked(action)
        assert again.code == 0 or (found == whole and "is not empty" in again.printed), (ended, again)
        assert {path.name for path in Path(folder).rglob("*") if path.suffix != ".partial"} >= set(whole)
        shutil.rmtree(folder)


@pytest.mark.nightly
def test_whole_baselines(suite, monkeypatch):
    """Five runs of five processes each, killed at moments from the first process to the last file."""
    committed = Repository(suite())
    committed.commit()
    folder = committed.path
    monkeypatch.chdir(folder)
    program = [sys.executable, "-c", "from dlcv04.cli import main; main()", "baseline", "--reason", "x"]
    start = time.monotonic()
    subprocess.run(program, check=True, capture_output=True)
    seconds, whole = time.monotonic() - start, stored_in(folder)
    assert len(whole) == 6
    for share in (0.1, 0.4, 0.7, 0.95, 0.99):
        before = stored_in(folder)
        killed_after(seconds * share, program)
        assert len(stored_in(folder)) - len(before) in (0, 6)
    before = stored_in(folder)
    subprocess.run(program, check=True, capture_output=True)
    assert len(stored_in(folder)) == len(before) + 6


def killed_after(seconds, program):
    """Start a program, and kill it with all that it started."""
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # with the suite's process that it was waiting for
    process.communicate()


def stored_in(folder):
    loaded = Store(folder / "baselines").load(machine_class="cpu-fake-2-cores")
    assert loaded.problems == []
    return [stored.run.id for stored in (*loaded.timing, *loaded.portable)]


@pytest.mark.nightly
def test_whole_self_tests(suite, monkeypatch):
    """Five quick ones, killed at moments from the first process pair to the file that is stored."""
    folder = suite().path
    monkeypatch.chdir(folder)
    program = [sys.executable, "-c", "from dlcv04.cli import main; main()", "selftest", "--quick"]
    program += ["--identical", "4", "--planted", "2", "--device", "cpu"]
    start = time.monotonic()
    subprocess.run(program, check=True, capture_output=True)
    seconds = time.monotonic() - start

    def stored():
        paths = sorted((folder / "baselines").glob(f"*/{folders.SELFTEST}/*"))
        for path in paths:
            document = json.loads(path.read_bytes())
            assert selftests.latest(folder / "baselines", path.parents[1].name, document["key"]) is not None
        return {path.name: path.read_bytes() for path in paths}

    for share in (0.1, 0.4, 0.7, 0.95, 0.99):
        before = stored()
        killed_after(seconds * share, program)
        after = stored()
        assert before.items() <= after.items() and len(after) - len(before) in (0, 1)
    before = stored()
    subprocess.run(program, check=True, capture_output=True)
    assert len(stored()) == len(before) + 1


@pytest.mark.nightly
def test_what_a_killed_run_against_a_commit_left_goes_at_the_next_start(suite, monkeypatch, tmp_path_factory):
    repository = Repository(suite())
    repository.commit()
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.chdir(repository.path)
    program = [sys.executable, "-m", "pytest", "bench", "--dl-against", "HEAD"]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 120
    while not list(scratch.glob("*/tree/bench")) and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = [path for path in scratch.iterdir() if path.name.startswith("dlcv04-scratch-")]
    assert left and len(repository.git("worktree", "list").splitlines()) == 2
    assert repository.git("status", "--porcelain") == ""
    for path in left:
        os.utime(path, (1, 1))
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert not [path for path in scratch.iterdir() if path.name.startswith("dlcv04-scratch-")]
    assert len(repository.git("worktree", "list").splitlines()) == 1
