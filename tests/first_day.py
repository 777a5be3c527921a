"""A team's first day with a GPU runner, played from docs/ci.md on a card that nobody has.

    python -m tests.first_day [FOLDER]

A repository of theirs, which is not this one, takes over the four workflows as the guide says and is pushed to,
measured and broken. Every command of every job runs as it stands, by `github_runner`. Faked are the card (`fakes`), the
framework (a `tensorflow` that sees one GPU and computes nothing), the project's clock, GitHub itself (`gh`), and pip as
far as it would download: this package is built and installed from a clean clone.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests import fakes
from tests.conftest import SUITE
from tests.github_runner import Runner

HERE = Path(__file__).parent.parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WORKFLOWS = ("gpu.yml", "fork-label.yml", "comment.yml", "propose-baseline.yml")
CLASS = "gpu-nvidia-h100-80gb-x1-700w"

#: What stands in for the framework, wherever a process of the job imports it.
FRAMEWORK = {
    "tensorflow/__init__.py": """
import os
from types import SimpleNamespace as NS

__version__ = "2.21.0"
cards = [NS(device_type="GPU", name="/physical_device:GPU:0")] * int(os.environ.get("FRAMEWORK_SEES", "1"))
test = NS(experimental=NS(sync_devices=lambda: None))
config = NS(
    get_visible_devices=lambda kind=None: cards,
    list_physical_devices=lambda kind=None: cards,
    set_visible_devices=lambda devices, kind: None,
    threading=NS(get_intra_op_parallelism_threads=lambda: 0),
    experimental=NS(
        get_device_details=lambda card: {"device_name": "NVIDIA H100 80GB HBM3"},
        set_memory_growth=lambda card, grow: None,
        get_memory_info=lambda card: {"peak": 1 << 30, "current": 1 << 30},
        reset_memory_stats=lambda card: None,
        tensor_float_32_execution_enabled=lambda: True,
    ),
)
""",
    "tensorflow/python/__init__.py": "",
    "tensorflow/python/framework/__init__.py": "",
    "tensorflow/python/framework/config.py": "def is_op_determinism_enabled():\n    return False\n",
    "keras/__init__.py": """
from types import SimpleNamespace as NS

__version__ = "3.15.1"
config = NS(
    backend=lambda: "tensorflow",
    dtype_policy=lambda: NS(name="float32"),
    image_data_format=lambda: "channels_last",
)
""",
}

#: The team's own repository: one claim on times, whose arms take the time and memory that `costs.py` says.
PROJECT = {
    "pytest.ini": "[pytest]\n",
    ".gitignore": "__pycache__/\n.pytest_cache/\n.benchmarks/\nreports/\nbaselines/.lock\n",
    "requirements.txt": "",
    "costs.py": "SLOWDOWN, MEMORY = 1.0, 1.0\n",
    "bench/test_mine.py": SUITE,
    "conftest.py": """
import math
import os
import random

import pytest
from costs import MEMORY, SLOWDOWN

from dlcv04 import backends, timed_call
from dlcv04.harness.machine import load

load._busy_seconds = lambda: 0.0  # what else this machine does is no part of the story


class Machine:
    def __init__(self):
        self.now, self.random = 0.0, random.Random(1)

    def arm(self, seconds):
        def work():
            # What slows the card slows every process on it, whatever code that runs.
            slowed = float(os.environ.get("CARD_IS_SLOWED", "1"))
            self.now += seconds * SLOWDOWN * slowed * math.exp(self.random.gauss(0, 0.02))

        return timed_call(work, barrier=backends.barrier, images=10)


@pytest.fixture(scope="session")
def machine():
    return Machine()


@pytest.fixture(scope="session")
def workbench(workbench, machine):
    workbench.clock = lambda: machine.now
    workbench.peaks_of = lambda request, name, *of_the_arm: [int(MEMORY * 2**30)]
    return workbench
""",
}

#: `python3`: makes environments that see the packages of this one, and in them a pip that downloads nothing.
PYTHON = """#!{python}
import os, sys, venv
from pathlib import Path
if sys.argv[1:3] != ["-m", "venv"]:
    sys.exit(f"not played: python3 {{sys.argv[1:]}}")
folder = Path(sys.argv[3])
venv.create(folder, symlinks=True)
pip = folder / "bin/pip"
pip.write_text({pip!r})
pip.chmod(0o755)
"""

PIP = """#!{python}
import re, subprocess, sys, tomllib
from pathlib import Path
folder = Path(__file__).parent.parent
packages = folder / "lib/python{version}/site-packages"
if sys.argv[1] == "show":
    sys.exit(0 if list(packages.glob("dlcv04-*.dist-info")) else 1)
