"""What NVML says of the cards, on a machine that nobody has."""

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.machine import facts as machine_facts
from dlcv04.harness.machine import gpu as machine_gpu
from dlcv04.harness.machine import load
from tests.fakes import card, neighbour, pynvml

T4 = card(name="Tesla T4", uuid="GPU-bbbb-2", memory_mib=15360, power_limit=70.0)
A100 = card(name="NVIDIA A100", uuid="GPU-bbcc-3")
CUT = {"MIG-first": "1g.10gb", "MIG-second": "3g.40gb"}


def test_gpu_facts_are_read(machine):
    machine.has(card(), card(uuid="GPU-bbbb-2"))
    facts = machine_facts.hardware()
    assert facts["gpu"] == "NVIDIA H100 80GB HBM3"
    assert facts["gpu count"] == "2"
    assert facts["gpu memory"] == "80 GiB"
    assert facts["gpu power limit"] == "700 W"
    assert machine_gpu.gpu_present()
    assert machine_facts.machine_class("gpu", facts) == "gpu-nvidia-h100-80gb-x2-700w"


@pytest.mark.parametrize(
    ("visible", "models"),
    [
        (None, ["H100", "T4", "A100"]),
        ("2,0", ["A100", "H100"]),
        (" 1 , 2 ", ["T4", "A100"]),
        ("0,-1,1", ["H100"]),
        ("0,9,1", ["H100"]),
        ("0,GPU-bbbb-2", ["H100"]),
        ("GPU-bbcc,GPU-aaaa-1", ["A100", "H100"]),
        ("GPU-aaaa,GPU-nobody,GPU-bbbb", ["H100"]),
        ("GPU-bb", []),
        ("1,1", []),
        ("1gpu", ["T4"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("-1,0", []),
    ],
)
def test_the_card_that_is_read_is_the_one_that_cuda_uses(machine, monkeypatch, visible, models):
    machine.has(card(celsius=0), {**T4, "celsius": 1}, {**A100, "celsius": 2})
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    read = [gpu.model for gpu in machine_gpu.gpus()]
    assert [next(name for name in ("H100", "T4", "A100") if name in model) for model in read] == models
    assert machine_gpu.gpu_present() is bool(models)
    celsius = {"H100": 0, "T4": 1, "A100": 2}
    assert machine_gpu.gpu_state().get("gpu celsius") == (celsius[models[0]] if models else None)


@given(st.text(max_size=20), st.lists(st.sampled_from(["GPU-a", "GPU-b", "GPU-ab", "MIG-a", "MIG-b"]), unique=True))
def test_any_text_names_places_that_are_there_once_each(visible, uuids):
    uuids.sort()  # cards come before slices
    places = machine_gpu.chosen_places(visible, uuids)
    assert len(set(places)) == len(places) and all(0 <= place < len(uuids) for place in places)


@pytest.mark.parametrize(
    ("visible", "profile"),
    [
        (None, "1g.10gb"),
        ("MIG-second", "3g.40gb"),
        ("MIG-s,MIG-f", "3g.40gb"),
        ("0", "1g.10gb"),
        ("GPU-aaaa", "1g.10gb"),
    ],
)
def test_a_mig_slice_is_named_and_counts_once(machine, monkeypatch, visible, profile):
    machine.has(card(mig=CUT), card(uuid="GPU-bbbb-2", mig={"MIG-third": "7g.80gb"}))
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    facts = machine_facts.hardware()
    assert (facts["gpu mig"], facts["gpu count"]) == (profile, "1")
    assert machine_facts.machine_class("gpu", facts) == f"gpu-nvidia-h100-80gb-mig-{profile}-x1-700w"
    assert machine_gpu.joules() is None


@pytest.mark.parametrize("visible", ["MIG-nobody", "MIG-"])
def test_a_slice_that_is_not_there_is_no_gpu(machine, monkeypatch, visible):
    machine.has(card(mig=CUT))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert not machine_gpu.gpu_present()


def test_cards_counted_by_speed_are_said_to_be_unclear(machine, monkeypatch):
    machine.has(card(), T4)
    machine_gpu.count_by_bus()
    assert os.environ.pop("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" and machine_gpu.unclear_order() == ""
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    machine_gpu.count_by_bus()
    assert os.environ["CUDA_DEVICE_ORDER"] == "FASTEST_FIRST"
    assert "PCI_BUS_ID" in machine_gpu.unclear_order()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bbbb")
    assert machine_gpu.unclear_order() == ""


def test_what_the_driver_can_not_tell_is_left_out(machine):
    lacks = ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetPowerManagementLimit", "nvmlDeviceGetMigMode"]
    lacks += ["nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPersistenceMode"]
    machine.has({**T4, "missing": lacks})
    facts = machine_facts.hardware()
    assert facts["gpu"] == "Tesla T4"
    assert not {"gpu memory", "gpu power limit", "gpu mig"} & set(facts)
    assert machine_facts.machine_class("gpu", facts) == "gpu-tesla-t4-x1"
    assert "gpu watts" not in load.hardware_state() and load.hardware_state()["gpu celsius"] == 41
    assert machine_gpu.joules() is None and machine_gpu.is_persistent() is None


def test_a_broken_driver_is_no_gpu(machine):
    machine.state.unlink()
    assert "gpu" not in machine_facts.hardware()
    assert not machine_gpu.gpu_present()
    assert "gpu throttle" not in load.hardware_state()


class Lacking:
    """Bindings that are not installed."""

    def __getattr__(self, name):
        raise ModuleNotFoundError("No module named 'pynvml'")


@pytest.mark.parametrize("visible", [None, "0", "-1", ""])
def test_a_card_without_its_library_is_there_and_not_read(machine, monkeypatch, tmp_path, visible):
    """A container may have CUDA and no NVML, an environment no bindings."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").write_text("")
    monkeypatch.setattr(machine_gpu, "_DEV", tmp_path / "dev")
    monkeypatch.setattr(machine_gpu, "pynvml", Lacking())
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine_gpu.gpu_present() is (visible in (None, "0"))
    assert machine_gpu.gpus() == [] and machine_gpu.gpu_state() == {} and machine_gpu.neighbours() == []


def test_a_function_that_an_old_driver_lacks_is_left_out(machine, monkeypatch):
    def lacking(handle):
        raise pynvml.NVMLLibraryMismatchError("no such function")

    machine.has(card(processes=[neighbour(os.getpid())]))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", lacking)
    assert machine_gpu.neighbours() == [] and machine_gpu.gpu_state()["gpu sm mhz"] > 0


def test_a_driver_that_hangs_costs_its_patience_once(machine, monkeypatch):
    monkeypatch.setattr(machine_gpu, "PATIENCE_SECONDS", 0.2)
    machine.has(card(), hang=1.5)
    start = time.perf_counter()
    assert not machine_gpu.gpu_present() and machine_gpu.gpu_state() == {} and machine_gpu.neighbours() == []
    assert "did not answer within 0.2 s" in machine_facts.unused_gpu("auto")
    assert time.perf_counter() - start < 1


def test_without_signs_of_a_driver_the_bindings_are_not_imported(no_gpu, tmp_path):
    code = (
        "import sys; from pathlib import Path; from dlcv04.harness.machine import facts, gpu\n"
        "gpu._DEV = Path('/nonexistent'); facts.hardware(); facts.software(); facts.unused_gpu('auto')\n"
        "print('pynvml' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_a_card_of_amd_is_said_not_to_be_read(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(machine_gpu, "_DEV", tmp_path)
    (tmp_path / "kfd").touch()
    assert machine_gpu.unread_card() == ""
    machine.has()
    assert machine_facts.unused_gpu("auto").startswith("AMD cards are not read")


@pytest.mark.parametrize(
    ("bits", "reasons", "slowdowns"),
    [
        (0x0, [], 0),
        (0x1, [], 0),
        (0x4, ["software power cap"], 0),
        (0x48, ["hardware slowdown", "hardware thermal slowdown"], 2),
        (0x1FF & ~0x1, ["software power cap", "hardware slowdown", "sync boost", "software thermal slowdown",
                        "hardware thermal slowdown", "hardware power brake"], 4),
    ],
)  # fmt: skip
def test_throttle_bits_are_named(machine, bits, reasons, slowdowns):
    machine.has(card(throttle=bits, watts=123.45))
    state = load.hardware_state()
    assert state["gpu throttle"] == bits
    assert (state["gpu sm mhz"], state["gpu watts"], state["gpu celsius"]) == (1980.0, 123.45, 41.0)
    assert machine_gpu.throttle_reasons(state) == reasons
    assert len(machine_gpu.slowdowns(state)) == slowdowns


# -- neighbours --------------------------------------------------------------------------------------------------------


def test_a_neighbour_is_named_and_this_runs_own_processes_are_not(machine):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        machine.has(card(processes=[neighbour(child.pid), neighbour(os.getppid())]))
        assert machine_gpu.neighbours() == []
        machine.has(card(processes=[neighbour(child.pid), neighbour(4194399), neighbour(4194398, "", 0)]))
        assert machine_gpu.neighbours() == ["process 4194399 (train.py, 2,048 MiB)", "process 4194398"]
    finally:
        child.kill()
        child.wait()


def test_pids_of_another_namespace_are_counted(machine):
    machine.has(card(lists_us=False, processes=[neighbour(4194399)]))
    assert machine_gpu.neighbours() == []  # this run itself, as it is called outside the container
    machine.has(card(lists_us=False, processes=[neighbour(4194399), neighbour(4194398)]))
    (named,) = machine_gpu.neighbours()
    assert named.startswith("1 of the processes 4194399, 4194398 (pids of another namespace")


# -- sampling ----------------------------------------------------------------------------------------------------------


def test_the_card_is_sampled_while_something_is_timed(machine):
    meter = load.LoadMeter()
    with meter.watching():
        time.sleep(0.15)
        machine.has(card(sm_mhz=1410, throttle=0x40, used_mib=9000))  # hot for a moment that no block's end sees
        time.sleep(0.25)
        machine.has(card(sm_mhz=210, throttle=0x1))
        time.sleep(0.05)
    clocks = meter.clocks
    assert (clocks["gpu sm mhz"], clocks["gpu used mib"]) == (1410, 9000)
    assert machine_gpu.throttle_reasons(clocks) == ["hardware thermal slowdown"]


def test_a_neighbour_that_came_for_a_while_is_kept_and_named_once(machine):
    meter = load.LoadMeter()
    machine.has(card(processes=[neighbour(4194399)]))
    with meter.watching():
        time.sleep(0.15)
    machine.has(card(processes=[neighbour(4194399, memory_mib=4096)]))
    with meter.watching():
        pass
    machine.has(card())
    with meter.watching():
        pass
    assert meter.neighbours == ["process 4194399 (train.py, 2,048 MiB)"]


def test_the_sampler_takes_less_than_a_hundredth_of_a_core(machine, monkeypatch):
    """Its own work, one reading after the other: a core that wakes for each takes longer, and so do NVML's calls."""
    machine.has(card(processes=[neighbour(4194399)]))
    machine_gpu.neighbours()  # the first look reads all processes of the machine
    state = machine_gpu.pynvml._system()
    monkeypatch.setattr(machine_gpu.pynvml, "_system", lambda: state)
    looks, start = 20, time.thread_time()
    for _ in range(looks):
        for _ in range(load.SAMPLES_A_LOOK):
            assert machine_gpu.read_state()["gpu sm mhz"] > 0
        assert len(machine_gpu.read_neighbours()) == 1
    assert time.thread_time() - start < 0.01 * looks * load.SAMPLES_A_LOOK * load.SAMPLE_SECONDS


def test_a_driver_that_hangs_while_something_is_timed_does_not_hang_it(machine, monkeypatch):
    monkeypatch.setattr(machine_gpu, "PATIENCE_SECONDS", 0.5)
    meter, start = load.LoadMeter(), time.perf_counter()
    with meter.watching():
        machine.has(card(), hang=2)
        time.sleep(0.2)
    assert time.perf_counter() - start < 2
