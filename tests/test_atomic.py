"""The one writer: files appear whole or not at all, for both halves of the package."""

import ast
import os
import time
from pathlib import Path

import pytest

from dlcv04 import atomic

PACKAGE = Path(__file__).parent.parent / "dlcv04"


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as file:
        file.write(b"ne")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with atomic.replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    plain = tmp_path / "plain"
    plain.write_text("")
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_new_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with atomic.creating(path) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError), atomic.creating(path) as file:
        file.write(b"second")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_neither_does_it_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError("this file system has no hard links")

    monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "x.json"
    for content in (b"first", b"second"):
        try:
            with atomic.creating(path) as file:
                file.write(content)
        except FileExistsError as error:
            assert content == b"second" and "exists already" in str(error)
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_swept_by_the_next_one_once_it_is_old(tmp_path: Path) -> None:
    old, young = (tmp_path / f".x.json.{name}{atomic.PARTIAL}" for name in "ab")
    for part in (old, young):
        part.write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))
    with atomic.replacing(tmp_path / "x.json") as file:
        file.write(b"whole")
    assert not old.exists() and young.exists()


def renames(code: str) -> list[int]:
    """Lines that move a file into another's place."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if ast.unparse(call.func) in {"os.replace", "os.rename", "os.link"}
        or (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in {"rename", "replace"}
            and len(call.args) == 1
            and not call.keywords
        )
    ]


def test_nothing_else_in_the_package_writes_beside_a_file_and_renames() -> None:
    """`fetch` keeps what it has downloaded under the name of its own partial file, to go on with it."""
    guilty = {
        str(file.relative_to(PACKAGE)): lines
        for file in PACKAGE.rglob("*.py")
        if file.name not in {"atomic.py", "fetch.py"} and (lines := renames(file.read_text()))
    }
    assert guilty == {}


def test_the_check_finds_a_writer_of_its_own() -> None:
    assert renames("part.replace(path)\nos.replace(a, b)\n'a'.replace('a', 'b')") == [1, 2]
