"""Scratch folders go with their process; those of killed ones are swept by the next, and nothing else is."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dlcv04 import scratch

HOUR_AGO = 3 * 3600


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, and that of processes started here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def made_long_ago(path: Path) -> None:
    long_ago = time.time() - HOUR_AGO
    os.utime(path, (long_ago, long_ago))


def holder() -> tuple[subprocess.Popen[str], Path]:
    """A process with a scratch folder that has a file in it."""
    program = "from dlcv04.scratch import Scratch; import pathlib, time; s = Scratch(); "
    program += "(pathlib.Path(s.name) / 'tree').mkdir(); print(s.name, flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_goes_with_its_block(temporary: Path) -> None:
    with scratch.Scratch() as name:
        assert Path(name).parent == temporary
    assert list(temporary.iterdir()) == []


def test_an_old_folder_is_swept_once_its_process_was_killed(temporary: Path) -> None:
    process, folder = holder()
    try:
        made_long_ago(folder)
        with scratch.Scratch():
            assert (folder / "tree").exists(), "its process lives, however long ago it was made"
        process.kill()
        process.wait()
        folder.touch()
        with scratch.Scratch():
            assert (folder / "tree").exists(), "a young one may just be made"
        made_long_ago(folder)
        with scratch.Scratch() as name:
            assert list(temporary.iterdir()) == [Path(name)]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_what_is_not_ours_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = temporary / "elsewhere"
    linked, other, plain = (temporary / name for name in ("dlcv04-scratch-link", "dlcv04-0", "dlcv04-scratch-file"))
    for folder in (elsewhere, other):
        folder.mkdir()
        (folder / "kept").write_text("")
        made_long_ago(folder)
    linked.symlink_to(elsewhere)
    plain.write_text("")
    made_long_ago(plain)
    scratch.sweep()
    assert {path.name for path in temporary.rglob("*")} == {
        "elsewhere", "kept", "dlcv04-0", "dlcv04-scratch-link", "dlcv04-scratch-file",
    }  # fmt: skip
    of_another_user = temporary / "dlcv04-scratch-other"
    of_another_user.mkdir()
    made_long_ago(of_another_user)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    scratch.sweep()
    assert of_another_user.exists()
