"""Where a run stands: git, the card, the cores, the memory, the machine's name."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import FAKE_MACHINE, SUITE, THREE_VERDICTS, Repository, accept_processes
from tests.faults.rows import Row
from tests.faults.running import asked, rows
from tests.test_gpu_path import Runner

RUN = "verdicts, report and saved run"

ROWS = [
    Row("no-git", "there is no git, `--dl-against HEAD`", "so there is nothing to compare with", 4, "nothing is run"),
    Row("no-git-run", "there is no git", "The only claim holds", 0, f"{RUN}; the run counts as of unknown code", slow=True),
    Row("no-git-accept", "there is no git, a run is accepted", "git could not say which code it ran", 1, "nothing is stored"),
    Row("no-repository", "the folder is no repository, `--dl-against HEAD`", "so there is nothing to compare with", 4, "nothing is run", slow=True),
    Row("shallow", "a shallow clone, `--dl-against HEAD~1`", "this is a shallow clone, which lacks older commits", 4, "nothing is run"),
    Row("worktree", "a worktree of git", "The only claim holds", 0, f"{RUN}, with the worktree's commit", slow=True),
    Row("submodule", "a submodule", "The only claim holds", 0, f"{RUN}, with the submodule's commit", slow=True),
    Row("lfs-baseline", "a stored run is a pointer of Git LFS", "is a pointer of Git LFS", 1, RUN),
    Row("lfs-run", "a saved run is a pointer of Git LFS", "is a pointer of Git LFS", 2, "nothing is stored"),
    Row("host-name", "the machine's name changed since the baseline", "The only claim holds", 0,
        f"{RUN}, compared: a name is no hardware"),
    Row("memory", "an arm runs out of memory (MemoryError)", "MemoryError", 1, f"{RUN}: the other claims' verdicts"),
    Row("recursion", "an arm recurses without end", "RecursionError", 1, f"{RUN}: the other claims' verdicts"),
    Row("exit", "an arm calls sys.exit(0)", "SystemExit", 1, f"{RUN}: the other claims' verdicts"),
    Row("cpu-neighbour", "a neighbour takes the cores for half of a run whose times are slower than stored",
        "these times prove nothing", 0, f"{RUN}, INCONCLUSIVE"),
    Row("real-neighbour", "a neighbour burns a core for half of a run of unchanged code",
        "", 0, f"{RUN}, never REGRESSED or VIOLATED; the record has the neighbour's share", slow=True),
    Row("card-neighbour", "a neighbour comes to the card in the middle of a slower run (faked)",
        "ran on the card", 0, f"{RUN}, INCONCLUSIVE", slow=True),
    Row("card-throttled", "the card becomes hot in the middle of a slower run (faked)",
        "the card was slowed", 0, f"{RUN}, INCONCLUSIVE"),
    Row("card-unreadable", "the driver loses the card in the middle of a run, and the work goes on (faked)",
        "The only claim holds", 0, f"{RUN}, with the readings until then", slow=True),
    Row("card-lost", "the card is lost between two rounds, and the framework says so (faked)",
        "CUDA_ERROR_DEVICE_LOST", 1, "report and saved run"),
]  # fmt: skip
GIT, WORK, REAL, CARD = ROWS[:10], ROWS[10:14], ROWS[14:15], ROWS[15:]


def named(found, *names):
    return rows([row for row in found if row.name in names])


@pytest.fixture
def repository(suite):
    found = Repository(suite())
    found.commit()
    return found


def run(folder, *options, **environment):
    """A run in a process of its own: what it printed, its exit code, and its record."""
    out = folder / "run.json"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider", f"--benchmark-json={out}", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})
    block = json.loads(out.read_text())["dlcv04"] if out.exists() else None
    assert "INTERNALERROR" not in done.stdout + done.stderr
    return done.stdout + done.stderr, done.returncode, block


def without_git(tmp_path_factory):
    return {"PATH": str(tmp_path_factory.mktemp("empty")), "GIT_EXEC_PATH": ""}


@pytest.mark.parametrize("row", named(GIT, "no-git", "no-git-run", "no-git-accept"))
def test_without_git(row, repository, tmp_path_factory, monkeypatch):
    environment = without_git(tmp_path_factory)
    if row.name == "no-git":
        said, code, block = run(repository.path, "--dl-against", "HEAD", **environment)
        assert block is None
    else:
        said, code, block = run(repository.path, **environment)
        assert code == 0 and block["commit"]["dirty"], said
    if row.name == "no-git-accept":
        monkeypatch.setenv("PATH", environment["PATH"])
        monkeypatch.chdir(repository.path)
        said, code = asked("accept", "run.json", "--reason", "x")
        assert not (repository.path / "baselines").exists()
    assert row.sentence in said and code == row.exit, said


@pytest.mark.parametrize("row", named(GIT, "no-repository"))
def test_without_a_repository(row, suite):
    said, code, block = run(suite().path, "--dl-against", "HEAD", GIT_CEILING_DIRECTORIES="/")
    assert row.sentence in said and code == row.exit and block is None, said
    assert "Traceback" not in said


@pytest.mark.parametrize("row", named(GIT, "shallow", "worktree", "submodule"))
def test_kinds_of_checkouts(row, repository, tmp_path_factory):
    (repository.path / "more.txt").write_text("x")
    commit = repository.commit()
    place = tmp_path_factory.mktemp("other") / "checkout"
    options = ()
    if row.name == "shallow":
        repository.git("clone", "-q", "--depth", "1", f"file://{repository.path}", str(place))
        options = ("--dl-against", "HEAD~1")
    elif row.name == "worktree":
        repository.git("worktree", "add", "-q", "--detach", str(place))
    else:
        above = place.parent
        subprocess.run(["git", "init", "-q"], cwd=above, check=True)
        allowed = ["-c", "protocol.file.allow=always"]
        subprocess.run(["git", *allowed, "submodule", "--quiet", "add", f"file://{repository.path}", "checkout"],
                       cwd=above, check=True, capture_output=True)  # fmt: skip
    said, code, block = run(place, *options)
    assert row.sentence in said and code == row.exit and "Traceback" not in said, said
    if row.name != "shallow":
        assert block["commit"]["id"] == commit and not block["commit"]["dirty"]


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize("row", named(GIT, "lfs-baseline", "lfs-run", "host-name"))
def test_what_is_stored(row, suite):
    pytester = suite()
    pytester.runpytest("bench", "--benchmark-json=run.json")
    path = pytester.path / "run.json"
    if row.name == "lfs-run":
        path.write_text(POINTER)
        said, code = asked("accept", path, "--reason", "x")
    else:
        document = json.loads(path.read_text())
        document["machine_info"]["node"] = "the-old-name"
        path.write_text(json.dumps(document))
        accept_processes(pytester.path, path)
        if row.name == "lfs-baseline":
            next((pytester.path / "baselines").glob("cpu-*/0003*")).write_text(POINTER)
        done = pytester.runpytest("bench", "--benchmark-compare")
        said, code = done.stdout.str(), done.ret
    assert row.sentence in said and code == row.exit and "Traceback" not in said, said


WORKS = {
    "memory": "raise MemoryError('128 GiB')",
    "recursion": "def again(): again()\n            again()",
    "exit": "import sys; sys.exit(0)",
}
METER = """
from dlcv04.harness.machine.load import LoadMeter

