"""``dlcv04 doctor``: what was found, and one line for each thing that is broken."""

import sys

import pytest

from dlcv04.harness.machine import facts, gpu
from tests.commands.asking import Command
from tests.fakes import Machine, card, neighbour
from tests.fakes import pynvml as fake_pynvml

doctor = Command("doctor").asked

A_CLAIM = """
from dlcv04 import claim, reference_everywhere

@claim("Something of {0}", control=reference_everywhere("a"))
def test_{0}({0}, learning, claim):
    pass
"""

OWN_DATA = """
import pytest

@pytest.fixture(scope="session")
def dataset():
    pass
"""


def test_doctor_says_what_was_found_and_what_to_do(folder):
    result = doctor()
    assert result.exit_code == 0
    assert "embedded" in result.output and "dlcv04 fetch mnist" in result.output and "machine class" in result.output
    assert "drawings of CIFAR-10's" in result.output and "dlcv04 fetch cifar10" in result.output
    assert "drawings of 12 buildings" in result.output and "set DLCV04_BUILDINGS" in result.output


def test_doctor_names_broken_data_sets(folder, monkeypatch):
    (folder / "keras" / "datasets").mkdir(parents=True)
    (folder / "keras" / "datasets" / "cifar10.npz").write_text("not a zip")
    monkeypatch.setenv("DLCV04_BUILDINGS", str(folder / "gone"))
    result = doctor()
    assert result.exit_code == 1
    assert "cifar10.npz" in result.output and "gone, which is not there" in result.output


def test_the_spread_that_process_pairs_are_judged_by_is_shown(folder):
    result = doctor()
    assert "2.5% on 10 degrees of freedom (shipped prior; `dlcv04 selftest` measures it)" in result.output


def test_a_cut_self_test_is_named(folder):
    tests = folder / "baselines" / facts.machine_class("cpu", facts.hardware()) / "selftest"
    tests.mkdir(parents=True)
    (tests / "x.json").write_text("{")
    result = doctor()
    assert result.exit_code == 1 and "can't be read" in result.output


def test_a_folder_without_data_is_told_and_exits_1(folder, monkeypatch):
    monkeypatch.setenv("DLCV04_DATA", str(folder / "nowhere"))
    result = doctor()
    assert result.exit_code == 1 and "nowhere, which holds no mnist.npz" in result.output


def test_a_cut_file_is_named(folder, monkeypatch):
    (folder / "mnist.npz").write_bytes(b"cut")
    monkeypatch.setenv("DLCV04_DATA", str(folder))
    result = doctor()
    assert result.exit_code == 1 and "mnist.npz" in result.output and "sha256" in result.output


def test_a_framework_that_is_not_installed(folder, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "mxnet")
    result = doctor()
    assert result.exit_code == 1 and "Keras has no backend 'mxnet': set KERAS_BACKEND" in result.output


def test_a_card_that_was_asked_for_and_is_not_there_is_an_error(folder):
    result = doctor("--device", "gpu")
    assert result.exit_code == 1 and "finds no GPU on this machine" in result.output


def test_data_that_were_asked_for_are_named_one_by_one(folder, monkeypatch):
    monkeypatch.setenv("DLCV04_DATA", str(folder))
    result = doctor("--data", "real")
    assert result.exit_code == 1
    for lack in ("no mnist.npz", "no cifar10.npz", "no real photos"):
        assert result.output.count(lack) == 1
    assert "3 of these must be fixed" in result.output


def test_the_stand_ins_can_be_asked_for(folder):
    result = doctor("--data", "embedded")
    assert result.exit_code == 0 and "fetch" not in result.stdout.partition("baselines:")[0]


def test_weights_that_were_asked_for_must_be_there(folder):
    assert "weights: hed from" in doctor("--weights", "hed").output
    result = doctor("--weights", "imagenet")
    assert result.exit_code == 1 and "run `dlcv04 fetch vgg16" in result.output


@pytest.mark.parametrize(
    ("claims", "conftest", "code", "sentence"),
    [
        (A_CLAIM.format("dataset"), "", 1, "no real MNIST"),
        (A_CLAIM.format("dataset"), OWN_DATA, 0, "claims: bench can run"),
        ("import nothing_of_that_name", "", 1, "bench/test_it.py"),
        ("", "", 1, "bench can't be collected: no tests"),
    ],
    ids=["lacking", "own data", "broken", "empty"],
)
def test_a_suite_is_asked_what_it_needs(folder, claims, conftest, code, sentence):
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "bench").mkdir()
    (folder / "bench/test_it.py").write_text(claims)
    (folder / "conftest.py").write_text(conftest)
    result = doctor("--suite", "bench", "--data", "real")
    assert result.exit_code == code and sentence in result.output, result.output


def test_all_data_that_a_suite_lacks_are_named(folder):
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text("".join(A_CLAIM.format(name) for name in ("dataset", "cifar10")))
    result = doctor("--suite", "test_it.py", "--data", "real")
    named = result.output.partition("disk:")[2]
    assert result.exit_code == 1 and "no real MNIST" in named and "no real CIFAR-10" in named and "photos" not in named


@pytest.fixture
def machine(tmp_path, monkeypatch):
    made = Machine(tmp_path / "machine")
    for name in ("PATH", "FAKE_NVML"):
        monkeypatch.setenv(name, made.environment[name])
    monkeypatch.setitem(sys.modules, "pynvml", fake_pynvml)
    monkeypatch.setattr(gpu, "pynvml", fake_pynvml)
    gpu._first.cache_clear()
    yield made
    gpu._first.cache_clear()


def test_cards_are_told_with_what_would_make_their_times_steadier(folder, machine):
    machine.has(card(persistence=0, processes=[neighbour(4194399)]))
    told = doctor().output
    assert "card: NVIDIA H100 80GB HBM3, driver 580.95.05" in told
    assert "process 4194399 (train.py, 2,048 MiB) is on the card" in told
    assert "sudo nvidia-smi -pm 1" in told and "sudo nvidia-smi -lgc" in told
    machine.has(card(throttle=0x2))
    told = doctor().output
    assert "nvidia-smi" not in told and "fixed by a setting" in told


def test_without_a_card_nothing_is_told_of_one(folder, machine):
    machine.has()
    assert "card:" not in doctor().output
