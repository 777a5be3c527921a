"""The hash of a control's or a metric's code: what it does counts, how it looks does not."""

import functools
import importlib.util
import subprocess
import sys
from functools import partial

import pytest

from dlcv04 import planted, reference_everywhere, training
from dlcv04.bases import Base, Tap
from dlcv04.code_hash import code_hash, package_hash, replaced
from dlcv04.faults import FAULTS
from dlcv04.recipes import Recipe
from dlcv04.training import Trainer

MODULE = '''
FACTOR = 0.1
TABLE = (1, 2)

def helper(x):
    """Docs."""
    return x * FACTOR

def change(arm):
    # a comment
    return helper(arm)

def unused():
    return 3

def maker(by):
    return lambda arm: helper(arm) + by

def with_default(arm, by=2):
    return arm * by
'''


def loaded(tmp_path, source):
    path = tmp_path / "module.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("module_of_a_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    import linecache

    linecache.clearcache()
    return module


def hashes(tmp_path, source):
    module = loaded(tmp_path, source)
    found = {
        "change": module.change,
        "partial": partial(module.with_default, by=4),
        "default": module.with_default,
        "closure": module.maker(3),
    }
    return {name: code_hash(function) for name, function in found.items()}


@pytest.mark.parametrize(
    ("old", "new", "differing"),
    [
        ("# a comment", "# another", set()),
        ('"""Docs."""', '"""Other docs."""', set()),
        ("return 3", "return 4", set()),
        ("TABLE = (1, 2)", "TABLE = (1, 3)", set()),
        ("FACTOR = 0.1", "FACTOR = 0.2", {"change", "closure"}),
        ("return x * FACTOR", "return x + FACTOR", {"change", "closure"}),
        ("by=2", "by=3", {"default", "partial"}),
        ("return arm * by", "return arm - by", {"default", "partial"}),
    ],
)
def test_what_changes_it(tmp_path, old, new, differing):
    before, after = hashes(tmp_path, MODULE), hashes(tmp_path, MODULE.replace(old, new))
    assert {name for name in before if before[name] != after[name]} == differing


def test_arguments_count(tmp_path):
    module = loaded(tmp_path, MODULE)
    assert code_hash(partial(module.change, 1)) != code_hash(partial(module.change, 2))
    assert code_hash(module.maker(1)) != code_hash(module.maker(2))
    assert code_hash(planted("x", module.change).change) != code_hash(planted("x", module.helper).change)
    assert code_hash(reference_everywhere("a").change) != code_hash(reference_everywhere("b").change)


def test_an_object_is_known_by_its_class_not_by_its_address():
    class Thing:
        pass

    assert code_hash(partial(print, Thing())) == code_hash(partial(print, Thing()))
    recursive = []
    recursive.append(lambda: recursive)
    assert len(code_hash(recursive[0])) == 16


def test_a_package_is_its_files_but_for_those_left_out(tmp_path):
    for name in ("a.py", "rooms/b.py", "judge/c.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")
    before = package_hash(tmp_path, without=["judge"])
    for name, counts in (("judge/c.py", False), ("notes.txt", False), ("a.py", True), ("rooms/b.py", True)):
        (tmp_path / name).write_text("2\n")
        assert (package_hash(tmp_path, without=["judge"]) != before) == counts, name
        (tmp_path / name).write_text("1\n")
    assert package_hash(tmp_path, without=["judge"]) == before
    (tmp_path / "a.py").rename(tmp_path / "d.py")
    assert package_hash(tmp_path, without=["judge"]) != before


# -- what stands in the place of the package's own functions -----------------------------------------------------------


def test_the_package_as_it_is_has_nothing_replaced():
    """In a process of its own, with every module loaded: what libraries make of classes is nobody's patch."""
    walk = "import pkgutil, importlib, dlcv04\n"
    walk += "for found in pkgutil.walk_packages(dlcv04.__path__, 'dlcv04.'):\n"
    walk += "    skipped = ('dlcv04.faults.', 'dlcv04.backends.jax', 'dlcv04.backends.torch')\n"
    walk += "    if not found.name.startswith(skipped) and not found.name.endswith('__main__'):\n"
    walk += "        importlib.import_module(found.name)\n"
    asked = f"{walk}from dlcv04.code_hash import replaced\nprint(repr(replaced()))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "''\n"


def by(factor):
    return lambda *arguments, **options: factor


@pytest.mark.parametrize(
    ("place", "name", "patch"),
    [
        (training, "complete", by(1)),
        (training, "complete", partial(by(1), 2)),
        (Trainer, "train_epoch", by(1)),
        (Recipe, "settings", property(by(1))),
        (Base, "fingerprint", functools.cached_property(by(1))),
        (Tap, "name", staticmethod(by(1))),
        (training, "Trainer", type("Trainer", (), {"run": by(1)})),
    ],
)
def test_what_is_put_in_a_functions_place_is_seen(place, name, patch, monkeypatch):
    assert not replaced()
    with monkeypatch.context() as patched:
        patched.setattr(place, name, patch)
        found = replaced()
        assert found and found == replaced()
    assert not replaced()


def test_another_patch_is_another(monkeypatch):
    found = set()
    for factor in (1, 2):
        monkeypatch.setattr(training, "complete", by(factor))
        found.add(replaced())
    assert len(found) == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_every_planted_fault_is_seen(fault):
    asked = "from dlcv04 import caching; print(caching.location('x', {}))"
    done = [
        subprocess.run([sys.executable, "-c", f"{first}\n{asked}"], capture_output=True, text=True, check=True)
        for first in ("import dlcv04.training", f"import dlcv04.training, dlcv04.faults.{fault}")
    ]
    assert done[0].stdout != done[1].stdout


UNREADABLE = '''
def made():
    CHANGES = [
        lambda arm: arm + 1,
        lambda arm: arm + 2,
    ]
    def flush_left(arm):
        return """
text
"""
    return [*CHANGES, flush_left]
'''


def test_code_whose_source_makes_no_tree_has_a_hash_of_what_it_does(tmp_path):
    first = [code_hash(function) for function in loaded(tmp_path, UNREADABLE).made()]
    assert len(set(first)) == 3
    assert first == [code_hash(function) for function in loaded(tmp_path, f"# moved\n{UNREADABLE}").made()]
