"""What is built once a session for the measuring fixtures, and their records as the judge takes them.

This is pytest's door into both halves: it hands barrier, device and trainers to the harness. Nothing here is imported
before the first claim is collected.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from dlcv04.arms import TimedCall, TimedFit, Trained, TrainedBy, as_trained
from dlcv04.harness.claims.claim import ClaimError
from dlcv04.harness.measuring.blocks import ArmTimes, InterleavedBlock
from dlcv04.harness.measuring.seeds import ArmCurves, SeededBlock
from dlcv04.harness.measuring.values import ArmValues
from dlcv04.harness.policy import Device
from dlcv04.harness.session import state
from dlcv04.harness.session.suite import DeviceLayer, Plan, Suite, curves_arm, times_arm
from dlcv04.harness.store.schema import Arm, DataRecord, EpochRow, LayerRow, SeedCurve, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np

    from dlcv04 import backends, cluster, datasets, fit_trainer, footprints, networks, own_work, training
    from dlcv04 import pool as pools
    from dlcv04.datasets import own_arrays
    from dlcv04.harness.claims import own_training
    from dlcv04.harness.machine import cpu, gpu, load
    from dlcv04.harness.machine import facts as machine_facts
    from dlcv04.harness.session import children
else:
    np = LazyModule("numpy")
    backends = LazyModule("dlcv04.backends")
    cluster = LazyModule("dlcv04.cluster")
    datasets = LazyModule("dlcv04.datasets")
    fit_trainer = LazyModule("dlcv04.fit_trainer")
    footprints = LazyModule("dlcv04.footprints")
    networks = LazyModule("dlcv04.networks")
    own_arrays = LazyModule("dlcv04.datasets.own_arrays")
    own_work = LazyModule("dlcv04.own_work")
    own_training = LazyModule("dlcv04.harness.claims.own_training")
    pools = LazyModule("dlcv04.pool")
    training = LazyModule("dlcv04.training")
    cpu = LazyModule("dlcv04.harness.machine.cpu")
    gpu = LazyModule("dlcv04.harness.machine.gpu")
    load = LazyModule("dlcv04.harness.machine.load")
    machine_facts = LazyModule("dlcv04.harness.machine.facts")
    children = LazyModule("dlcv04.harness.session.children")

#: The module of the fixtures, one of which may be overridden.
FIXTURES = "dlcv04.fixtures"
#: Steps of a timed round, more where the fastest arm's would be too short (`blocks.SHORTEST_ROUND_SECONDS`). Longer
#: rounds are hardly less noisy, so many short ones say more in the same time.
STEPS_A_ROUND = 1
#: Processes whose peaks are an arm's memory: on a CPU threads free theirs sooner or later, a card's allocator counts.
PEAK_PROCESSES = {"cpu": 3, "gpu": 1}
#: Processes that train unless more are asked for: a claim has no more seeds to a look, and each takes half a gigabyte.
MOST_WORKERS = 12

_POOL = pytest.StashKey["pools.Pool"]()
#: The test before which its processes start.
_START = pytest.StashKey[str]()


# -- what will run -------------------------------------------------------------------------------------------------


def set_plan(config: pytest.Config, suite: Suite, device: Device, claims: list[Any], *, trains: bool = True) -> None:
    """Say what will run before any framework is imported.

    Args:
        config: the session's.
        suite: gets the plan.
        device: that the claims are to be measured on.
        claims: the tests.
        trains: whether there is a framework that trains Keras models.

    Raises:
        pytest.UsageError: data that a claim needs is not there, or processes that train are asked for on a card.
    """
    if device == "gpu":
        device = _usable(config, suite)
    (own, shipped), workers = _data_sets(claims), _workers(config, device) if trains else 0
    executor = _executor(config, workers) if trains else None
    pool = config.stash[_POOL] = pools.Pool(workers, _plugins(config), "gpu" if device == "gpu" else "cpu", executor)
    suite.before_timing = pool.close
    config.add_cleanup(pool.close)
    learning = f"learning in {workers} process{'es' * (workers > 1)} of one thread" if workers else ""
    learning += " of a Ray cluster" * (executor is not None)

    def plan() -> Plan:
        data = [*own, *(_where(config, name) for name in shipped)]
        return Plan(device=device, data="; ".join(data), key=planned_key(device), learning=learning)

    suite.plan = plan
    lacks = [lack for name in shipped if (lack := _lack(config, name))]
    if lacks:
        raise pytest.UsageError("\n".join(lacks))


def _lack(config: pytest.Config, fixture: str) -> str:
    """Why the data of a fixture are not there, as a sentence, or ""."""
    try:
        _where(config, fixture)
    except datasets.DataError as error:
        return str(error)
    return ""


def _usable(config: pytest.Config, suite: Suite) -> Device:
    """The card, or the CPU where nobody asked for the card and the framework sees none: wheels for CPUs do not.

    On a machine with a card the framework is imported for that before the first test; not to list the claims.
    """
    gpu.count_by_bus()
    if config.option.collectonly or config.getoption("dl_device") != "auto":
        return "gpu"
    with suppress(ImportError, backends.BackendError):  # `start` says so
        if not backends.has_gpu():
            suite.machine_class = machine_facts.machine_class("cpu", suite.hardware)
            suite.problems.append(
                f"{suite.hardware.get('gpu', 'a GPU')} is here and {backends.name()} does not see it, so the run is on "
                "the CPU: install its GPU build, or choose --dl-device cpu"
            )
            return "cpu"
    return "gpu"


def _workers(config: pytest.Config, device: Device) -> int:
    """Processes that train: none on a card, whose memory this process holds."""
    asked: int | None = config.getoption("dl_workers")
    if device == "gpu" and asked and config.getoption("dl_executor") == "loky":
        raise pytest.UsageError(
            f"--dl-workers {asked}: on a card learning runs in one process, which holds the card's memory. Drop the "
            "option, or use --dl-device cpu, or --dl-executor ray for a card a process."
        )
    if asked is None:
        return 0 if device == "gpu" else min(MOST_WORKERS, max(1, int(cpu.usable_cores())))
    return asked


def _executor(config: pytest.Config, workers: int) -> str | None:
    """The address of the Ray cluster that learning runs on, "" for the usual one; None for this machine."""
    asked: str = config.getoption("dl_executor")
    if asked == "loky":
        return None
    lack = "--dl-executor needs processes that train: --dl-workers N, 1 or more." if not workers else cluster.lack()
    if lack:
        raise pytest.UsageError(lack)
    return "" if asked == "ray" else asked


def _plugins(config: pytest.Config) -> list[str]:
    """The modules that were loaded by `-p` or PYTEST_PLUGINS: a planted fault is one."""
    names = [*(config.option.plugins or []), *os.environ.get("PYTEST_PLUGINS", "").split(",")]
    found = [config.pluginmanager.get_plugin(name) for name in names if name]
    return [plugin.__name__ for plugin in found if isinstance(plugin, ModuleType)]


def start_pool_when_near(item: pytest.Item) -> None:
    """Start the processes that train once nothing is timed any more: they take seconds to import the framework."""
    stash = item.config.stash
    if _POOL not in stash:
        return
    if _START not in stash:
        stash[_START] = _first_untimed(item.session.items)
    if item.nodeid == stash[_START]:
        stash[_POOL].start()


def _first_untimed(tests: list[pytest.Item]) -> str:
    """The first test after the last that times something, if one from there on learns; else ""."""
    fixtures = [getattr(test, "fixturenames", ()) for test in tests]
    first = max((place for place, names in enumerate(fixtures, 1) if "epoch_time" in names), default=0)
    rest = zip(tests[first:], fixtures[first:], strict=True)
    sends = any("learning" in names and not own_work.brings(test) for test, names in rest)
    return tests[first].nodeid if sends else ""


def _data_sets(claims: list[Any]) -> tuple[list[str], list[str]]:
    """What these tests learn on: whose data, in words, and the fixtures of shipped data."""
    own: list[str] = []
    shipped: set[str] = set() if claims else {"dataset"}
    for item in claims:
        names = {"dataset", "cifar10", "buildings"} & set(getattr(item, "fixturenames", ()))
        shipped |= names - {"dataset"}
        if "dataset" in names or not names:
            file = _own_dataset(item)
            brings = not file and not names and own_work.brings(item)
            said = f"your own (the fixture `dataset` of {file})" if file else "your training's own" if brings else ""
            own += [said] if said and said not in own else []
            shipped |= set() if said else {"dataset"}
    return own, sorted(shipped, key=("dataset", "cifar10", "buildings").index)


def _own_dataset(item: Any) -> str:
    """The file whose fixture `dataset` a test gets, or "" where that is this package's, or takes it in turn.

    Its name as seen from pytest's root: several folders may have a conftest.py.
    """
    for definition in reversed(item.session._fixturemanager.getfixturedefs("dataset", item) or ()):
        if definition.func.__module__ == FIXTURES:
            return ""
        if "dataset" not in definition.argnames:
            file = Path(definition.func.__code__.co_filename)
            root = item.config.rootpath
            return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    return ""


def _where(config: pytest.Config, fixture: str) -> str:
    names = {"dataset": "mnist", "buildings": "terrassa"}
    return datasets.where(names.get(fixture, fixture), config.getoption("dl_data"))


def planned_key(device: str) -> dict[str, str]:
    """What decides comparability, read from Keras's settings without importing Keras."""
    home = Path(os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras"))  # noqa: PTH111, PTH118
    try:
        settings = json.loads((home / "keras.json").read_bytes())
    except (OSError, ValueError):
        settings = {}
    name = os.environ.get("KERAS_BACKEND") or settings.get("backend", "tensorflow")
    jit = name == "jax" or device == "gpu"
    return {"backend": name, "dtype_policy": settings.get("floatx", "float32"), "jit": str(jit).lower()}


# -- the workbench -------------------------------------------------------------------------------------------------


@dataclass
class Workbench:
    """What is built once a session: the device, compiled trainers, and curves already trained.

    `of_times` is what an arm's figures depend on beside its data, where this process computes them: part of its key.
    `pool` has the processes that learn, or none where this one does; those that memory is measured in are of its kind.
    `optimizers` are the configurations of those that trained, `peaks` the memory that arms took. `lack` says why no
    Keras model can be trained here, else it is "".
    """

    suite: Suite
    device: str
    calibrator: Callable[[], None] | None
    calibrator_name: str = ""
    of_times: dict[str, str] = field(default_factory=dict)
    pool: pools.Pool | None = None
    meter: Callable[[], Any] = lambda: None
    clock: Callable[[], float] = time.perf_counter
    trainers: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    curves: dict[tuple[Any, ...], SeedCurve] = field(default_factory=dict)
    optimizers: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    footprints: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    datas: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    peaks: dict[tuple[Any, ...], list[int]] = field(default_factory=dict)
    lack: str = ""

    def require_framework(self) -> None:
        """Refuse an arm of Keras where it can't be trained.

        Raises:
            ClaimError: Keras or its framework is missing, or trains nothing here.
        """
        if self.lack:
            raise ClaimError(self.lack)

    def data_of(self, arm: Trained, shared: Any) -> Any:
        """The data of one arm, made once: a change of the shared data costs a copy and a new fingerprint."""
        key = (shared.fingerprint, arm.datas)
        if key not in self.datas:
            self.datas[key] = _a_dataset("trained(data=...)", arm.data(shared))
            self.note_data(self.datas[key])
        return self.datas[key]

    def trainer(self, network: Any, dataset: Any, recipe: Any) -> Any:
        """A compiled trainer, shared by all claims that use the very same network object, data and recipe."""
        key = (id(network), dataset.fingerprint, recipe)
        if key not in self.trainers:
            # The network is kept with the trainer: its id is only its own while it lives.
            self.trainers[key] = (training.Trainer(network, dataset, recipe), network)
        return self.trainers[key][0]

    def footprint(self, network: Any, recipe: Any) -> Any:
        """Exact figures of a network: parameters, MACs, bytes, layers."""
        network, recipe = as_trained(network).network, as_trained(network).recipe(recipe)
        key = (id(network), recipe)
        if key not in self.footprints:
            self.footprints[key] = (footprints.footprint(network, recipe), network)
        return self.footprints[key][0]

    def peaks_of(self, request: pytest.FixtureRequest, name: str, arm: Any, data: Any, recipe: Any) -> list[int]:
        """Bytes at the peak of each fresh process that trains an arm; empty for one that this package does not train.

        Raises:
            ClaimError: it can't be sent to another process, or a process died.
        """
        if self.pool is None or isinstance(arm, (TimedCall, TimedFit)):
            return []
        network, data, recipe = _resolve(self, arm, data, recipe)
        key = id(network), data.fingerprint, recipe
        if key not in self.peaks:
            begin = time.perf_counter()
            try:
                # The pool keeps the network with its lesson: its id is only its own while it lives.
                lesson = self.pool.lesson(name, network, data, recipe, _own_modules(request))
                self.peaks[key] = self.pool.peaks(name, lesson, PEAK_PROCESSES[self.device])
            except pools.PoolError as error:
                raise ClaimError(str(error)) from error
            self.suite.spend("measuring memory in fresh processes", time.perf_counter() - begin)
        return self.peaks[key]

    def note_data(self, dataset: Any) -> None:
        """Remember a data set for the report."""
        _note_data(self.suite, dataset)


def start(config: pytest.Config, suite: Suite, lack: str = "") -> Workbench:
    """Start the framework on the planned device and tell the harness what it is.

    Args:
        config: the session's.
        suite: is told.
        lack: why no framework can be started, which trainings of other people's do not need.

    Raises:
        DeviceError, BackendError: there is no such device, or Keras runs on a backend that trains nothing here.
    """
    if lack:
        return _without_framework(suite, lack)
    begin, pool = time.perf_counter(), config.stash.get(_POOL, None)
    device = backends.select_device(suite.plan().device)
    facts = backends.facts()
    key = {"backend": facts.backend, "dtype_policy": facts.dtype_policy, "jit": str(facts.jit).lower()}
    software = {
        facts.backend: facts.backend_version,
        "keras": facts.keras_version,
        "device": facts.device_name,
        "image data format": facts.image_data_format,
        "threads": str(facts.threads),
        "threads of learning": "1" if pool and pool.size else str(facts.threads),
    }
    suite.device_layer = DeviceLayer(device, key, software)
    suite.spend("starting the framework", time.perf_counter() - begin)
    name, run = backends.calibrator() or ("", None)
    rounding = {"tf32": str(facts.tf32).lower()} if device == "gpu" else {}
    of_times = rounding or {"threads": str(facts.threads)}
    return Workbench(suite, device, run, name, of_times, pool, partial(load.LoadMeter, gpu=device == "gpu"))


def _without_framework(suite: Suite, lack: str) -> Workbench:
    """What other people's work is measured on; the key says what Keras is set to, as it does where Keras is there."""
    from dlcv04.backends.calibrator import of_cpu  # not by `backends`, which has a function of this name

    device, threads = suite.plan().device, str(int(cpu.usable_cores()) or 1)
    on_card = device == "gpu"
    suite.device_layer = DeviceLayer(device, planned_key(device), {"threads": threads})
    name, run = ("", None) if on_card else of_cpu()
    of_times = {} if on_card else {"threads": threads}
    return Workbench(suite, device, run, name, of_times, meter=partial(load.LoadMeter, gpu=on_card), lack=lack)


# -- what the fixtures measure ---------------------------------------------------------------------------------------


def measure_footprints(request: pytest.FixtureRequest, bench: Workbench, arms: dict[str, Any], recipe: Any) -> Any:
    """Exact figures of each arm, as the fixture `footprints` gives them."""
    bench.require_framework()
    found = {}
    for name, network in arms.items():
        size = found[name] = bench.footprint(network, recipe)
        arm = Arm(name=name, test=request.node.nodeid, network=_describe(network), **_exact(size))
        state.add_measured(request.node, partial(copy, arm))
    return SimpleNamespace(**found)


def measure_times(
    request: pytest.FixtureRequest, bench: Workbench, arms: dict[str, Any], data: Any, recipe: Any, rounds: int | None
) -> Any:
    """Arms timed in turn, as the fixture `epoch_time` gives them."""
    _refuse_tracer()
    used_data = _data(request, bench, data) if _needs_data(arms) else None
    block = InterleavedBlock(
        {name: _workload(bench, arm, used_data, recipe) for name, arm in arms.items()},
        steps=_steps_a_round(arms, recipe),
        calibrator=bench.calibrator,
        clock=bench.clock,
        meter=bench.meter(),
        prepare=bench.suite.before_timing,
        peaks_of=lambda name: bench.peaks_of(request, name, arms[name], used_data, recipe),
    )
    if state.of(request.config).server is not None:
        return SimpleNamespace(**block.arms)  # timed where the claim names them, when the other process waits
    for name, arm in block.arms.items():
        made = partial(_timed_arm, request, bench, arm, arms[name], used_data, recipe)
        state.add_measured(request.node, made)
    block.run(rounds or bench.suite.policy.min_pairs)
    return SimpleNamespace(**block.arms)


def measure_learning(
    request: pytest.FixtureRequest,
    bench: Workbench,
    arms: dict[str, Any],
    data: Any,
    recipe: Any,
    extras: Extras,
    *,
    first_seed: int,
    progress: Callable[[str, str], None],
) -> Any:
    """Arms that train when a claim asks for seeds, as the fixture `learning` gives them."""
    by_themselves = {name: arm for name, arm in arms.items() if isinstance(arm, TrainedBy)}
    shared = _data(request, bench, data) if len(by_themselves) < len(arms) else None
    resolved = {n: _resolve(bench, arm, shared, recipe) for n, arm in arms.items() if n not in by_themselves}
    pool = bench.pool if bench.pool and bench.pool.size else None
    learner = Learner(request, bench, resolved, extras, progress, pool, by_themselves)
    trainers = {name: partial(learner.train, name) for name in arms}
    facts = {name: _pictures(arms[name], data, recipe, extras) for name, (_, data, recipe) in resolved.items()}
    facts |= {name: {"deterministic": arm.deterministic} for name, arm in by_themselves.items()}
    block = SeededBlock(trainers, first_seed=first_seed, facts=facts, train_all=learner.train_all)
    for arm in block.arms.values():
        state.add_measured(request.node, partial(_learned_arm, learner, arm))
    return SimpleNamespace(**block.arms)


def measure_values(request: pytest.FixtureRequest, arms: dict[str, Any], data: Any, first_seed: int) -> Any:
    """What each arm computes, as the fixture `computed` gives it."""
    found, key = {}, {}
    if data is not None:
        _note_data(state.suite_of(request.config), data)
        key = {"data": data.fingerprint}
    for name, compute in arms.items():
        values = found[name] = ArmValues(name, np.asarray(compute(first_seed), dtype=np.float64))
        arm = Arm(name=name, test=request.node.nodeid, network=_describe(compute), key=key, values=values.stored)
        state.add_measured(request.node, partial(copy, arm))
    return SimpleNamespace(**found)


@dataclass(frozen=True)
class Extras:
    """What a curve has beside its losses and accuracies, since a test asked for it."""

    answers: bool
    halves: bool


@dataclass
class Learner:
    """How the arms of one test learn: in the pool's processes, or in this one where there is no pool.

    `arms` are network, data and recipe by name, `by_themselves` those that functions of
    their own train, in this process.
    """

    request: pytest.FixtureRequest
    bench: Workbench
    arms: dict[str, tuple[Any, Any, Any]]
    extras: Extras
    progress: Callable[[str, str], None]
    pool: pools.Pool | None
    by_themselves: dict[str, TrainedBy] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """What the curves depend on beside their data."""
        here = self.pool is None or self.bench.device == "gpu"
        return {**self.bench.of_times, **_jit_of_learning()} if here else {"threads": "1"}

    def train(self, name: str, seed: int) -> SeedCurve:
        """One seed of one arm."""
        return self.train_all([(name, seed)])[0]

    def train_all(self, wanted: Sequence[tuple[str, int]]) -> list[SeedCurve]:
        """Seeds of arms; what another test has trained is taken from there.

        Raises:
            ClaimError: an arm can't be sent to another process, a process died, or a function gives no epochs.
        """
        own = {each: self._by_itself(*each) for each in wanted if each[0] in self.by_themselves}
        rest = [each for each in wanted if each not in own]
        found = own | dict(zip(rest, self._train_networks(rest), strict=True))
        return [found[each] for each in wanted]

    def _by_itself(self, name: str, seed: int) -> SeedCurve:
        self.progress("learning", f"{name}, seed {seed}")
        return own_training.curve(name, self.by_themselves[name].function, seed)

    def _train_networks(self, wanted: Sequence[tuple[str, int]]) -> list[SeedCurve]:
        try:
            if self.pool is not None and wanted and not self.pool.computes_alike():
                self._leave_pool()
            keys = {each: (*self.key(each[0]), each[1], self.extras, *self.settings.items()) for each in wanted}
            known = self.bench.curves
            new = {key: each for each, key in keys.items() if key not in known}
            self._learn(list(new.values()), lambda each, learned: self._keep(learned, keys[each], each[0]))
        except pools.PoolError as error:
            raise ClaimError(str(error)) from error
        return [known[keys[each]] for each in wanted]

    def key(self, name: str) -> tuple[Any, ...]:
        """An arm's network, data and recipe; another arm with the same is the same."""
        network, data, recipe = self.arms[name]
        return id(network), data.fingerprint, recipe

    def _leave_pool(self) -> None:
        self.pool, layer = None, self.bench.suite.device_layer
        threads = self.bench.of_times.get("threads", "")
        if layer is not None:
            layer.software["threads of learning"] = f"1, or {threads} where functions were replaced"
        sentence = (
            f"dlcv04: {self.request.node.nodeid} learns in this process, with its {threads} threads: a conftest, "
            "fixture or test replaces functions that others do not see. A plugin of -p is seen by all."
        )
        children.show(self.request.config, sentence)

    def _learn(self, wanted: list[tuple[str, int]], keep: Callable[[tuple[str, int], Any], None]) -> None:
        if self.pool is None:
            for each in wanted:
                keep(each, self._here(*each))
            return
        options = {"modules": _own_modules(self.request), **asdict(self.extras)}
        lessons = {name: self.pool.lesson(name, *self.arms[name], **options) for name, _ in wanted}
        jobs = [pools.Job(name, seed, lessons[name]) for name, seed in wanted]
        # Kept as it comes: what was learnt before a process dies, or a cluster, serves other tests.
        self.pool.train(jobs, partial(self.progress, "learning"), lambda job, learned: keep(job[:2], learned))

    def _here(self, name: str, seed: int) -> Any:
        # Made where it is used: a trainer compiles anew for deterministic operations.
        with backends.deterministic():
            trainer = self.bench.trainer(*self.arms[name])
            return training.learn(trainer, seed, on_epoch=partial(self._tell, name, seed), **asdict(self.extras))

    def _tell(self, name: str, seed: int, number: int, epoch: Any) -> None:
        epochs = self.arms[name][2].epochs
        where = f"seed {seed}, epoch {number} of {epochs}, validation accuracy {epoch.val_accuracy:.3f}"
        self.progress(name, where)

    def _keep(self, learned: Any, key: tuple[Any, ...], name: str) -> None:
        died = isinstance(learned, pools.Died)
        self.bench.curves[key] = _died(learned) if died else self._take(learned, key, self.arms[name][0])

    def _take(self, learned: Any, key: tuple[Any, ...], network: Any) -> SeedCurve:
        run, right, seconds = learned
        # Of one whose weights are made by its first batch nobody else knows them.
        self.bench.footprints.setdefault((id(network), key[2]), (run.footprint, network))
        self.bench.optimizers[key[:3]] = run.optimizer_config
        where = "" if self.pool is None else ", all processes"
        trained = sum(epoch.train_seconds for epoch in run.epochs)
        self.bench.suite.spend(f"evaluating and resetting{where}", seconds - trained)
        return _curve(run, right)


def _jit_of_learning() -> dict[str, str]:
    """That learning goes without XLA where times go with it (TensorFlow on a card), in the words of the run's key."""
    with backends.deterministic():
        learning = backends.resolved_jit()
    return {} if learning == backends.resolved_jit() else {"jit": str(learning).lower()}


def _own_modules(request: pytest.FixtureRequest) -> list[ModuleType]:
    """What pytest has imported of the suite in its own way: the test's module, and conftests, which share a name."""
    loaded = [plugin for plugin in request.config.pluginmanager.get_plugins() if isinstance(plugin, ModuleType)]
    return [request.node.module, *(one for one in loaded if Path(one.__file__ or "").name == "conftest.py")]


# -- from the experiment's records to the harness's ---------------------------------------------------------------


def _note_data(suite: Suite, dataset: Any) -> None:
    suite.data[dataset.fingerprint] = DataRecord(
        name=dataset.name,
        kind=dataset.kind,
        provenance=dataset.provenance,
        fingerprint=dataset.fingerprint,
        train_images=dataset.images("train"),
        val_images=dataset.images("val"),
    )


def _refuse_tracer() -> None:
    """A tracer's own work would be timed: it calls back for every line of the training loop.

    Raises:
        ClaimError: coverage, a profiler or a debugger is active.
    """
    if sys.gettrace() is not None or sys.getprofile() is not None or _monitored():
        raise ClaimError(
            "A tracer is active (coverage, a profiler or a debugger), and its work would be timed: leave it out, as "
            "with --no-cov, or deselect the timing claims."
        )


def _monitored() -> bool:
    """Whether a tool uses `sys.monitoring` (PEP 669): from Python 3.12 on coverage and cProfile may."""
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None:
        return False
    tools = (monitoring.DEBUGGER_ID, monitoring.COVERAGE_ID, monitoring.PROFILER_ID)
    return any(monitoring.get_tool(tool) is not None for tool in tools)


def _data(request: pytest.FixtureRequest, bench: Workbench, data: Any) -> Any:
    bench.require_framework()
    what = "The fixture `dataset`" if data is None else "data="
    used = _a_dataset(what, request.getfixturevalue("dataset") if data is None else data)
    bench.note_data(used)
    return used


def _a_dataset(what: str, given: Any) -> Any:
    """The data set.

    Raises:
        ClaimError: it is none.
    """
    if isinstance(given, datasets.Dataset):
        return given
    raise ClaimError(
        f"{what} must be a dlcv04.Dataset, not {type(given).__name__}: arrays go into one, as Dataset('mine', x_train, "
        f"y_train, x_val, y_val); {own_arrays.LOADERS}."
    )


def _needs_data(arms: dict[str, Any]) -> bool:
    return any(not isinstance(arm, TimedCall) for arm in arms.values())


def _steps_a_round(arms: dict[str, Any], recipe: Any) -> int:
    """All arms take equally many steps a round: those of one whole call where an arm is Keras's `fit`."""
    return max(
        [STEPS_A_ROUND, *(arm.images // recipe.batch_size for arm in arms.values() if isinstance(arm, TimedFit))]
    )


def _workload(bench: Workbench, arm: Any, data: Any, recipe: Any) -> Any:
    if isinstance(arm, TimedCall):
        return arm
    if isinstance(arm, TimedFit):
        return fit_trainer.FitTrainer(arm.network, data, recipe, images=arm.images)
    return bench.trainer(*_resolve(bench, arm, data, recipe))


def _resolve(bench: Workbench, arm: Any, data: Any, recipe: Any) -> tuple[Any, Any, Any]:
    """The network, data and recipe of one arm."""
    trained = as_trained(arm)
    return trained.network, bench.data_of(trained, data), trained.recipe(recipe)


def _pictures(arm: Any, data: Any, recipe: Any, extras: Extras) -> dict[str, Any]:
    """What an arm's accuracies are shares of, and the classes of the pictures where the answers to each are kept."""
    val = training.val_images(data, recipe)
    train = recipe.train_images or data.images("train")
    if extras.answers:
        data.labels("val")  # or it says that there are no classes, before anything is trained

    def labels() -> list[int]:
        return [int(label) for label in data.subset(val=recipe.val_images and val).labels("val")]

    return {
        "images": val,
        "train_images": min(train, val, training.TRAIN_EVALUATION_IMAGES),
        "labels": cache(labels) if extras.answers else tuple,
        "deterministic": as_trained(arm).deterministic,
    }


def _curve(run: Any, right: Any) -> SeedCurve:
    rows = [
        EpochRow(
            train_seconds=epoch.train_seconds,
            train_loss=finite(epoch.train_loss),
            train_accuracy=finite(epoch.train_accuracy),
            val_loss=finite(epoch.val_loss),
            val_accuracy=finite(epoch.val_accuracy),
            val_loss_halves=[float(loss) for loss in epoch.val_loss_halves],
            metrics={name: finite(value) for name, value in epoch.metrics.items()},
        )
        for epoch in run.epochs
    ]
    answers = "".join("1" if hit else "0" for hit in right)
    return SeedCurve(seed=run.seed, epochs=rows, status=run.status, reason=run.reason, answers=answers)


def _died(seed: pools.Died) -> SeedCurve:
    return SeedCurve(seed=seed.seed, epochs=[], status="died", reason=seed.reason)


def _timed_arm(
    request: pytest.FixtureRequest, bench: Workbench, arm: ArmTimes, network: Any, data: Any, recipe: Any
) -> Arm:
    bench.suite.spend("calibrating", sum(arm.block.calibrator_seconds) / len(arm.block.arms))
    if bench.device == "gpu":
        try:
            arm.measure_peaks()
        except ClaimError as error:  # no claim asked for it
            children.show(request.config, f"dlcv04: {error}")
    if isinstance(network, TimedCall):
        return Arm(
            name=arm.name,
            test=request.node.nodeid,
            network=_describe(network.work),
            images_per_epoch=network.images_per_step,
            key={"calibrator": bench.calibrator_name, **bench.of_times},
            **times_arm(arm),  # type: ignore[arg-type]
        )
    if isinstance(network, TimedFit):
        inner, how = network.network, ", Keras's fit"
    else:
        (inner, data, recipe), how = _resolve(bench, network, data, recipe), ""
    return Arm(
        name=arm.name,
        test=request.node.nodeid,
        network=_describe(inner) + how,
        key={"data": data.fingerprint, "calibrator": bench.calibrator_name, **bench.of_times},
        facts=_facts(arm.workload.optimizer_config, recipe),  # type: ignore[attr-defined]
        images_per_epoch=data.images("train"),
        **times_arm(arm),  # type: ignore[arg-type]
        **_exact(bench.footprint(inner, recipe)),
    )


def _learned_arm(learner: Learner, arm: ArmCurves) -> Arm:
    own = learner.by_themselves.get(arm.name)
    if own is not None:
        how = f"{_describe(own.function)}, by its own training"
        return Arm(name=arm.name, test=learner.request.node.nodeid, network=how, **curves_arm(arm))  # type: ignore[arg-type]
    bench, (network, data, recipe) = learner.bench, learner.arms[arm.name]
    optimizer = bench.optimizers.get(learner.key(arm.name)) or bench.trainer(network, data, recipe).optimizer_config
    return Arm(
        name=arm.name,
        test=learner.request.node.nodeid,
        network=_describe(network),
        key={"data": data.fingerprint, **learner.settings},
        facts=_facts(optimizer, recipe),
        images_per_epoch=recipe.train_images or data.images("train"),
        **curves_arm(arm),  # type: ignore[arg-type]
        **_exact(bench.footprint(network, recipe)),
    )


def _facts(optimizer: Any, recipe: Any) -> dict[str, Any]:
    return {"recipe": _plain(recipe.settings()), "optimizer": _plain(optimizer)}


def _plain(value: Any) -> Any:
    """Numbers, texts, lists and dicts only, so that what is stored is strict JSON."""
    return json.loads(json.dumps(value, default=networks.written))


def _exact(size: Any) -> dict[str, Any]:
    return {
        "parameters": size.parameters,
        "macs": size.known_macs,
        "weight_bytes": size.weight_bytes,
        "optimizer_bytes": size.optimizer_bytes,
        "activation_bytes": size.known_activation_bytes,
        "layers": [
            LayerRow(
                name=layer.name,
                kind=layer.kind,
                output_shape=list(layer.output_shape),
                parameters=layer.parameters,
                macs=layer.macs,
            )
            for layer in size.layers
        ],
    }


def _describe(network: Any) -> str:
    return networks.describe(as_trained(network).network)
