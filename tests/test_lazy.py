"""Lazy imports: nothing is imported before its use, and every lazy module keeps its types."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from dlcv04.lazy import LazyModule

PACKAGE = Path(__file__).parent.parent / "dlcv04"


def twins(tree):
    """Of each `if TYPE_CHECKING: ... else: ...`: what the first half imports, what the second half makes lazy."""
    for block in ast.walk(tree):
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING":
            yield dict(imports(block.body)), dict(lazies(block.orelse))


def imports(statements):
    for node in statements:
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def lazies(statements):
    for node in statements:
        if isinstance(node, ast.Assign) and getattr(getattr(node.value, "func", None), "id", "") == "LazyModule":
            yield node.targets[0].id, node.value.args[0].value


def untyped(tree):
    """Lazy modules without a twin that the type checker sees."""
    everywhere = [name for node in ast.walk(tree) for name, _ in lazies([node])]
    typed = [name for seen, lazy in twins(tree) for name, module in lazy.items() if seen.get(name) == module]
    return sorted(set(everywhere) - set(typed))


@pytest.mark.parametrize(
    "file", [file for file in sorted(PACKAGE.rglob("*.py")) if "LazyModule(" in file.read_text()], ids=lambda f: f.name
)
def test_every_lazy_module_has_a_twin_that_the_type_checker_sees(file):
    assert untyped(ast.parse(file.read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        "judge = LazyModule('dlcv04.harness.judge')",
        "if TYPE_CHECKING:\n    import numpy as np\nelse:\n    np = LazyModule('scipy')",
        "if TYPE_CHECKING:\n    import numpy\nelse:\n    np = LazyModule('numpy')",
    ],
)
def test_the_check_finds_a_lazy_module_without_its_types(code):
    assert untyped(ast.parse(code)) != []


def test_a_name_that_a_lazy_module_lacks_is_an_error_of_the_type_checker(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        "    import wave\n"
        "else:\n"
        "    wave = LazyModule('wave')\n"
        "wave.openz('a')\n"
    )
    options = ["--no-error-summary", "--config-file=", f"--cache-dir={tmp_path / 'cache'}"]
    command = [sys.executable, "-m", "mypy", *options, str(wrong)]
    printed = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False).stdout
    assert 'Module has no attribute "openz"' in printed


def test_a_lazy_module_is_imported_at_its_first_use():
    module = LazyModule("wave")
    sys.modules.pop("wave", None)
    assert repr(module) == "LazyModule('wave')" and "wave" not in sys.modules
    assert callable(module.open) and "wave" in sys.modules


def test_a_module_that_is_not_there_is_pythons_own_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = LazyModule("no_such_module").name


@pytest.mark.parametrize("name", ["_mock_name", "__wrapped__", "_private"])
def test_being_looked_at_does_not_import_it(name):
    """pytest looks at everything in a plugin's namespace like this."""
    sys.modules.pop("wave", None)
    assert not hasattr(LazyModule("wave"), name) and "wave" not in sys.modules


def test_a_package_can_be_asked_for_its_version():
    assert LazyModule("numpy").__version__.count(".") == 2


def test_it_can_be_sent_to_another_process_unused(tmp_path, monkeypatch):
    """As a global of a function that another process runs."""
    (tmp_path / "seldom_used.py").write_text("ANSWER = 42")
    monkeypatch.syspath_prepend(tmp_path)
    other = pickle.loads(pickle.dumps(LazyModule("seldom_used")))
    assert "seldom_used" not in sys.modules
    assert other.ANSWER == 42
