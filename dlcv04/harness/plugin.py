"""The judge's half of the pytest plugin: options, collection, outcomes, exit codes, report.

Everything a run does with claims happens here; what the arms are is `dlcv04.fixtures`' business. A pytest session
that collects no claim is left alone, and pytest-benchmark keeps its own behaviour in it.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import re
import sys
import textwrap
import time
from collections.abc import Callable, Generator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dlcv04.harness import pytest_benchmark_adapter as adapter
from dlcv04.harness.claims import ClaimError, ClaimInfo, ClaimRecorder
from dlcv04.harness.controls import CONTROL_SEED_OFFSET
from dlcv04.harness.policy import DEFAULTS, PROFILES, RECORDED_SEEDS, Policy
from dlcv04.harness.schema import Arm, Claim, Picture, Run, SelfTest, to_builtins
from dlcv04.harness.suite import EXIT_NOTHING_COMPARABLE, Suite, is_too_good, red_rows
from dlcv04.lazy import LazyModule

environment = LazyModule("dlcv04.harness.environment")
baselines = LazyModule("dlcv04.harness.baselines")
judge = LazyModule("dlcv04.harness.judge")
pictures = LazyModule("dlcv04.harness.pictures")
against = LazyModule("dlcv04.harness.against")
against_session = LazyModule("dlcv04.harness.against_session")
child_sessions = LazyModule("dlcv04.harness.child_sessions")
process_pairs = LazyModule("dlcv04.harness.process_pairs")
round_server = LazyModule("dlcv04.harness.round_server")
selftest = LazyModule("dlcv04.harness.selftest")
github = LazyModule("dlcv04.harness.report.renderers.github")
junit = LazyModule("dlcv04.harness.report.renderers.junit")

SUITE = pytest.StashKey[Suite]()
ASKED = pytest.StashKey["str | bool | None"]()
RUN = pytest.StashKey[Run]()
REPORT = pytest.StashKey[Path]()
BESIDE = pytest.StashKey["Sequence[Run]"]()
#: Why the machine's self-test could not be shown.
UNREAD = pytest.StashKey[str]()
RECORDER = pytest.StashKey[ClaimRecorder]()
MEASURED = pytest.StashKey["list[Callable[[], Arm]]"]()
PICTURES = pytest.StashKey["list[Picture]"]()
CHANGED = pytest.StashKey[bool]()
VERDICT = pytest.StashKey[str]()
SERVER = pytest.StashKey[Any]()
PLACES = pytest.StashKey["dict[str, tuple[str, int | None]]"]()
TIMING_TESTS = pytest.StashKey[int]()
#: The name under which a worker of pytest-xdist tells why it refused its tests.
REFUSED = "dlcv04_refused"

#: What a claim costs where no stored run says better; only the first line's estimate uses it.
SECONDS_A_CLAIM, SECONDS_TO_START = 8.0, 10.0
#: The same of a claim about learning, by profile.
LEARNING_SECONDS = {"smoke": 8.0, "standard": 120.0, "paper": 3600.0}
#: The same of a process pair: to start it, and for each of its tests.
PAIR_SECONDS, TEST_SECONDS = 10.0, 6.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `pytest bench/`, all prefixed `--dl-`."""
    group = parser.getgroup("dlcv04", "judging claims about learning (dlcv04)")
    group.addoption(
        "--dl-profile", choices=PROFILES, default=DEFAULTS["profile"], help="sizes of the run (default: smoke)"
    )
    group.addoption(
        "--dl-device",
        choices=("auto", "cpu", "gpu"),
        default=DEFAULTS["device"],
        help="where to run; gpu without a GPU is an error, never a skip (default: auto)",
    )
    group.addoption(
        "--dl-data",
        choices=("auto", "real", "embedded"),
        default=DEFAULTS["data"],
        help="data: real where it is found, else the embedded stand-in; real makes its absence an error",
    )
    group.addoption("--dl-seeds", type=_positive, metavar="N", help="cap on the seeds of a learning claim")
    group.addoption(
        "--dl-controls",
        action="store_true",
        help="also run every claim's control: an intervention on which the claim must not hold",
    )
    group.addoption("--dl-report-dir", default="reports", metavar="DIR", help="folder of the HTML reports")
    group.addoption("--dl-strict", action="store_true", help="an INCONCLUSIVE verdict fails the run")
    group.addoption(
        "--dl-against",
        metavar="REV",
        help="gate times against a commit: its checkout and the working tree in alternating fresh processes",
    )
    group.addoption("--dl-round-server", type=int, help=argparse.SUPPRESS)
    group.addoption("--dl-part", choices=("timing", "learning"), help=argparse.SUPPRESS)
    group.addoption(
        "--dl-record",
        choices=("timing", "learning"),
        help="used by `dlcv04 baseline`: measure one part at fixed n, with no early stop",
    )


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise ValueError(f"{text!r} is not a number of seeds: give a whole number from 2 up")
    return int(text)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take `--benchmark-compare` over before pytest-benchmark reads it; refuse what can't be right at once."""
    config.addinivalue_line("markers", "claim(info): a test that judges a claim; set by dlcv04.claim")
    asked = adapter.take_comparison_over(config)
    config.stash[ASKED] = asked
    if isinstance(asked, str) and (asked.endswith(".py") or "::" in asked or Path(asked).is_dir()):
        raise pytest.UsageError(
            f"--benchmark-compare took {asked!r} as the run to compare with. Put the path first: "
            f"pytest {asked} --benchmark-compare"
        )
    if config.getoption("dl_device") == "gpu" and not environment.gpu_present():
        raise pytest.UsageError(
            "--dl-device gpu: no GPU was found on this machine (nvidia-smi lists none). Run on a GPU machine, or "
            "use --dl-device cpu."
        )


