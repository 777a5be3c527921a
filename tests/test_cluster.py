"""Learning on a Ray cluster: the same bits, and no fault of one worker, node or head costs more than it must.

What needs Ray is skipped where it is not installed; .ci/nightly runs it in an environment of its own.
"""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from dlcv04 import cluster, training
from dlcv04 import pool as pools
from dlcv04.backends import keras
from tests import test_pool
from tests.test_pool import ARMS, CLAIMS, CONFTEST, curves, jobs, net, waited_for

HERE = os.getpid()
needs_ray = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="needs Ray: pip install 'dlcv04[ray]'")


# -- the seam, with a faked cluster ----------------------------------------------------------------------------------


class FakeExecutor:
    maker: ClassVar = {}

    def __init__(self, fate, node):
        self.fate, self.node = fate, node

    def submit(self, function, *arguments, files=()):
        future = Future()
        if function is pools._prepare_on_node:
            future.set_result(cluster.Node(self.node, HERE, "another computer", self.maker))
            return future
        try:
            future.set_result(self.fate(arguments[0]))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_how):
        pass


class FakeCluster:
    """Jobs end at once, as `fate` has it."""

    fate = staticmethod(lambda job: f"{job.arm} {job.seed}")
    made = 0

    def __init__(self, address, size, device):
        type(self).made += 1
        self.lost, self.number = "", 0

    def executor(self):
        self.number += 1
        return FakeExecutor(self.fate, f"node-{self.number}")

    def stands_on(self, node):
        pass

    def sentence(self):
        return "The Ray cluster is gone."

    def close(self):
        pass


@pytest.fixture
def faked(monkeypatch, tmp_path):
    """A pool of two on a faked cluster, and its jobs."""
    monkeypatch.setattr(cluster, "Cluster", FakeCluster)
    monkeypatch.setattr(FakeCluster, "made", 0)
    monkeypatch.setattr(cluster, "maker", dict)
    monkeypatch.setattr(pools, "_read", lambda path: pools.Lesson(None, path, None, (), {}))
    made = pools.Pool(2, ray="")
    return made, [pools.Job("wide", seed, tmp_path / "lesson") for seed in range(4)]


def dying(deaths):
    """Seed 1 ends its process so many times."""
    left = {1: deaths}

    def fate(job):
        if left.get(job.seed, 0):
            left[job.seed] -= 1
            raise BrokenProcessPool("killed or crashed on node-1")
        return f"{job.arm} {job.seed}"

    return staticmethod(fate)


class TestSeam:
    def test_a_killed_worker_costs_only_its_task_which_is_trained_again(self, faked, monkeypatch):
        pool, asked = faked
        monkeypatch.setattr(FakeCluster, "fate", dying(1))
        assert pool.train(asked) == [f"wide {seed}" for seed in range(4)]

    def test_a_task_that_kills_its_worker_twice_is_a_failed_seed(self, faked, monkeypatch):
        pool, asked = faked
        monkeypatch.setattr(FakeCluster, "fate", dying(2))
        found = pool.train(asked)
        assert [found[seed] for seed in (0, 2, 3)] == ["wide 0", "wide 2", "wide 3"]
        sentence = "The worker process that trained wide, seed 1, died (killed or crashed on node-1). If memory ran out"
        assert found[1].seed == 1 and found[1].reason.startswith(sentence)

    def test_when_the_cluster_is_gone_what_was_finished_is_kept_and_nobody_waits_for_it_again(self, faked, monkeypatch):
        pool, asked = faked
        kept = {}

        def fate(job):
            if job.seed == 3:
                pool._cluster.lost = "it ended"
                raise cluster.ClusterError("The Ray cluster is gone.")
            return "learnt"

        monkeypatch.setattr(FakeCluster, "fate", staticmethod(fate))
        for _ in range(2):
            with pytest.raises(pools.PoolError, match=r"^The Ray cluster is gone\.$"):
                pool.train(asked, keep=lambda job, learned: kept.update({job.seed: learned}))
        assert {0, 1} <= kept.keys() and 3 not in kept and FakeCluster.made == 1

    def test_what_came_from_a_node_that_computes_otherwise_is_never_taken(self, faked, monkeypatch):
        pool, asked = faked
        monkeypatch.setattr(cluster, "maker", lambda: {"device": "Xeon"})
        kept = []
        with pytest.raises(pools.PoolError, match=r"^The node node-1 computes otherwise .*device none \(here Xeon\)"):
            pool.train(asked[:1], keep=lambda *each: kept.append(each))
        assert not kept

    def test_a_cluster_that_gives_no_place_is_a_sentence(self, faked, monkeypatch):
        pool, _ = faked
        pool.start()
        monkeypatch.setattr(pools, "STARTING_SECONDS", 0.01)
        pool._workers[0].ready = Future()
        with pytest.raises(pools.PoolError, match=r"gave no place to one of the workers .*--dl-workers N\."):
            pool.computes_alike()

    def test_progress_is_told_node_by_node(self, faked):
        pool, asked = faked
        told = []
        pool.train(asked, told.append)
        assert told[0] == "0 of 4 trained, now node-1: wide seed 0; node-2: wide seed 1"

    def test_of_many_tasks_only_their_number_is_told(self, faked):
        pool, _ = faked
        pool.start()
        running = [(pool._workers[number % 2], pools.Job("wide", number, Path())) for number in range(20)]
        assert pools._named(running) == "node-1: 10 seeds; node-2: 10 seeds"


