"""docs/bisect.md: `git bisect run pytest --dl-bisect` finds what was planted in a history, three times each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parent.parent
INI = "[pytest]\npythonpath = .\n"

SIZE = """
import mynet
from dlcv04 import claim, planted

@claim("The net has 101,770 parameters", control=planted("one unit more", lambda arm: arm))
def test_size(claim):
    claim.exactly(mynet.parameters(), 101_770, of="parameters")
"""
NET = "def parameters(hidden={hidden}):\n    return 784 * hidden + hidden + hidden * 10 + 10\n"

LEARNS = """
import mynet
from dlcv04 import claim, planted, trained_by

@claim("It learns to tell the two apart", control=planted("labels shuffled", lambda arm: arm))
def test_learns(learning, claim):
    claim.at_least(learning(mine=trained_by(mynet.train)).mine, 0.9, of="val_accuracy")
"""
#: A logistic regression on two clouds; the planted fault is a sign.
TRAIN = """
import numpy as np

def train(seed, epochs=3):
    draw = np.random.default_rng(seed)
    y = draw.integers(0, 2, 400)
    x = draw.normal(size=(400, 5)) + 1.2 * (2 * y[:, None] - 1)
    w = np.zeros(5)
    for _ in range(epochs):
        for i in range(0, 200, 10):
            p = 1 / (1 + np.exp(-x[i:i + 10] @ w))
            w {sign}= 0.1 * x[i:i + 10].T @ (y[i:i + 10] - p)
        right = (x @ w > 0) == y
        yield {{"accuracy": right[:200].mean(), "val_accuracy": right[200:].mean()}}
"""

SPEED = """
import mynet
from dlcv04 import claim, reference_everywhere, timed_call

@claim("A step takes longer than a tenth of one", control=reference_everywhere("tenth"))
def test_step(epoch_time, claim):
    times = epoch_time(tenth=timed_call(lambda: sum(i * i for i in range(2_000))), step=timed_call(mynet.step))
    claim.slower(times.step, than=times.tenth, by=1.1)
"""
STEP = "def step():\n    return sum(number * number for number in range({count}))\n"
#: The real clock, without a framework to start in every process.
CLOCK = """
import pytest
from dlcv04.harness.session.state import suite_of
from dlcv04.harness.session.suite import DeviceLayer, Plan
from dlcv04.workbench import Workbench

@pytest.fixture(scope="session")
def workbench(request):
    suite = suite_of(request.config)
    suite.device_layer = DeviceLayer("cpu", {"backend": "none"}, {})
    return Workbench(suite, "cpu", lambda: sum(i * i for i in range(20_000)))

def pytest_dlcv04_plan(config, suite, device):
    suite.plan = lambda: Plan("cpu", "no data", {"backend": "none"})
    return True
"""


#: A claim that says nothing of how large the net is, but that it is small.
SMALL = """
import mynet
from dlcv04 import claim, reference_everywhere

@claim("The net is smaller than one of 100 units", control=reference_everywhere("large"))
def test_small(footprints, claim):
    sizes = footprints(mine=mynet.net, large=lambda: mynet.net(100))
    claim.fewer(sizes.mine.parameters, than=sizes.large.parameters, of="mine", reference="large")
"""
KERAS_NET = """
import keras

def net(units={units}):
    layers = keras.layers
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(units, activation="relu"),
                             layers.Dense(10, activation="softmax")])
