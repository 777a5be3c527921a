"""`dlcv04 new` never touches what is there; that its project's claims hold and break is shown by test_tutorial.py."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcv04 import example
from dlcv04.cli import app

PROJECT = Path(__file__).parent.parent / "examples/keras_src_layout"


def new(folder):
    return CliRunner().invoke(app, ["new", str(folder)])


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_it_is_the_first_of_the_examples_and_every_file_is_named(tmp_path):
    result = new(tmp_path / "mine")
    assert result.exit_code == 0, result.output
    found = files(tmp_path / "mine")
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True)
    assert found == {name: (PROJECT / name).read_text() for name in listed.stdout.split()}
    assert set(found) == {str(Path(path)) for path in re.findall(r"written: .*?mine/(\S+)", result.output)}


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "mine").mkdir()
    assert new(tmp_path / "mine").exit_code == 0 and (tmp_path / "mine/README.md").exists()


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / ".hidden").write_text("mine")
    result = new(tmp_path)
    assert result.exit_code == 2 and "is not empty" in result.output
    assert files(tmp_path) == {".hidden": "mine"}


def test_a_file_is_refused(tmp_path):
    (tmp_path / "mine").write_text("text")
    result = new(tmp_path / "mine")
    assert result.exit_code == 2 and "mine is a file" in result.output.replace("\n", "")


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    real = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(()) if folder == tmp_path else real(folder))
    (tmp_path / "conftest.py").write_text("mine")
    with pytest.raises(example.ExampleError, match="can't be written"):
        example.write(tmp_path)
    assert (tmp_path / "conftest.py").read_text() == "mine"


def test_what_a_killed_call_left_is_completed(tmp_path):
    whole, begun = tmp_path / "a" / "mine", tmp_path / "b" / "mine"
    assert new(whole).exit_code == 0
    assert new(begun).exit_code == 0
    (begun / "bench/test_mine.py").unlink()
    (begun / "README.md").unlink()
    (begun / ".README.md.0123456789abcdef.partial").write_text("# mi")
    assert new(begun).exit_code == 0
    assert {name: text for name, text in files(begun).items() if not name.endswith(".partial")} == files(whole)
    assert "is not empty" in new(begun).output