def test_a_node_that_computes_otherwise_is_refused(monkeypatch):
    monkeypatch.setattr(cluster, "maker", lambda: {"device": "Xeon", "keras": "3.12"})
    cluster.refuse_other_bits(cluster.Node("node-b", 1, "it", {"device": "Xeon", "keras": "3.12"}))
    with pytest.raises(
        cluster.ClusterError, match=r"node-b computes otherwise .*: keras 3\.9 \(here 3\.12\)\. Use nodes"
    ):
        cluster.refuse_other_bits(cluster.Node("node-b", 1, "it", {"device": "Xeon", "keras": "3.9"}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dl-executor=dask"], "'dask' is none of loky, ray and ray://host:port"),
        (["--dl-executor=ray://host"], "is none of loky, ray and ray://host:port"),
        (
            ["--dl-executor=ray", "--dl-workers=0"],
            "--dl-executor needs processes that train: --dl-workers N, 1 or more.",
        ),
        (["--dl-executor=ray"], "Ray is not installed. pip install 'dlcv04[ray]'"),
    ],
)
def test_what_cant_be_is_a_sentence(pytester, heavy_modules, monkeypatch, options, said):
    monkeypatch.setitem(sys.modules, "ray", None)
    pytester.makepyfile(test_it=CLAIMS)
    result = pytester.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said.replace('[', '[[]')}*"])


def test_only_modules_that_nothing_installed_are_sent_along():
    cluster.not_installed.cache_clear()
    names = {module.__name__ for module in cluster.not_installed()}
    assert "tests.test_pool" in names
    assert not names & {"numpy", "json", "dlcv04.pool", "joblib", "_pytest.python"}


def test_only_one_module_knows_ray():
    from tests.test_walls import FILES, imported

    assert [file.name for file in FILES if any(name.split(".")[0] == "ray" for name in imported(file))] == [
        "cluster.py"
    ]


# -- a real cluster of two nodes -------------------------------------------------------------------------------------

STORE = 200 * 1024**2


@pytest.fixture(scope="module")
def two_nodes():
    """The address of a cluster of two nodes on this machine, one task each."""
    made = started()
    yield made.address
    made.shutdown()


def started():
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False, "node_name": "node-a"}
    made = Cluster(initialize_head=True, head_node_args=head)
    made.add_node(num_cpus=1, object_store_memory=STORE, node_name="node-b")
    return made


@pytest.fixture(scope="module")
def pool(two_nodes):
    """Two actors, one on each node."""
    made = pools.Pool(2, ray=two_nodes)
    yield made
    made.close()