class Half(LoadMeter):
    \"\"\"Somebody else has all cores in every other block of rounds.\"\"\"
    blocks = 0
    contention = property(lambda self: 0.5)
"""


@pytest.mark.parametrize("row", rows(WORK))
def test_what_an_arm_does(row, suite):
    if row.name == "cpu-neighbour":
        pytester = suite()
        pytester.runpytest("bench", "--benchmark-json=run.json")
        accept_processes(pytester.path, pytester.path / "run.json")
        slower = FAKE_MACHINE.replace("SLOWDOWN = 1.0", "SLOWDOWN = 1.5")
        busy = slower.replace("clock=lambda: machine.now)", "clock=lambda: machine.now, meter=lambda: Half(gpu=False))")
        assert busy != slower
        done = suite(SUITE, METER + busy).runpytest("bench", "--benchmark-compare", "--benchmark-json=run.json")
    else:
        broken = FAKE_MACHINE.replace(
            "            self.now += seconds",
            "            if seconds == 0.11:\n                self.bad()\n            self.now += seconds",
        ).replace("    def calibrate", f"    def bad(self):\n            {WORKS[row.name]}\n\n    def calibrate")
        pytester = suite(THREE_VERDICTS, broken)
        done = pytester.runpytest("bench", "--benchmark-json=run.json")
    said = done.stdout.str()
    assert row.sentence in said and done.ret == row.exit and "INTERNALERROR" not in said, said
    verdicts = [claim["verdict"] for claim in json.loads((pytester.path / "run.json").read_text())["dlcv04"]["claims"]]
    assert verdicts == (["HOLDS"] if row.name == "cpu-neighbour" else ["HOLDS", "VIOLATED"])


#: Arms that really compute, by the real clock; a process that burns a core is there for the second half of the rounds.
BURNING = """
import subprocess
import sys
import time
from dlcv04.harness.machine.load import LoadMeter

