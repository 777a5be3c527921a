"""Training in processes of one thread each: the curves are bit-equal, however many there are.

Two threads would add numbers in another order. Each process is an executor of its own (joblib's loky, whose pickles
hold closures too, or an actor of a Ray cluster), so that one that dies is known by what it was training. It keeps what
it compiled. Processes of their own also show what memory an arm's training takes.
"""

from __future__ import annotations

import importlib
import math
import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dlcv04 import backends, caching, cluster, code_hash
from dlcv04.lazy import LazyModule
from dlcv04.scratch import Scratch

if TYPE_CHECKING:
    import cloudpickle
    from joblib.externals import loky

    from dlcv04 import training
    from dlcv04.training import Learned
else:
    cloudpickle = LazyModule("cloudpickle")
    loky = LazyModule("joblib.externals.loky")
    training = LazyModule("dlcv04.training")

#: Networks that a process keeps compiled.
KEPT = 8
#: Processes that one seed may end, of a cluster: the second one is its own fault, and it has failed.
DEATHS = 2
#: Seconds that a cluster has to give a worker its place, and that one to import the framework.
STARTING_SECONDS = 300
#: Tasks that are named while they run; of more, only how many.
NAMED = 12
#: Steps after which a process has allocated all that training takes.
STEPS_TO_PEAK = 3

Made = TypeVar("Made")


class PoolError(RuntimeError):
    """A worker process died, or can't train what it is sent; the message says which arm and what to do."""


class DeathError(PoolError):
    """A worker process died."""


class Lesson(NamedTuple):
    """What an arm learns, as it lies in a file for the workers: `data` is a file too, which arms may share."""

    network: Any
    data: Path
    recipe: Any
    settings: tuple[Any, ...]
    options: dict[str, Any]


class Job(NamedTuple):
    """One seed of an arm; its lesson lies in a file."""

    arm: str
    seed: int
    lesson: Path


class Died(NamedTuple):
    """A seed that ended its process more than once: `reason` is a sentence."""

    seed: int
    reason: str


