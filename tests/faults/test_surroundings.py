"""Where commands run: full and read-only disks, low limits, ASCII terminals, no home, any names, other writers."""

import contextlib
import functools
import json
import os
import pwd
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from dlcv04 import caching
from dlcv04.cli import app
from dlcv04.datasets.sources import keras_cache
from dlcv04.harness.store import manifest
from dlcv04.harness.store.acceptance import Candidate
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import strict
from dlcv04.harness.store.schema import Commit
from tests.faults.killing import forked, warm
from tests.faults.rows import Row
from tests.harness.store.records import HERE, make_document, make_run

ROWS = [
    Row("full-disk", "a disk of 64 KiB", "No space left on device", 2, "the store as it was; a retry stores"),
    Row("read-only", "the checkout is read-only", "Read-only file system", 2, "the store; it is read all the same"),
    Row("file-size", "`ulimit -f` is smaller than the run", "File too large", 2, "the store as it was"),
    Row("open-files", "`ulimit -n` is too low", "Too many open files", 2, "the store as it was"),
    Row("ascii", "an ASCII locale: `LC_ALL=C` without UTF-8 mode", "stored: baselines", 0, "everything"),
    Row("no-home", "no home folder, and a user without a name", "stored: baselines", 0, "everything"),
    Row("names", "spaces, quotes and Unicode in paths", "stored: baselines", 0, "everything"),
    Row("eight-writers", "eight processes accept at the same time", "", 0, "all that they accept"),
]


@functools.cache
def commands():
    return typer.main.get_command(app)


def accept():
    commands().main(["accept", "run.json", "--reason", "für die Kurve"], prog_name="dlcv04")


def write_run(folder, size=0):
    """A run to accept, with a sentence that is not ASCII."""
    run = make_run("new", command="pytest bärig/ – « × »" + "x" * size)
    (folder / "run.json").write_text(json.dumps(strict(make_document(run)), ensure_ascii=False), encoding="utf-8")


def runs(folder):
    loaded = Store(folder / "baselines").load(machine_class=HERE)
    assert loaded.problems == []
    return len(loaded.timing) + len(loaded.portable)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path)
    warm(accept)
    shutil.rmtree(tmp_path / "baselines")
    return tmp_path


def row(name):
    return next(one for one in ROWS if one.name == name)


def refused(ended, name):
    """One sentence, the row's, and its exit code."""
    assert ended.code == row(name).exit and row(name).sentence in ended.printed, ended
    assert len(ended.printed.splitlines()) == 1 and "Traceback" not in ended.printed


@contextlib.contextmanager
def small_disk(folder, *options):
    mount = ["mount", "-t", "tmpfs", "-o", ",".join(["size=64k", *options]), "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a disk")
    try:
        yield
    finally:
        os.chdir("/")
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(project, monkeypatch):
    disk = project / "disk"
    disk.mkdir()
    with small_disk(disk):
        monkeypatch.chdir(disk)
        write_run(disk, size=20_000)  # it fits once; with its two parts it does not
        ended = forked(accept)
        refused(ended, "full-disk")
        assert runs(disk) == 0
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        assert forked(accept).code == 0 and runs(disk) == 2


def test_every_size_of_disk_that_is_too_small(project, monkeypatch):
    """Full at another moment each time: in the first file, the second, the manifest."""
    disk = project / "disk"
    disk.mkdir()
    with small_disk(disk, "mode=755"):
        monkeypatch.chdir(disk)
        stored = 0
        for kib in range(16, 132, 8):
            subprocess.run(["mount", "-o", f"remount,size={kib}k", str(disk)], check=True)
            with contextlib.suppress(OSError):
                write_run(disk, size=6_000)
                ended = forked(accept)
                assert "Traceback" not in ended.printed and ended.code in (0, 2), ended
                assert runs(disk) == (2 if ended.code == 0 else 0)
                stored += ended.code == 0
                shutil.rmtree(disk / "baselines", ignore_errors=True)
        assert stored


