"""Every command is asked in an empty folder, or in a committed suite on a machine of ours."""

import pytest

from tests.commands.asking import commit_all


@pytest.fixture(autouse=True)
def folder(empty_folder):
    """The empty folder that a test works in."""
    return empty_folder


@pytest.fixture
def fake_suite(suite, light_processes, monkeypatch):
    """A committed folder whose claims run on a machine of ours."""
    folder = suite().path
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (folder / ".gitignore").write_text("reports/\n.benchmarks/\n.pytest_cache/\nbaselines/\n__pycache__/\n.cache/\n")
    commit_all(folder)
    return folder
