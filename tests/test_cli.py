"""The `dlcv04` command: all commands are there, help is instant, and a shell completes names and choices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dlcv04
from dlcv04.cli import COMMANDS, app

NAMES = [command.__name__ for command in COMMANDS]
HEAVY = ("tensorflow", "keras", "numpy", "scipy", "pandas", "matplotlib", "msgspec", "rich")


def asked(*arguments):
    return CliRunner().invoke(app, arguments)


def started(*arguments, code="", **environment):
    """A fresh process of the command; then it runs the code."""
    line = f"from dlcv04.cli import main\ntry: main()\nexcept SystemExit: pass\n{code}"
    command = [sys.executable, "-c", line, *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True).stdout


def test_every_module_of_a_command_is_registered():
    modules = {file.stem for file in Path(dlcv04.__file__).parent.glob("commands/*.py")}
    assert modules - {"__init__", "options", "speech"} == set(NAMES)
    assert [line.split()[0] for line in asked("--help").stdout.partition("Commands:\n")[2].splitlines()] == NAMES


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", NAMES)
def test_every_command_has_help_with_an_example(command, flag):
    result = asked(command, flag)
    assert result.exit_code == 0 and f"Example: dlcv04 {command} " in " ".join(result.stdout.split()) + " "


def test_help_of_the_app_has_a_short_flag_and_is_shown_without_arguments():
    assert asked("-h").stdout == asked("--help").stdout
    assert asked().output == asked("-h").stdout


def test_the_summary_of_every_command_is_shown_whole():
    assert "..." not in asked("--help").stdout.partition("Commands:")[2]


def test_the_version():
    result = asked("--version")
    assert result.exit_code == 0 and result.stdout == f"dlcv04 {dlcv04.__version__}\n"


@pytest.mark.parametrize("line", ["dlcv04 fi", "dlcv04 tsne --pixels ", "dlcv04 train half"])
def test_a_shell_completes(line):
    words = {"dlcv04 fi": "filters finetune", "dlcv04 tsne --pixels ": "bytes imagenet unit"}
    shell = {"_DLCV04_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    assert sorted(started(**shell).split()) == words.get(line, "half_filters").split()


@pytest.mark.parametrize("arguments", [[], *([name] for name in NAMES)])
def test_help_imports_nothing_heavy(arguments):
    code = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert started(*arguments, "--help", code=code).splitlines()[-1] == "[]"


def test_the_version_imports_nothing_heavy():
    code = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert started("--version", code=code).splitlines() == [f"dlcv04 {dlcv04.__version__}", "[]"]


def spent():
    """Processor seconds of the processes that have ended: what others do on this machine does not count."""
    times = os.times()
    return times.children_user + times.children_system


def test_help_is_instant(tmp_path):
    """With bytecode kept, as it is for people."""
    keeping = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    seconds = []
    for _ in range(5):  # the first compiles
        start = spent()
        started("--help", **keeping)
        seconds.append(spent() - start)
    assert min(seconds) <= 0.5, f"help took {seconds} s"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nwe"], "No such command 'nwe'. Did you mean 'new'?"),
        (["tsne", "--piksels", "unit"], "No such option: --piksels"),
        (["train"], "Missing argument 'variant'."),
    ],
)
def test_wrong_usage_exits_2(arguments, sentence):
    result = asked(*arguments)
    assert result.exit_code == 2 and sentence in result.stderr
