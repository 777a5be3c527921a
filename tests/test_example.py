"""`dlcv04 new` never touches what is there; that its project's claims hold and break is shown by test_tutorial.py."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcv04 import __version__, example
from dlcv04.cli import app

WRITTEN = {
    ".gitignore", "README.md", "bench/test_mine.py", "conftest.py", "pyproject.toml", "requirements.txt", "stripes.py",
}  # fmt: skip


def new(folder):
    return CliRunner().invoke(app, ["new", str(folder)])


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_every_template_becomes_a_file_and_every_file_is_named(tmp_path):
    result = new(tmp_path / "mine")
    assert result.exit_code == 0, result.output
    found = files(tmp_path / "mine")
    assert set(found) == WRITTEN == {str(Path(path)) for path in re.findall(r"written: .*?mine/(\S+)", result.output)}
    assert found["requirements.txt"] == f"dlcv04=={__version__}\n" and found["README.md"].startswith("# mine\n")
    assert not any("${" in text for text in found.values())


def test_an_empty_folder_is_taken_and_a_dollar_in_its_name_is_text(tmp_path):
    folder = tmp_path / "a ${name} $b"
    folder.mkdir()
    assert new(folder).exit_code == 0
    assert (folder / "README.md").read_text().startswith("# a ${name} $b\n")


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
