"""Whole runs on a card that nobody has: NVML is a JSON file, the framework a stand-in that sees one GPU.

Everything between them is ours: the options, the device, its machine class, the clocks, the stored gate, the report.
Nothing here ran on a real card.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import SUITE, accept_processes
from tests.fakes import Machine, neighbour
from tests.fakes import card as a_card

FAKE_CARD = """
import math
import os
import random
from pathlib import Path
from types import SimpleNamespace as NS

import pytest

from dlcv04 import backends, timed_call
from dlcv04.backends import tensorflow
from dlcv04.harness.machine import facts, gpu, load

gpu._DEV = Path("/nonexistent")
facts._has_cuda = lambda: True
cards = [NS(device_type="GPU")] * int(os.environ.get("FRAMEWORK_SEES", "1"))
waits = []
tensorflow.tf = NS(
    __version__="2.21.0",
    test=NS(experimental=NS(sync_devices=lambda: waits.append(1))),
    config=NS(
        get_visible_devices=lambda kind: cards,
        set_visible_devices=lambda card, kind: None,
        threading=NS(get_intra_op_parallelism_threads=lambda: 0),
        experimental=NS(
            set_memory_growth=lambda card, enable: None,
            get_device_details=lambda card: {"device_name": "NVIDIA H100 80GB HBM3"},
            tensor_float_32_execution_enabled=lambda: True,
        ),
    ),
)
backends.keras = NS(
    __version__="3.15.1",
    config=NS(
        backend=lambda: "tensorflow",
        dtype_policy=lambda: NS(name="float32"),
        image_data_format=lambda: "channels_last",
    ),
)
tensorflow._config = lambda: NS(is_op_determinism_enabled=lambda: False)
load._busy_seconds = lambda: 0.0  # what else this machine does is no part of the story


class Machine:
    def __init__(self):
        self.now, self.random = 0.0, random.Random(1)

    def arm(self, seconds):
        slowdown = float(os.environ.get("SLOWDOWN", "1"))

        def work():
            self.now += seconds * slowdown * math.exp(self.random.gauss(0, 0.02))

        return timed_call(work, barrier=backends.barrier, images=10)

    def calibrate(self):
        self.now += 0.1


@pytest.fixture(scope="session")
def machine():
    return Machine()


@pytest.fixture(scope="session")
def workbench(workbench, machine):
    workbench.clock = lambda: machine.now
    if workbench.calibrator is not None:  # on the CPU
        workbench.calibrator = machine.calibrate
    return workbench


@pytest.fixture(autouse=True)
def every_round_waits():
    yield
    assert waits
"""

STEADY = [a_card()]
CAPPED = a_card(sm_mhz=1410, celsius=71, watts=699.0, throttle=0x4)
HOT = a_card(sm_mhz=1200, celsius=91, throttle=0x48)
CLASS = "gpu-nvidia-h100-80gb-x1-700w"


class Runner:
    """A folder with claims on a machine with the faked card."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "bench").mkdir()
        self.machine = Machine(folder / "machine")
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(FAKE_CARD)
        (folder / "bench/test_it.py").write_text(SUITE)

    def run(self, *options, cards=STEADY, device="gpu", **environment):
        """Exit code, what was printed, and the run or None."""
        self.machine.has(*cards)
        out = self.folder / "run.json"
        out.unlink(missing_ok=True)
        own = {
            name: value for name, value in os.environ.items() if name not in {"CUDA_VISIBLE_DEVICES", "KERAS_BACKEND"}
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "bench", f"--dl-device={device}", f"--benchmark-json={out}", *options],
            cwd=self.folder,
            env={**own, **self.machine.environment, **environment},
            capture_output=True,
            text=True,
        )
        return (
            done.returncode,
            done.stdout + done.stderr,
            json.loads(out.read_text())["dlcv04"] if out.exists() else None,
        )


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    return Runner(tmp_path_factory.mktemp("card"))


@pytest.fixture(scope="module")
def first(card):
    """The first run on the card; five processes of it are stored."""
    code, printed, run = card.run()
    accept_processes(card.folder, card.folder / "run.json")
    page = (card.folder / "reports/latest.html").read_text()
    return code, printed, run, page


def rows(run):
    return [row for row in run["claims"][0]["comparisons"] if row["asserted"]]


def test_the_run_names_the_card_and_its_class(first):
    code, printed, run, _ = first
    assert code == 0, printed
    assert "on the GPU (NVIDIA H100 80GB HBM3)" in printed and "HOLDS" in printed
    assert (run["device"], run["environment"]["machine_class"]) == ("gpu", CLASS)
    assert run["key"] == {"profile": "smoke", "backend": "tensorflow", "dtype_policy": "float32", "jit": "true"}
    software = run["environment"]["software"]
    assert (software["device"], software["gpu driver"], software["cuda driver"]) == (
        "NVIDIA H100 80GB HBM3",
        "580.95.05",
        "13.0",
    )


