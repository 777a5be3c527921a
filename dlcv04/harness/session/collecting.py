"""Collection: which tests are claims, what is refused, and which stored tests are gone."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dlcv04 import plaintext
from dlcv04.harness.policy import RECORDED_SEEDS, Policy
from dlcv04.harness.session import benchmark_adapter, items, places, selection, state
from dlcv04.harness.session.options import asks_to_compare
from dlcv04.harness.session.suite import Suite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness.claims import controls
    from dlcv04.harness.claims.claim import ClaimInfo
    from dlcv04.harness.judging import comparisons, outcome, pair_gate
    from dlcv04.harness.machine import facts, git
    from dlcv04.harness.measuring import process_pairs, round_server, sides
    from dlcv04.harness.session import against
    from dlcv04.harness.store import files, selftests
    from dlcv04.harness.store.schema import Against, Commit, Comparison
else:
    against = LazyModule("dlcv04.harness.session.against")
    controls = LazyModule("dlcv04.harness.claims.controls")
    comparisons = LazyModule("dlcv04.harness.judging.comparisons")
    outcome = LazyModule("dlcv04.harness.judging.outcome")
    pair_gate = LazyModule("dlcv04.harness.judging.pair_gate")
    facts = LazyModule("dlcv04.harness.machine.facts")
    git = LazyModule("dlcv04.harness.machine.git")
    process_pairs = LazyModule("dlcv04.harness.measuring.process_pairs")
    round_server = LazyModule("dlcv04.harness.measuring.round_server")
    sides = LazyModule("dlcv04.harness.measuring.sides")
    files = LazyModule("dlcv04.harness.store.files")
    selftests = LazyModule("dlcv04.harness.store.selftests")

#: The name under which a worker of pytest-xdist tells why it refused its tests.
REFUSED = "dlcv04_refused"


def collected(config: pytest.Config, tests: list[Any]) -> None:
    """Take up the claims: refuse what would judge nothing, and read what they are compared with.

    Raises:
        pytest.UsageError: the claims can't be judged as they are written, or as the command line has it.
    """
    session_state = state.of(config)
    claims = [item for item in tests if items.is_claim(item)]
    try:
        _refuse(config, claims)
    except pytest.UsageError as error:
        if (worker := getattr(config, "workeroutput", None)) is None:
            raise
        # On a worker of pytest-xdist an error here reads as a crash: the controller says the sentence instead.
        worker[REFUSED] = str(error)
        tests.clear()
        return
    _drop_unused_hypothesis(config)
    benchmark_adapter.keep_raw_samples(config)
    if claims:
        benchmark_adapter.keep_saved_runs_in(config, config.rootpath)
        benchmark_adapter.save_whole(config)
    suite = session_state.suite = _make_suite(config, claims)
    _keep_judged(config, suite, tests)
    claims = [item for item in claims if item in tests]
    tests.sort(key=_turn)
    session_state.places = {item.nodeid: item.location[:2] for item in claims}
    if session_state.options.round_server is not None:
        tests[:] = _served(session_state, claims)
        return
    if session_state.options.against is not None:
        _check_against(config, suite, session_state.options.against)
    _keep_half(config, session_state, claims, tests)
    if suite.compare:
        _load_baselines(config, session_state, suite)


def finished(session: pytest.Session) -> None:
    """Once every plugin has taken tests away: bring the controls behind their claims, and add what is gone."""
    controls_behind_claims(session.items)
    config, known = session.config, state.of(session.config)
    suite = state.suite_of(config)
    if not suite.compare:
        return
    session.items.extend(_missing_items(session, config, suite))
    on_purpose = bool(known.left_out) or not asks_to_compare(config)
    if on_purpose and not _has_claims(session) and known.options.against is None:
        known.suite = None  # a session without claims
        benchmark_adapter.give_comparison_back(config, known.options.compare)


def _turn(item: Any) -> int:
    """Times first, with all cores; then what learns, in processes that would disturb them."""
    fixtures = getattr(item, "fixturenames", ())
    return ("learning" in fixtures) * (1 if "epoch_time" in fixtures else 2)


def _has_claims(session: pytest.Session) -> bool:
    return any(isinstance(item, MissingItem) or items.is_claim(item) for item in session.items)


def controls_behind_claims(tests: list[pytest.Item]) -> None:
    """Put every control right behind its claim, whose n it takes, whoever has shuffled or sorted the tests."""
    followers: dict[str, list[pytest.Item]] = {item.nodeid: [] for item in tests if not items.is_control(item)}
    order: list[pytest.Item] = []
    for item in tests:
        followers.get(controls.real_id(item.nodeid) if items.is_control(item) else "", order).append(item)
    tests[:] = [each for item in order for each in (item, *followers.pop(item.nodeid, ()))]


def _keep_half(config: pytest.Config, session_state: state.SessionState, claims: list[Any], tests: list[Any]) -> None:
    """Deselect all but the timing or the learning half, where the command line asks for one."""
    options = session_state.options
    if options.half is None:
        return
    recorded = options.record is not None
    kept = [item for item in claims if items.belongs_to(item, options.half, recorded=recorded)]
    config.hook.pytest_deselected(items=[item for item in tests if item not in kept])
    tests[:] = kept


def _keep_judged(config: pytest.Config, suite: Suite, tests: list[Any]) -> None:
    """Take away the claims that this run can't judge, and their controls: the record lists them."""
    waiting = [item for item in tests if items.is_claim(item) and suite.needs(items.info_of(item))]
    if waiting:
        config.hook.pytest_deselected(items=waiting)
        tests[:] = [item for item in tests if item not in waiting]
    suite.waiting = {item.nodeid: items.info_of(item) for item in waiting if not items.is_control(item)}


