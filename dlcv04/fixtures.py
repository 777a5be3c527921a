"""The experiment's half of the pytest plugin: fixtures that measure networks for claims.

This is pytest's door into both halves: it hands barrier, device and trainers to the harness. Override the fixtures
`dataset` and `recipe` in your own `conftest.py` to run the same fixtures on your own experiment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from dlcv04.arms import TimedCall, TimedFit, Trained, as_trained
from dlcv04.harness.claims.claim import ClaimError
from dlcv04.harness.measuring.blocks import ArmTimes, InterleavedBlock
from dlcv04.harness.measuring.seeds import ArmCurves, SeededBlock
from dlcv04.harness.measuring.values import ArmValues
from dlcv04.harness.session import state
from dlcv04.harness.session.suite import DeviceLayer, Plan, Suite, curves_arm, times_arm
from dlcv04.harness.store.schema import Arm, DataRecord, EpochRow, LayerRow, SeedCurve, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np

    from dlcv04 import backends, datasets, recipes, training
    from dlcv04 import networks as networks_module
    from dlcv04.harness.machine import load as machine_load
    from dlcv04.harness.session import children
else:
    np = LazyModule("numpy")
    machine_load = LazyModule("dlcv04.harness.machine.load")
    backends = LazyModule("dlcv04.backends")
    children = LazyModule("dlcv04.harness.session.children")
    datasets = LazyModule("dlcv04.datasets")
    networks_module = LazyModule("dlcv04.networks")
    recipes = LazyModule("dlcv04.recipes")
    training = LazyModule("dlcv04.training")

#: Steps of a timed round, more where the fastest arm's would be too short (`measure.SHORTEST_ROUND_SECONDS`). Longer
#: rounds are hardly less noisy, so many short ones say more in the same time.
STEPS_A_ROUND = 1


def pytest_dlcv04_plan(config: pytest.Config, suite: Suite, device: str, claims: list[Any]) -> bool:
    """Say what will run before any framework is imported."""
    named = _data_sets(claims)

    def plan() -> Plan:
        return Plan(device=device, data="; ".join(_where(config, name) for name in named), key=planned_key(device))

    suite.plan = plan
    try:
        plan()
    except datasets.DataError as error:
        raise pytest.UsageError(str(error)) from error
    return True


def _data_sets(claims: list[Any]) -> list[str]:
    """The fixtures of the data that these tests need; `dataset` is what a test learns on that names no other."""
    taken = [set(getattr(item, "fixturenames", ())) for item in claims]
    other = {name for fixtures in taken for name in ("cifar10", "buildings") if name in fixtures}
    shared = any("dataset" in fixtures or not fixtures & other for fixtures in taken)
    return [*(["dataset"] if shared or not other else []), *sorted(other, reverse=True)]


def _where(config: pytest.Config, fixture: str) -> str:
    names = {"dataset": "mnist", "buildings": "terrassa"}
    own = _own_data(config) if fixture == "dataset" else ""
    return own or datasets.where(names.get(fixture, fixture), config.getoption("dl_data"))


def _own_data(config: pytest.Config) -> str:
    """The conftest that overrides the fixture `dataset`, in words, or "": there MNIST is neither used nor missed."""
    for plugin in config.pluginmanager.get_plugins():
        if isinstance(plugin, ModuleType) and plugin.__name__ != __name__ and hasattr(plugin, "dataset"):
            return f"your own (the fixture `dataset` of {Path(str(plugin.__file__)).name})"
    return ""


def planned_key(device: str) -> dict[str, str]:
    """What decides comparability, read from Keras's settings without importing Keras."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        settings = json.loads((home / "keras.json").read_text())
    except (OSError, ValueError):
        settings = {}
    name = os.environ.get("KERAS_BACKEND") or settings.get("backend", "tensorflow")
    jit = name == "jax" or device == "gpu"
    return {"backend": name, "dtype_policy": settings.get("floatx", "float32"), "jit": str(jit).lower()}


