"""What inner runs look up once a process is what they would find themselves."""

import importlib.metadata
import sys

from _pytest.assertion import rewrite


def install(folder, name):
    package = folder / f"{name}-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (package / "entry_points.txt").write_text(f"[pytest11]\n{name} = {name}\n")


def plugins():
    found = importlib.metadata.distributions()
    return {entry.name for package in found for entry in package.entry_points if entry.group == "pytest11"}


def test_what_is_installed_meanwhile_is_found(tmp_path, monkeypatch):
    before = plugins()
    assert {"dlcv04", "dlcv04_harness", "benchmark"} <= before
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    install(tmp_path, "one")
    assert plugins() == before | {"one"}
    install(tmp_path, "two")
    assert plugins() == before | {"one", "two"}


def test_the_same_text_in_two_files_is_compiled_as_that_of_each(tmp_path, pytestconfig):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("def check(x):\n    assert x == 2\n")
        _, code = rewrite._rewrite_test(tmp_path / name, pytestconfig)
        inner = next(one for one in code.co_consts if isinstance(one, type(code)))
        assert code.co_filename == inner.co_filename == str(tmp_path / name)
