"""One row of the table "What can go wrong": what is done, what is said, how it ends and what is kept."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A fault, the sentence that a person reads (a part of it), the exit code, and what is kept."""

    name: str
    fault: str
    sentence: str
    exit: int
    kept: str
    slow: bool = False
