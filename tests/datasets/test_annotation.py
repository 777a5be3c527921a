"""Terrassa's annotation file: any well-formed table is read back, anything else is one sentence with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.datasets import DataError
from dlcv04.datasets.annotation import Row, labels, parse

HEAD = b"ImageID\tClassID\n"
NAMES = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"], blacklist_characters="/\\:"), min_size=1)
NAMES = NAMES.filter(lambda name: name == name.strip() and name not in (".", "..") and len(name.splitlines()) == 1)


@given(
    table=st.dictionaries(NAMES, NAMES, min_size=1),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    last=st.booleans(),
    gaps=st.integers(0, 2),
)
def test_any_table_is_read_back(table: dict[str, str], end: str, bom: bool, last: bool, gaps: int) -> None:
    lines = ["ImageID\tClassID", *[""] * gaps, *(f"{image}\t{label}" for image, label in table.items())]
    text = ("\ufeff" if bom else "") + end.join(lines) + (end if last else "")
    rows = parse(text.encode(), "it")
    assert rows == tuple(Row(image, label, gaps + 2 + n) for n, (image, label) in enumerate(table.items()))


@given(st.binary())
def test_any_bytes_are_read_or_refused_with_their_name(content: bytes) -> None:
    for prefix in (b"", HEAD):
        try:
            rows = parse(prefix + content, "the file")
        except DataError as error:
            assert str(error).startswith("the file")
            assert "\n" not in str(error)
        else:
            assert rows
            assert len({row.image for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1: the header is ''"),
        (b"ImageID ClassID\n1\ta\n", "line 1: the header"),
        (b"1\ta\n", "line 1: the header"),
        (HEAD, "names no picture: the split is empty"),
        (HEAD + b"\n\n", "names no picture: the split is empty"),
        (HEAD + b"1\ta\n2 a\n", "line 3: '2 a' is not"),
        (HEAD + b"1\ta\tb\n", "line 2: .* is not"),
        (HEAD + b"1\t\n", "line 2: .* is not"),
        (HEAD + b"\ta\n", "line 2: .* is not"),
        (HEAD + b"1\ta\n\n1\tb\n", "line 4: picture '1' was already named in line 2"),
        (HEAD + b"../1\ta\n", r"line 2: '\.\./1' is a path"),
        (HEAD + b"C:1\ta\n", "line 2: 'C:1' is a path"),
        (HEAD + b"..\ta\n", "line 2: .* is a path"),
        (HEAD + b"1\ta\n2\t\xff\n", "line 3: these bytes are not UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=f"^train/annotation.txt,? ?{sentence}"):
        parse(content, "train/annotation.txt")


def test_labels_are_indices_into_the_classes() -> None:
    rows = (Row("1", "b", 2), Row("2", "a", 3), Row("3", "b", 4))
    assert labels(rows, ("a", "b"), "val", "train") == [1, 0, 1]


def test_an_unknown_class_names_its_line_and_the_nearest() -> None:
    rows = (Row("1", "catedral", 2), Row("2", "catedrall", 3))
    with pytest.raises(
        DataError, match="val, line 3: class 'catedrall' does not occur in train; did you mean 'catedral'"
    ):
        labels(rows, ("catedral", "mnactec"), "val", "train")