def _served(session_state: state.SessionState, claims: list[Any]) -> list[Any]:
    """The tests that this worker of a process pair is told to time, in the order it is told."""
    descriptor = session_state.options.round_server
    assert descriptor is not None
    server = session_state.server = round_server.RoundServer(descriptor)
    known = {item.nodeid: item for item in claims if items.is_timing(item)}
    return [known[test] for test in server.choose(list(known))]


def _check_against(config: pytest.Config, suite: Suite, rev: str) -> None:
    """Refuse before anything runs what would end the process pairs."""
    try:
        git.resolve(config.rootpath, rev)
        sides.check_links(config.getini("dl_against_links"), config.rootpath)
        against.known_spread(places.of(config).baselines, suite.machine_class, suite.key)
    except (git.RevisionError, process_pairs.SideError, selftests.SelfTestError) as error:
        raise pytest.UsageError(str(error)) from error


def _drop_unused_hypothesis(config: pytest.Config) -> None:
    """Hypothesis's plugin imports all of Hypothesis (a second) at the end of every run, even one that never used it."""
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)


def _refuse(config: pytest.Config, claims: list[Any]) -> None:
    for item in claims:
        if items.decoration(item) is None:
            raise pytest.UsageError(
                f"{item.nodeid} uses the fixture `claim` and is no claim yet: decorate it with "
                '@dlcv04.claim("<sentence>", control=...), so that it can be shown able to fail.'
            )
        if not items.takes_claim(item) and issubclass(getattr(item, "cls", None) or object, unittest.TestCase):
            raise pytest.UsageError(
                f"{item.nodeid} is a method of a unittest.TestCase, which takes no fixtures, so it could assert "
                "nothing: make the claim a function, or a method of a plain class, that takes `claim`."
            )
        if not items.takes_claim(item):
            raise pytest.UsageError(f"{item.nodeid} is decorated with @claim and asserts nothing: take `claim`.")
    if benchmark_adapter.is_absent(config):
        raise pytest.UsageError(
            "pytest-benchmark is switched off (-p no:benchmark, or PYTEST_DISABLE_PLUGIN_AUTOLOAD), and without it no "
            "claim can be judged or saved. Switch it on again; to run other tests alone, name them."
        )
    if not claims:
        return  # only what is missing has to be said, which any session can
    if benchmark_adapter.is_disabled(config):
        raise pytest.UsageError(
            "Benchmarks are disabled (--benchmark-disable, or pytest-xdist's -n), so nothing could be judged. "
            "Drop the option; where an ini file gives it, set PYTEST_ADDOPTS=-n0: claims run in one process."
        )
    if benchmark_adapter.has_compare_fail(config):
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
    options = state.of(config).options
    device, hardware = facts.chosen_device(options.device), facts.hardware()
    commit = git.commit(config.rootpath)
    suite = Suite(
        policy=Policy(
            profile=options.profile,
            strict=options.strict,
            compare=options.compares,
            against=options.against is not None,
            record=options.record is not None,
            recorded_seeds=max(RECORDED_SEEDS, options.seeds or 0),
        ),
        machine_class=facts.machine_class(device, hardware),
        hardware=hardware,
        commit=commit,
        compare=options.compares,
        controls=options.controls,
        max_seeds=options.seeds,
        problems=list(filter(None, [facts.unused_gpu(options.device), _unknown_commit(config, commit)])),
        settings={"plugins": ", ".join(_plugins(config)) or "none"},
    )
    config.hook.pytest_dlcv04_plan(config=config, suite=suite, device=device, claims=claims)
    return suite


