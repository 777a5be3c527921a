"""Memory from a claim to the terminal, the report, the stored run and the gate, with real processes."""

import json
import sys

import pytest

from dlcv04 import load_runs
from tests.harness.inner_runs import HALVES

pytestmark = pytest.mark.end_to_end

CLAIMS = """
from functools import partial
from dlcv04 import claim, reference_everywhere, timed_call

def net(units):
    import keras
    layers = keras.layers
    return keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(units, "relu"),
                             layers.Dense(units, "relu"), layers.Dense(2, activation="softmax")])

@claim("A wide net needs more memory", control=reference_everywhere("small"))
def test_memory(epoch_time, claim):
    times = epoch_time(small=partial(net, 2000), wide=partial(net, WIDTH), rounds=2)
    claim.needs_more_memory(times.wide, than=times.small, by=1.2)

@claim("A call has no memory of its own", control=reference_everywhere("one"))
def test_call(epoch_time, claim):
    times = epoch_time(one=timed_call(lambda: None), two=timed_call(lambda: None), rounds=2)
    claim.needs_more_memory(times.two, than=times.one, by=1.2)
"""


@pytest.fixture
def project(pytester):
    pytester.makeini("[pytest]\n")
    pytester.makeconftest(HALVES)
    pytester.makepyfile(test_it=CLAIMS.replace("WIDTH", "4000"))
    return pytester


def block(path):
    return json.loads(path.read_text())["dlcv04"]


def test_a_claim_about_memory(project):
    project.mkdir("runs")
    result = project.runpytest_subprocess("--dl-controls", "--benchmark-json=runs/run.json", "--dl-report-dir=reports")
    result.stdout.fnmatch_lines([
        "*HOLDS*A wide net needs more memory*n = 3 processes*",
        "*The memory of 'two' can't be measured*",
        "*1 of 1 control*broke*",
    ])  # fmt: skip
    claim = next(c for c in block(project.path / "runs" / "run.json")["claims"] if c["test"].endswith("test_memory"))
    (judged,) = claim["assertions"]
    assert judged["verdict"] == "HOLDS" and judged["metric"] == "peak memory"
    assert 1.8 < judged["effect"] < 5  # weights and gradients of the wide layer are four times as large
    again = project.run(sys.executable, "-c", "from dlcv04.cli import main; main()", "judge", "runs/run.json")
    again.stdout.fnmatch_lines(["*HOLDS*A wide net needs more memory*n = 3 processes*"])
    figures = load_runs(project.path / "runs")
    peaks = figures[(figures.metric == "peak memory") & (figures.arm == "wide") & ~figures.control]
    assert len(peaks) == 3 and (peaks.value > 100e6).all() and set(peaks.unit) == {"bytes"}
    report = next((project.path / "reports").glob("*.html"))
    assert "Peak memory" in report.read_text()
