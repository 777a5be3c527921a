"""Training in worker processes: bit-equal whatever their number, and nothing is lost when one dies."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from dlcv04 import pool as pools
from dlcv04 import training
from dlcv04.backends import keras
from dlcv04.datasets import embedded
from dlcv04.recipes import Recipe
from tests.harness.inner_runs import HALVES

RECIPE = Recipe("tiny", optimizer="SGD", learning_rate=0.05, batch_size=32, epochs=2, train_images=256, val_images=100)
HERE = os.getpid()


def net(units, rate=0.0):
    """A net of this very test module, whose sums are long enough for two threads to share."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(rate)]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers, keras.layers.Dense(10, activation="softmax")])


def dies():
    """A net that is built in this process alone."""
    if os.getpid() != HERE:
        os._exit(7)
    return net(4)


ARMS = {"dropout": partial(net, 256, 0.5), "plain": partial(net, 300)}


def jobs(pool, arms=ARMS, seeds=(0, 1, 2), **options):
    data, here = embedded.digits(), [sys.modules[__name__]]
    lessons = {name: pool.lesson(name, arm, data, RECIPE, here, **options) for name, arm in arms.items()}
    return [pools.Job(name, seed, lesson) for seed in seeds for name, lesson in lessons.items()]


def curves(found):
    """What was learnt, without the seconds it took."""
    return [[epoch.__dict__ | {"train_seconds": 0} for epoch in one.run.epochs] for one in found]


def processes(pool):
    return [worker.executor.submit(os.getpid).result() for worker in pool._workers]


def lives(pid):
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture(scope="module")
def pool():
    """Two processes, started once."""
    made = pools.Pool(2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def of_two(pool):
    return pool.train(jobs(pool, answers=True, halves=True))


class TestPool:
    def test_curves_come_in_the_order_of_their_jobs(self, of_two):
        assert [one.run.seed for one in of_two] == [0, 0, 1, 1, 2, 2]
        assert [one.run.footprint.parameters for one in of_two[:2]] == [203_530, 238_510]
        assert all(len(one.right) == 100 and len(one.run.epochs[0].val_loss_halves) == 2 for one in of_two)

    def test_one_process_and_a_repeated_run_give_the_same_bits(self, pool, of_two):
        """The jobs of the repeated run come backwards, so that other processes train other seeds."""
        one = pools.Pool(1)
        try:
            single = one.train(jobs(one, answers=True, halves=True))
        finally:
            one.close()
        again = pool.train(jobs(pool, answers=True, halves=True)[::-1])[::-1]
        assert curves(single) == curves(of_two) == curves(again)
        assert [one.right for one in single] == [one.right for one in of_two]

    def test_a_process_computes_with_one_thread(self, of_two):
        assert {one.run.backend.threads for one in of_two} == {1}

    def test_what_no_process_can_train_is_the_arms_own_error_and_the_processes_go_on(self, pool):
        pool.start()
        before = processes(pool)
        with pytest.raises(training.TrainingError, match="takes pictures of"):
            pool.train(
                jobs(pool, {"odd": lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(10)]), **ARMS}, [0])
            )
        assert processes(pool) == before

    def test_what_cant_be_pickled_is_a_sentence(self, pool):
        with pytest.raises(pools.PoolError, match=r"The arm 'locked' can't be sent .*--dl-workers 0"):
            jobs(pool, {"locked": partial(net, threading.Lock())})

    @pytest.mark.parametrize("patched", [(training.Trainer, "reset"), (keras.layers.Dropout, "call")])
    def test_a_patch_of_this_process_alone_is_noticed(self, pool, monkeypatch, patched):
        assert pool.computes_alike()
        monkeypatch.setattr(*patched, lambda *_: None)
        assert not pool.computes_alike()

    def test_the_memory_of_training_is_that_of_a_process_of_its_own(self, pool):
        """20,000 units have 15.9 million weights: these and their gradients are 64 MB each."""
        (job,) = jobs(pool, {"wide": partial(net, 20_000)}, [0])
        (peak,) = pool.peaks("wide", job.lesson, 1)
        assert 128e6 < peak < 600e6

    def test_a_process_that_dies_is_named_with_its_arm_and_seed(self, pool):
        with pytest.raises(pools.PoolError, match=r"trained dies, seed 0, died \(EXIT\(7\)\)"):
            pool.train(jobs(pool, {"dies": dies, **ARMS}))
        assert not pool._workers

    def test_closing_ends_the_processes_even_as_they_start(self, pool):
        pool.start()
        pids = [next(iter(worker.executor._processes)) for worker in pool._workers]
        pool.close()
        assert len(pids) == 2 and not any(map(lives, pids))


def leak_limit():
    return sys.modules["joblib.externals.loky.process_executor"]._MAX_MEMORY_LEAK_SIZE