def _unknown_commit(config: pytest.Config, commit: Commit) -> str:
    """Why git can't name the commit though there is a repository, in its own words, or ""."""
    why = git.unusable(config.rootpath) if commit.dirty and not commit.id else ""
    return why and f"the commit of this run is unknown: {why}"


def _plugins(config: pytest.Config) -> list[str]:
    """Those of `-p`: both sides of a process pair have them, so a difference of theirs would not show there."""
    return sorted({name for name in config.option.plugins or [] if not name.startswith("no:")})


def _load_baselines(config: pytest.Config, session_state: state.SessionState, suite: Suite) -> None:
    named = session_state.options.compare
    try:
        loaded = places.of(config).store.load(
            [named] if isinstance(named, str) else [], machine_class=suite.machine_class
        )
    except files.BaselineError as error:
        raise pytest.UsageError(str(error)) from error
    suite.stored = loaded.as_stored(lambda path: _short(path, config))
    session_state.lost = {_short(path, config): sentence for path, sentence in loaded.lost.items()}


def _short(path: Path, config: pytest.Config) -> str:
    return str(path.relative_to(config.rootpath)) if path.is_relative_to(config.rootpath) else str(path)


# -- stored tests that are gone ----------------------------------------------------------------------------


class MissingItem(pytest.Item):
    """A stored test that a run of the whole suite did not collect: fails like any other test."""

    def __init__(self, *, row: Any, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.row = row

    def runtest(self) -> None:
        """Fail with the sentence that says what is gone."""
        state.suite_of(self.config).missing.append(self.row)
        found = outcome.of_missing(self.row)
        state.of_test(self).outcome = found
        pytest.fail(plaintext.plain(found.text), pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the report says this comes from."""
        return self.path, None, self.name


def _missing_items(session: pytest.Session, config: pytest.Config, suite: Suite) -> list[Any]:
    known = state.of(config)
    lost = [comparisons.lost_file(path, sentence) for path, sentence in known.lost.items()]
    if known.options.half is None:
        stored = comparisons.stored_tests(suite.stored, suite.key)
        present = {item.nodeid for item in session.items if items.is_claim(item)}
        gone, left_out = selection.missing(config, stored, present, set(known.collected), known.taken)
        for test, path in gone.items():
            if test in suite.waiting:
                lost.append(comparisons.waits_now(test, path, _now_judged(suite, suite.waiting[test])))
            else:
                lost.append(comparisons.missing_comparison(test, path, how=_how_gone(test, session, known)))
        known.left_out += [
            f"{count} stored {'test' if count == 1 else 'tests'} left out by {by}" for by, count in left_out.items()
        ]
    return [MissingItem.from_parent(session, name=row.test, nodeid=row.test, row=row) for row in lost]


def _now_judged(suite: Suite, info: ClaimInfo) -> str:
    """What changed in a claim that this run can't judge, though one like it is stored."""
    if not suite.policy.judges(info.judged_from):
        return f"judged from {suite.policy.profile} -> {info.judged_from}"
    plan = suite.plan()
    return f"judged on {plan.key.get('backend', '')} on a {plan.device} -> {info.judged_by}"


def not_reached(config: pytest.Config, suite: Suite, tests: list[str]) -> list[Comparison]:
    """The stored ones of the tests that a session did not come to, though it was ended as one in which all is well."""
    stored = comparisons.stored_tests(suite.stored, suite.key) if suite.compare else {}
    how = f"was not run to its end ({state.of(config).stopped or 'the session ended early'})"
    return [comparisons.missing_comparison(test, stored[test], how=how) for test in tests if test in stored]


def _how_gone(test: str, session: pytest.Session, known: state.SessionState) -> str:
    if test not in known.collected:
        return "was not run"
    if any(item.nodeid == test for item in session.items):
        return "is no longer a claim"
    return (
        "was taken away by none of the command's own arguments (an ini file, PYTEST_ADDOPTS, a hook that does not "
        "report it)"
    )


def add_gone(session: pytest.Session, pairs: Against) -> None:
    """Add an item for every test that the commit of `--dl-against` times and this session does not have."""
    known = {item.nodeid for item in session.items}
    gone = {one.test: pair_gate.unpaired(one.test, pairs)[0] for one in pairs.unpaired if one.test not in known}
    session.items += [MissingItem.from_parent(session, name=test, nodeid=test, row=row) for test, row in gone.items()]
    session.testscollected = len(session.items)


def is_whole_suite(config: pytest.Config) -> bool:
    """Whether whole folders run, with no claim left out."""
    option, known = config.option, state.of(config)
    filtered = any(getattr(option, name, None) for name in selection.LEAVING_OUT)
    filtered = filtered or any(known.collected.get(test) for test in known.taken)
    return not filtered and all(Path(argument).is_dir() for argument in config.args)
