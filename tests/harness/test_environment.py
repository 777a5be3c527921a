"""The environment: hardware facts, machine class, versions, commit, clocks; with a fake `nvidia-smi` on PATH."""

import ctypes.util
import os
import re
import shutil
import subprocess
import sys
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.machine import cpu as machine_cpu
from dlcv04.harness.machine import facts as machine_facts
from dlcv04.harness.machine import git as machine_git
from dlcv04.harness.machine import gpu as machine_gpu
from dlcv04.harness.machine import load, probing
from dlcv04.harness.store.schema import Commit, Environment
from tests.conftest import H100, write_nvidia_smi

SECOND = "1, GPU-bbbb-2, NVIDIA H100 80GB HBM3, 81559, 700.00, 580.95.05, Disabled"


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


def test_import_brings_no_framework_and_no_other_package():
    modules = "dlcv04.harness.machine.facts, dlcv04.harness.machine.load, dlcv04.harness.store.baselines"
    code = f"import sys, {modules}; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "keras", "tensorflow", "jax", "scipy", "pandas", "filelock._api", "psutil", "pytest"}
    assert heavy.isdisjoint(loaded)


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


def test_cpu_facts_of_this_machine(no_gpu):
    facts = machine_facts.hardware()
    assert facts["cpu"]
    assert float(facts["cores"]) > 0
    assert "gpu" not in facts
    assert machine_facts.machine_class("cpu", facts).startswith("cpu-")
    assert not machine_gpu.gpu_present()


def test_gpu_facts_are_read_from_the_query(fake_smi):
    fake_smi(facts=f"{H100}\n{SECOND}\n")
    facts = machine_facts.hardware()
    assert facts["gpu"] == "NVIDIA H100 80GB HBM3"
    assert facts["gpu count"] == "2"
    assert facts["gpu memory"] == "80 GiB"
    assert facts["gpu power limit"] == "700 W"
    assert machine_gpu.gpu_present()
    assert machine_facts.machine_class("gpu", facts) == "gpu-nvidia-h100-80gb-x2-700w"


