"""docs/tutorial.md, followed to the letter through the installed wheel; only the installation is the fixture's."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.real_times]

PAGE = (Path(__file__).parent.parent / "docs/tutorial.md").read_text()
STEP = (
    r'```bash\n(?P<shell>.*?)```|```python title="(?P<file>.*?)"\n(?P<text>.*?)```|(?P<edit>Replace `[^`]+` by `[^`]+`)'
)


class Step(NamedTuple):
    """One thing the reader does: a shell block, a file to write, or an edit of the file written last."""

    shell: str | None
    file: str | None
    text: str | None
    edit: str | None


STEPS = [Step(**found.groupdict()) for found in re.finditer(STEP, PAGE, re.S)]
# What each shell block after the installation is told to do: exit code, and what it prints.
PROMISED = [
    ("dlcv04 new", 0, "written: stripes/bench/test_mine.py"),
    ("pytest bench/test_mine.py\n", 0, "All 3 claims hold."),
    ("pytest bench/test_depth.py", 1, "1 violated."),
    (
        "pytest bench/test_mine.py bench/test_depth.py --dl-controls",
        0,
        "All 4 claims hold; 4 of 4 controls broke their claim.",
    ),
]


def follow(steps, stranger, folder):
    """Do what the page says; return the shell blocks with what they did."""
    done, written = [], None
    for step in steps:
        if step.shell:
            result = stranger(step.shell, folder)
            done.append((step.shell, result))
            folder = folder / (re.findall(r"^cd (\S+)", step.shell, re.M) or ["."])[-1]
        elif step.file:
            written = folder / step.file
            written.write_text(step.text)
        else:
            old, new = re.findall(r"`(.*?)`", step.edit)[:2]
            assert written.read_text().count(old) == 1
            written.write_text(written.read_text().replace(old, new))
    return done


def test_only_the_first_shell_block_installs():
    first, *others = [step.shell for step in STEPS if step.shell]
    assert "pip install ./dlcv04-" in first and not any("pip " in shell for shell in others)


@pytest.fixture(scope="module")
def followed(stranger, tmp_path_factory):
    return follow(STEPS[1:], stranger, tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("number", range(len(PROMISED)))
def test_each_step_does_what_the_page_says(followed, number):
    (start, code, told), (shell, result) = PROMISED[number], followed[number]
    assert shell.startswith(start)
    assert result.returncode == code, result.stdout + result.stderr
    assert told in result.stdout


def test_nothing_that_the_page_does_is_unchecked(followed):
    assert len(followed) == len(PROMISED)


def test_the_first_line_names_the_projects_own_data(followed):
    assert "3 claims, profile smoke, data: your own (the fixture `dataset` of conftest.py)" in followed[1][1].stdout


def test_what_the_page_quotes_is_printed(followed):
    """Its verdict lines, without the figures, which differ."""
    printed = "\n".join(result.stdout for _, result in followed)
    quoted = re.findall(r"^(?:HOLDS|VIOLATED) +(.*?)  ", "\n".join(re.findall(r"```text\n(.*?)```", PAGE, re.S)), re.M)
    assert len(quoted) == 4
    assert all(sentence.rstrip("… ")[:40] in printed for sentence in quoted)
