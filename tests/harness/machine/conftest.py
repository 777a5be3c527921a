"""A machine without a GPU, and one with a fake `nvidia-smi` on PATH."""

from functools import partial

import pytest

from dlcv04.harness.machine import gpu as machine_gpu
from tests.conftest import write_nvidia_smi


@pytest.fixture
def no_gpu(monkeypatch, tmp_path):
    """A machine without any GPU, whatever the real one has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(machine_gpu, "_DEV", tmp_path / "no-dev")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


@pytest.fixture
def fake_smi(no_gpu):
    """Install a `nvidia-smi` on PATH: `fake_smi(facts=..., clocks=...)`."""
    return partial(write_nvidia_smi, no_gpu)


CLOCKS = "0, GPU-aaaa-1, 1980, 1980, 2619, 41, 123.45, 0x{bits:016x}\n"