class Pool:
    """`size` processes that train; they start when first needed, or at `start`, and after each `close` anew.

    Args:
        size: how many.
        plugins: modules to import in each, since they may replace functions (a planted fault does).
        device: that they compute on.
        ray: the address of a Ray cluster that has them, as for `cluster.Cluster`; None for processes of joblib's loky.
    """

    def __init__(
        self, size: int, plugins: Sequence[str] = (), device: backends.Device = "cpu", ray: str | None = None
    ) -> None:
        self.size = size
        self._made: tuple[list[str], backends.Device] = (list(plugins), device)
        self._ray = ray
        self._cluster: cluster.Cluster | None = None
        self._lost = ""
        self._workers: list[_Worker] = []
        self._folder: Scratch | None = None
        self._lessons: dict[Any, tuple[Path, Any]] = {}

    def start(self) -> None:
        """Start the processes, unless they run; returns at once, while they import the framework for seconds."""
        if self._lost or self._workers:
            return
        if self._ray is not None:
            self._cluster = cluster.Cluster(self._ray, self.size, self._made[1])
        self._workers = [self._worker() for _ in range(self.size)]

    def _worker(self) -> _Worker:
        return _Worker(*self._made) if self._cluster is None else _Actor(*self._made, self._cluster)

    def close(self) -> None:
        """End the processes, whatever they do, and wait until they are gone; what was sent to them is kept."""
        while self._workers:
            self._workers[-1].executor.shutdown(wait=True, kill_workers=True)
            self._workers.pop()
        if self._cluster is not None:
            self._lost = self._cluster.sentence() if self._cluster.lost else ""
            self._cluster.close()
            self._cluster = None

    def computes_alike(self) -> bool:
        """Whether the processes run the very code that this one does: what a conftest replaces, they don't have.

        Raises:
            PoolError: a process could not start.
        """
        self._require()
        try:
            return _compute_alike(self._workers)
        except BaseException:
            self.close()
            raise

    def _require(self) -> None:
        """Start, unless the cluster was lost before: each claim would wait for it in vain."""
        if self._lost:
            raise PoolError(self._lost)
        self.start()

    def peaks(self, arm: str, lesson: Path, processes: int) -> list[int]:
        """Bytes that building the network and training took at their peak, each in a process of its own.

        Of a card its allocator's peak. On a CPU what the process took beyond the framework.

        Args:
            arm: its name.
            lesson: what it learns.
            processes: how many, at the same time.

        Raises:
            PoolError: a process could not start, died, can't read what it is sent, or has other code than this one.
            dlcv04.seeding.TrainingError: network, data and recipe do not fit each other.
        """
        fresh = [_Worker(*self._made) for _ in range(processes)]
        try:
            if not _compute_alike(fresh):
                raise PoolError(
                    f"The memory of {arm!r} can't be measured: a conftest, fixture or test replaces functions, which a "
                    "fresh process does not see. A plugin of -p is seen."
                )
            job = Job(arm, 0, lesson)
            return [_result(future, job) for future in [worker.executor.submit(_peak, job) for worker in fresh]]
        finally:
            for worker in fresh:
                worker.executor.shutdown(wait=True, kill_workers=True)

    def lesson(
        self, arm: str, network: Any, dataset: Any, recipe: Any, modules: Iterable[ModuleType] = (), **options: Any
    ) -> Path:
        """The file that tells a worker what an arm learns; written once for the very same network, data and recipe.

        Args:
            arm: its name.
            network: as for `Trainer`.
            dataset: the data.
            recipe: the recipe.
            modules: those that a worker can't import, or not by their names: test modules, conftests.
            options: those of `training.learn`.

        Raises:
            PoolError: it can't be pickled.
        """
        settings = backends.settings()
        key = (id(network), dataset.fingerprint, recipe, settings, *sorted(options.items()))
        if key not in self._lessons:
            data = self._file(f"{dataset.fingerprint[:24]}.data", arm, dataset, modules)
            lesson = Lesson(network, data, recipe, settings, options)
            # The network is kept: its id is only its own while it lives.
            self._lessons[key] = self._file(f"{len(self._lessons)}.lesson", arm, lesson, modules), network
        return self._lessons[key][0]

    def _file(self, name: str, arm: str, content: Any, modules: Iterable[ModuleType]) -> Path:
        if self._folder is None:
            self._folder = Scratch()
        path = Path(self._folder.name) / name
        if not path.exists():
            try:
                others = () if self._ray is None else cluster.not_installed()
                path.write_bytes(_pickled(content, {*modules, *others}))
            except Exception as error:  # whatever an object's own pickling raises
                raise PoolError(_unsendable(arm, "sent to", error)) from error
        return path

    def train(
        self,
        jobs: Sequence[Job],
        tell: Callable[[str], None] = lambda what: None,
        keep: Callable[[Job, Learned | Died], None] = lambda job, learned: None,
    ) -> list[Learned | Died]:
        """What each job gives, in their order.

        Args:
            jobs: what to train.
            tell: is given what is being trained, when that changes.
            keep: is given what a job gave, as soon as it did.

        Raises:
            PoolError: a process died, or can't read what it is sent; the cluster is gone.
            dlcv04.seeding.TrainingError: network, data and recipe do not fit each other.
        """
        self._require()
        try:
            return self._train(jobs, tell, keep)
        except BaseException as error:
            # After an arm's own error the processes go on, what they still train is left: to start them takes longer.
            if isinstance(error, PoolError) or not isinstance(error, Exception):
                self.close()
            raise

    def _train(
        self, jobs: Sequence[Job], tell: Callable[[str], None], keep: Callable[[Job, Learned | Died], None]
    ) -> list[Learned | Died]:
        running: dict[Future[Learned], tuple[_Worker, Job]] = {}
        waiting = list(jobs)
        found: dict[Job, Learned | Died] = {}
        deaths: Counter[Job] = Counter()
        while waiting or running:
            busy = {worker for worker, _ in running.values()}
            for worker in [worker for worker in self._workers if worker not in busy][: len(waiting)]:
                job = self._next(worker, waiting)
                waiting.remove(job)
                running[worker.submit(job)] = worker, job
            tell(f"{len(found)} of {len(jobs)} trained, now {_named(running.values())}")
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, job = running.pop(future)
                learned = self._outcome(future, worker, job, deaths)
                if learned is None:
                    waiting.insert(0, job)
                else:
                    found[job] = learned
                    keep(job, learned)
        return [found[job] for job in jobs]

    def _outcome(
        self, future: Future[Learned], worker: _Worker, job: Job, deaths: Counter[Job]
    ) -> Learned | Died | None:
        """What a job gave; None where its process died and the job is to be trained again, which a cluster does."""
        try:
            learned = _result(future, job)
            worker.check()  # one that came in a dead one's place may be on another node
            return learned
        except cluster.ClusterError as error:
            raise PoolError(str(error)) from error
        except DeathError as error:
            if self._cluster is None:
                raise
            worker.executor.shutdown(wait=True, kill_workers=True)
            self._workers[self._workers.index(worker)] = self._worker()
            deaths[job] += 1
            return Died(job.seed, str(error)) if deaths[job] >= DEATHS else None

    def _next(self, worker: _Worker, waiting: list[Job]) -> Job:
        """The first job on a network that this process has compiled, else on one that no other has, else any."""
        others = set().union(*(other.lessons for other in self._workers if other is not worker))
        return min(waiting, key=lambda job: (job.lesson not in worker.lessons, job.lesson in others))


