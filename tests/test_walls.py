"""The two halves stay apart, and importing or collecting loads no framework."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dlcv04"
DOORS = {
    "fixtures.py",
    "workbench.py",
    "cli.py",
    "__init__.py",
    "commands",
}  # __init__ only names where the public names live
SHARED = {"dlcv04.atomic", "dlcv04.code_hash", "dlcv04.lazy", "dlcv04.plaintext", "dlcv04.scratch"}
FRAMEWORKS = ("tensorflow", "keras", "jax", "scipy", "pandas", "sklearn", "matplotlib")
#: Functions that look for a program or start one.
STARTERS = {"which", "run", "Popen", "call", "check_call", "check_output", "system", "popen"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(file):
    """Every module a file names in an import, or in a LazyModule."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "LazyModule":
            yield from (argument.value for argument in node.args)


def breaches(file):
    in_harness = "harness" in file.relative_to(PACKAGE).parts
    for module in imported(file):
        if not module.startswith("dlcv04.") or ".".join(module.split(".")[:2]) in SHARED:
            continue
        if module.startswith("dlcv04.harness") != in_harness:
            yield module


INSIDE = [file for file in FILES if file.relative_to(PACKAGE).parts[0] not in DOORS]


@pytest.mark.parametrize("file", INSIDE, ids=lambda file: file.name)
def test_no_module_but_the_doors_reaches_into_the_other_half(file):
    assert not list(breaches(file))


def test_the_check_itself_finds_a_breach(tmp_path, monkeypatch):
    folder = tmp_path / "dlcv04"
    (folder / "harness").mkdir(parents=True)
    guilty = folder / "harness" / "judge.py"
    guilty.write_text("from dlcv04.lazy import LazyModule\nnets = LazyModule('dlcv04.networks')\n")
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", folder)
    assert list(breaches(guilty)) == ["dlcv04.networks"]


def test_only_the_backend_module_knows_a_backend():
    guilty = [
        file.name
        for file in FILES
        if "backends" not in file.parts
        and any(module.split(".")[0] in {"tensorflow", "jax", "torch"} for module in imported(file))
    ]
    assert guilty == []


def starts_git(file):
    """Whether a file has a command whose first word is git, or looks for git's program."""
    for node in ast.walk(ast.parse(file.read_text())):
        words = []
        if isinstance(node, ast.List | ast.Tuple):
            words = node.elts[:1]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in STARTERS:
            words = node.args[:1]
        for word in words:
            if isinstance(word, ast.Constant) and str(word.value).partition(" ")[0] == "git":
                return True
    return False


def test_only_one_module_starts_git():
    assert [file.relative_to(PACKAGE).as_posix() for file in FILES if starts_git(file)] == ["harness/machine/git.py"]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("run(['git', 'status'])", True),
        ("command = ('git', *arguments)", True),
        ("program = shutil.which('git')", True),
        ("subprocess.run('git status', shell=True)", True),
        ("os.system('git status')", True),
        ("print('restore it from git')", False),
        ("run(['gitk'])", False),
    ],
)
def test_the_check_finds_a_start_of_git(tmp_path, code, found):
    (tmp_path / "guilty.py").write_text(code)
    assert starts_git(tmp_path / "guilty.py") is found


def run(code, **variables):
    environment = {**os.environ, **variables}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def spent():
    """Processor seconds of the processes that have ended: what others do on this machine does not count."""
    times = os.times()
    return times.children_user + times.children_system


def test_importing_every_module_loads_no_framework():
    modules = [
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for file in FILES
    ]
    code = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
print([name for name in {FRAMEWORKS!r} if name in sys.modules])
"""
    assert run(code).strip() == "[]"


def test_collecting_the_bench_imports_no_framework_and_is_instant(tmp_path):
    """With bytecode kept, as it is for people, whatever the environment says: compiling takes a third of the time."""
    keeping = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    code = f"""
import sys, pytest
assert pytest.main(["{PACKAGE.parent / "bench"}", "--collect-only", "-q", "-p", "no:cacheprovider"]) == 0
print([name for name in {FRAMEWORKS!r} if name in sys.modules])
"""
    seconds = []
    for _ in range(4):  # the first compiles
        start = spent()
        printed = run(code, **keeping)
        seconds.append(spent() - start)
    assert printed.strip().endswith("[]")
    assert min(seconds) <= 1.5, f"collecting took {seconds} s"


def test_a_run_without_a_claim_loads_hardly_more_than_the_plugins_hooks(tmp_path):
    """Every other suite of an environment pays for what the plugin imports."""
    (tmp_path / "test_plain.py").write_text("def test_plain():\n    pass\n\n\ndef test_red():\n    assert False\n")
    code = f"""
import sys, pytest
assert pytest.main(["{tmp_path}", "-q", "-p", "no:cacheprovider"]) == 1
print(sorted(name for name in sys.modules if name.startswith("dlcv04.")))
print([name for name in ("numpy", "msgspec", "psutil", "jinja2", *{FRAMEWORKS!r}) if name in sys.modules])
"""
    ours, others = run(code).strip().splitlines()[-2:]
    assert others == "[]"
    assert len(ast.literal_eval(ours)) <= 12, ours
