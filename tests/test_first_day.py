"""A team's first day with a GPU runner, as docs/ci.md tells it, is played from beginning to end on a faked card."""

import shutil

import pytest

from tests import first_day


@pytest.mark.end_to_end
def test_the_first_day(tmp_path):
    assert shutil.which("jq") and shutil.which("unzip"), "the commands of comment.yml need jq and unzip"
    first_day.main(tmp_path / "day")
