"""Arms that are no plain network, through the fixtures: what is timed, what is waited for, and what is one sentence."""

import subprocess
import sys

import pytest

from dlcv04 import timed_call

SETUP = """
from dlcv04 import claim, reference_everywhere, timed_call


@claim("The long arm is slower", control=reference_everywhere("short"))
def test_longer_is_slower(epoch_time, machine, claim):
    said = []

    def arm(seconds):
        def setup():
            machine.now += 50
            said.append("setup")

        def work():
            machine.now += seconds
            said.append("work")

        def wait():
            said.append("wait")

        return timed_call(work, setup=setup, barrier=wait, batch_size=10)

    times = epoch_time(short=arm(0.1), long=arm(0.2))
    claim.slower(times.long, than=times.short, by=1.10)
    told = " ".join(said)
    assert said.count("setup") >= 20 and told == " ".join(["setup wait work wait"] * said.count("setup"))
    assert max(times.long.seconds) < 1 and times.long.workload.images_per_step == 10
"""


def test_the_setup_comes_before_each_round_outside_the_clock(suite):
    suite(SETUP).runpytest("bench").assert_outcomes(passed=1)


FAKE_TORCH = """
import sys
from types import ModuleType, SimpleNamespace as NS

torch = sys.modules["torch"] = ModuleType("torch")
torch.waited = []
torch.cuda = NS(is_available=lambda: {cuda}, synchronize=lambda: torch.waited.append("cuda"))
torch.mps = NS(synchronize=lambda: torch.waited.append("mps"))
torch.backends = NS(mps=NS(is_available=lambda: {mps}))
"""

TORCH = """
from dlcv04 import claim, reference_everywhere, timed_call


@claim("The long arm is slower", control=reference_everywhere("short"))
def test_longer_is_slower(epoch_time, machine, claim):
    import torch

    def arm(seconds):
        def work():
            machine.now += seconds

        return timed_call(work, barrier="torch")

    times = epoch_time(short=arm(0.1), long=arm(0.2))
    claim.slower(times.long, than=times.short, by=1.10)
    assert set(torch.waited) == {waited} and (not torch.waited or len(torch.waited) >= 40)
"""


@pytest.mark.parametrize(
    ("cuda", "mps", "waited"), [(1, 0, {"cuda"}), (0, 1, {"mps"}), (1, 1, {"cuda"}), (0, 0, set())]
)
def test_the_barrier_torch_waits_for_its_device(suite, cuda, mps, waited):
    folder = suite(TORCH.replace("{waited}", repr(waited)))
    with (folder.path / "conftest.py").open("a") as conftest:
        conftest.write(FAKE_TORCH.replace("{cuda}", str(cuda)).replace("{mps}", str(mps)))
    folder.runpytest_subprocess("bench").assert_outcomes(passed=1)


def test_a_framework_that_is_not_installed_is_one_sentence(suite):
    folder = suite(TORCH.replace("    import torch\n", ""))
    with (folder.path / "conftest.py").open("a") as conftest:
        conftest.write('\nimport sys\nsys.modules["torch"] = None\n')
    done = folder.runpytest_subprocess("bench")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*barrier='torch' needs torch: *`pip install torch`*"])


@pytest.mark.parametrize("name", ["pytorch", "", None])
def test_an_unknown_barrier_is_one_sentence(name):
    with pytest.raises(ValueError, match="name tensorflow, jax or torch, or give a function that waits"):
        timed_call(print, barrier=name)


def test_a_call_processes_pictures():
    assert timed_call(print, batch_size=8).images_per_step == timed_call(print, images=8).images_per_step == 8
    for wrong in ({"batch_size": 0}, {"images": 0}):
        with pytest.raises(ValueError, match="at least one picture"):
            timed_call(print, **wrong)


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
def test_naming_a_framework_imports_nothing(name):
    code = f"import sys; from dlcv04 import timed_call; timed_call(print, barrier={name!r})\n"
    code += f"assert not {{'numpy', 'keras', {name!r}}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
