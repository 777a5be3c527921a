"""Facts of the machine, its class, versions and differences."""

import ctypes.util
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.machine import facts as machine_facts
from dlcv04.harness.machine import gpu as machine_gpu
from tests.fakes import card


def test_import_brings_no_framework_and_no_other_package():
    modules = "dlcv04.harness.machine.facts, dlcv04.harness.machine.load, dlcv04.harness.store.baselines"
    code = f"import sys, {modules}; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"numpy", "keras", "tensorflow", "jax", "scipy", "pandas", "filelock._api", "psutil", "pytest"}
    assert heavy.isdisjoint(loaded)


def test_cpu_facts_of_this_machine(no_gpu):
    facts = machine_facts.hardware()
    assert facts["cpu"]
    assert float(facts["cores"]) > 0
    assert "gpu" not in facts
    assert machine_facts.machine_class("cpu", facts).startswith("cpu-")
    assert not machine_gpu.gpu_present()


def test_a_power_cap_is_another_class(machine):
    machine.has(card(power_limit=350.0))
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


def test_software_names_versions_and_variables_that_matter(machine, monkeypatch):
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


@pytest.mark.parametrize("cudnn", [True, False])
def test_auto_takes_a_gpu_only_where_its_libraries_are(machine, monkeypatch, cudnn):
    """TensorFlow without CUDA finds no GPU: a run on the CPU must not be stored as the GPU's."""
    monkeypatch.setattr(
        machine_facts, "_version", lambda names: "9.1" if cudnn and "nvidia-cudnn-cu12" in names else ""
    )
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    machine.has()
    assert (machine_facts.chosen_device("auto"), machine_facts.unused_gpu("auto")) == ("cpu", "")
    machine.has(card())
    assert machine_facts.chosen_device("auto") == ("gpu" if cudnn else "cpu")
    assert machine_facts.unused_gpu("auto").startswith("a GPU is here and is not used" if not cudnn else "")
    assert (machine_facts.chosen_device("cpu"), machine_facts.chosen_device("gpu")) == ("cpu", "gpu")
    assert machine_facts.unused_gpu("cpu") == machine_facts.unused_gpu("gpu") == ""
