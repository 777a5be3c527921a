"""The processor's name and the cores that may be used."""

import os

import pytest

from dlcv04.harness.machine import cpu as machine_cpu
from dlcv04.harness.machine import facts as machine_facts
from dlcv04.harness.machine import probing


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Intel(R) Xeon(R) Processor", "Intel(R) Xeon(R) Processor family 6 model 167"),
        ("AMD EPYC 7B13", "AMD EPYC 7B13"),
    ],
)
def test_a_name_that_hides_the_processors_generation_gets_its_number(name, expected, tmp_path, monkeypatch):
    text = f"processor\t: 0\ncpu family\t: 6\nmodel\t\t: 167\nmodel name\t: {name}\n\nprocessor : 1\nmodel : 9\n"
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(probing, "PROC", tmp_path)
    assert machine_facts.hardware()["cpu"] == expected


def fake_cgroup(monkeypatch, tmp_path, membership, files):
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(membership)
    for name, text in files.items():
        path = groups / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(probing, "PROC", proc)
    monkeypatch.setattr(machine_cpu, "_CGROUP", groups)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, "1.5"),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, "3"),
        ("0::/\n", {"cpu.max": "max 100000\n"}, "8"),
        ("0::/\n", {"cpu.max": "nonsense"}, "8"),
        ("3:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "200000", "cpu/x/cpu.cfs_period_us": "100000"}, "2"),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "8"),
        ("", {}, "8"),
    ],
)
def test_usable_cores_obey_quota_and_affinity(no_gpu, monkeypatch, tmp_path, membership, files, cores):
    fake_cgroup(monkeypatch, tmp_path, membership, files)
    assert machine_facts.hardware()["cores"] == cores
