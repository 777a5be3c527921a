"""The judge's rooms: imports go downstairs only."""

import ast
from pathlib import Path

import pytest

HARNESS = Path(__file__).parent.parent.parent / "dlcv04" / "harness"
#: From the ground up: a room may import those before it.
ROOMS = (
    "policy",
    "store",
    "machine",
    "stats",
    "measuring",
    "judging",
    "claims",
    "selftest",
    "report",
    "session",
    "plugin",
)


def rooms_imported(code):
    """The rooms that a module names in an import, or in a LazyModule."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module == "dlcv04.harness":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dlcv04.harness."):
            yield node.module.split(".")[2]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "LazyModule":
            name = node.args[0].value
            if name.startswith("dlcv04.harness."):
                yield name.split(".")[2]


def upstairs(room, code):
    return sorted({other for other in rooms_imported(code) if ROOMS.index(other) > ROOMS.index(room)})


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it(room):
    files = sorted((HARNESS / room).rglob("*.py")) or [HARNESS / f"{room}.py"]
    found = {str(file.relative_to(HARNESS)): upstairs(room, file.read_text()) for file in files}
    assert {file: rooms for file, rooms in found.items() if rooms} == {}


def test_there_is_no_other_room():
    found = {path.stem for path in HARNESS.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize(
    "code",
    [
        "from dlcv04.harness.session import suite",
        "from dlcv04.harness import report",
        "git = LazyModule('dlcv04.harness.claims.claim')",
    ],
)
def test_the_check_finds_a_way_upstairs(code):
    assert upstairs("judging", code)