given = [one for one in sys.argv[2:] if not one.startswith(("--quiet", "--disable"))]
with open({log!r}, "a") as log:
    log.write(" ".join(given) + chr(10))
while given:
    one = given.pop(0)
    if one == "-r":
        Path(given.pop(0)).read_text()
    elif one.startswith("/"):
        path, _, extras = one.rstrip("]").partition("[")
        known = tomllib.loads(Path(path, "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert {{*filter(None, extras.split(","))}} <= {{*known}}, one
        built = Path({wheels!r})
        if not list(built.glob("*.whl")):
            build = [{python!r}, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(built), path]
            subprocess.run(build, check=True)
        install = [{python!r}, "-m", "pip", "--python", str(folder / "bin/python"), "install", "-q", "--no-deps"]
        subprocess.run([*install, "--no-index", *map(str, built.glob("*.whl"))], check=True)
        # The other packages are those of the environment that plays; its own dlcv04 comes after the installed one.
        script = folder / "bin/pytest"
        first = "#!" + str(folder / "bin/python") + chr(10)
        script.write_text(first + "import pytest; raise SystemExit(pytest.console_main())" + chr(10))
        script.chmod(0o755)
        (packages / "others.pth").write_text("import site; site.addsitedir({purelib!r})" + chr(10))
    else:
        assert one == "--no-deps" or re.match(r"[a-z-]+==", one), one
"""

GH = """#!{python}
import json, shutil, subprocess, sys
from pathlib import Path
here = Path({folder!r})
given = sys.argv[1:]
said = " ".join(given)
body = Path(given[given.index("--input") + 1]).read_text() if "--input" in given else ""
with (here / "gh.log").open("a") as log:
    log.write(json.dumps([said, body]) + chr(10))
if said.startswith("run download"):
    artifact, to = (given[given.index(option) + 1] for option in ("--name", "--dir"))
    shutil.copytree(here / "artifacts" / artifact / "baselines", to, dirs_exist_ok=True)
elif said.endswith("/zip"):
    sys.stdout.buffer.write((here / "verdicts.zip").read_bytes())
elif "/artifacts" in said:
    print(json.dumps({{"artifacts": [{{"id": 1, "name": "tensorflow-verdicts", "size_in_bytes": 900}}]}}))
elif "/pulls" in said:
    print(json.dumps([{{"number": 5, "head": {{"sha": "a" * 40}}}}]))
else:
    print("[]")
"""


class Day:
    """The team, its repository, its runner, and what they see."""

    def __init__(self, folder):
        self.folder = folder
        self.programs, self.project, framework = folder / "programs", folder / "project", folder / "framework"
        for one in (self.programs, folder / "wheels", folder / "artifacts"):
            one.mkdir(parents=True)
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(HERE), str(folder / "dlcv04")], check=True)
        for name, text in FRAMEWORK.items():
            (framework / name).parent.mkdir(parents=True, exist_ok=True)
            (framework / name).write_text(text)
        facts = {
            "python": sys.executable,
            "version": f"{sys.version_info.major}.{sys.version_info.minor}",
            "purelib": sysconfig.get_path("purelib"),
            "log": str(folder / "pip.log"),
            "wheels": str(folder / "wheels"),
        }
        self._program("python3", PYTHON.format(python=sys.executable, pip=PIP.format(**facts)))
        self._program("nvidia-smi", "#!/bin/sh\nexit 9\n")  # only that it is there is looked at
        self._program("gh", GH.format(python=sys.executable, folder=str(folder)))
        self.machine = fakes.Machine(folder / "nvml")
        self.has(fakes.card())
        here = f"file://{self.project}"
        self.runner = Runner(
            self.project,
            folder,
            self.programs,
            actions={"OWNER/dlcv04": folder / "dlcv04"},
            environment={
                "PYTHONPATH": f"{framework}:{fakes.HERE}",
                "FAKE_NVML": self.machine.environment["FAKE_NVML"],
                "KERAS_HOME": str(folder / "keras"),
                "DLCV04_CACHE": str(folder / "cache"),
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"url.{here}.insteadOf",
                "GIT_CONFIG_VALUE_0": "https://x-access-token:the-teams-token@github.com/team/project.git",
            },
        )

    def _program(self, name, text):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def has(self, *cards):
        """The cards of the machine from now on."""
        self.machine.has(*cards)

    def git(self, *arguments):
        """Run git in the team's repository."""
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments], cwd=self.project, check=True)

    def commit(self, **files):
        """Write files, by their names without `.py`, and commit."""
        for name, text in files.items():
            (self.project / f"{name}.py").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "x")

    def edit(self, workflow, old, new):
        """Change a workflow of the team's repository, and commit."""
        path = self.project / ".github/workflows" / workflow
        path.write_text(path.read_text().replace(old, new))
        self.commit()

    def start(self):
        """The team's repository, with the workflows that the guide has it copy."""
        for name, text in PROJECT.items():
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(text)
        shutil.copytree(self.folder / "dlcv04/.github/workflows", self.project / ".github/workflows")
        for path in (self.project / ".github/workflows").iterdir():
            if path.name not in WORKFLOWS:
                path.unlink()
                continue
            path.write_text(path.read_text().replace("uses: ./", f"uses: OWNER/dlcv04@{COMMIT}"))
        self.git("init", "-q", "-b", "main")
        self.commit()

    def push(self, **environment):
        """What `gpu.yml` makes of a push: the jobs by name."""
        self.runner.environment |= environment
        return self.runner.play("gpu.yml", matrix={"backend": "tensorflow", "arguments": ""})

    def verdicts(self):
        """The Markdown that the last run left."""
        return (self.folder / "artifacts/tensorflow-verdicts/verdicts.md").read_text()

    def run(self):
        """The last saved run."""
        [path] = (self.folder / "artifacts/tensorflow/.benchmarks").rglob("*.json")
        return json.loads(path.read_text())["dlcv04"]

    def comparisons(self):
        """The verdicts of the last run's comparisons of times and of memory."""
        rows = self.run()["claims"][0]["comparisons"]
        named = {"seconds an epoch": "times", "peak memory": "memory"}
        return {(named[row["metric"]], row["verdict"]) for row in rows if row["metric"] in named}