@pytest.mark.parametrize(
    ("visible", "count"),
    [("0", 1), ("1", 1), ("0,1", 2), ("GPU-bbbb", 1), ("", 0), ("-1", 0)],
)
def test_only_visible_gpus_count(fake_smi, monkeypatch, visible, count):
    fake_smi(facts=f"{H100}\n{SECOND}\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine_facts.hardware().get("gpu count", "0") == str(count)
    assert machine_gpu.gpu_present() is (count > 0)


def test_a_mig_slice_is_named_and_counts_once(fake_smi, monkeypatch):
    listing = (
        "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa-1)\n"
        "  MIG 1g.10gb     Device  0: (UUID: MIG-first)\n"
        "  MIG 3g.40gb     Device  1: (UUID: MIG-second)\n"
    )
    fake_smi(facts=H100.replace("Disabled", "Enabled") + "\n", listing=listing)
    facts = machine_facts.hardware()
    assert (facts["gpu mig"], facts["gpu count"]) == ("1g.10gb", "1")
    assert machine_facts.machine_class("gpu", facts) == "gpu-nvidia-h100-80gb-mig-1g.10gb-x1-700w"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-second")
    assert machine_facts.hardware()["gpu mig"] == "3g.40gb"


def test_fields_that_the_driver_lacks_are_left_out(fake_smi):
    fake_smi(facts="0, GPU-x, Tesla T4, [N/A], [Not Supported], 470.1, [N/A]\n")
    facts = machine_facts.hardware()
    assert facts["gpu"] == "Tesla T4"
    assert not {"gpu memory", "gpu power limit", "gpu mig"} & set(facts)
    assert machine_facts.machine_class("gpu", facts) == "gpu-tesla-t4-x1"


@pytest.mark.parametrize("facts", ["", "NVIDIA-SMI has failed because it couldn't reach the driver.\n"])
def test_a_broken_driver_is_no_gpu(fake_smi, facts):
    fake_smi(facts=facts.replace("'", ""), status=9)
    assert "gpu" not in machine_facts.hardware()
    assert not machine_gpu.gpu_present()
    assert "gpu throttle" not in load.hardware_state()


def test_a_power_cap_is_another_class(fake_smi):
    fake_smi(facts=H100.replace("700.00", "350.00") + "\n")
    assert machine_facts.machine_class("gpu", machine_facts.hardware()).endswith("-350w")


@pytest.mark.parametrize(
    ("cpu", "cores", "expected"),
    [
        ("AMD EPYC", "2", "cpu-amd-epyc-2-cores"),
        ("AMD EPYC 7B13 64-Core Processor", "16", "cpu-amd-epyc-7b13-16-cores"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "1.5", "cpu-intel-xeon-2.20ghz-1.5-cores"),
        ("../../etc", "2", "cpu-etc-2-cores"),
    ],
)
def test_machine_class_of_a_cpu(cpu, cores, expected):
    assert machine_facts.machine_class("cpu", {"cpu": cpu, "cores": cores, "memory": "3 GiB"}) == expected


@given(st.sampled_from(["cpu", "gpu"]), st.text(max_size=300), st.text(max_size=20))
def test_machine_class_is_always_a_safe_folder_name(device, model, count):
    slug = machine_facts.machine_class(device, {"cpu": model, "cores": count, "gpu": model, "gpu count": count})
    assert re.fullmatch(rf"{device}[a-z0-9.-]*", slug)
    assert ".." not in slug and len(slug) <= 120 and not slug.endswith((".", "-"))


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


def test_software_names_versions_and_variables_that_matter(fake_smi, monkeypatch):
    fake_smi(facts=H100 + "\n")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    facts = machine_facts.software({"jit": "off", "dtype policy": "float32"})
    assert {"python", "numpy", "pytest", "pytest-benchmark", "os", "kernel"} <= set(facts)
    assert re.match(r"\d+\.\d+", facts["numpy"])
    assert facts["KERAS_BACKEND"] == "tensorflow"
    assert facts["TF_DETERMINISTIC_OPS"] == "1"
    assert facts["OMP_NUM_THREADS"] == "2"
    assert (facts["gpu driver"], facts["cuda driver"]) == ("580.95.05", "13.0")
    assert (facts["jit"], facts["dtype policy"]) == ("off", "float32")


@pytest.mark.parametrize("name", ["TF_VAR_db", "TF_TOKEN_app_terraform_io", "TF_MY_SECRET", "HF_TOKEN", "TF_API_KEY"])
def test_credentials_are_never_recorded(no_gpu, monkeypatch, name):
    monkeypatch.setenv(name, "hunter2")
    assert "hunter2" not in machine_facts.software({}).values()


def test_collect_has_the_class_of_the_device(fake_smi):
    fake_smi(facts=H100 + "\n")
    assert machine_facts.collect("gpu", {}).machine_class == "gpu-nvidia-h100-80gb-x1-700w"
    assert machine_facts.collect("cpu", {}).machine_class.startswith("cpu-")


def test_a_gpu_that_only_the_backend_knows_is_named(no_gpu):
    found = machine_facts.collect("gpu", {"gpu": "AMD Instinct MI300X"})
    assert found.machine_class == "gpu-amd-instinct-mi300x-x1"


def test_differences_are_named_both_ways():
    old = Environment(
        machine_class="cpu-a", hardware={"cpu": "A"}, software={"tensorflow": "2.20.0", "gone": "1", "same": "1"}
    )
    new = Environment(
        machine_class="cpu-b", hardware={"cpu": "B"}, software={"tensorflow": "2.21.0", "new": "2", "same": "1"}
    )
    assert machine_facts.differences(old, new) == [
        "machine class cpu-a -> cpu-b",
        "cpu A -> B",
        "tensorflow 2.20.0 -> 2.21.0",
        "gone 1 -> absent",
        "new absent -> 2",
    ]
    assert machine_facts.differences(old, old) == []


@pytest.mark.parametrize("cudnn", [True, False])
def test_auto_takes_a_gpu_only_where_its_libraries_are(fake_smi, monkeypatch, cudnn):
    """TensorFlow without CUDA finds no GPU: a run on the CPU must not be stored as the GPU's."""
    monkeypatch.setattr(
        machine_facts, "_version", lambda names: "9.1" if cudnn and "nvidia-cudnn-cu12" in names else ""
    )
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    assert (machine_facts.chosen_device("auto"), machine_facts.unused_gpu("auto")) == ("cpu", "")
    fake_smi(facts=H100 + "\n")
    assert machine_facts.chosen_device("auto") == ("gpu" if cudnn else "cpu")
    assert machine_facts.unused_gpu("auto").startswith("a GPU is here and is not used" if not cudnn else "")
    assert (machine_facts.chosen_device("cpu"), machine_facts.chosen_device("gpu")) == ("cpu", "gpu")
    assert machine_facts.unused_gpu("cpu") == machine_facts.unused_gpu("gpu") == ""


CLOCKS = "0, GPU-aaaa-1, 1980, 1980, 2619, 41, 123.45, 0x{bits:016x}\n"


@pytest.mark.parametrize(
    ("bits", "reasons"),
    [
        (0x0, []),
        (0x1, []),
        (0x4, ["software power cap"]),
        (0x48, ["hardware slowdown", "hardware thermal slowdown"]),
        (0x1FF & ~0x1, ["software power cap", "hardware slowdown", "sync boost", "software thermal slowdown",
                        "hardware thermal slowdown", "hardware power brake"]),
    ],
)  # fmt: skip
def test_throttle_bits_are_read_as_numbers(fake_smi, bits, reasons):
    fake_smi(clocks=CLOCKS.format(bits=bits))
    state = load.hardware_state()
    assert state["gpu throttle"] == bits
    assert (state["gpu sm mhz"], state["gpu watts"], state["gpu celsius"]) == (1980.0, 123.45, 41.0)
    assert machine_gpu.throttle_reasons(state) == reasons


def test_old_drivers_know_the_reasons_by_their_old_name(fake_smi):
    fake_smi(clocks=CLOCKS.format(bits=0x20), knows_new_name=False)
    assert machine_gpu.throttle_reasons(load.hardware_state()) == ["software thermal slowdown"]


def test_the_meter_keeps_the_worst_reading_of_the_clocks(fake_smi):
    meter = load.LoadMeter()
    for clock, celsius, bits in ((1980, 41, 0x1), (1410, 65, 0x4), (1755, 60, 0x20)):
        fake_smi(clocks=f"0, GPU-aaaa-1, {clock}, 1980, 2619, {celsius}, 123.45, 0x{bits:x}\n")
        with meter.watching():
            pass
    found = meter.clocks
    assert (found["gpu sm mhz"], found["gpu max sm mhz"], found["gpu celsius"]) == (1410, 1980, 65)
    assert machine_gpu.throttle_reasons(found) == ["software power cap", "software thermal slowdown"]


def test_a_card_that_is_not_used_is_not_read(fake_smi):
    fake_smi(clocks=CLOCKS.format(bits=0))
    for gpu in (True, False):
        meter = load.LoadMeter(gpu=gpu)
        with meter.watching():
            pass
        assert any(name.startswith("gpu") for name in meter.clocks) is gpu


def test_steal_is_the_share_between_two_snapshots(no_gpu, monkeypatch, tmp_path):
    monkeypatch.setattr(probing, "PROC", tmp_path)
    states = []
    for user, idle, steal in ((100, 100, 10), (160, 100, 50)):
        (tmp_path / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 7 7\ncpu0 1 1\n")
        states.append(load.hardware_state())
    assert load.steal_share(*states) == pytest.approx(0.4)
    assert load.steal_share(states[0], states[0]) is None
    assert load.steal_share({}, states[1]) is None


@pytest.mark.parametrize("stat", ["", "cpu", "cpu  1 2 x", "intr 1"])
def test_an_unreadable_proc_leaves_figures_out(no_gpu, monkeypatch, tmp_path, stat):
    monkeypatch.setattr(probing, "PROC", tmp_path)
    (tmp_path / "stat").write_text(stat)
    assert "cpu steal ticks" not in load.hardware_state()


@pytest.fixture
def repository(tmp_path):
    git = shutil.which("git")
    if not git:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    folder.mkdir()

    def run(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run([git, "-C", str(folder), *identity, *arguments], check=True, capture_output=True)

    run("init", "-b", "work")
    (folder / "code.py").write_text("a = 1\n")
    run("add", ".")
    run("commit", "-m", "first")
    return folder, run


def test_commit_branch_and_dirt(repository):
    folder, run = repository
    clean = machine_git.commit(folder)
    assert re.fullmatch(r"[0-9a-f]{40}", clean.id)
    assert (clean.branch, clean.dirty) == ("work", False)
    (folder / "baselines").mkdir()
    (folder / "baselines" / "0001_a.json").write_text("{}")
    assert not machine_git.commit(folder).dirty, "storing a baseline must not make the next process dirty"
    assert not machine_git.commit(folder / "baselines").dirty
    (folder / "code.py").write_text("a = 2\n")
    assert machine_git.commit(folder).dirty
    run("checkout", "code.py")
    (folder / "new.py").write_text("")
    assert machine_git.commit(folder / "baselines").dirty
    run("checkout", "--detach")
    assert machine_git.commit(folder).branch == ""


def test_no_repository_no_folder_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert machine_git.commit(tmp_path) == Commit()
    assert machine_git.commit(tmp_path / "absent") == Commit()
    monkeypatch.setenv("PATH", "")
    assert machine_git.commit(tmp_path) == Commit()


def test_a_neighbour_is_metered_and_our_own_work_is_not(no_gpu):
    def measured(seconds=1.0):
        meter = load.LoadMeter()
        with meter.watching():
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                pass
        return meter.contention

    alone = min(measured(0.5) for _ in range(3))
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        together = measured()
    finally:
        neighbour.kill()
        neighbour.wait()
    assert together > alone + 0.5 * min(1, os.cpu_count() - 1) / os.cpu_count()
