"""The document "What can go wrong" is that of the rows."""

from tests.faults.__main__ import DOCUMENT, document, tables


def test_the_document_is_up_to_date():
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `python -m tests.faults`"


def test_no_two_rows_have_one_name():
    for title, found in tables():
        assert len({row.name for row in found}) == len(found), title
