"""The judge's half of the pytest plugin: hooks only; what each does stands in `session`.

What the arms are is `dlcv04.fixtures`' business. A pytest session that collects no claim is left alone, and
pytest-benchmark keeps its own behaviour in it. This module stays where it is: older commits are run against it.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from dlcv04.harness.session import benchmark_adapter, options, state
from dlcv04.harness.session.claim_fixtures import arms_of, claim, claim_mode, first_seed, picture
from dlcv04.harness.session.items import is_claim, is_control, is_timing
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness.claims import claim as claims
    from dlcv04.harness.judging import outcome
    from dlcv04.harness.machine import git
    from dlcv04.harness.measuring import blocks, process_pairs
    from dlcv04.harness.session import (
        against,
        bisecting,
        collecting,
        ending_run,
        ending_tests,
        first_line,
        selection,
        signals,
    )
    from dlcv04.harness.store import files, schema
else:
    against = LazyModule("dlcv04.harness.session.against")
    blocks = LazyModule("dlcv04.harness.measuring.blocks")
    claims = LazyModule("dlcv04.harness.claims.claim")
    bisecting = LazyModule("dlcv04.harness.session.bisecting")
    collecting = LazyModule("dlcv04.harness.session.collecting")
    ending_run = LazyModule("dlcv04.harness.session.ending_run")
    ending_tests = LazyModule("dlcv04.harness.session.ending_tests")
    files = LazyModule("dlcv04.harness.store.files")
    first_line = LazyModule("dlcv04.harness.session.first_line")
    git = LazyModule("dlcv04.harness.machine.git")
    outcome = LazyModule("dlcv04.harness.judging.outcome")
    process_pairs = LazyModule("dlcv04.harness.measuring.process_pairs")
    selection = LazyModule("dlcv04.harness.session.selection")
    schema = LazyModule("dlcv04.harness.store.schema")
    signals = LazyModule("dlcv04.harness.session.signals")

#: The fixtures that pytest finds here.
__all__ = ["arms_of", "claim", "claim_mode", "first_seed", "picture"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `pytest bench/`, all prefixed `--dl-`."""
    options.add(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the one hook by which the experiment's half describes a run before it starts."""
    from dlcv04.harness.session import hookspec

    pluginmanager.add_hookspecs(hookspec)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """With `--dl-bisect`, a conftest that can't be imported blames no commit."""
    known = early_config.known_args_namespace
    if known.dl_bisect and bisecting.is_asked(known):
        return (yield from bisecting.load_conftests(parser, args))
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, int, int]:
    """With `--dl-bisect`, end with a code that `git bisect run` understands."""
    if config.option.dl_bisect and bisecting.is_asked(config.option):
        return (yield from bisecting.end(config))
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the options, before pytest-benchmark reads `--benchmark-compare`; refuse what can't be right at once."""
    config.addinivalue_line("markers", "claim(info): a test that judges a claim; set by dlcv04.claim")
    options.check(state.begin(config, options.Options.of(config)).options)


# -- collection --------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, object, object]:
    """With `--dl-controls` every claim test is followed by its control, `test_x[control]`, `test_x[a-control]`.

    After all others, those that ask to be last among them, so that the word ends the test's id: by it a control finds
    its claim.
    """
    made = yield
    if "claim_mode" in metafunc.fixturenames and metafunc.config.getoption("dl_controls"):
        modes = [pytest.param("real", id=pytest.HIDDEN_PARAM), pytest.param("control", id="control")]
        metafunc.parametrize("claim_mode", modes, indirect=True)
    return made


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note every test before `-k` takes some away: all that are timed share the budget of `--dl-against`."""
    known = state.of(item.config)
    known.collected[item.nodeid] = is_claim(item) and not is_control(item)
    known.timing_tests += is_timing(item)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Note what takes tests away: what is taken by choice is not missed."""
    if items:
        state.of(items[0].config).taken.update(selection.take(items[0].config, items))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    """Find the claims; refuse what would judge nothing; read what they are compared with."""
    asked = state.of(config).options
    if any(is_claim(item) for item in items) or options.names_commit(config) or options.has_baselines(config, asked):
        collecting.collected(config, items)
    else:
        benchmark_adapter.give_comparison_back(config, asked.compare)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Put every control right behind its claim, and add an item for every stored test that is gone."""
    if state.of(session.config).suite is not None:
        collecting.finished(session)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """pytest-xdist's controller: end the session with the sentence by which a worker refused it."""
    if sentence := getattr(node, "workeroutput", {}).get(collecting.REFUSED):
        raise pytest.UsageError(sentence)


