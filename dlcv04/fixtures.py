"""The experiment's half of the pytest plugin: fixtures that measure networks for claims.

Override the fixtures `dataset` and `recipe` in your own `conftest.py` to run the same fixtures on your own experiment.
pytest imports this module in every run of every suite, so that nothing heavy is imported before a claim asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dlcv04.harness.session import state
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04 import backends, datasets, missing, own_work, recipes
    from dlcv04 import workbench as benching
    from dlcv04.harness.policy import Device
    from dlcv04.harness.session import children
    from dlcv04.harness.session.suite import Suite
    from dlcv04.workbench import Workbench
else:
    backends = LazyModule("dlcv04.backends")
    benching = LazyModule("dlcv04.workbench")
    children = LazyModule("dlcv04.harness.session.children")
    datasets = LazyModule("dlcv04.datasets")
    missing = LazyModule("dlcv04.missing")
    own_work = LazyModule("dlcv04.own_work")
    recipes = LazyModule("dlcv04.recipes")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a session that has switched the other half of this plugin off: none of the fixtures could measure."""
    if not state.has_begun(config):
        raise pytest.UsageError(
            "Half of dlcv04 is switched off (-p no:dlcv04_harness): for a session without it, add -p no:dlcv04."
        )


@pytest.hookimpl(optionalhook=True)
def pytest_dlcv04_plan(config: pytest.Config, suite: Suite, device: Device, claims: list[Any]) -> bool:
    """Say what will run before any framework is imported, or that there is none; to list claims needs none.

    Where a claim brings training or work of its own, a framework that is missing is told by the claims that need it.
    """
    ours = [item for item in claims if "workbench" in getattr(item, "fixturenames", ()) and _is_ours(item)]
    lack = missing.untrained() if ours and not config.option.collectonly else ""
    if lack and not any(own_work.brings(item) for item in ours):
        raise pytest.UsageError(lack)
    benching.set_plan(config, suite, device, claims, trains=not lack)
    return True


def _is_ours(item: Any) -> bool:
    """Whether a test gets the fixture `workbench` of this module, which starts the framework."""
    definitions = item.session._fixturemanager.getfixturedefs("workbench", item)
    return bool(definitions) and definitions[-1].func.__module__ == __name__


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """A conftest of claims that can't import its framework is told in one sentence."""
    try:
        return (yield)
    except Exception as error:
        path = getattr(error, "path", None)  # ConftestImportFailure has one, and no public name
        if path and _tells(path, error) and (sentence := missing.sentence(error)):
            raise pytest.UsageError(f"{path.name}: {sentence}") from error
        raise


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module of claims that can't import its framework is told in one sentence."""
    made = yield
    error = made.call.excinfo.value if made.failed and made.call.excinfo else None
    path = getattr(error, "path", None) or collector.path
    if error is not None and _tells(path, error) and (sentence := missing.sentence(error)):
        raise pytest.UsageError(f"{path.name}: {sentence}") from error
    return made


def _tells(file: Path, error: BaseException) -> bool:
    """Whether a file, or one that it was importing, speaks of this package: other suites' failures are pytest's."""
    theirs = {file, *missing.imported_by(error)}
    return any(each.is_file() and "dlcv04" in each.read_text(errors="replace") for each in theirs)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start the processes that train once nothing is timed any more, while this one has other work."""
    if state.of(item.config).suite is not None:
        benching.start_pool_when_near(item)


@pytest.fixture(scope="session")
def workbench(request: pytest.FixtureRequest) -> Workbench:
    """Start the framework on the asked device and tell the harness what it is."""
    try:
        return benching.start(request.config, state.suite_of(request.config), missing.untrained())
    except (backends.DeviceError, backends.BackendError) as error:
        pytest.exit(str(error), returncode=int(pytest.ExitCode.USAGE_ERROR))
    except (ImportError, ValueError) as error:
        if sentence := missing.sentence(error):
            pytest.exit(sentence, returncode=int(pytest.ExitCode.USAGE_ERROR))
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a claim on an error of this package with its sentence alone: where it was raised says nothing more."""
    try:
        return (yield)
    except Exception as error:
        if state.of_test(item).recorder is not None and type(error).__module__.partition(".")[0] == __package__:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        raise


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
    """The recipe whose step is timed: the paper's batch of 128 whatever the profile, so that times stay those of 2016.

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
        return benching.measure_footprints(request, workbench, arms_of(arms), timing_recipe)

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
        return benching.measure_times(request, workbench, arms_of(arms), data, recipe or timing_recipe, rounds)

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
        extras = benching.Extras(answers=answers, halves=halves)
        return benching.measure_learning(
            request, workbench, arms_of(arms), data, recipe, extras, first_seed=first_seed, progress=progress
        )

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
        return benching.measure_values(request, arms_of(arms), data, first_seed)

    return measure
