"""Text from files and from other people, as a terminal, a log or a page may show it: for both halves of the package."""

import re

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
#: What takes no room, or looks like none: two names that differ by it alone would look the same. Joiners stay where
#: scripts need them, and emoji.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2060-\u2065\u2800\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
_ORDER = re.compile(r"##(?=\[|vso)")


def printable(text: str) -> str:
    """`text` without control characters and without marks that turn the direction of what follows.

    A stored name must not move a cursor, break a picture's XML, reverse the words around it or look like another: a
    character that nobody sees becomes U+FFFD.
    """
    return _UNSEEN.sub("\ufffd", _UNPRINTABLE.sub(" ", text))


def one_line(text: str) -> str:
    """`text` as a terminal or a log may show it: printable, and on one line, so that none of it is a line's start.

    CI services obey lines that start with `::`, white space or not, and `##[` anywhere: there, too, text stays text.
    """
    line = _ORDER.sub("## ", printable(text).replace("\n", " ").replace("\t", " "))
    return f"|{line}" if line.lstrip().startswith("::") else line


def plain(text: str) -> str:
    """Several lines, each as `one_line` shows it."""
    return "\n".join(one_line(line) for line in text.split("\n"))
