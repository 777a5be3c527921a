"""What the workbench plans, and what it refuses to time."""

import pytest

from tests.conftest import FAKE_MACHINE, SUITE
from tests.harness.inner_runs import run_apart


@pytest.mark.parametrize("hook", ["settrace", "setprofile"])
def test_a_tracer_is_not_timed(suite, hook):
    traced = SUITE.replace("    times =", f"    import sys; sys.{hook}(lambda *_: None)\n    times =")
    result = run_apart(suite(traced), "bench")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*A tracer is active (coverage, a profiler or a debugger)*"])


def test_a_tool_of_sys_monitoring_is_not_timed(suite):
    """As coverage and cProfile may be from Python 3.12 on."""
    fake = "NS(DEBUGGER_ID=0, COVERAGE_ID=1, PROFILER_ID=2, get_tool={1: 'coverage.py'}.get)"
    watched = f"    import sys; from types import SimpleNamespace as NS; sys.monitoring = {fake}\n    times ="
    result = run_apart(suite(SUITE.replace("    times =", watched)), "bench")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["A tracer is active (coverage, a profiler or a debugger)*"])
    assert "another exception" not in result.stdout.str()


LEARNS = """
import pytest
from dlcv04 import claim, reference_everywhere

@claim("Learns", control=reference_everywhere("net"))
def test_learns(learning, claim): ...
"""
OWN = """
import pytest

@pytest.fixture(scope="session")
def dataset(): ...
"""


@pytest.mark.parametrize(
    ("files", "own"),
    [
        ({"test_a": LEARNS + OWN}, ["test_a.py"]),
        ({"conftest": OWN, "test_a": LEARNS, "test_b": LEARNS + OWN}, ["conftest.py", "test_b.py"]),
        ({"conftest": OWN.replace("dataset()", "dataset(dataset)"), "test_a": LEARNS}, []),
        ({"test_a": LEARNS + OWN, "test_b": LEARNS}, ["test_a.py"]),
    ],
    ids=["in a module", "in a conftest and a module", "made of the shipped one", "in one of two modules"],
)
def test_the_first_line_names_every_projects_own_data_and_only_the_rest_must_be_there(
    pytester, heavy_modules, monkeypatch, files, own
):
    monkeypatch.setenv("KERAS_HOME", str(pytester.path / "nowhere"))
    monkeypatch.delenv("DLCV04_DATA", raising=False)
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(**files)
    printed = run_apart(pytester, "--collect-only", "-q").stdout.str()
    for file in own:
        assert f"your own (the fixture `dataset` of {file})" in printed
    shipped = len(own) < len([name for name in files if name != "conftest"])
    assert ("embedded stand-in" in printed) == shipped
    real = run_apart(pytester, "--collect-only", "-q", "--dl-data=real")
    assert real.ret == (pytest.ExitCode.USAGE_ERROR if shipped else pytest.ExitCode.OK)


REFUSES = """
from dlcv04.harness.claims.claim import ClaimError
from dlcv04.workbench import Workbench

class Refusing(Workbench):
    def peaks_of(self, *arm):
        raise ClaimError("its memory can't be measured here")
"""


def test_memory_that_no_claim_asked_for_and_cant_be_measured_is_a_line_and_no_error(suite):
    cpu, card = 'return Workbench(suite, "cpu", machine.calibrate,', 'return Refusing(suite, "gpu", None,'
    assert cpu in FAKE_MACHINE
    on_a_card = FAKE_MACHINE.replace(cpu, card)
    result = run_apart(suite(machine=REFUSES + on_a_card), "bench")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["dlcv04: its memory can't be measured here", "HOLDS *The long arm is slower*"])