@dataclass
class Workbench:
    """What is built once a session: the device, compiled trainers, and curves already trained."""

    suite: Suite
    device: str
    calibrator: Callable[[], None] | None
    calibrator_name: str = ""
    meter: Callable[[], Any] = lambda: None
    clock: Callable[[], float] = time.perf_counter
    trainers: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    curves: dict[tuple[Any, ...], SeedCurve] = field(default_factory=dict)
    footprints: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    datas: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def data_of(self, arm: Trained, shared: Any) -> Any:
        """The data of one arm, made once: a change of the shared data costs a copy and a new fingerprint."""
        key = (shared.fingerprint, arm.datas)
        if key not in self.datas:
            self.datas[key] = arm.data(shared)
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
            self.footprints[key] = (training.footprint(network, recipe), network)
        return self.footprints[key][0]

    def note_data(self, dataset: Any) -> None:
        """Remember a data set for the report."""
        _note_data(self.suite, dataset)


@pytest.fixture(scope="session")
def workbench(request: pytest.FixtureRequest) -> Workbench:
    """Start the framework on the asked device and tell the harness what it is."""
    suite = state.suite_of(request.config)
    start = time.perf_counter()
    try:
        device = backends.select_device(suite.plan().device)
        facts = backends.facts()
    except (backends.DeviceError, backends.BackendError) as error:
        pytest.exit(str(error), returncode=int(pytest.ExitCode.USAGE_ERROR))
    key = {"backend": facts.backend, "dtype_policy": facts.dtype_policy, "jit": str(facts.jit).lower()}
    software = {
        facts.backend: facts.backend_version,
        "keras": facts.keras_version,
        "device": facts.device_name,
        "image data format": facts.image_data_format,
        "threads": str(facts.threads),
    }
    suite.device_layer = DeviceLayer(device, key, software)
    suite.spend("starting the framework", time.perf_counter() - start)
    name, run = backends.calibrator() or ("", None)
    return Workbench(suite, device, run, name, partial(machine_load.LoadMeter, gpu=device == "gpu"))


@pytest.fixture(scope="session")
def dataset(request: pytest.FixtureRequest) -> Any:
    """The data that arms are trained on: MNIST, or its stand-in. Override it to bring your own `dlcv04.Dataset`.

    Examples:
        >>> @pytest.fixture(scope="session")
        ... def dataset():
        ...     return Dataset("mine", x_train, y_train, x_val, y_val, classes=4)
    """
    return datasets.load("mnist", request.config.getoption("dl_data"))


@pytest.fixture(scope="session")
def cifar10(request: pytest.FixtureRequest) -> Any:
    """CIFAR-10, or its stand-in, for `learning(data=cifar10, ...)`.

    Examples:
        >>> def test_wide_learns_better(learning, cifar10, claim):
        ...     curves = learning(data=cifar10, base=base_net, wide=wide_net)
        ...     claim.better(curves.wide, than=curves.base, by=0.01)
    """
    return datasets.load("cifar10", request.config.getoption("dl_data"))


