"""``dlcv04 doctor``: what was found, and one line for each thing that is broken."""

import sys

import pytest

from dlcv04.harness.machine import facts, gpu
from tests.commands.asking import Command
from tests.fakes import Machine, card, neighbour
from tests.fakes import pynvml as fake_pynvml

doctor = Command("doctor").asked


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
    assert result.exit_code == 1 and "nowhere has no mnist.npz" in result.output


def test_a_cut_file_is_named(folder, monkeypatch):
    (folder / "mnist.npz").write_bytes(b"cut")
    monkeypatch.setenv("DLCV04_DATA", str(folder))
    result = doctor()
    assert result.exit_code == 1 and "mnist.npz" in result.output and "sha256" in result.output


def test_a_framework_that_is_not_installed(folder, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "mxnet")
    result = doctor()
    assert result.exit_code == 1 and "mxnet is not installed" in result.output


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
    assert "nvidia-smi" not in told and "held by a setting" in told


def test_without_a_card_nothing_is_told_of_one(folder, machine):
    machine.has()
    assert "card:" not in doctor().output