def test_its_times_have_no_calibrator_and_its_clocks_are_recorded_and_shown(first):
    *_, run, page = first
    for arm in run["arms"]:
        assert arm["calibrator_seconds"] == []
        assert (arm["clocks"]["gpu sm mhz"], arm["clocks"]["gpu throttle"]) == (1980, 0)
    shown = page[page.index('id="clocks-title"') :]
    for text in ("GPU clock</dt><dd>1,980 MHz", "GPU temperature</dt><dd>41 °C", "GPU throttled</dt><dd>no"):
        assert text in shown


def test_the_same_code_passes_by_absolute_times(card, first):
    code, printed, run = card.run("--benchmark-compare", "--dl-strict")
    assert code == 0, printed
    assert [(row["verdict"], row["n_new"], row["n_old"]) for row in rows(run)] == [("PASS", 1, 5)] * 2
    assert all("absolute times" in row["method"] for row in rows(run))


def test_slower_code_is_red_by_one_process_and_what_the_clocks_did_is_said(card, first):
    code, printed, run = card.run("--benchmark-compare", cards=[CAPPED], SLOWDOWN="2")
    assert code == 1, [(row["verdict"], row["reason"]) for row in rows(run)]
    assert [(row["verdict"], row["n_new"]) for row in rows(run)] == [("REGRESSED", 1)] * 2
    assert run["repeats"] == [] and "fresh process" not in printed
    for row in rows(run):
        assert {"GPU throttled no -> software power cap", "GPU clock 1,980 -> 1,410 MHz"} <= {*row["differences"]}
    page = (card.folder / "reports/latest.html").read_text()
    assert "GPU throttled</th>" in page and "⚠ </span>software power cap" in page


@pytest.mark.parametrize(
    ("cards", "why"),
    [
        ([a_card(processes=[neighbour(4194399)])], "process 4194399 (train.py, 2,048 MiB) ran on the card"),
        ([HOT], "the card was slowed (hardware slowdown, hardware thermal slowdown)"),
    ],
    ids=["a neighbour", "heat"],
)
def test_what_slowed_the_card_itself_leaves_slower_times_open(card, first, cards, why):
    code, printed, run = card.run("--benchmark-compare", cards=cards, SLOWDOWN="2")
    assert code == 0, printed
    assert {row["verdict"] for row in rows(run)} == {"INCONCLUSIVE"}
    assert all(why in row["reason"] for row in rows(run))


@pytest.mark.parametrize(
    "cards",
    [
        [a_card(name="NVIDIA H200", uuid="GPU-cccc-3", memory_mib=143771)],
        [a_card(power_limit=350.0)],
        [a_card(), a_card(uuid="GPU-bbbb-2")],
    ],
    ids=["another model", "a lower power cap", "a second card"],
)
def test_new_hardware_is_incomparable_and_ends_with_seven(card, first, cards):
    code, printed, run = card.run("--benchmark-compare", cards=cards)
    assert code == 7, printed
    assert {row["verdict"] for row in rows(run)} == {"NO_BASELINE"}
    assert f"stored, but only for the machine class {CLASS}" in rows(run)[0]["reason"]
    assert "dlcv04 baseline" in printed and "Exit code 7" in printed


def test_no_card_is_an_error_before_anything_runs(card):
    code, printed, run = card.run(cards=[])
    assert code == 4 and run is None
    assert printed.strip().endswith("Run on a GPU machine, or use --dl-device cpu.")


def test_a_card_that_the_framework_does_not_see_ends_the_run_with_one_sentence(card, first):
    before = (card.folder / "reports/latest.html").read_bytes()
    code, printed, run = card.run(FRAMEWORK_SEES="0")
    assert code == 4 and run is None
    assert printed.count("tensorflow finds no GPU on this machine: install its GPU build and a driver") == 1
    assert "Traceback" not in printed
    assert (card.folder / "reports/latest.html").read_bytes() == before


@pytest.mark.parametrize("named", ["gpu", "auto"])
def test_auto_runs_on_the_cpu_where_the_framework_sees_no_card(card, first, named):
    code, printed, run = card.run(device=named, FRAMEWORK_SEES="0")
    if named == "gpu":
        assert code == 4
        return
    assert code == 0, printed
    assert "on the CPU (" in printed and "on the GPU" not in printed
    assert printed.count("NVIDIA H100 80GB HBM3 is here and tensorflow does not see it, so the run is on the CPU") == 1
    assert run["device"] == "cpu" and run["environment"]["machine_class"].startswith("cpu-")
    assert run["key"]["jit"] == "false"
    for arm in run["arms"]:
        assert arm["calibrator_seconds"] and "tf32" not in arm["key"]
        assert not any(name.startswith("gpu") for name in arm["clocks"])


def test_auto_takes_the_card_that_the_framework_sees(card, first):
    code, printed, run = card.run(device="auto")
    assert code == 0, printed
    assert run["device"] == "gpu" and run["environment"]["machine_class"] == CLASS
