"""Where a command may be told to write: a device, a FIFO, a link, its own output, a file that others must not read.

Each command that writes a picture, a curve or a report does it by `dlcv04.atomic`. The report stands for all here,
since it needs no framework; `test_atomic.py` finds a writer of its own.
"""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcv04 import atomic
from dlcv04.cli import app
from dlcv04.harness.report.renderers import json_document
from dlcv04.harness.store.reading import read_run
from dlcv04.harness.store.schema import to_builtins
from tests.faults.rows import Row
from tests.harness.report.sample import sample_run

ROWS = [
    Row("device", "`report --out` names a device", "report: null", 0, "the device"),
    Row(
        "fifo", "`report --out` names a FIFO that somebody reads", "report: fifo", 0, "the FIFO; the reader has it all"
    ),
    Row("link", "`report --out` names a link", "report: link", 0, "the link; the file at its end is whole"),
    Row("dangling", "`report --out` names a link to nothing yet", "report: link", 0, "the link; the file is made"),
    Row("loop", "`report --out` names a link to itself", "name another file", 2, "the link"),
    Row("folder", "`report --out` names a folder where a file is due", "name another file", 2, "the folder"),
    Row("private", "`report --out` names a file of the owner's alone", "report: private", 0, "the file's mode"),
    Row("full", "`report --out` names a device that is full", "No space left", 2, "the device"),
]


@pytest.fixture
def expected(tmp_path, monkeypatch):
    """The report that must arrive, in a folder with its run."""
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_text(json.dumps({"dlcv04": to_builtins(sample_run())}))
    return json_document.render(read_run("run.json")).encode()


def device(name, minor):
    """A device of our own: a writer that is wrong would break the machine's, for everybody."""
    try:
        os.mknod(name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
    except PermissionError:
        pytest.skip("only root makes devices")


def prepared(name, got):
    """Make what a row names, in the current folder; return its path, and what it must be afterwards."""
    if name == "device":
        device("null", 3)
        return "null", lambda: stat.S_ISCHR(Path("null").stat().st_mode)
    if name == "fifo":
        os.mkfifo("fifo")
        reader = threading.Thread(target=lambda: got.append(Path("fifo").read_bytes()), daemon=True)
        reader.start()
        return "fifo", lambda: reader.join(10) is None and stat.S_ISFIFO(Path("fifo").stat().st_mode)
    if name in ("link", "dangling"):
        Path("elsewhere").mkdir()
        if name == "link":
            Path("elsewhere/file").write_text("old")
        Path("link").symlink_to("elsewhere/file")
        return "link", lambda: Path("link").is_symlink() and got.append(Path("elsewhere/file").read_bytes()) is None
    if name == "loop":
        Path("link").symlink_to("link")
        return "link", lambda: Path("link").is_symlink()
    if name == "folder":
        Path("folder").mkdir()
        return "folder", lambda: Path("folder").is_dir() and not list(Path("folder").iterdir())
    if name == "private":
        Path("private").touch(0o600)
        return "private", lambda: Path("private").stat().st_mode & 0o777 == 0o600
    assert name == "full"
    device("full", 7)
    return "full", lambda: stat.S_ISCHR(Path("full").stat().st_mode)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_written_to_stays_what_it_is(row, expected):
    got: list[bytes] = []
    out, is_kept = prepared(row.name, got)
    done = CliRunner().invoke(app, ["report", "run.json", "--format", "json", "--out", out])
    assert done.exit_code == row.exit and row.sentence in done.output, done.output
    assert is_kept() and len(done.output.splitlines()) == 1
    assert got in ([], [expected])
    assert not list(Path().rglob(f"*{atomic.PARTIAL}"))


@pytest.mark.parametrize("into", ["a file", "a pipe"])
def test_the_standard_output_has_the_report_and_then_the_line(expected, into):
    """By a link of our own, as /dev/stdout is one."""
    if not Path("/proc/self/fd/1").exists():
        pytest.skip("there is no /proc here")
    Path("stdout").symlink_to("/proc/self/fd/1")
    program = [sys.executable, "-c", "from dlcv04.cli import main; main()"]
    command = [*program, "report", "run.json", "--format", "json", "--out", "stdout"]
    if into == "a pipe":
        printed = subprocess.run(command, check=True, capture_output=True).stdout
    else:
        with Path("printed").open("wb") as file:
            subprocess.run(command, check=True, stdout=file)
        printed = Path("printed").read_bytes()
    assert printed == expected + b"report: stdout\n" and Path("stdout").is_symlink()


def test_a_name_as_long_as_a_file_system_allows(tmp_path):
    path = tmp_path / ("я" * 127)
    atomic.write(path, b"x")
    with pytest.raises(FileExistsError), atomic.creating(path):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_place_that_can_not_be_written_to_is_said_by_its_own_name(tmp_path):
    with pytest.raises(FileNotFoundError) as told, atomic.creating(tmp_path / "none" / "x.png"):
        pass
    assert str(tmp_path / "none" / "x.png") in str(told.value) and atomic.PARTIAL not in str(told.value)