def test_a_read_only_checkout(project, monkeypatch):
    disk = project / "disk"
    disk.mkdir()
    with small_disk(disk):
        monkeypatch.chdir(disk)
        write_run(disk)
        Store(disk / "baselines").accept(make_document(make_run("old")), part="timing", reason="x", commit=Commit())
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused(forked(accept), "read-only")
        assert runs(disk) == 1


def limited(which, value):
    def action():
        resource.setrlimit(which, (value, value))
        accept()

    return action


@pytest.mark.parametrize("size", [500, 1_000, 2_000])
def test_a_low_limit_of_file_sizes(project, size):
    refused(forked(limited(resource.RLIMIT_FSIZE, size)), "file-size")
    assert runs(project) == 0
    assert forked(accept).code == 0 and runs(project) == 2


def test_every_low_limit_of_open_files(project):
    """It is refused in one sentence, or does its work."""
    codes = set()
    for limit in range(3, 16):
        ended = forked(limited(resource.RLIMIT_NOFILE, limit))
        if ended.code == 2:
            refused(ended, "open-files")
        assert (ended.code, runs(project)) in ((2, 0), (0, 2)), (limit, ended)
        codes.add(ended.code)
        shutil.rmtree(project / "baselines", ignore_errors=True)
    assert codes == {0, 2}


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def spoken(folder, *arguments, **environment):
    """A command in a process of its own."""
    program = [sys.executable, "-c", "from dlcv04.cli import main; main()"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    return subprocess.run([*program, *arguments], cwd=folder, env=environment, capture_output=True)


def test_an_ascii_locale(project):
    done = spoken(project, "accept", "run.json", "--reason", "für", **ASCII)
    assert done.returncode == 0 and row("ascii").sentence in done.stdout.decode(), done.stderr
    assert runs(project) == 2
    for form in ("markdown", "json"):
        done = spoken(project, "report", "run.json", "--format", form, **ASCII)
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
        assert form == "markdown" or json.loads(done.stdout)
    done = spoken(project, "report", "kein–lauf.json", **ASCII)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


def test_a_name_that_is_no_text(project):
    done = spoken(project, "report", b"\xff.json")
    assert done.returncode == 2 and "\ufffd.json can't be opened".encode() in done.stderr, done.stderr


def test_no_home(project, monkeypatch):
    def nobody(_):
        raise KeyError("no such user")

    for name in ("HOME", "KERAS_HOME", "DLCV04_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert row("no-home").sentence in forked(accept).printed
    assert isinstance(caching.default_folder(), Path) and isinstance(keras_cache(), Path)


@pytest.mark.parametrize(
    "name", ["two words", 'it\'s "quoted" $HOME `x`', "Übung – 試し ☃", "-rf", "new\nline", "[a-z]*"]
)
def test_names_of_any_kind(project, name, monkeypatch):
    folder = project / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_run(folder)
    ended = forked(accept)
    assert ended.code == 0 and row("names").sentence in ended.printed, ended
    assert runs(folder) == 2


def test_eight_processes_accept_at_the_same_time(tmp_path):
    root, writers, each = tmp_path / "baselines", 8, 4
    children = []
    for writer in range(writers):
        child = os.fork()
        if child == 0:
            try:
                for number in range(each):
                    document = make_document(make_run(f"run-{writer}-{number}"))
                    both = [Candidate(document, part) for part in ("timing", "portable")]
                    Store(root).accept_all(both, reason="x", commit=Commit())
            finally:
                os._exit(sys.exc_info()[0] is not None)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * writers
    loaded = Store(root).load(machine_class=HERE)
    assert loaded.problems == [] and len(loaded.timing) == len(loaded.portable) == writers * each
    assert len(manifest.read(root).files) == 2 * writers * each
    assert [path.name[:4] for path in sorted((root / HERE).glob("*.json"))] == [f"{n:04d}" for n in range(1, 33)]