def suite_of(config: pytest.Config) -> Suite:
    """The running suite; fixtures put their measurements there."""
    return config.stash[SUITE]


def serving(config: pytest.Config) -> Any:
    """The `RoundServer` where this process is one of a pair, else None."""
    return config.stash.get(SERVER, None)


# -- fixtures ----------------------------------------------------------------------------------------------


@pytest.fixture
def claim_mode(request: pytest.FixtureRequest) -> str:
    """Whether this item runs the "real" claim or its "control"."""
    mode: str = getattr(request, "param", "real")
    return mode


@pytest.fixture
def claim(request: pytest.FixtureRequest, claim_mode: str, benchmark: Any) -> ClaimRecorder:
    """Judge what a claim test asserts.

    `claim.slower(a, than=b, by=1.10)` times, `claim.better(a, than=b, by=0.003)` learning,
    `claim.exactly(value, expected, of="base")`, `claim.fewer(...)`, `claim.times_as_many(...)` exact figures.
    The test's verdict is decided after its last line: VIOLATED fails it.

    Examples:
        >>> def test_wide_is_slower_and_better(epoch_time, learning, claim):
        ...     times = epoch_time(base=base_net, wide=wide_net)
        ...     claim.slower(times.wide, than=times.base, by=1.10)
        ...     curves = learning(base=base_net, wide=wide_net)
        ...     claim.better(curves.wide, than=curves.base, by=0.003)
    """
    adapter.adopt(benchmark)
    suite, info = suite_of(request.config), _info(request.node)
    item = request.node
    if (server := serving(request.config)) is not None:
        return round_server.ServingRecorder(info=info, policy=suite.policy, server=server, test=item.nodeid)
    if claim_mode == "control":
        recorder = suite.control_recorder(_real_id(item.nodeid), info)
    else:
        recorder = suite.recorder(item.nodeid, info)
    item.stash[RECORDER] = recorder
    return recorder


@pytest.fixture
def picture(request: pytest.FixtureRequest, claim_mode: str) -> Callable[..., None]:
    """Show a picture beside the claim, in the saved run and its report.

    `picture(name, content, caption="", published="")`: `name` says in words what it shows, `content` is a uint8 array
    (height, width) or (height, width, 3) or the bytes of a PNG, `caption` says what to see in it and `published` what
    the published picture showed. A picture may have 300,000 bytes as a PNG, those of a run 3,000,000; more colours than
    fit are reduced to 256. Controls show none.

    Examples:
        >>> def test_filters_answer(computed, picture, claim):
        ...     values = computed(after=answers, before=at_the_start)
        ...     picture("filters of conv1", grid, caption="Edges and colours.", published="Edges and colours too.")
        ...     claim.higher(values.after, than=values.before, by=1.0, over="filters")
    """
    shown: list[Picture] = request.node.stash.setdefault(PICTURES, [])

    def show(name: str, content: Any, *, caption: str = "", published: str = "") -> None:
        made = pictures.make(name, content, caption=caption, published=published)
        others = [one for claim in suite_of(request.config).claims for one in claim.pictures]
        pictures.check_total([*others, *shown], made)
        if claim_mode == "real":
            shown.append(made)

    return show


