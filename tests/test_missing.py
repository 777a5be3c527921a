"""Keras or its framework is not installed: one sentence and exit code 4, from pytest and from the commands."""

import os
import subprocess
import sys

import pytest

#: Starts pytest or the command where some packages can't be imported.
START = """
import sys

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {gone!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Gone())
if {what!r} == "pytest":
    import pytest
    sys.exit(pytest.main(sys.argv[1:]))
from dlcv04.cli import main
main()
"""

CLAIM = """
from functools import partial
{first}
from dlcv04 import claim, reference_everywhere
from dlcv04.networks import mnist_convnet

@claim("The wide net learns better", control=reference_everywhere("base"))
def test_it({fixture}, claim):
    found = {fixture}(base=partial(mnist_convnet), wide=partial(mnist_convnet))
    {body}
"""

LEARNING = {"fixture": "learning", "body": "claim.better(found.wide, than=found.base, by=0.01)"}
TIMES = {"fixture": "epoch_time", "body": "claim.slower(found.wide, than=found.base, by=1.1)"}
KERAS_FIRST = {**LEARNING, "first": "import keras"}

GONE_TENSORFLOW = (
    "Keras is set to compute with tensorflow, which is not installed: `pip install tensorflow`, or set KERAS"
)
GONE = [
    pytest.param(["tensorflow"], "tensorflow", GONE_TENSORFLOW, id="tensorflow"),
    pytest.param(["jax"], "jax", "compute with jax, which is not installed: `pip install jax`", id="jax"),
    pytest.param(["torch"], "torch", "compute with torch, which is not installed: `pip install torch`", id="torch"),
    pytest.param(["keras"], "tensorflow", "Keras is not installed: `pip install keras`.", id="keras"),
    pytest.param(
        [], "mxnet", "Keras has no backend 'mxnet': set KERAS_BACKEND to tensorflow, jax or torch.", id="unknown"
    ),
]


def started(what, *arguments, gone, backend):
    """Exit code and what is printed."""
    command = [sys.executable, "-c", START.format(gone=gone, what=what), *arguments]
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def write(folder, conftest="", first="", **claim):
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_it.py").write_text(CLAIM.format(first=first, **claim))


@pytest.mark.parametrize(("gone", "backend", "sentence"), GONE)
@pytest.mark.parametrize("claim", [LEARNING, TIMES, KERAS_FIRST], ids=["learning", "times", "keras imported"])
def test_pytest_says_one_sentence(empty_folder, claim, gone, backend, sentence):
    write(empty_folder, **claim)
    code, printed = started("pytest", "-q", gone=gone, backend=backend)
    assert code == 4 and printed.count(sentence) == 1, printed
    assert "Traceback" not in printed and "Error:" not in printed.replace("ERROR:", ""), printed


def test_a_conftest_that_imports_keras(empty_folder):
    write(empty_folder, "import keras\nfrom dlcv04 import Dataset\n", **LEARNING)
    code, printed = started("pytest", "-q", gone=["tensorflow"], backend="tensorflow")
    assert code == 4 and f"conftest.py: {GONE_TENSORFLOW}" in printed and "Traceback" not in printed, printed


@pytest.mark.parametrize("names_it", ["conftest", "test_it"])
def test_a_helper_that_imports_keras_for_claims(empty_folder, names_it):
    """The file that pytest names says nothing of this package; the one that it imports does."""
    (empty_folder / "common.py").write_text("import keras\nfrom dlcv04 import Dataset\n")
    write(empty_folder, **LEARNING)
    (empty_folder / f"{names_it}.py").write_text("import common\n")
    code, printed = started("pytest", "-q", gone=["tensorflow"], backend="tensorflow")
    assert code == 4 and f"{names_it}.py: {GONE_TENSORFLOW}" in printed and "Traceback" not in printed, printed


def test_a_conftest_in_a_folder_that_is_not_named(empty_folder):
    (empty_folder / "pytest.ini").write_text("[pytest]\n")
    (empty_folder / "deep/bench").mkdir(parents=True)
    write(empty_folder / "deep/bench", "import keras\nfrom dlcv04 import Dataset\n", **LEARNING)
    code, printed = started("pytest", "-q", gone=["tensorflow"], backend="tensorflow")
    assert code == 4 and f"conftest.py: {GONE_TENSORFLOW}" in printed and "Traceback" not in printed, printed


def test_claims_are_listed_without_a_framework(empty_folder):
    write(empty_folder, **LEARNING)
    code, printed = started("pytest", "-q", "--collect-only", gone=["tensorflow"], backend="tensorflow")
    assert code == 0 and "test_it" in printed, printed


