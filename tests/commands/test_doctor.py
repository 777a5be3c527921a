"""``dlcv04 doctor``: what was found, and one line for each thing that is broken."""

from dlcv04.harness.machine import facts
from tests.commands.asking import Command

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
