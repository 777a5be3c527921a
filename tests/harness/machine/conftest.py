"""A machine without a GPU, and one with cards that nobody has."""

import threading

import pytest

from dlcv04.harness.machine import gpu as machine_gpu
from tests import fakes
from tests.fakes import pynvml


@pytest.fixture
def no_gpu(monkeypatch, tmp_path):
    """A machine without any GPU, whatever the real one has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(machine_gpu, "_DEV", tmp_path / "no-dev")
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    machine_gpu._first.cache_clear()
    machine_gpu._of_another_namespace.cache_clear()
    yield folder
    machine_gpu._first.cache_clear()
    machine_gpu._of_another_namespace.cache_clear()
    machine_gpu._HANGS.clear()


@pytest.fixture
def machine(no_gpu, monkeypatch, tmp_path):
    """A machine with one H100: `machine.has(card(...), ...)` puts others in."""
    found = fakes.Machine(tmp_path)
    for name in ("PATH", "FAKE_NVML"):
        monkeypatch.setenv(name, found.environment[name])
    monkeypatch.setattr(machine_gpu, "pynvml", pynvml)
    before = set(threading.enumerate())
    yield found
    found.has()  # threads that a test left in a hanging driver see no other one
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