def test_loky_never_starts_a_process_anew_for_what_it_keeps(pool):
    pool.computes_alike()
    assert pool._workers[0].executor.submit(leak_limit).result() == float("inf")


def waited_for(condition, seconds=60):
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_a_process_ends_with_the_one_that_it_works_for():
    """However that one ends."""
    worker = "import os; from dlcv04.pool import _end_with; parent = os.getppid(); "
    worker += "print(os.getpid(), flush=True); _end_with(parent)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.kill()
        assert waited_for(lambda: not lives(pid), 10)


# -- through pytest --------------------------------------------------------------------------------------------------

CONFTEST = (
    HALVES
    + """
import psutil
from pathlib import Path

def workers():
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if "popen_loky_posix" in " ".join(child.cmdline())]

def pytest_collection_finish(session):
    if Path("shuffle").exists():
        session.items.sort(key=lambda item: item.name)
"""
)
CLAIMS = """
import os, sys, time
from functools import partial
from pathlib import Path
import conftest
from dlcv04 import claim, reference_everywhere, timed_call

MAIN = os.getpid()

def net(units):
    import keras
    if os.getpid() != MAIN and Path("sleep").exists():
        Path("asleep").write_text("")
        time.sleep(100)
    return keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(units, "relu"),
                             keras.layers.Dense(2, activation="softmax")])

@claim("Wide learns better", control=reference_everywhere("small"))
def test_1_learns(learning, claim):
    curves = learning(small=partial(net, 1), wide=partial(net, 64))
    claim.better(curves.wide, than=curves.small, by=0.01)
    print("workers", len(conftest.workers()))

def wait(seconds):
    with open("seen", "a") as file:
        print(len(conftest.workers()), file=file)
    time.sleep(seconds)

@claim("Long is longer", control=reference_everywhere("short"))
def test_2_times(epoch_time, claim):
    times = epoch_time(short=timed_call(partial(wait, 0.1)), long=timed_call(partial(wait, 0.2)))
    claim.slower(times.long, than=times.short, by=1.1)

@claim("Nothing is timed or learnt", control=reference_everywhere("one"))
def test_3_computes(computed, claim):
    values = computed(one=lambda seed: [1.0, 1.0], other=lambda seed: [1.0, 1.0])
    claim.identical(values.one, values.other, within=0)
"""


@pytest.fixture
def project(pytester, heavy_modules):
    pytester.makeini("[pytest]\n")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=CLAIMS)
    return pytester


def test_what_learns_comes_last(project):
    printed = project.runpytest("--collect-only", "-q", "--dl-workers=3", "--dl-controls").stdout
    assert [line.partition("::test_")[2] for line in printed.lines if "::" in line] == [
        *("2_times", "2_times[control]", "3_computes", "3_computes[control]", "1_learns", "1_learns[control]")
    ]
    printed.fnmatch_lines(["dlcv04: 3 claims*learning in 3 processes of one thread*"])


def test_nothing_is_timed_beside_the_processes_and_they_have_the_planted_fault(project):
    """The timing claim comes after the one that learns, as a plugin may have it."""
    (project.path / "shuffle").write_text("")
    options = ("--dl-seeds=2", "--dl-workers=1", "-p", "dlcv04.faults.tenth_rate", "--benchmark-json=run.json")
    result = project.runpytest_subprocess("-s", *options)
    result.stdout.fnmatch_lines(["*workers 1*"])
    assert set((project.path / "seen").read_text().split()) == {"0"}
    run = json.loads((project.path / "run.json").read_text())["dlcv04"]
    learnt = [arm for arm in run["arms"] if arm["curves"]]
    assert [arm["key"]["threads"] for arm in learnt] == ["1", "1"]
    assert [arm["facts"]["optimizer"]["learning_rate"] for arm in learnt] == pytest.approx([0.02, 0.02])
    assert run["environment"]["software"]["threads of learning"] == "1"


def test_ctrl_c_leaves_no_process(project):
    (project.path / "sleep").write_text("")
    command = [sys.executable, "-m", "pytest", "-k", "learns", "--dl-workers=2"]
    # A background job's children are born deaf to Ctrl-C; this one shall hear it wherever the tests run.
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    options = {"start_new_session": True, "preexec_fn": hears, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=project.path, **options) as run:
        try:
            assert waited_for((project.path / "asleep").exists, 300)
            os.killpg(run.pid, signal.SIGINT)
            printed, _ = run.communicate(timeout=60)
        except BaseException:  # else this would wait for it
            os.killpg(run.pid, signal.SIGKILL)
            raise
    assert run.returncode == pytest.ExitCode.INTERRUPTED, printed

    def group_is_gone():
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            return True
        return False

    assert waited_for(group_is_gone, 10)