rounds, neighbours = [], []

def arm(self, seconds):
    def work():
        rounds.append(1)
        if len(rounds) == int(os.environ.get("NEIGHBOUR_AFTER", "-1")):
            neighbours.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        sum(number * number for number in range(int(seconds * 3_000_000)))
    return timed_call(work, images=10)

Machine.arm = arm
Machine.calibrate = lambda self: sum(number * number for number in range(150_000))

def pytest_unconfigure():
    for neighbour in neighbours:
        neighbour.kill()
        neighbour.wait()
    print(f"{len(rounds)} rounds")
"""


@pytest.mark.parametrize("row", rows(REAL))
def test_a_real_neighbour(row, suite):
    real = FAKE_MACHINE.replace(
        "clock=lambda: machine.now", "clock=time.perf_counter, meter=lambda: LoadMeter(gpu=False)"
    )
    folder = suite(SUITE, real + BURNING).path
    said, code, quiet = run(folder)
    assert code == 0 and quiet["claims"][0]["verdict"] == "HOLDS", said
    accept_processes(folder, folder / "run.json")
    half = int(said.rpartition(" rounds")[0].split()[-1]) // 2
    said, code, block = run(folder, "--benchmark-compare", NEIGHBOUR_AFTER=str(half))
    found = {one["verdict"] for one in block["claims"][0]["comparisons"]} | {block["claims"][0]["verdict"]}
    assert code == row.exit and not found & {"REGRESSED", "VIOLATED", "MISSING", "STALE"}, said
    # Beside other work on this machine the first run is no quiet one.
    assert max(arm["contention"] for arm in block["arms"]) > 0.15, said


#: The JSON file that plays the driver is rewritten once the work of a third of the rounds is done.
CHANGES = """

_arm = Machine.arm
steps = []

def arm(self, seconds):
    import json
    made = _arm(self, seconds)
    inner = made.function if hasattr(made, "function") else made.work

    def work():
        steps.append(1)
        if len(steps) == 12:
            {change}
        inner()
        import time; time.sleep(0.02)

    return timed_call(work, barrier=backends.barrier, images=10)

Machine.arm = arm
"""


@pytest.fixture(scope="module")
def stored_card(tmp_path_factory):
    """A folder with a faked card, and five stored processes of it."""
    found = Runner(tmp_path_factory.mktemp("card"))
    code, said, _ = found.run()
    assert code == 0, said
    accept_processes(found.folder, found.folder / "run.json")
    return found


@pytest.mark.parametrize("row", rows(CARD))
def test_a_card_that_changes(row, stored_card):
    from tests.fakes import card, neighbour

    state = json.dumps(
        [card(processes=[neighbour(4194399)])] if row.name == "card-neighbour" else [card(throttle=0x48)]
    )
    write = (
        f"""p = Path(os.environ["FAKE_NVML"]); s = json.loads(p.read_text()); s["cards"] = json.loads({state!r}); """
    )
    write += "p.write_text(json.dumps(s))"
    change = {
        "card-unreadable": 'Path(os.environ["FAKE_NVML"]).unlink()',
        "card-lost": 'raise RuntimeError("CUDA_ERROR_DEVICE_LOST")',
    }.get(row.name, write)
    conftest = stored_card.folder / "conftest.py"
    before = conftest.read_text()
    try:
        conftest.write_text(before + CHANGES.replace("{change}", change))
        slow = "1.5" if row.name in ("card-neighbour", "card-throttled") else "1"
        code, said, block = stored_card.run("--benchmark-compare", SLOWDOWN=slow)
    finally:
        conftest.write_text(before)
    assert row.sentence in said and code == row.exit and "INTERNALERROR" not in said, said
    if row.kept.endswith("INCONCLUSIVE"):
        verdicts = {one["verdict"] for one in block["claims"][0]["comparisons"] if one["asserted"]}
        assert verdicts == {"INCONCLUSIVE"}, said