@pytest.fixture
def arms_of(request: pytest.FixtureRequest, claim_mode: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the arms to measure: those asked for, or what the test's control makes of them."""

    def arms(asked: dict[str, Any]) -> dict[str, Any]:
        if claim_mode == "real":
            return dict(asked)
        request.node.stash[CHANGED] = True
        return _info(request.node).control.apply(asked)

    return arms


@pytest.fixture
def first_seed(claim_mode: str) -> int:
    """Seeds start here: a control draws other seeds, since equal seeds give bit-equal curves and test nothing."""
    return CONTROL_SEED_OFFSET if claim_mode == "control" else 0


def measured_arms(item: pytest.Item) -> list[Callable[[], Arm]]:
    """Where fixtures leave a function a measured arm, called once the test has ended."""
    return item.stash.setdefault(MEASURED, [])


# -- collection --------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--dl-controls` every claim test is followed by its control, `test_x[control]`."""
    if "claim_mode" in metafunc.fixturenames and metafunc.config.getoption("dl_controls"):
        modes = [pytest.param("real", id=pytest.HIDDEN_PARAM), pytest.param("control", id="control")]
        metafunc.parametrize("claim_mode", modes, indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[Any]) -> None:
    """Find the claims; refuse what would judge nothing; add an item for every stored test that is gone."""
    claims = [item for item in items if _is_claim(item)]
    if not claims:
        adapter.give_comparison_back(config, config.stash[ASKED])
        return
    try:
        _refuse(config, claims)
    except pytest.UsageError as error:
        if (worker := getattr(config, "workeroutput", None)) is None:
            raise
        # On a worker of pytest-xdist an error here reads as a crash: the controller says the sentence instead.
        worker[REFUSED] = str(error)
        items.clear()
        return
    _drop_unused_hypothesis(config)
    adapter.keep_raw_samples(config)
    suite = config.stash[SUITE] = _make_suite(config, claims)
    _drop_idle_controls(config, suite, items)
    claims = [item for item in claims if item in items]
    config.stash[PLACES] = {item.nodeid: item.location[:2] for item in claims}
    if config.getoption("dl_round_server") is not None:
        items[:] = _served_items(config, claims)
        return
    if config.getoption("dl_against") is not None:
        _check_against(config, suite)
    if (part := config.getoption("dl_record") or config.getoption("dl_part")) is not None:
        kept = [item for item in claims if _belongs_to(item, part, recorded=config.getoption("dl_record") is not None)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
    if suite.compare:
        _load_baselines(config, suite)
        items.extend(_missing_items(session, config, suite, items))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Put every control right behind its claim, whose n it takes, whoever has shuffled or sorted the tests."""
    if SUITE not in session.config.stash:
        return
    followers: dict[str, list[pytest.Item]] = {item.nodeid: [] for item in session.items if not _is_control(item)}
    order: list[pytest.Item] = []
    for item in session.items:
        followers.get(_real_id(item.nodeid) if _is_control(item) else "", order).append(item)
    session.items[:] = [each for item in order for each in (item, *followers.pop(item.nodeid, ()))]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """pytest-xdist's controller: end the session with the sentence by which a worker refused it."""
    if sentence := getattr(node, "workeroutput", {}).get(REFUSED):
        raise pytest.UsageError(sentence)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Count the timing tests before `-k` takes some away: all of them share the budget of `--dl-against`."""
    if _is_timing(item):
        item.config.stash[TIMING_TESTS] = item.config.stash.get(TIMING_TESTS, 0) + 1


def _is_timing(item: Any) -> bool:
    return _is_claim(item) and "epoch_time" in item.fixturenames and not _is_control(item)


def _drop_idle_controls(config: pytest.Config, suite: Suite, items: list[Any]) -> None:
    """The control of a claim that this profile does not judge has no verdict to break."""
    idle = [item for item in items if _is_control(item) and not suite.policy.judges(_info(item).judged_from)]
    if idle:
        config.hook.pytest_deselected(items=idle)
        items[:] = [item for item in items if item not in idle]


def _served_items(config: pytest.Config, claims: list[Any]) -> list[Any]:
    """The tests that this worker of a process pair is told to time, in the order it is told."""
    server = config.stash[SERVER] = round_server.RoundServer(config.getoption("dl_round_server"))
    known = {item.nodeid: item for item in claims if _is_timing(item)}
    return [known[test] for test in server.choose(list(known))]


def _check_against(config: pytest.Config, suite: Suite) -> None:
    """Refuse before anything runs what would end the process pairs."""
    try:
        against.resolve(config.rootpath, config.getoption("dl_against"))
        against.known_spread(config.rootpath / "baselines", suite.machine_class, suite.key)
    except (against.RevisionError, selftest.SelfTestError) as error:
        raise pytest.UsageError(str(error)) from error


def _drop_unused_hypothesis(config: pytest.Config) -> None:
    """Hypothesis's plugin imports all of Hypothesis (a second) at the end of every run, even one that never used it."""
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)


def _belongs_to(item: Any, part: str, *, recorded: bool) -> bool:
    """Whether a claim is of the timing or of the learning part; exact figures are recorded with learning."""
    timed, learned = ("epoch_time" in item.fixturenames, "learning" in item.fixturenames)
    if part == "timing":
        return timed
    return learned or (recorded and not timed)


def _is_claim(item: Any) -> bool:
    return item.get_closest_marker("claim") is not None or "claim" in getattr(item, "fixturenames", ())


def _refuse(config: pytest.Config, claims: list[Any]) -> None:
    for item in claims:
        if item.get_closest_marker("claim") is None:
            raise pytest.UsageError(
                f"{item.nodeid} uses the fixture `claim` and is no claim yet: decorate it with "
                '@dlcv04.claim("<sentence>", control=...), so that it can be shown able to fail.'
            )
        if "claim" not in item.fixturenames:
            raise pytest.UsageError(f"{item.nodeid} is decorated with @claim and asserts nothing: take `claim`.")
    if adapter.is_disabled(config):
        raise pytest.UsageError(
            "Benchmarks are disabled (--benchmark-disable, or pytest-xdist's -n), so nothing could be judged. "
            "Drop the option; where an ini file gives it, set PYTEST_ADDOPTS=-n0: claims run in one process."
        )
    if adapter.has_compare_fail(config):
        raise pytest.UsageError(
            "--benchmark-compare-fail is replaced: --benchmark-compare alone fails every figure that regressed, "
            "with a stated false-alarm rate instead of a fixed percentage. Drop the option."
        )
    if reruns := _reruns(config, claims):
        raise pytest.UsageError(
            f"{reruns} would run a red claim again until it is green, and then no error rate holds. Drop it, or "
            "deselect the claims."
        )
    if config.getoption("benchmark_skip"):
        raise pytest.UsageError("--benchmark-skip would skip every claim, so nothing could be judged. Drop it.")


def _reruns(config: pytest.Config, claims: list[Any]) -> str:
    """What asks pytest-rerunfailures (or `flaky`) to run claims again, or ""."""
    asked = config.getoption("reruns", None)
    if config.getoption("force_reruns", None) or asked:
        return "--reruns" if asked else "--force-reruns"
    if asked is None and config.pluginmanager.hasplugin("rerunfailures") and int(config.getini("reruns") or 0):
        return "`reruns` in the ini file"
    marked = next((item.nodeid for item in claims if item.get_closest_marker("flaky")), "")
    return f"The marker `flaky` of {marked}" if marked else ""


def _make_suite(config: pytest.Config, claims: list[Any]) -> Suite:
    asked = config.getoption("dl_device")
    device, hardware = environment.chosen_device(asked), environment.hardware()
    suite = Suite(
        policy=Policy(
            profile=config.getoption("dl_profile"),
            strict=config.getoption("dl_strict"),
            compare=config.stash[ASKED] is not None,
            against=config.getoption("dl_against") is not None,
            record=config.getoption("dl_record") is not None,
            recorded_seeds=max(RECORDED_SEEDS, config.getoption("dl_seeds") or 0),
        ),
        machine_class=environment.machine_class(device, hardware),
        hardware=hardware,
        commit=environment.commit(config.rootpath),
        compare=config.stash[ASKED] is not None,
        controls=config.getoption("dl_controls"),
        max_seeds=config.getoption("dl_seeds"),
        problems=list(filter(None, [environment.unused_gpu(asked)])),
        settings={"plugins": ", ".join(_plugins(config)) or "none"},
    )
    config.hook.pytest_dlcv04_plan(config=config, suite=suite, device=device, claims=claims)
    return suite


def _plugins(config: pytest.Config) -> list[str]:
    """Those of `-p`: both sides of a process pair have them, so a difference of theirs would not show there."""
    return sorted({name for name in config.option.plugins or [] if not name.startswith("no:")})


def _load_baselines(config: pytest.Config, suite: Suite) -> None:
    asked = config.stash[ASKED]
    store = baselines.Store(config.rootpath / "baselines", saved=config.rootpath / ".benchmarks")
    try:
        loaded = store.load([asked] if isinstance(asked, str) else [], machine_class=suite.machine_class)
    except baselines.BaselineError as error:
        raise pytest.UsageError(str(error)) from error
    suite.stored = loaded.as_stored(lambda path: _short(path, config))
    suite.problems += loaded.problems
    # A recording process is never timed again: where an ini file asks for the comparison, it would be without end.
    if not suite.policy.record:
        suite.pair_again = lambda test, found, gated: against_session.recheck(config, suite, test, found, gated)
        suite.time_again = lambda test: child_sessions.time_again(config, suite, test)


def _short(path: Path, config: pytest.Config) -> str:
    return str(path.relative_to(config.rootpath)) if path.is_relative_to(config.rootpath) else str(path)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the one hook by which the experiment's half describes a run before it starts."""
    from dlcv04.harness import hookspec

    pluginmanager.add_hookspecs(hookspec)


class MissingItem(pytest.Item):
    """A stored test that a run of the whole suite did not collect: fails like any other test."""

    def __init__(self, *, row: Any, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.row = row

    def runtest(self) -> None:
        """Fail with the sentence that says what is gone."""
        suite_of(self.config).missing.append(self.row)
        self.stash[VERDICT] = "MISSING"
        pytest.fail(f"MISSING: {self.row.reason}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the report says this comes from."""
        return self.path, None, self.name


def _missing_items(session: pytest.Session, config: pytest.Config, suite: Suite, items: list[Any]) -> list[Any]:
    if _filtered(config) or config.option.dl_record or config.option.dl_part:
        return []
    folders = [Path(argument).resolve() for argument in config.args if Path(argument).is_dir()]

    def asked(test: str) -> bool:
        file = (config.rootpath / test.split("::")[0]).resolve()
        return any(file.is_relative_to(folder) for folder in folders)

    gone = judge.missing_tests((item.nodeid for item in items), asked, suite.stored, suite.key)
    return [
        MissingItem.from_parent(session, name=test, nodeid=test, row=judge.missing_comparison(test, path))
        for test, path in gone.items()
    ]


def _filtered(config: pytest.Config) -> bool:
    option = config.option
    names = ("keyword", "markexpr", "deselect", "lf", "ignore", "ignore_glob", "failedfirst")
    return any(getattr(option, name, None) for name in names)


def _whole_suite(config: pytest.Config) -> bool:
    return not _filtered(config) and all(Path(argument).is_dir() for argument in config.args)


def pytest_report_collectionfinish(config: pytest.Config, items: list[Any]) -> list[str]:
    """The first line of a run: how many claims, which profile, data, device, about how long."""
    suite = config.stash.get(SUITE, None)
    if suite is None:
        return []
    claims = [item for item in items if _is_claim(item)]
    controls = sum(_is_control(item) for item in claims)
    plan = suite.plan()
    cores = suite.hardware.get("cores", "")
    device = f"{plan.device.upper()} ({suite.hardware.get('cpu', '')}, {cores} cores)"
    if plan.device == "gpu":
        device = f"GPU ({suite.hardware.get('gpu', '')})"
    seconds = SECONDS_TO_START + sum(_expected_seconds(suite, item) for item in claims)
    counted = _count(len(claims) - controls, "claim") + (f" and {_count(controls, 'control')}" if controls else "")
    lines = [
        f"dlcv04: {counted}, profile {suite.policy.profile}, data: {plan.data}, on the {device}, about {seconds:.0f} s"
    ]
    if suite.compare:
        count = len(suite.stored.timing), len(suite.stored.portable)
        lines.append(f"dlcv04: comparing with {count[0]} stored timing and {count[1]} portable runs")
    if (rev := config.getoption("dl_against")) is not None:
        timing = sum(_is_timing(item) for item in items)
        a_pair = PAIR_SECONDS + TEST_SECONDS * timing
        first, last = against.LOOKS[0], against.LOOKS[-1]
        lines.append(
            f"dlcv04: against {rev}: {_count(timing, 'timing test')} in {first} to {last} process pairs, about "
            f"{first * a_pair:.0f} to {last * a_pair:.0f} s before the claims"
        )
    return lines + [f"dlcv04: {problem}" for problem in suite.problems]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _expected_seconds(suite: Suite, item: Any) -> float:
    test, profile = _real_id(item.nodeid), suite.policy.profile
    runs = [run for _, run in suite.stored.everything if run.profile == profile]
    usual = LEARNING_SECONDS[profile] if "learning" in item.fixturenames else SECONDS_A_CLAIM
    return max((claim.seconds for run in runs for claim in run.claims if claim.test == test), default=usual)


def _is_control(item: Any) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("claim_mode") == "control"


def _real_id(nodeid: str) -> str:
    """The node id of the real claim that a control belongs to; a real claim's own id is returned as it is."""
    return re.sub(r"\[(.*?)-?\bcontrol\]$", lambda m: f"[{m[1]}]" if m[1] else "", nodeid)


def _info(item: Any) -> ClaimInfo:
    info: ClaimInfo = item.get_closest_marker("claim").args[0]
    if info.task:
        return info
    title = Path(item.path).stem.removeprefix("test_").replace("_", " ")
    return ClaimInfo(**{**vars(info), "task": re.sub(r"^task(\d)", r"Task \1:", title)})


# -- process pairs -----------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """With `--dl-against`, run the process pairs before the suite itself."""
    config = session.config
    suite = config.stash.get(SUITE, None)
    if suite is not None and config.getoption("dl_against") is not None and not config.option.collectonly:
        try:
            suite.against = against_session.measure(
                config,
                suite,
                [item.nodeid for item in session.items if _is_timing(item)],
                of=config.stash.get(TIMING_TESTS, 0),
            )
        except (process_pairs.PairError, against.RevisionError) as error:
            pytest.exit(str(error), returncode=int(pytest.ExitCode.INTERNAL_ERROR))
    return (yield)


# -- outcomes ----------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge a claim test when its body has ended, still inside its own call phase."""
    start = time.perf_counter()
    recorder = item.stash.get(RECORDER, None)  # none in a worker of a process pair: it judges nothing
    try:
        result = yield
    except ClaimError as error:
        suite_of(item.config).failures.append(f"{item.nodeid}: {error}")
        # Without its cause, which would be the same sentence again.
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    except Exception as error:
        if recorder is not None:
            suite_of(item.config).failures.append(f"{item.nodeid}: {type(error).__name__}: {error}")
        raise
    if recorder is not None:
        seconds = time.perf_counter() - start
        arms = [make() for make in item.stash.get(MEASURED, [])]
        if _is_control(item):
            _end_control(item, recorder, arms, seconds)
        else:
            _end_claim(item, recorder, arms, seconds)
    return result


def _end_claim(item: Any, recorder: ClaimRecorder, arms: list[Arm], seconds: float) -> None:
    suite = suite_of(item.config)
    for arm in arms:
        if arm.round_seconds:
            extra = {"images_per_round": arm.images_per_round, "images_per_epoch": arm.images_per_epoch}
            adapter.add_row(item.config, item, arm.name, arm.round_seconds, extra, group=item.nodeid)
    claim = suite.finish_claim(
        item.nodeid,
        recorder,
        arms,
        pictures=item.stash.get(PICTURES, []),
        seconds=seconds,
        source_hash=source_hash(item.function),
        command=child_sessions.command_for(item.config, item.nodeid),
    )
    item.user_properties += junit.properties(claim)
    _raise_outcome(item, claim, suite)


def _raise_outcome(item: Any, claim: Claim, suite: Suite) -> None:
    red = [f"{row.verdict}: {row.arm or row.test}: {_row_text(row)}" for row in red_rows(claim)]
    if claim.judged and claim.verdict == "VIOLATED":
        red.insert(0, f"VIOLATED: {claim.sentence}: {claim.reason}")
    if red:
        item.stash[VERDICT] = "VIOLATED" if claim.verdict == "VIOLATED" else red_rows(claim)[0].verdict
        pytest.fail("\n".join(red), pytrace=False)
    open_rows = [row for row in claim.comparisons if row.verdict == "INCONCLUSIVE"]
    if not claim.judged:
        item.stash[VERDICT] = "NOT JUDGED"
        pytest.skip(f"figures only: judged from profile {claim.judged_from} ({claim.sentence})")
    if claim.verdict == "INCONCLUSIVE" or open_rows:
        rows = "; ".join(f"{row.arm}: {_row_text(row)}" for row in open_rows)
        text = f"INCONCLUSIVE: {claim.sentence}: {'; '.join(filter(None, (claim.reason, rows)))}"
        item.stash[VERDICT] = "INCONCLUSIVE"
        if suite.policy.strict:
            pytest.fail(f"{text} (--dl-strict)", pytrace=False)
        pytest.skip(text)
    if too_good := [row for row in claim.comparisons if is_too_good(row)]:
        text = f"TOO GOOD: {claim.sentence}: {'; '.join(f'{row.arm}: {_row_text(row)}' for row in too_good)}"
        item.stash[VERDICT] = "TOO GOOD"
        if suite.policy.strict:
            pytest.fail(f"{text} (--dl-strict)", pytrace=False)
        pytest.skip(text)
    new = [row for row in claim.comparisons if row.verdict in {"NO_BASELINE", "INCOMPARABLE"}]
    item.stash[VERDICT] = "NO_BASELINE" if claim.comparisons and len(new) == len(claim.comparisons) else "HOLDS"


def _row_text(row: Any) -> str:
    figures = ""
    if row.effect is not None and row.unit == "ratio":
        interval = f"{row.effect:.3f} [{row.low:.3f}, {row.high:.3f}]"
        figures = f"{row.new:.3g} now, {row.old:.3g} stored, ratio {interval}"
    elif row.effect is not None and row.unit == "points":
        figures = f"{_maybe(row.new)} now, {_maybe(row.old)} stored"
    text = "; ".join(filter(None, (figures, row.reason)))
    changes = [change for change in row.differences if change not in row.reason]
    return f"{row.metric}: {text}" + (f" (differs from the baseline: {'; '.join(changes)})" if changes else "")


def _maybe(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _end_control(item: Any, recorder: ClaimRecorder, arms: list[Arm], seconds: float) -> None:
    suite = suite_of(item.config)
    if not item.stash.get(CHANGED, False):
        recorder.assertions.clear()
    claim = suite.finish_control(item.nodeid, _real_id(item.nodeid), recorder, arms, seconds=seconds)
    item.user_properties += junit.properties(claim)
    item.stash[VERDICT] = claim.control_verdict
    told = f"{claim.sentence}: control ({claim.control}): {claim.reason}"
    if claim.control_verdict in {"SURVIVED", "NOT RUN"}:
        suite.failures.append(f"control {claim.control_verdict}: {told}")
        pytest.fail(f"CONTROL {claim.control_verdict}: {told}", pytrace=False)
    if claim.control_verdict == "CONTROL_WEAK":
        if suite.policy.strict and not claim.lacking:  # its claim is INCONCLUSIVE, which says it once
            pytest.fail(f"CONTROL_WEAK: {told} (--dl-strict)", pytrace=False)
        pytest.skip(f"CONTROL_WEAK: {told}")


def source_hash(function: Any) -> str:
    """Hash of a test's syntax tree without docstring and decorators: comments and layout change nothing."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition: Any = tree.body[0]
    definition.decorator_list = []
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:]
    return sha256(ast.unparse(definition).encode()).hexdigest()[:16]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Carry the verdict over to the report, where the terminal finds its letter; note failures outside a claim."""
    made = yield
    if made.when == "call" and VERDICT in item.stash:
        made.dl_verdict = item.stash[VERDICT]  # type: ignore[attr-defined]
    elif made.failed and SUITE in item.config.stash and RECORDER not in item.stash:
        suite_of(item.config).failures.append(f"{item.nodeid}: {made.when} failed")
    return made


LETTERS = {
    "INCONCLUSIVE": ("inconclusive", "I", "yellow"),
    "NOT JUDGED": ("figures only", "f", "yellow"),
    "NO_BASELINE": ("no baseline", "N", "yellow"),
    "TOO GOOD": ("too good", "G", "yellow"),
    "CONTROL_WEAK": ("weak control", "W", "yellow"),
}


def pytest_report_teststatus(report: Any) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """INCONCLUSIVE and its kin have their own letter and colour: never green, never just "skipped"."""
    verdict = getattr(report, "dl_verdict", None)
    if report.when != "call" or report.failed or verdict not in LETTERS:
        return None
    category, letter, colour = LETTERS[verdict]
    return category, letter, (verdict, {colour: True})


# -- the end of a run --------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Decide the exit code, write the report, and let pytest-benchmark save the run."""
    config, suite = session.config, session.config.stash.get(SUITE, None)
    if serving(config) is not None and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK  # a worker that was told to time nothing
    if suite is None or config.option.collectonly or serving(config) is not None:
        return (yield)
    if session.exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR) and not suite.claims:
        # Ctrl-C, a file that can't be collected, no such device: the last report says more than an empty one.
        return (yield)
    if session.exitstatus == pytest.ExitCode.OK and suite.nothing_comparable():
        session.exitstatus = EXIT_NOTHING_COMPARABLE
    run = suite.run(
        exit_status=int(session.exitstatus),
        command="pytest " + " ".join(config.invocation_params.args),
        suite=" ".join(config.args),
        whole_suite=_whole_suite(config),
    )
    config.stash[RUN] = run
    adapter.save_without_rows(config)
    from dlcv04.harness import report

    folder = config.rootpath / config.getoption("dl_report_dir")
    try:
        config.stash[BESIDE] = _beside(config, suite)
        config.stash[REPORT] = report.write(run, config.stash[BESIDE], folder, _self_test(config, suite))
    finally:
        # pytest-benchmark saves the run in here: a report that can't be written must not lose it.
        result = yield
    return result


def _beside(config: pytest.Config, suite: Suite) -> Sequence[Run]:
    """The stored runs that reports show beside this one: those it was held against, else all of this machine class.

    Without `--benchmark-compare` they are its history and judge nothing, so one that can't be read is passed over.
    """
    if suite.compare:
        return [run for _, run in suite.stored.everything]
    if suite.policy.record:
        return []
    loaded = baselines.Store(config.rootpath / "baselines").load(machine_class=suite.machine_class)
    return [stored.run for stored in (*loaded.timing, *loaded.portable)]


def _self_test(config: pytest.Config, suite: Suite) -> SelfTest | None:
    """The newest self-test of this machine class, for the report; one that can't be read is said and left out."""
    try:
        return selftest.latest(config.rootpath / "baselines", suite.machine_class, suite.key)
    except selftest.SelfTestError as error:
        config.stash[UNREAD] = str(error)
        return None


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Put the run into the file that pytest-benchmark writes."""
    if RUN in config.stash:
        output_json["dlcv04"] = to_builtins(config.stash[RUN])


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A line a claim, the controls' count, and where the report is."""
    run = config.stash.get(RUN, None)
    if run is None:
        return
    from dlcv04.harness.report.renderers import terminal

    terminalreporter.section("claims", sep="=")
    for line in terminal.lines(run):
        terminalreporter.write_line(line)
    if run.exit_status == EXIT_NOTHING_COMPARABLE:
        terminalreporter.write_line(
            f"Nothing stored is comparable with this run (machine class {run.environment.machine_class}): store a "
            "baseline with `dlcv04 baseline`. Exit code 7.",
            yellow=True,
        )
    if UNREAD in config.stash:
        terminalreporter.write_line(config.stash[UNREAD], yellow=True)
    for line in _github_lines(run, config):
        terminalreporter.write_line(line)
    if REPORT in config.stash:
        terminalreporter.write_line(f"report: {config.stash[REPORT]}")


def _github_lines(run: Run, config: pytest.Config) -> list[str]:
    """In a GitHub job: annotations, and a sentence where its summary could not be written."""
    lines = []
    if os.environ.get("GITHUB_ACTIONS") == "true":
        root = Path(os.environ.get("GITHUB_WORKSPACE") or config.rootpath)
        lines += github.commands(run, {test: _place(config, root, *at) for test, at in config.stash[PLACES].items()})
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        lines += filter(None, [github.append_summary(Path(summary), run, config.stash.get(BESIDE, []))])
    return lines


def _place(config: pytest.Config, root: Path, file: str, line: int | None) -> Any:
    """Where a test stands, seen from the repository's root; pytest counts its lines from 0."""
    path = config.rootpath / file
    return github.Place(str(path.relative_to(root)) if path.is_relative_to(root) else file, (line or 0) + 1)