class _Worker:
    """One process, seen from here; `lessons` are those that it has compiled."""

    def __init__(self, plugins: list[str], device: backends.Device) -> None:
        self.executor: Any = loky.ProcessPoolExecutor(max_workers=1, env=backends.one_thread_environment())
        self.ready: Future[Any] = self.executor.submit(_prepare, plugins, device, os.getpid())
        self.lessons: set[Path] = set()
        self.node = ""

    def check(self) -> None:
        """Wait until it is ready; raises what kept it from that."""
        self.ready.result()

    def submit(self, job: Job) -> Future[Learned]:
        self.lessons.add(job.lesson)
        return self.executor.submit(_learn, job)


class _Actor(_Worker):
    """One actor of a cluster; it trains only where this process would compute the same bits."""

    def __init__(self, plugins: list[str], device: backends.Device, its: cluster.Cluster) -> None:
        self.executor, self.lessons, self.node = its.executor(), set(), "a node that starts"
        self.ready = self.executor.submit(_prepare_on_node, plugins, device, str(Path.cwd()), sys.path)
        self.ready.add_done_callback(partial(self._stands, its))

    def submit(self, job: Job) -> Future[Learned]:
        self.lessons.add(job.lesson)
        return self.executor.submit(_learn, job, files=(job.lesson, _read(job.lesson).data))

    def check(self) -> None:
        try:
            cluster.refuse_other_bits(self.ready.result(STARTING_SECONDS))
        except TimeoutError as error:
            raise PoolError(
                f"The Ray cluster gave no place to one of the workers in {STARTING_SECONDS} s: others may use it, or "
                "it is smaller. Take fewer: --dl-workers N."
            ) from error

    def _stands(self, its: cluster.Cluster, ready: Future[cluster.Node]) -> None:
        if ready.exception() is None:
            self.node = ready.result().name
            its.stands_on(ready.result())


def _named(running: Iterable[tuple[_Worker, Job]]) -> str:
    """What is being trained, node by node; of much, how many seeds."""
    nodes: dict[str, list[str]] = {}
    for worker, job in running:
        nodes.setdefault(worker.node, []).append(f"{job.arm} seed {job.seed}")
    brief = sum(map(len, nodes.values())) > NAMED and set(nodes) != {""}
    said = {node: f"{len(jobs)} seeds" if brief else ", ".join(jobs) for node, jobs in nodes.items()}
    return "; ".join(f"{node}: {what}" if node else what for node, what in said.items())


def _compute_alike(workers: Iterable[_Worker]) -> bool:
    modules = code_hash.looked_at(without=caching.COMPUTE_NOTHING)
    try:
        asked = [(worker, worker.executor.submit(_code, modules)) for worker in workers]
        for worker, _ in asked:
            worker.check()
        return all(code.result() == _code() for _, code in asked)
    except (PoolError, cluster.ClusterError) as error:
        raise PoolError(str(error)) from error
    except Exception as error:  # whatever importing the framework or a plugin raises
        raise PoolError(f"A worker process could not start ({_exit_codes(error)}).") from error


