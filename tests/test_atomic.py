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


#: Those that write no file of a user: scratch files, the kernel's, and one that others append to.
WRITES_ELSEWHERE = {
    "atomic.py", "pool.py", "cluster.py", "backends/__init__.py", "harness/measuring/process_pairs.py",
    "harness/report/renderers/github.py",
}  # fmt: skip


def writes(code: str) -> list[int]:
    """Lines that write a file, or move one into another's place."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return sorted(
        call.lineno
        for call in calls
        if ast.unparse(call.func) in {"os.replace", "os.rename", "os.link", "os.mkfifo", "tempfile.mkstemp"}
        or (isinstance(call.func, ast.Name | ast.Attribute) and _writes(call))
    )


def _writes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id  # type: ignore[attr-defined]
    given = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    if name in {"rename", "replace"}:
        return isinstance(call.func, ast.Attribute) and len(call.args) == 1 and not call.keywords
    if name == "open":
        return any(isinstance(mode, str) and len(mode) < 4 and set(mode) & set("wax+") for mode in given)
    if ast.unparse(call.func) in {"reporting.write_text", "session.storage.save"}:  # which does it by atomic
        return False
    to_a_path = call.args and not (isinstance(call.args[0], ast.Name) and call.args[0].id in {"file", "sink"})
    return name in {"write_text", "write_bytes"} or (name in {"save", "savefig", "savez"} and bool(to_a_path))


def test_nothing_else_in_the_package_writes_a_file() -> None:
    guilty = {
        name: lines
        for file in [*PACKAGE.rglob("*.py"), PACKAGE.parent / "docs" / "figures.py"]
        if (name := os.path.relpath(file, PACKAGE)) not in WRITES_ELSEWHERE and (lines := writes(file.read_text()))
    }
    assert guilty == {}


def test_the_check_finds_a_writer_of_its_own() -> None:
    innocent = "'a'.replace('a', 'b')\npicture.save(file, 'PNG')\npath.open('rb')\n"
    assert writes(innocent) == []
    own = ["part.replace(path)", "os.replace(a, b)", "path.write_text(x)", "path.open('wb')", "open(p, 'x')"]
    assert writes("\n".join([*own, "figure.savefig(path)", "Image.open(f).save(path)"])) == [1, 2, 3, 4, 5, 6, 7]
