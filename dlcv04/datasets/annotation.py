"""Terrassa's ``annotation.txt``: a header and one line a picture, ``ImageID<TAB>ClassID``."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from dlcv04.datasets import DataError

HEADER = ("ImageID", "ClassID")


@dataclass(frozen=True)
class Row:
    """One labelled picture: its name without suffix, its class, and the line that says so (the header is line 1)."""

    image: str
    label: str
    line: int


def parse(content: bytes, where: str) -> tuple[Row, ...]:
    """The rows of an annotation file. Empty lines are passed over; line ends may be Windows's.

    Args:
        content: the file, UTF-8.
        where: its name in messages.

    Raises:
        DataError: it is no such table, has a bad row, names a picture twice, or has no row at all; with the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = content[: error.start].count(b"\n") + 1
        raise DataError(f"{where}, line {bad}: these bytes are not UTF-8 text; save the file as UTF-8.") from error
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if tuple(lines[0].split("\t")) != HEADER:
        raise DataError(f"{where}, line 1: the header is {lines[0][:60]!r}; it must be 'ImageID<TAB>ClassID'.")
    seen: dict[str, int] = {}
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            row = _row(line, number, where)
            if row.image in seen:
                raise DataError(
                    f"{where}, line {number}: picture {row.image!r} was already named in line {seen[row.image]}; "
                    "keep one."
                )
            seen[row.image] = number
            rows.append(row)
    if not rows:
        raise DataError(f"{where} names no picture: the split is empty.")
    return tuple(rows)


def _row(line: str, number: int, where: str) -> Row:
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) != 2 or not all(fields):
        raise DataError(f"{where}, line {number}: {line[:60]!r} is not 'ImageID<TAB>ClassID'.")
    image, label = fields
    if image in (".", "..") or set(image) & set("/\\:\0"):
        raise DataError(f"{where}, line {number}: {image!r} is a path; an ImageID is a file's name without its suffix.")
    return Row(image, label, number)


def labels(rows: Sequence[Row], classes: tuple[str, ...], where: str, known_from: str) -> list[int]:
    """Each row's class as its index in `classes`.

    Raises:
        DataError: a class is not among them; with the line, and what may have been meant.
    """
    for row in rows:
        if row.label not in classes:
            near = difflib.get_close_matches(row.label, classes, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(classes)}."
            raise DataError(f"{where}, line {row.line}: class {row.label!r} does not occur in {known_from}; {hint}")
    index = {name: number for number, name in enumerate(classes)}
    return [index[row.label] for row in rows]
