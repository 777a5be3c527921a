"""``dlcv04 fetch``: what was downloaded is named, and what failed is one sentence and exit 1."""

from pathlib import Path

from dlcv04.datasets import fetch as fetching
from tests.commands.asking import Command

fetch = Command("fetch")


def test_says_where_the_data_set_is_stored(monkeypatch):
    monkeypatch.setattr(fetching, "fetch", lambda name, to: to / f"{name}.npz")
    assert fetch("mnist", "--to", "data") == [f"stored: {Path('data/mnist.npz')}"]


def test_a_failed_download_exits_1(monkeypatch):
    def failing(name, to):
        raise fetching.FetchError(f"{name} can't be downloaded.")

    monkeypatch.setattr(fetching, "fetch", failing)
    result = fetch.asked("mnist")
    assert result.exit_code == 1 and result.stderr == "mnist can't be downloaded.\n"


def test_an_unknown_data_set_exits_1():
    result = fetch.asked("mnits")
    assert result.exit_code == 1 and "did you mean 'mnist'?" in result.stderr
