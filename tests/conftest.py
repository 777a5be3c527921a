"""Fixtures of the tests: inner pytest runs on a machine whose clock is ours, and the package as strangers get it."""

import functools
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_benchmark.plugin

import dlcv04.harness
from dlcv04.harness.measuring import fresh_process, process_pairs
from dlcv04.harness.report.renderers import html_page
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.schema import Commit
from tests.harness import same_packages
from tests.harness.forks import FORKED

pytest_plugins = ["pytester"]


# It starts a process to ask for the CPU's name, which does not change from one inner run to the next.
pytest_benchmark.plugin.get_cpu_info = functools.cache(pytest_benchmark.plugin.get_cpu_info)
same_packages.know_them()
# Inner runs are no workers of pytest-xdist, though the tests around them may be run by `-n`.
os.environ.pop("PYTEST_XDIST_WORKER", None)
# A shell's job in the background ignores Ctrl-C, and so would the processes that are sent one here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Each of its workers, with what that starts, computes with its share of the cores.
if workers := int(os.environ.pop("PYTEST_XDIST_WORKER_COUNT", "0")):
    share = str(max(1, len(os.sched_getaffinity(0)) // workers))
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, share)


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """An empty folder to work in, with a cache of its own; no data, no downloaded weights."""
    for name in ("DLCV04_DATA", "DLCV04_BUILDINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("DLCV04_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pytest_collection_modifyitems(config, items):
    """What takes long runs only when asked for by its marker; whole projects also by their file's name."""
    named = {Path(argument.partition("::")[0]).resolve() for argument in config.args}

    def is_asked_for(item):
        if item.get_closest_marker("nightly"):
            return "nightly" in config.option.markexpr
        return not item.get_closest_marker("end_to_end") or "end_to_end" in config.option.markexpr or item.path in named

    config.hook.pytest_deselected(items=[item for item in items if not is_asked_for(item)])
    items[:] = [item for item in items if is_asked_for(item)]


FAKE_MACHINE = '''
"""A machine without framework, whose time passes only while an arm works: every run of it is the same."""
import math
import os
import random

import pytest

from dlcv04 import timed_call
from dlcv04.workbench import Workbench
from dlcv04.harness.session.state import suite_of
from dlcv04.harness.session.suite import DeviceLayer

NOISE = 0.05
SLOWDOWN = 1.0
#: The host: it slows every process of its minutes, whatever code that runs.
DRIFT = float(os.environ.get("FAKE_DRIFT", "1"))


class Machine:
    def __init__(self):
        self.now, self.random = 0.0, random.Random(1)

    def arm(self, seconds):
        def work():
            self.now += seconds * SLOWDOWN * DRIFT * math.exp(self.random.gauss(0, NOISE))
        return timed_call(work, images=10)

    def calibrate(self):
        self.now += 0.05 * math.exp(self.random.gauss(0, 0.02))


@pytest.fixture(scope="session")
def machine():
    return Machine()


@pytest.fixture(scope="session")
def workbench(request, machine):
    suite = suite_of(request.config)
    suite.device_layer = DeviceLayer("cpu", {"backend": "fake"}, {"fake": os.environ.get("FAKE_VERSION", "1")})
    return Workbench(suite, "cpu", machine.calibrate, clock=lambda: machine.now)


def pytest_dlcv04_plan(config, suite, device):
    from dlcv04.harness.session.suite import Plan
    suite.plan = lambda: Plan("cpu", "no data", {"backend": "fake"})
    suite.hardware, suite.machine_class = {"cpu": "fake", "cores": "2"}, "cpu-fake-2-cores"
    return True
'''


def accept_processes(folder, file, processes=5, part="timing"):
    """Store a saved run as a baseline of some processes; on a fake machine every process measures the same."""
    for number in range(processes):
        document = json.loads(file.read_text())
        document["dlcv04"]["id"] += str(number)
        Store(folder / "baselines").accept(document, part=part, reason="test", commit=Commit())


SUITE = """
from dlcv04 import claim, reference_everywhere

@claim("The long arm is slower", control=reference_everywhere("short"), published="1 s < 2 s")
def test_longer_is_slower(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.long, than=times.short, by=1.10)
"""


#: The claim of `SUITE`, which holds, one that is violated and one that stays open.
THREE_VERDICTS = (
    SUITE
    + """
@claim("The long arm is not slower", control=reference_everywhere("short"))
def test_false(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.short, than=times.long, by=1.10)

@claim("Hardly slower", control=reference_everywhere("short"))
def test_unsure(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.11))
    claim.slower(times.long, than=times.short, by=1.10)
"""
)


@pytest.fixture(scope="session")
def heavy_modules():
    """An inner run forgets every module that it was the first to import, and what was made of its classes is strange to
    the next one; besides, they take seconds each time. A run in a fork (`run_apart`) has of them what was made here."""
    for name in ("scipy.special", "email.parser", "jinja2", "cpuinfo", "psutil", "dlcv04.workbench"):
        importlib.import_module(name)
    for module in pkgutil.walk_packages(dlcv04.harness.__path__, "dlcv04.harness."):
        importlib.import_module(module.name)
    pytest_benchmark.plugin.get_cpu_info()
    html_page._environment().get_template("report.html.j2")


@pytest.fixture
def light_processes(heavy_modules, monkeypatch):
    """The pytest processes that the product starts are forks of its own; `tests/harness/forks.py` says why."""
    for module in (fresh_process, process_pairs):
        monkeypatch.setattr(module, "subprocess", FORKED)


@pytest.fixture
def suite(pytester, heavy_modules):
    """A folder with a fake machine and one claim; `suite(claims)` replaces the claims."""
    pytester.makeini("[pytest]\n")

    def write(claims=SUITE, machine=FAKE_MACHINE):
        pytester.makeconftest(machine)
        bench = pytester.mkdir("bench") if not (pytester.path / "bench").exists() else pytester.path / "bench"
        (bench / "test_it.py").write_text(claims)
        return pytester

    return write


class Repository:
    """A suite under git: `change(machine)` leaves a change in the working tree, `commit()` commits what there is."""

    def __init__(self, pytester):
        self.pytester, self.path = pytester, pytester.path
        ignored = "reports/\n.cache/\n__pycache__/\n.pytest_cache/\n*.json\n*.xml\nrunpytest*\nstd*\n"
        (self.path / ".gitignore").write_text(ignored)
        self.git("init", "-q")

    def git(self, *arguments):
        """Run git; return what it prints."""
        done = subprocess.run(["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self):
        """Commit everything; return the commit's id."""
        self.git("add", "-A")
        self.git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x")
        return self.git("rev-parse", "HEAD")

    def change(self, machine):
        """Put another machine into the working tree."""
        (self.path / "conftest.py").write_text(machine)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder with the installed wheel; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", folder, Path(__file__).parent.parent], check=True)
    return folder


@pytest.fixture(scope="session")
def stranger(site, tmp_path_factory):
    """Run a shell command in a stranger's folder, where the wheel is installed and no data is; return what it did."""
    home = str(tmp_path_factory.mktemp("home"))

    def run(command, folder):
        environment = {name: value for name, value in os.environ.items() if name != "DLCV04_DATA"}
        environment |= {"PYTHONPATH": str(site), "KERAS_HOME": home, "COLUMNS": "120"}
        environment["PATH"] = os.pathsep.join([str(site / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            ["bash", "-euc", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )

    return run