def expect(jobs, printed=(), **results):
    """Jobs ended like this, and the claims' job printed these texts."""
    found = {name: job.result for name, job in jobs.items()}
    said = "\n".join(job.printed for job in jobs.values())
    assert found == results, f"{found}\n{said}"
    for text in printed:
        assert text in said, f"{text!r} was not printed:\n{said}"


RED = {"allowed": "success", "claims": "failure", "gpu": "failure"}
GREEN = dict.fromkeys(RED, "success")


def a_card_that_is_not_there_stops_the_job_before_a_claim(day):
    day.has()
    expect(day.push(FRAMEWORK_SEES="0"), ["finds no GPU on this machine"], **RED)
    assert not list((day.folder / "artifacts").iterdir())
    day.has(fakes.card())


def a_framework_that_does_not_see_the_card_stops_it_too(day):
    expect(day.push(FRAMEWORK_SEES="0"), ["tensorflow finds no GPU on this machine"], **RED)
    day.runner.environment["FRAMEWORK_SEES"] = "1"


def the_first_run_finds_nothing_stored(day):
    jobs = day.push()
    sentences = [
        "card: NVIDIA H100",
        "tensorflow computes on it",
        f"machine class {CLASS}",
        "data: embedded",
        "no real MNIST",
        "Exit code 7",
    ]
    expect(jobs, [*sentences, "Start the workflow 'propose a baseline'"], **RED)
    assert jobs["claims"].steps["claims"]["outputs"]["exit-code"] == "7"
    assert day.comparisons() == {("times", "NO_BASELINE"), ("memory", "NO_BASELINE")} and "HOLDS" in day.verdicts()


def a_baseline_is_refused_without_its_token(day):
    jobs = day.runner.play("propose-baseline.yml", event="workflow_dispatch", **PROPOSED)
    expect(jobs, ["There is no secret BASELINE_TOKEN"], ready="failure", record="skipped", propose="skipped")


PROPOSED = {"reason": "the first of this runner", "processes": "5", "profile": "standard", "backend": "tensorflow"}


def a_baseline_is_proposed_and_merged(day):
    secrets = {"BASELINE_TOKEN": "the-teams-token"}
    jobs = day.runner.play("propose-baseline.yml", event="workflow_dispatch", secrets=secrets, **PROPOSED)
    expect(
        jobs, ["process 6 of 6: timing", "smallest slowdown seen"], ready="success", record="success", propose="success"
    )
    asked = [json.loads(line)[0] for line in (day.folder / "gh.log").read_text().splitlines()]
    assert asked[-1].startswith("pr create --head baseline/17-1")
    day.git("merge", "-q", "baseline/17-1")
    assert len(list((day.project / "baselines" / CLASS).glob("*.json"))) == 5