@pytest.fixture(scope="module")
def by_loky():
    made = pools.Pool(2)
    yield made.train(jobs(made, answers=True, halves=True))
    made.close()


def dies_once(path, units):
    """A net whose first building elsewhere ends that process."""
    if os.getpid() != HERE and not Path(path).exists():
        Path(path).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return net(units)


def wrong():
    raise ValueError("my own fault")


def actors(pool):
    return [worker.executor.submit(os.getpid).result() for worker in pool._workers]


def sent(pool, arms, seeds=(0,), **options):
    """Jobs on networks of this very module."""
    from dlcv04.datasets import embedded

    here = [sys.modules[__name__], test_pool]
    lessons = {
        name: pool.lesson(name, arm, embedded.digits(), test_pool.RECIPE, here, **options) for name, arm in arms.items()
    }
    return [pools.Job(name, seed, lesson) for seed in seeds for name, lesson in lessons.items()]


@needs_ray
class TestRay:
    def test_curves_are_those_of_this_machines_processes_bit_by_bit(self, pool, by_loky):
        assert pool.computes_alike()
        told = []
        found = pool.train(jobs(pool, answers=True, halves=True), told.append)
        assert curves(found) == curves(by_loky) and [one.right for one in found] == [one.right for one in by_loky]
        assert any("node-a: " in line and "node-b: " in line for line in told), told

    def test_a_killed_worker_costs_only_its_task(self, pool, by_loky, tmp_path):
        asked = sent(pool, {"dies": partial(dies_once, str(tmp_path / "died"), 300), **ARMS}, answers=True, halves=True)
        found = pool.train(asked)
        assert (tmp_path / "died").exists()
        # The arm that died once is the plain one, at its second try.
        assert curves(found) == curves([by_loky[1], *by_loky[:2]])

    def test_a_task_that_kills_its_worker_twice_is_a_failed_seed_and_the_others_go_on(self, pool, by_loky):
        found = pool.train(sent(pool, {"dies": test_pool.dies, **ARMS}, answers=True, halves=True))
        assert curves(found[1:]) == curves(by_loky[:2])
        assert found[0].reason.startswith("The worker process that trained dies, seed 0, died (killed or crashed on ")

    def test_a_fault_of_the_network_has_the_words_that_it_has_here(self, pool):
        local = pools.Pool(1)
        said = []
        try:
            for each in (pool, local):
                with pytest.raises(ValueError, match=r"^my own fault$") as caught:
                    each.train(sent(each, {"wrong": wrong}))
                said.append((type(caught.value), str(caught.value), "in wrong" in str(caught.value.__cause__)))
        finally:
            local.close()
        assert said[0] == said[1] == (ValueError, "my own fault", True)

    def test_what_does_not_fit_is_the_arms_own_error_and_the_actors_go_on(self, pool):
        before = actors(pool)
        odd = lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(10)])  # noqa: E731
        with pytest.raises(training.TrainingError, match="takes pictures of"):
            pool.train(sent(pool, {"odd": odd}))
        assert actors(pool) == before

    def test_after_closing_no_task_of_ours_is_on_this_machine(self, pool):
        pids = actors(pool)
        agent = pool._cluster._agent.pid
        pool.close()
        assert not any(map(test_pool.lives, [*pids, agent]))


@needs_ray
def test_when_the_head_is_killed_one_sentence_says_so_and_what_was_finished_is_kept():
    made = started()
    pool, kept, address = pools.Pool(2, ray=made.address), [], made.address

    def keep(job, learned):
        kept.append(job)
        if len(kept) == 2:
            made.remove_node(made.head_node, allow_graceful=False)

    try:
        with pytest.raises(pools.PoolError) as caught:
            pool.train(jobs(pool, seeds=range(200)), keep=keep)
        assert str(caught.value).startswith(f"The Ray cluster at {address} can't be used any more (its head, or ")
        assert "what was finished is kept" in str(caught.value) and "\n" not in str(caught.value)
        assert 2 <= len(kept) < 400
        with pytest.raises(pools.PoolError, match="can't be used any more"):
            pool.computes_alike()
    finally:
        pool.close()
        made.shutdown()