@pytest.fixture(scope="session")
def buildings(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Photos of buildings, or drawings of some, at a size asked for: `buildings(32)` is 32 x 32 x 3.

    Terrassa's, or those that ``DLCV04_BUILDINGS`` names. Options are those of `dlcv04.datasets.terrassa.load`.

    Examples:
        >>> def test_dropout_helps(learning, buildings, claim):
        ...     curves = learning(data=buildings(32), plain=plain_net, dropout=dropout_net)
        ...     claim.better(curves.dropout, than=curves.plain, by=0.01)
    """

    @cache
    def load(size: int, **options: Any) -> Any:
        return datasets.load("terrassa", request.config.getoption("dl_data"), size=size, **options)

    return load


@pytest.fixture(scope="session")
def recipe(request: pytest.FixtureRequest) -> Any:
    """The recipe that arms learn by, at the profile's sizes. Override it to bring your own `dlcv04.Recipe`.

    Examples:
        >>> @pytest.fixture(scope="session")
        ... def recipe():
        ...     return Recipe("mine", optimizer="SGD", learning_rate=0.1, batch_size=64, epochs=3)
    """
    return recipes.mnist_recipe(request.config.getoption("dl_profile"))


@pytest.fixture(scope="session")
def timing_recipe() -> Any:
    """The recipe whose step is timed: the paper's batch of 128 whatever the profile, so that times stay the seed's.

    Examples:
        >>> @pytest.fixture(scope="session")
        ... def timing_recipe(recipe):
        ...     return recipe
    """
    return recipes.mnist_recipe("paper")


@pytest.fixture(scope="session")
def progress(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Say on a terminal what long work is at: `progress("features of VGG16", "120 of 687 pictures")`.

    Examples:
        >>> def test_many(progress, computed, claim):
        ...     for number in range(3):
        ...         progress("pictures", f"{number} of 3")
    """
    tell = children.teller(request.config)
    return lambda what, where: tell(f"{what}: {where}")


@pytest.fixture
def footprints(
    request: pytest.FixtureRequest, workbench: Workbench, arms_of: Any, timing_recipe: Any
) -> Callable[..., Any]:
    """Exact figures of networks: `footprints(base=mnist_convnet).base.parameters`.

    Each arm is a function that returns a `keras.Model`, or a model. An arm's figures: `parameters`, `macs` a sample,
    `weight_bytes`, `optimizer_bytes`, `activation_bytes` a sample, `layers`.

    Examples:
        >>> def test_the_base_net_is_small(footprints, claim):
        ...     sizes = footprints(base=base_net, wide=wide_net)
        ...     claim.exactly(sizes.base.parameters, 600_810, of="base")
        ...     claim.fewer(sizes.base.macs, than=sizes.wide.macs, of="base", reference="wide", what="MACs")
    """

    def measure(**arms: Any) -> Any:
        found = {}
        for name, network in arms_of(arms).items():
            size = found[name] = workbench.footprint(network, timing_recipe)
            arm = Arm(name=name, test=request.node.nodeid, network=_describe(network), **_exact(size))
            state.add_measured(request.node, partial(copy, arm))
        return SimpleNamespace(**found)

    return measure


@pytest.fixture
def epoch_time(
    request: pytest.FixtureRequest, workbench: Workbench, arms_of: Any, timing_recipe: Any
) -> Callable[..., Any]:
    """Time arms in turn, round by round, in this process.

    Each arm is a function that returns a `keras.Model`, a model, `trained(network, recipe=...)`,
    `timed_fit(network)` or `timed_call(work)`. A round has equally many pictures in all arms, whatever their batch
    size. The returned namespace has one entry an arm, for `claim.slower(times.wide, than=times.base, by=1.10)`, which
    measures as many rounds as its verdict takes. Pass `data=` or `recipe=` to use others than the fixtures', and
    `rounds=` for fewer rounds of arms that no assertion names (figures only).

    Examples:
        >>> def test_wide_is_slower(epoch_time, claim):
        ...     times = epoch_time(base=base_net, wide=wide_net)
        ...     claim.slower(times.wide, than=times.base, by=1.10)
    """

    def measure(*, data: Any = None, recipe: Any = None, rounds: int | None = None, **arms: Any) -> Any:
        _refuse_tracer()
        used_recipe, changed = recipe or timing_recipe, arms_of(arms)
        used_data = _data(request, workbench, data) if _needs_data(changed) else None
        workloads = {name: _workload(workbench, arm, used_data, used_recipe) for name, arm in changed.items()}
        block = InterleavedBlock(
            workloads,
            steps=_steps_a_round(changed, used_recipe),
            calibrator=workbench.calibrator,
            clock=workbench.clock,
            meter=workbench.meter(),
        )
        if state.of(request.config).server is not None:
            return SimpleNamespace(**block.arms)  # timed where the claim names them, when the other process waits
        for name, arm in block.arms.items():
            made = partial(_timed_arm, request, workbench, arm, changed[name], used_data, used_recipe)
            state.add_measured(request.node, made)
        block.run(rounds or workbench.suite.policy.min_pairs)
        return SimpleNamespace(**block.arms)

    return measure


@pytest.fixture
def learning(
    request: pytest.FixtureRequest, workbench: Workbench, arms_of: Any, recipe: Any, first_seed: int, progress: Any
) -> Callable[..., Any]:
    """Train arms over the same seeds.

    The returned namespace has one entry an arm, for `claim.better(curves.base, than=curves.small, by=0.003)`, which
    trains as many seeds as its verdict takes. Seeds draw initialisation, batch order, dropout and training subset.
    Pass `data=` or `recipe=` to use others than the fixtures', `answers=True` to know of each validation picture
    whether it was classed rightly (for `claim.right_more_often`), and `halves=True` for the validation loss on each
    half of the pictures (for `LOSS_RISE` and `GAIN_AFTER_TURN`).

    Examples:
        >>> def test_base_learns_better(learning, claim):
        ...     curves = learning(base=base_net, small=small_net)
        ...     claim.better(curves.base, than=curves.small, by=0.003)
    """

    def measure(
        *, data: Any = None, recipe: Any = recipe, answers: bool = False, halves: bool = False, **arms: Any
    ) -> Any:
        shared = _data(request, workbench, data)
        changed = {name: _resolve(workbench, arm, shared, recipe) for name, arm in arms_of(arms).items()}
        extras = _Extras(answers=answers, halves=halves)
        trainers = {
            name: _seed_trainer(workbench, extras, partial(progress, name), *one) for name, one in changed.items()
        }
        images = {name: training.val_images(data, recipe) for name, (_, data, recipe) in changed.items()}
        block = SeededBlock(trainers, first_seed=first_seed, images=images)
        for name, arm in block.arms.items():
            made = partial(_learned_arm, request, workbench, arm, *changed[name])
            state.add_measured(request.node, made)
        return SimpleNamespace(**block.arms)

    return measure


@pytest.fixture
def computed(request: pytest.FixtureRequest, arms_of: Any, first_seed: int) -> Callable[..., Any]:
    """Compute the values of arms that are neither timed nor trained.

    Each arm is a function that takes a seed (0; a control's is another) and returns numbers, of any shape; the first
    axis is that of the units (filters, pictures). The returned namespace has one entry an arm, for
    `claim.identical(values.batched, values.one_by_one, within=1e-5)` and
    `claim.higher(values.after, than=values.before, by=..., over="filters")`. Pass `data=` to name in the run the
    data set that they are computed from.

    Examples:
        >>> def test_batched_is_one_by_one(computed, claim):
        ...     values = computed(batched=all_at_once, one_by_one=in_a_loop)
        ...     claim.identical(values.batched, values.one_by_one, within=1e-5)
    """

    def measure(*, data: Any = None, **arms: Any) -> Any:
        found, key = {}, {}
        if data is not None:
            _note_data(state.suite_of(request.config), data)
            key = {"data": data.fingerprint}
        for name, compute in arms_of(arms).items():
            values = found[name] = ArmValues(name, np.asarray(compute(first_seed), dtype=np.float64))
            arm = Arm(name=name, test=request.node.nodeid, network=_describe(compute), key=key, values=values.stored)
            state.add_measured(request.node, partial(copy, arm))
        return SimpleNamespace(**found)

    return measure


# -- from the experiment's records to the harness's ---------------------------------------------------------------


def _note_data(suite: Suite, dataset: Any) -> None:
    suite.data[dataset.fingerprint] = DataRecord(
        name=dataset.name,
        kind=dataset.kind,
        provenance=dataset.provenance,
        fingerprint=dataset.fingerprint,
        train_images=len(dataset.x_train),
        val_images=len(dataset.x_val),
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


def _data(request: pytest.FixtureRequest, workbench: Workbench, data: Any) -> Any:
    used = request.getfixturevalue("dataset") if data is None else data
    workbench.note_data(used)
    return used


def _needs_data(arms: dict[str, Any]) -> bool:
    return any(not isinstance(arm, TimedCall) for arm in arms.values())


def _steps_a_round(arms: dict[str, Any], recipe: Any) -> int:
    """All arms take equally many steps a round: those of one whole call where an arm is Keras's `fit`."""
    return max(
        [STEPS_A_ROUND, *(arm.images // recipe.batch_size for arm in arms.values() if isinstance(arm, TimedFit))]
    )


def _workload(workbench: Workbench, arm: Any, data: Any, recipe: Any) -> Any:
    if isinstance(arm, TimedCall):
        return arm
    if isinstance(arm, TimedFit):
        return training.FitTrainer(arm.network, data, recipe, images=arm.images)
    return workbench.trainer(*_resolve(workbench, arm, data, recipe))


def _resolve(workbench: Workbench, arm: Any, data: Any, recipe: Any) -> tuple[Any, Any, Any]:
    """The network, data and recipe of one arm."""
    one = as_trained(arm)
    return one.network, workbench.data_of(one, data), one.recipe(recipe)


@dataclass(frozen=True)
class _Extras:
    """What a curve has beside its losses and accuracies, since a test asked for it."""

    answers: bool
    halves: bool


def _seed_trainer(
    workbench: Workbench, extras: _Extras, tell: Callable[[str], None], network: Any, data: Any, recipe: Any
) -> Callable[[int], SeedCurve]:
    def train(seed: int) -> SeedCurve:
        def on_epoch(number: int, epoch: Any) -> None:
            tell(f"seed {seed}, epoch {number} of {recipe.epochs}, validation accuracy {epoch.val_accuracy:.3f}")

        key = (id(network), data.fingerprint, recipe, seed, extras)
        if key not in workbench.curves:
            start = time.perf_counter()
            # Made where it is used: a trainer compiles anew for deterministic operations.
            with backends.deterministic():
                trainer = workbench.trainer(network, data, recipe)
                run = training.train_with(trainer, seed, halves=extras.halves, on_epoch=on_epoch)
                right = trainer.answers() if extras.answers and run.status == "ok" else ()
            curve = workbench.curves[key] = _curve(run, right)
            trained = sum(epoch.train_seconds for epoch in curve.epochs)
            workbench.suite.spend("evaluating and resetting", time.perf_counter() - start - trained)
        return workbench.curves[key]

    return train


def _curve(run: Any, right: Any) -> SeedCurve:
    rows = [
        EpochRow(
            train_seconds=epoch.train_seconds,
            train_loss=finite(epoch.train_loss),
            train_accuracy=finite(epoch.train_accuracy),
            val_loss=finite(epoch.val_loss),
            val_accuracy=finite(epoch.val_accuracy),
            val_loss_halves=[float(loss) for loss in epoch.val_loss_halves],
        )
        for epoch in run.epochs
    ]
    answers = "".join("1" if hit else "0" for hit in right)
    return SeedCurve(seed=run.seed, epochs=rows, status=run.status, reason=run.reason, answers=answers)


def _timed_arm(
    request: pytest.FixtureRequest, workbench: Workbench, arm: ArmTimes, network: Any, data: Any, recipe: Any
) -> Arm:
    workbench.suite.spend("calibrating", sum(arm.block.calibrator_seconds) / len(arm.block.arms))
    if isinstance(network, TimedCall):
        return Arm(
            name=arm.name,
            test=request.node.nodeid,
            network=_describe(network.work),
            images_per_epoch=network.images_per_step,
            key={"calibrator": workbench.calibrator_name},
            **times_arm(arm),  # type: ignore[arg-type]
        )
    if isinstance(network, TimedFit):
        inner, how = network.network, ", Keras's fit"
    else:
        (inner, data, recipe), how = _resolve(workbench, network, data, recipe), ""
    return Arm(
        name=arm.name,
        test=request.node.nodeid,
        network=_describe(inner) + how,
        key={"data": data.fingerprint, "calibrator": workbench.calibrator_name},
        facts=_facts(arm.workload, recipe),
        images_per_epoch=len(data.x_train),
        **times_arm(arm),  # type: ignore[arg-type]
        **_exact(workbench.footprint(inner, recipe)),
    )


def _learned_arm(
    request: pytest.FixtureRequest, workbench: Workbench, arm: ArmCurves, network: Any, data: Any, recipe: Any
) -> Arm:
    trainer = workbench.trainer(network, data, recipe)
    return Arm(
        name=arm.name,
        test=request.node.nodeid,
        network=_describe(network),
        key={"data": data.fingerprint},
        facts=_facts(trainer, recipe),
        images_per_epoch=recipe.train_images or len(data.x_train),
        val_images=training.val_images(data, recipe),
        **curves_arm(arm),  # type: ignore[arg-type]
        **_exact(workbench.footprint(network, recipe)),
    )


def _facts(trainer: Any, recipe: Any) -> dict[str, Any]:
    return {"recipe": _plain(recipe.settings()), "optimizer": _plain(trainer.optimizer_config)}


def _plain(value: Any) -> Any:
    """Numbers, texts, lists and dicts only, so that what is stored is strict JSON."""
    return json.loads(json.dumps(value, default=str))


def _exact(size: Any) -> dict[str, Any]:
    return {
        "parameters": size.parameters,
        "macs": size.macs,
        "weight_bytes": size.weight_bytes,
        "optimizer_bytes": size.optimizer_bytes,
        "activation_bytes": size.activation_bytes,
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
    return networks_module.describe(as_trained(network).network)
