"""Writes docs/what-can-go-wrong.md from the rows of tests/faults: `python -m tests.faults`."""

import importlib
from pathlib import Path

from tests.faults.rows import Row

DOCUMENT = Path(__file__).parents[2] / "docs" / "what-can-go-wrong.md"
HEAD = """# What can go wrong

Each row is a test: the fault is made, the sentence is read, the exit code and what is left are checked. Rows marked with ◦
are slow and run at night. Written by `python -m tests.faults` from `tests/faults/`; do not edit.
"""


def tables():
    """The title and the rows of every test file that has some, by the files' names."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"tests.faults.{path.stem}")
        if found := getattr(module, "ROWS", []):
            yield module.__doc__.strip().splitlines()[0].rstrip("."), found


def _cell(text):
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _line(row: Row):
    cells = (f"{_cell(row.fault)}{' ◦' * row.slow}", _cell(row.sentence), str(row.exit), _cell(row.kept))
    return f"| {' | '.join(cells)} |"


def document():
    """The whole document."""
    parts = [HEAD]
    for title, found in tables():
        parts += [f"\n## {title}\n\n| What happens | What is said | Exit | What is kept |\n|---|---|---|---|\n"]
        parts += [f"{_line(row)}\n" for row in found]
    return "".join(parts)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