def test_a_suite_that_is_not_ours_keeps_pytests_own_words(empty_folder):
    (empty_folder / "test_theirs.py").write_text("import keras\n\ndef test_it():\n    pass\n")
    code, printed = started("pytest", "-q", gone=["tensorflow"], backend="tensorflow")
    assert code == 2 and "ModuleNotFoundError" in printed and "pip install" not in printed, printed


def test_another_failing_import_keeps_pytests_own_words(empty_folder):
    write(empty_folder, **LEARNING, first="import nothing_of_that_name")
    code, printed = started("pytest", "-q", gone=["tensorflow"], backend="tensorflow")
    assert code == 2 and "nothing_of_that_name" in printed and "pip install" not in printed, printed


def test_a_framework_that_an_arm_brings(empty_folder):
    write(empty_folder, **LEARNING, first="import torch")
    code, printed = started("pytest", "-q", gone=["torch"], backend="tensorflow")
    assert code == 4 and "torch is not installed: `pip install torch`." in printed, printed


def test_a_framework_that_is_installed_and_broken(empty_folder, monkeypatch):
    """As JAX without jaxlib."""
    (empty_folder / "jax").mkdir()
    (empty_folder / "jax/__init__.py").write_text("raise ImportError('jax requires jaxlib. Install it.')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(empty_folder), os.environ.get("PYTHONPATH", "")]))
    write(empty_folder, **LEARNING)
    code, printed = started("pytest", "-q", "--dl-workers=0", gone=[], backend="jax")
    assert code == 4 and "Keras can't start on jax (jax requires jaxlib. Install it): `pip install jax`" in printed
    assert "Traceback" not in printed, printed


@pytest.mark.parametrize(("gone", "backend", "sentence"), GONE)
@pytest.mark.parametrize(
    "command",
    [
        ["train", "base"],
        ["filters", "mine.keras"],
        ["occlude", "cat.jpg", "--box", "0.1", "0.2", "0.6", "0.8"],
        ["style", "a.jpg", "b.jpg"],
        ["tsne", "mnist", "--model", "mine.keras", "--images", "20"],
    ],
    ids=lambda command: command[0],
)
def test_a_command_says_one_sentence(empty_folder, command, gone, backend, sentence):
    for name in ("mine.keras", "cat.jpg", "a.jpg", "b.jpg"):
        (empty_folder / name).write_bytes(b"")
    code, printed = started("command", *command, gone=gone, backend=backend)
    assert code == 4 and sentence in printed and len(printed.strip().splitlines()) == 1, printed


OWN_WORK = """
from dlcv04 import claim, reference_everywhere, timed_call, trained_by

def rows(level):
    return lambda seed: [{"val_accuracy": level + seed / 10_000}]

@claim("The high one is better", control=reference_everywhere("low"))
def test_own_training(learning, claim):
    curves = learning(low=trained_by(rows(0.5)), high=trained_by(rows(0.8)))
    claim.better(curves.high, than=curves.low, by=0.1)

@claim("A longer list takes longer", control=reference_everywhere("few"))
def test_own_work(epoch_time, claim):
    few, many = list(range(1_000)), list(range(50_000))
    times = epoch_time(few=timed_call(lambda: sorted(few)), many=timed_call(lambda: sorted(many)))
    claim.slower(times.many, than=times.few, by=2)
"""


@pytest.mark.parametrize(
    ("gone", "backend"),
    [(["tensorflow", "jax", "torch", "keras"], "tensorflow"), (["tensorflow", "jax"], "tensorflow"), ([], "torch")],
    ids=["no framework", "torch alone", "Keras set to torch"],
)
def test_training_and_work_of_ones_own_need_no_framework(empty_folder, gone, backend):
    (empty_folder / "pytest.ini").write_text("[pytest]\n")
    (empty_folder / "test_it.py").write_text(OWN_WORK)
    code, printed = started("pytest", "--dl-controls", gone=gone, backend=backend)
    assert code == 0 and "2 of 2 controls broke their claim" in printed, printed
    assert "data: your training's own," in printed and "learning in" not in printed, printed


def test_a_missing_framework_is_told_by_the_claims_that_need_it(empty_folder):
    write(empty_folder, **LEARNING)
    (empty_folder / "test_mine.py").write_text(OWN_WORK)
    code, printed = started("pytest", "-q", gone=["tensorflow"], backend="tensorflow")
    assert code == 1 and "2 passed" in printed and "1 failed" in printed, printed
    assert GONE_TENSORFLOW in printed and "Traceback" not in printed and "def test_it" not in printed, printed
