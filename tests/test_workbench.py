"""What the workbench refuses to time."""

import pytest

from tests.conftest import SUITE
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
