"""What `nvidia-smi` says of the cards, with a fake one on PATH."""

import pytest

from dlcv04.harness.machine import facts as machine_facts
from dlcv04.harness.machine import gpu as machine_gpu
from dlcv04.harness.machine import load
from tests.conftest import H100
from tests.harness.machine.conftest import CLOCKS

SECOND = "1, GPU-bbbb-2, NVIDIA H100 80GB HBM3, 81559, 700.00, 580.95.05, Disabled"


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