@needs_ray
def test_an_address_where_nobody_answers_is_a_sentence():
    pool = pools.Pool(1, ray="127.0.0.1:1")
    with pytest.raises(pools.PoolError, match=r"The Ray cluster at 127\.0\.0\.1:1 can't be used .*it did not answer"):
        pool.computes_alike()


# -- through pytest --------------------------------------------------------------------------------------------------

WORKERS = '"popen_loky_posix" in " ".join(child.cmdline())'
RAYS = 'any(sign in " ".join(child.cmdline()) for sign in ("ray::", "raylet", "dlcv04.cluster"))'


@pytest.fixture
def project(pytester, heavy_modules, monkeypatch):
    """A project whose conftest counts the processes of Ray."""
    monkeypatch.setenv("DLCV04_MARK", pytester.path.name)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    pytester.makeini("[pytest]\n")
    assert WORKERS in CONFTEST
    pytester.makeconftest(CONFTEST.replace(WORKERS, RAYS))
    pytester.makepyfile(test_it=CLAIMS)
    return pytester


def marked(mark):
    """The processes that have this project's mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DLCV04_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid()]


@needs_ray
def test_nothing_is_timed_beside_the_cluster_and_it_has_the_planted_fault(project):
    """The timing claim comes after the one that learns, as a plugin may have it."""
    (project.path / "shuffle").write_text("")
    options = ("--dl-seeds=2", "--dl-workers=1", "--dl-executor=ray", "-p", "dlcv04.faults.tenth_rate")
    result = project.runpytest_subprocess("-s", *options, "--benchmark-json=run.json")
    assert re.search(r"workers [1-9]", result.stdout.str()), result.stdout.str()
    result.stdout.fnmatch_lines(["dlcv04: 3 claims*learning in 1 process of one thread of a Ray cluster*"])
    assert "raylet" not in "\n".join(result.outlines + result.errlines)
    assert set((project.path / "seen").read_text().split()) == {"0"}
    run = json.loads((project.path / "run.json").read_text())["dlcv04"]
    learnt = [arm for arm in run["arms"] if arm["curves"]]
    assert [arm["facts"]["optimizer"]["learning_rate"] for arm in learnt] == pytest.approx([0.02, 0.02])


@needs_ray
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_a_kill_leave_no_process(project, how):
    (project.path / "sleep").write_text("")
    command = [sys.executable, "-m", "pytest", "-k", "learns", "--dl-workers=2", "--dl-executor=ray"]
    with subprocess.Popen(command, cwd=project.path, start_new_session=True, stdout=subprocess.PIPE, text=True) as run:
        assert waited_for((project.path / "asleep").exists, 180)
        assert len(marked(project.path.name)) > 3
        os.killpg(run.pid, how)
        printed, _ = run.communicate(timeout=60)
    assert run.returncode == (pytest.ExitCode.INTERRUPTED if how == signal.SIGINT else -signal.SIGKILL), printed
    assert waited_for(lambda: not marked(project.path.name), 30), marked(project.path.name)


@needs_ray
def test_a_seed_that_dies_twice_is_counted_as_failed(project):
    project.makepyfile(
        test_it=CLAIMS.replace(
            "    import keras\n", "    import keras\n    if os.getpid() != MAIN and units == 64: os._exit(7)\n"
        )
    )
    project.runpytest_subprocess(
        "-k", "learns", "--dl-workers=2", "--dl-executor=ray", "--dl-seeds=2", "--benchmark-json=run.json"
    )
    run = json.loads((project.path / "run.json").read_text())["dlcv04"]
    (wide,) = [arm for arm in run["arms"] if arm["name"] == "wide"]
    assert {curve["status"] for curve in wide["curves"]} == {"died"}
    assert "The worker process that trained wide, seed 0, died (" in json.dumps(run)