def _pickled(content: Any, modules: Iterable[ModuleType]) -> bytes:
    """With what it takes of these modules in it, by value."""
    named = [module for module in modules if sys.modules.get(module.__name__) is module]
    for module in named:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(content))
    finally:
        for module in named:
            cloudpickle.unregister_pickle_by_value(module)


def _result(future: Future[Made], job: Job) -> Made:
    try:
        return future.result()
    except cluster.ClusterError as error:
        raise PoolError(str(error)) from error
    except BrokenProcessPool as error:
        raise DeathError(
            f"The worker process that trained {job.arm}, seed {job.seed}, died ({_exit_codes(error)}). If memory ran "
            "out, take fewer processes: --dl-workers N."
        ) from error


def _exit_codes(error: BaseException) -> str:
    """How a process ended, as loky says it: "EXIT(1)", "SIGKILL(-9)"; any other error in its own words."""
    return str(error).rpartition("{")[2].partition("}")[0] or str(error)


def _unsendable(arm: str, how: str, error: BaseException) -> str:
    return (
        f"The arm {arm!r} can't be {how} a worker process ({type(error).__name__}: {error}): make its network a "
        "function of a module, or train in this process with --dl-workers 0."
    )


# -- in the worker process -------------------------------------------------------------------------------------------


def _code(modules: Sequence[str] = ()) -> tuple[str, dict[str, str], str]:
    """What decides, beside the lesson, what is computed: Keras's backend, this package's code, what replaced some.

    In a worker, with those `modules` loaded in which functions may be replaced in the other process.
    """
    for name in modules:
        importlib.import_module(name)
    patches = code_hash.replaced(without=caching.COMPUTE_NOTHING)
    return str(backends.keras.config.backend()), caching.made_by(), patches


def _prepare(plugins: list[str], device: backends.Device, parent: int) -> None:
    """Make this process ready to train."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that ends this one
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    # What is compiled and kept is no leak: loky would start the process anew for it.
    loky_process = importlib.import_module("joblib.externals.loky.process_executor")  # set in the module itself
    loky_process._MAX_MEMORY_LEAK_SIZE = math.inf  # type: ignore[attr-defined]
    _import(plugins, device)


def _prepare_on_node(plugins: list[str], device: backends.Device, folder: str, path: list[str]) -> cluster.Node:
    """Make this actor ready to train; the process that asked for it has `folder` and `path`."""
    if Path(folder).is_dir():
        os.chdir(folder)
    sys.path += [each for each in path if each not in sys.path]
    _import(plugins, device)
    return cluster.node()


def _import(plugins: list[str], device: backends.Device) -> None:
    backends.select_device(device)
    importlib.import_module("dlcv04.training")
    for name in plugins:
        importlib.import_module(name)


def _end_with(parent: int) -> None:
    """End this process soon after the one that it works for, however that ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _learn(job: Job) -> Learned:
    lesson = _opened(job)
    with backends.deterministic():
        return training.learn(_trainer(job.lesson), job.seed, **lesson.options)


def _peak(job: Job) -> int:
    _opened(job)
    before = backends.peak_memory_from_here()
    trainer = _trainer(job.lesson)
    trainer.run_steps(STEPS_TO_PEAK)
    trainer.barrier()
    return backends.peak_memory_bytes() - before


def _opened(job: Job) -> Lesson:
    try:
        lesson = _read(job.lesson)
        _read(lesson.data)
    except Exception as error:  # whatever importing or unpickling raises
        raise PoolError(_unsendable(job.arm, "read by", error)) from error
    backends.apply(lesson.settings)
    return lesson


@lru_cache(2 * KEPT)
def _read(path: Path) -> Any:
    return pickle.loads(cluster.contents(path))


@lru_cache(KEPT)
def _trainer(path: Path) -> training.Trainer:
    lesson = _read(path)
    return training.Trainer(lesson.network, _read(lesson.data), lesson.recipe)
