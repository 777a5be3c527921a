"""Training in processes of one thread each: the curves are bit-equal, however many there are.

Two threads would add numbers in another order. Each process is an executor of its own (joblib's loky, whose pickles
hold closures too), so that one that dies is known by what it was training. It keeps what it compiled. Processes of
their own also show what memory an arm's training takes.
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
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dlcv04 import backends, caching, code_hash
from dlcv04.lazy import LazyModule
from dlcv04.scratch import Scratch

if TYPE_CHECKING:
    import cloudpickle
    from joblib.externals import loky
    from joblib.externals.loky import process_executor

    from dlcv04 import training
    from dlcv04.training import Learned
else:
    cloudpickle = LazyModule("cloudpickle")
    loky = LazyModule("joblib.externals.loky")
    process_executor = LazyModule("joblib.externals.loky.process_executor")
    training = LazyModule("dlcv04.training")

#: Networks that a process keeps compiled.
KEPT = 8
#: Steps after which a process has allocated all that training takes.
STEPS_TO_PEAK = 3

Made = TypeVar("Made")


class PoolError(RuntimeError):
    """A worker process died, or can't train what it is sent; the message says which arm and what to do."""


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


class Pool:
    """`size` processes that train; they start when first needed, or at `start`, and after each `close` anew.

    Args:
        size: how many.
        plugins: modules to import in each, since they may replace functions (a planted fault does).
        device: that they compute on.
    """

    def __init__(self, size: int, plugins: Sequence[str] = (), device: backends.Device = "cpu") -> None:
        self.size = size
        self._made: tuple[list[str], backends.Device] = (list(plugins), device)
        self._workers: list[_Worker] = []
        self._folder: Scratch | None = None
        self._lessons: dict[Any, tuple[Path, Any]] = {}

    def start(self) -> None:
        """Start the processes, unless they run; returns at once, while they import the framework for seconds."""
        if not self._workers:
            self._workers = [_Worker(*self._made) for _ in range(self.size)]

    def close(self) -> None:
        """End the processes, whatever they do, and wait until they are gone; what was sent to them is kept."""
        while self._workers:
            self._workers[-1].executor.shutdown(wait=True, kill_workers=True)
            self._workers.pop()

    def computes_alike(self) -> bool:
        """Whether the processes run the very code that this one does: what a conftest replaces, they don't have.

        Raises:
            PoolError: a process could not start.
        """
        self.start()
        try:
            return _compute_alike(self._workers)
        except BaseException:
            self.close()
            raise

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
                path.write_bytes(_pickled(content, modules))
            except Exception as error:  # whatever an object's own pickling raises
                raise PoolError(_unsendable(arm, "sent to", error)) from error
        return path

    def train(self, jobs: Sequence[Job], tell: Callable[[str], None] = lambda what: None) -> list[Learned]:
        """What each job gives, in their order.

        Args:
            jobs: what to train.
            tell: is given what is being trained, when that changes.

        Raises:
            PoolError: a process died, or can't read what it is sent.
            dlcv04.seeding.TrainingError: network, data and recipe do not fit each other.
        """
        self.start()
        try:
            return self._train(jobs, tell)
        except BaseException as error:
            # After an arm's own error the processes go on, what they still train is left: to start them takes longer.
            if isinstance(error, PoolError) or not isinstance(error, Exception):
                self.close()
            raise

    def _train(self, jobs: Sequence[Job], tell: Callable[[str], None]) -> list[Learned]:
        running: dict[Future[Learned], tuple[_Worker, Job]] = {}
        waiting = list(jobs)
        found: dict[Job, Learned] = {}
        while waiting or running:
            busy = [worker for worker, _ in running.values()]
            for worker in [worker for worker in self._workers if worker not in busy][: len(waiting)]:
                job = self._next(worker, waiting)
                waiting.remove(job)
                running[worker.submit(job)] = worker, job
            named = ", ".join(f"{job.arm} seed {job.seed}" for _, job in running.values())
            tell(f"{len(found)} of {len(jobs)} trained, now {named}")
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                _, job = running.pop(future)
                found[job] = _result(future, job)
        return [found[job] for job in jobs]

    def _next(self, worker: _Worker, waiting: list[Job]) -> Job:
        """The first job on a network that this process has compiled, else on one that no other has, else any."""
        others = set().union(*(other.lessons for other in self._workers if other is not worker))
        return min(waiting, key=lambda job: (job.lesson not in worker.lessons, job.lesson in others))


class _Worker:
    """One process, seen from here; `lessons` are those that it has compiled."""

    def __init__(self, plugins: list[str], device: backends.Device) -> None:
        self.executor = loky.ProcessPoolExecutor(max_workers=1, env=backends.one_thread_environment())
        self.ready: Future[None] = self.executor.submit(_prepare, plugins, device, os.getpid())
        self.lessons: set[Path] = set()

    def submit(self, job: Job) -> Future[Learned]:
        self.lessons.add(job.lesson)
        return self.executor.submit(_learn, job)


def _compute_alike(workers: Iterable[_Worker]) -> bool:
    modules = code_hash.looked_at(without=caching.COMPUTE_NOTHING)
    try:
        asked = [(worker.ready, worker.executor.submit(_code, modules)) for worker in workers]
        return all((ready.result(), code.result())[1] == _code() for ready, code in asked)
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
    except BrokenProcessPool as error:
        raise PoolError(
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
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
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
    return pickle.loads(path.read_bytes())


@lru_cache(KEPT)
def _trainer(path: Path) -> training.Trainer:
    lesson = _read(path)
    return training.Trainer(lesson.network, _read(lesson.data), lesson.recipe)