def pytest_report_collectionfinish(config: pytest.Config, items: list[Any]) -> list[str]:
    """The first line of a run: how many claims, which profile, data, device, about how long."""
    known = state.of(config)
    return first_line.lines(config, items) if known.suite is not None or known.left_out else []


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Note what can't be collected: where pytest goes on without it, the run is red all the same."""
    made = yield
    if made.failed:
        state.of(collector.config).uncollected.append(f"{collector.nodeid}: it could not be collected")
    return made


# -- running -----------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """With `--dl-against`, run the process pairs before the suite itself; note what ends the session early."""
    if state.of(session.config).suite is not None:
        signals.terminate_as_ctrl_c()
    try:
        _pair_with_commit(session)
        return (yield)
    except BaseException as error:
        known = state.of(session.config)
        known.stopped = known.stopped or ending_run.stopped_by(error)
        raise


def _pair_with_commit(session: pytest.Session) -> None:
    config = session.config
    suite, rev = state.of(config).suite, state.of(config).options.against
    if suite is None or rev is None or config.option.collectonly:
        return
    tests = [item.nodeid for item in session.items if is_timing(item)]
    try:
        suite.against = against.pair_with_commit(config, suite, tests, rev=rev, of=state.of(config).timing_tests)
    except (process_pairs.PairError, git.RevisionError) as error:
        state.of(config).stopped = str(error).rpartition("\n")[2]
        usage = isinstance(error, (process_pairs.SideError, git.RevisionError))
        code = pytest.ExitCode.USAGE_ERROR if usage else pytest.ExitCode.INTERNAL_ERROR
        pytest.exit(str(error), returncode=int(code))
    collecting.add_gone(session, suite.against)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge a claim test when its body has ended, still inside its own call phase."""
    start = time.perf_counter()
    recorder = state.of_test(item).recorder  # none in a worker of a process pair: it judges nothing
    try:
        result = yield
    except Exception as error:
        if recorder is not None and isinstance(error, claims.ClaimError | blocks.MeasureError):
            # The sentence is enough, without the stack and without its cause, which would be the same sentence again.
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        raise
    finally:
        state.of_test(item).is_over = True
    if recorder is not None:
        ending_tests.end(item, recorder, time.perf_counter() - start)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the run's record and pytest's report say the same, once pytest's own plugins have had their say (xfail)."""
    made = yield
    session = state.of(item.config)
    if session.suite is not None and session.server is None:
        ending_tests.reported(item, call, made)
    elif session.server is not None and made.failed and call.excinfo is None:
        made.outcome = "passed"  # strict xfail: a worker judges nothing, so nothing that passes in it is too good
    if made.when == "teardown":
        session.ended.add(item.nodeid)
    return made


def pytest_report_teststatus(report: Any) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """INCONCLUSIVE and its kin have their own letter and colour: never green, never just "skipped"."""
    verdict = getattr(report, "dl_verdict", None)
    if verdict is None or report.failed or verdict not in outcome.LETTERS:
        return None
    category, letter = outcome.LETTERS[verdict]
    return category, letter, (verdict, {"yellow": True})


# -- the end of a run --------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Decide the exit code, write the report, and let pytest-benchmark save the run."""
    config = session.config
    suite, server = state.of(config).suite, state.of(config).server
    if server is not None and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK  # a worker that was told to time nothing
    on_xdist = hasattr(config, "workerinput")  # no claim runs there; what is missing, the controller hears of
    shows_only = config.option.collectonly or config.getoption("setuponly", False)  # also --setup-plan: nothing is run
    if suite is None or server is not None or shows_only or on_xdist:
        return (yield)
    if session.exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR) and not state.of(config).ended:
        # Ctrl-C, a file that can't be collected, no such device: the last report says more than an empty one.
        return (yield)
    with signals.held_back():
        run = ending_run.decide(session, suite)
        ending_run.write_report(config, suite, run)
        try:
            result = yield  # pytest-benchmark saves the run in here
        except pytest.exit.Exception as error:
            error.returncode = error.returncode or run.exit_status  # 0 of an author's hook makes no red run green
            raise
        session.exitstatus = session.exitstatus or run.exit_status
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Put the run into the file that pytest-benchmark writes."""
    if (run := state.of(config).run) is not None:
        output_json["dlcv04"] = files.strict(schema.to_builtins(run))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A line a claim, the controls' count, and where the report is."""
    if (run := state.of(config).run) is not None:
        ending_run.summarise(terminalreporter, config, run)
