"""Every command is asked in an empty folder."""

import pytest


@pytest.fixture(autouse=True)
def folder(empty_folder):
    """The empty folder that a test works in."""
    return empty_folder