"""


class History:
    """A repository whose commits differ in a comment, and from number `bad` on by a fault."""

    def __init__(self, folder, count, *, bad, broken=None):
        self.path, self.count, self.bad, self.broken = folder, count, bad, broken
        self.commits = []

    def make(self, good, fault, files):
        self.path.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")
        for name, text in {
            "pytest.ini": INI,
            ".gitignore": "reports/\n.benchmarks/\n.pytest_cache/\n",
            **files,
        }.items():
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.path / name).write_text(text)
        for number in range(self.count):
            text = "import gone_by_now\n" if number == self.broken else fault if number >= self.bad else good
            (self.path / "mynet.py").write_text(f"# {number:03d}\n{text}")
            self.git("add", "-A")
            self.git("commit", "-qm", f"{number}")
            self.commits.append(self.git("rev-parse", "HEAD"))
        return self

    def leave(self, files):
        """Leave files in a folder that git does not look at."""
        (self.path / ".git/info/exclude").write_text("bisecting/\n")
        for name, text in files.items():
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.path / name).write_text(text)

    def git(self, *arguments):
        environment = os.environ | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PYTHONPATH": str(ROOT),
        }
        environment |= dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "x")
        environment |= dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "x@x")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    def bisect(self, *pytest_arguments):
        """The number of the commit that git blames, between the first one and the last."""
        self.git("bisect", "start", self.commits[-1], self.commits[0])
        printed = self.git("bisect", "run", sys.executable, "-m", "pytest", "-q", "--dl-bisect", *pytest_arguments)
        print(printed)
        assert "is the first bad commit" in printed
        found = self.commits.index(self.git("rev-parse", "refs/bisect/bad"))
        self.git("bisect", "reset")
        return found


@pytest.mark.parametrize("bad", [7, 29, 61])
def test_a_parameter_change_among_64_commits(tmp_path, bad):
    good, fault = NET.format(hidden=128), NET.format(hidden=129)
    history = History(tmp_path, 64, bad=bad, broken=32).make(good, fault, {"bench/test_mine.py": SIZE})
    assert history.bisect("bench/test_mine.py::test_size") == bad


@pytest.mark.parametrize("bad", [3, 11, 14])
def test_a_learning_fault_among_16_commits(tmp_path, bad):
    good, fault = TRAIN.format(sign="+"), TRAIN.format(sign="-")
    files = {"bench/test_mine.py": LEARNS, "conftest.py": CLOCK}
    history = History(tmp_path, 16, bad=bad, broken=6).make(good, fault, files)
    assert history.bisect("bench/test_mine.py::test_learns", "--dl-workers=0") == bad


@pytest.mark.nightly
@pytest.mark.parametrize("bad", [2, 9, 13])
def test_a_slowdown_of_30_percent_among_16_commits(tmp_path, bad):
    good, fault = STEP.format(count=20_000), STEP.format(count=26_000)
    files = {"bench/test_mine.py": SPEED, "conftest.py": CLOCK}
    history = History(tmp_path, 16, bad=bad).make(good, fault, files)
    assert history.bisect("bench/test_mine.py::test_step", f"--dl-against={history.commits[0]}") == bad


@pytest.mark.nightly
def test_a_slowdown_by_a_claim_that_no_commit_has(tmp_path):
    history = History(tmp_path, 8, bad=5).make(STEP.format(count=20_000), STEP.format(count=26_000), {})
    history.leave({"bisecting/test_mine.py": SPEED, "bisecting/conftest.py": CLOCK})
    options = [f"--dl-against={history.commits[0]}", "-o", "dl_against_links=bisecting"]
    assert history.bisect("bisecting/test_mine.py::test_step", *options) == 5


@pytest.mark.nightly
def test_a_layer_of_a_keras_net_by_what_the_good_commit_had(tmp_path):
    good = tmp_path / "good.json"  # outside the repository
    history = History(tmp_path / "project", 8, bad=3).make(KERAS_NET.format(units=8), KERAS_NET.format(units=9), {})
    history.leave({"bisecting/test_mine.py": SMALL})
    history.git("checkout", "-q", history.commits[0])
    test = "bisecting/test_mine.py::test_small"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", test, f"--benchmark-json={good}"],
        cwd=history.path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0
    history.git("checkout", "-q", "main")
    assert history.bisect(test, f"--benchmark-compare={good}") == 3
