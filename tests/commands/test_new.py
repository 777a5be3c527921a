"""``dlcv04 new``: an example project in a folder that is new, and the next step."""

from pathlib import Path

from tests.commands.asking import Command

new = Command("new")


def test_every_file_is_named_and_the_next_step_can_be_pasted():
    *written, last = new("my claims")
    files = {str(path) for path in Path("my claims").rglob("*") if path.is_file()}
    assert {line.removeprefix("written: ") for line in written} == files
    assert last == "next: cd 'my claims' && pytest bench/"


def test_a_folder_with_something_in_it_is_refused():
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    assert "full is not empty" in new.refused("full")


def test_ctrl_c_is_one_sentence(monkeypatch):
    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("dlcv04.example.write", interrupted)
    result = new.asked("mine")
    assert result.exit_code == 130 and result.stderr == "Stopped.\n"
