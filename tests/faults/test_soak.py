"""Many runs in a row: neither memory, nor the time of a run, nor the files beside what is stored grow.

What grows is told by a line through all runs: growth is what even the near end of the slope's interval, taken over the
whole soak, puts beyond the noise of a single run.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from scipy import stats

RUNS = 200
#: The first runs fill caches: of imports, templates, fonts, regular expressions.
WARM = 20
#: One fit in a hundred thousand is beyond it by chance.
CHANCE = 1e-5


def growth(values):
    """How much a figure grew over all runs: the near end of a slope's interval, in sds of a single run; 0 for none.

    The slope is Theil's, the median of the slopes between all pairs, which a few slow runs don't move.
    """
    runs = np.arange(len(values))
    slope, intercept, low, _ = stats.theilslopes(values, runs, alpha=1 - 2 * CHANCE)
    rest = np.asarray(values) - intercept - slope * runs
    noise = stats.median_abs_deviation(rest, scale="normal")
    if not noise:
        return np.inf if low > 0 else 0.0
    return max(0.0, low) * len(values) / noise


def noisy(count=RUNS - WARM, slope=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return 1 + slope * np.arange(count) / count + rng.standard_t(3, count) * 0.05


def test_growth_is_told_from_noise():
    assert max(growth(noisy(seed=seed)) for seed in range(20)) == 0
    assert min(growth(noisy(seed=seed, slope=0.2)) for seed in range(20)) > 1
    assert growth(np.ones(50)) == 0 and growth(np.arange(50.0)) == np.inf


def others(folder):
    """The files that are neither saved runs nor reports."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not {".benchmarks", "reports"} & set(path.relative_to(folder).parts)
    }


@pytest.fixture
def soaked(suite, tmp_path_factory, monkeypatch):
    """The suite's folder, and a temporary folder of its own below it."""
    pytester = suite()
    scratch = pytester.mkdir("scratch")
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return pytester


OPTIONS = ["bench", "--benchmark-autosave"]


#: A process that runs pytest again and again, and tells of each run its bytes of memory and its time of a core
#: (in that of a fixed piece of work).
LOOP = """
import contextlib, gc, io, json, os, sys, time
import psutil, pytest
for _ in range({runs}):
    known, start = set(sys.modules), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert pytest.main({arguments}) == 0
    seconds, start = time.process_time() - start, time.process_time()
    sum(number * number for number in range(1_000_000))
    seconds /= time.process_time() - start  # a machine that becomes busier slows both
    for name in set(sys.modules) - known:  # the suite's own, which each run imports anew
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(os.getcwd()):
            del sys.modules[name]
    gc.collect()
    print(json.dumps([psutil.Process().memory_full_info().uss, seconds]), flush=True)
"""


def looped(folder, arguments):
    """Bytes and time of each of many runs in one process, without those that fill caches."""
    program = LOOP.format(runs=RUNS, arguments=[*arguments, "-p", "no:cacheprovider"])
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return np.array([json.loads(line) for line in done.stdout.splitlines()]).T[:, WARM:]


@pytest.mark.nightly
def test_two_hundred_runs_in_one_process(soaked):
    memory, seconds = looped(soaked.path, OPTIONS)
    print(f"MB {memory[0] / 1e6:.2f} to {memory[-1] / 1e6:.2f}; time {np.median(seconds):.3f}")
    assert len(list((soaked.path / ".benchmarks").rglob("*.json"))) == RUNS
    assert growth(seconds) <= 1, seconds
    assert growth(memory) <= 1, memory


@pytest.mark.nightly
def test_runs_in_processes_of_their_own_leave_no_files(soaked):
    found = []
    for _ in range(20):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *OPTIONS],
            env=os.environ,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        found.append(others(soaked.path))
    assert found[-1] == found[0]