def the_second_run_is_green(day):
    expect(day.push(), **GREEN)
    assert day.comparisons() == {("times", "PASS"), ("memory", "PASS")} and "HOLDS" in day.verdicts()


def its_verdicts_become_a_comment(day):
    shutil.make_archive(str(day.folder / "verdicts"), "zip", day.folder / "artifacts/tensorflow-verdicts")
    head = {"full_name": "team/project", "owner": {"login": "team"}}
    run = {"id": 1, "event": "pull_request", "html_url": "x", "head_sha": "a" * 40, "head_branch": "main"}
    payload = {"workflow_run": {**run, "head_repository": head}}
    expect(day.runner.play("comment.yml", event="workflow_run", payload=payload), comment="success")
    sent = json.loads(json.loads((day.folder / "gh.log").read_text().splitlines()[-1])[1])["body"]
    assert day.verdicts().strip() in sent


def code_that_is_a_fifth_slower_is_red(day):
    day.commit(costs="SLOWDOWN, MEMORY = 1.2, 1.0\n")
    expect(day.push(), ["REGRESSED"], **RED)
    assert day.comparisons() == {("times", "REGRESSED"), ("memory", "PASS")} and "REGRESSED" in day.verdicts()


def code_that_needs_a_fifth_more_memory_is_red(day):
    day.commit(costs="SLOWDOWN, MEMORY = 1.0, 1.2\n")
    expect(day.push(), ["REGRESSED"], **RED)
    assert day.comparisons() == {("times", "PASS"), ("memory", "REGRESSED")} and "REGRESSED" in day.verdicts()
    day.commit(costs="SLOWDOWN, MEMORY = 1.0, 1.0\n")


SLOWED_BY_HEAT = fakes.card(sm_mhz=1410, celsius=91, throttle=0x40)


def on_a_throttled_card_the_same_code_is_no_slower_than_its_commit(day):
    day.has(SLOWED_BY_HEAT)
    expect(day.push(CARD_IS_SLOWED="2.5"), ["the machine is slower than it was, not the code"], **GREEN)
    assert day.comparisons() == {("times", "PASS"), ("memory", "PASS")}


def without_that_commit_a_throttled_run_is_inconclusive(day):
    # A shallow checkout: stored times alone decide.
    day.edit("gpu.yml", "fetch-depth: 0", "fetch-depth: 1")
    expect(day.push(), ["the card was slowed (hardware thermal slowdown)"], **GREEN)
    assert day.comparisons() == {("times", "INCONCLUSIVE"), ("memory", "PASS")} and "INCONCLUSIVE" in day.verdicts()


def beside_a_neighbour_it_is_inconclusive_too(day):
    day.has(fakes.card(processes=[fakes.neighbour(4194399, "somebody.py")]))
    expect(day.push(), ["somebody.py", "ran on the card"], **GREEN)
    assert day.comparisons() == {("times", "INCONCLUSIVE"), ("memory", "PASS")} and "somebody.py" in day.verdicts()


def alone_and_cool_again_it_is_green(day):
    day.edit("gpu.yml", "fetch-depth: 1", "fetch-depth: 0")
    day.has(fakes.card())
    expect(day.push(CARD_IS_SLOWED="1"), **GREEN)
    assert day.comparisons() == {("times", "PASS"), ("memory", "PASS")}


STAGES = (
    a_card_that_is_not_there_stops_the_job_before_a_claim,
    a_framework_that_does_not_see_the_card_stops_it_too,
    the_first_run_finds_nothing_stored,
    a_baseline_is_refused_without_its_token,
    a_baseline_is_proposed_and_merged,
    the_second_run_is_green,
    its_verdicts_become_a_comment,
    code_that_is_a_fifth_slower_is_red,
    code_that_needs_a_fifth_more_memory_is_red,
    on_a_throttled_card_the_same_code_is_no_slower_than_its_commit,
    without_that_commit_a_throttled_run_is_inconclusive,
    beside_a_neighbour_it_is_inconclusive_too,
    alone_and_cool_again_it_is_green,
)


def main(folder=None):
    """Play the day, and print what went as it should."""
    with contextlib.ExitStack() as stack:
        folder = Path(folder or stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        day = Day(folder)
        day.start()
        for stage in STAGES:
            stage(day)
            print(f"ok: {stage.__name__.replace('_', ' ')}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2])
