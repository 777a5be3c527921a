"""The end of a claim test: its arms are compared, its verdict is raised, still inside its own call phase."""

from __future__ import annotations

import ast
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from dlcv04 import plaintext
from dlcv04.code_hash import syntax_tree
from dlcv04.harness.claims.controls import real_id
from dlcv04.harness.claims.recorder import ClaimRecorder
from dlcv04.harness.judging import comparisons, outcome, suspects
from dlcv04.harness.report.renderers import junit
from dlcv04.harness.session import against, benchmark_adapter, children, items, state
from dlcv04.harness.store.schema import Arm, Claim, Comparison

if TYPE_CHECKING:
    from dlcv04.harness.session.suite import Suite


def end(item: Any, recorder: ClaimRecorder, seconds: float) -> None:
    """Judge a test whose body has ended, and fail, skip or pass it.

    Args:
        item: the test.
        recorder: what it asserted.
        seconds: of its body.
    """
    suite, arms = state.suite_of(item.config), [make() for make in state.of_test(item).measured]
    if items.is_control(item):
        claim = _control(item, suite, recorder, arms, seconds)
        found = outcome.of_control(claim, strict=suite.policy.strict)
        if claim.control_verdict in outcome.BROKEN_CONTROLS:
            suite.failures.append(f"control {found.text.removeprefix('CONTROL ')}")
    else:
        claim = _claim(item, suite, recorder, arms, seconds)
        found = outcome.of_claim(claim, strict=suite.policy.strict)
    item.user_properties += junit.properties(claim)
    state.of_test(item).outcome = found
    if found.is_red:
        pytest.fail(plaintext.plain(found.text), pytrace=False)
    if found.is_shown:
        pytest.skip(plaintext.one_line(found.text))


def reported(item: Any, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Let the run's record and pytest say the same of a test.

    pytest has the last word on what ended the test (an error in a fixture, a skip, an xfail), the record on what is red
    of a claim: an xfail excuses its VIOLATED and nothing else.

    Args:
        item: the test.
        call: the phase that has ended.
        report: what pytest makes of it; changed where the record says otherwise.
    """
    suite, test = state.suite_of(item.config), state.of_test(item)
    in_body = report.when == "call" and test.is_over
    if in_body and test.outcome is not None and items.is_control(item):
        _overrule(report, test.outcome)  # xfail is about the claim: its control breaks it or does not
    if report.skipped and items.is_claim(item) and (in_body or report.when == "setup"):
        _skipped(item, suite, call, report)
    if in_body and test.outcome is not None:
        report.dl_verdict = test.outcome.word  # type: ignore[attr-defined]  # pytest's way to add to a report
    decided = in_body or report.when == "setup"
    if decided and test.outcome is not None and test.outcome.is_red:
        if not report.failed:  # a plugin made it pass
            _overrule(report, test.outcome)
    elif report.failed:
        suite.failures.append(f"{item.nodeid}: {_what(call, report)}")


def _skipped(item: Any, suite: Suite, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Record a claim that skipped itself, or that failed and was expected to."""
    test, expected = state.of_test(item), getattr(report, "wasxfail", None)
    if test.outcome is not None and (test.outcome.is_shown or items.is_control(item)):
        return  # skipped by its own verdict
    reason = None if expected is None else expected.removeprefix("reason: ") or "expected to fail"
    failed = test.outcome is not None and test.outcome.is_red and reason is not None
    judged = suite.claim(item.nodeid) if failed else None  # what pytest ended otherwise has no verdict
    claim = judged or _unjudged(item, suite, call, "skipped" if reason is None else f"xfail: {reason}")
    suite.add(msgspec.structs.replace(claim, expected=reason or ""), [])
    test.outcome = outcome.of_test(suite.claims[-1], strict=suite.policy.strict)
    if test.outcome.is_red:
        _overrule(report, test.outcome)
    elif reason is None:
        report.dl_verdict = test.outcome.word  # type: ignore[attr-defined]


def _unjudged(item: Any, suite: Suite, call: pytest.CallInfo[None], how: str) -> Claim:
    """The record of a claim or control that ended without a verdict, and why."""
    why = call.excinfo.exconly().partition(": ")[2] if call.excinfo is not None else ""
    recorder = suite.recorder(items.info_of(item))
    recorder.lacking.append(f"{how}: {why}" if why and why not in how else how)
    if items.is_control(item):
        claim = suite.control_of(item.nodeid, real_id(item.nodeid), recorder, seconds=call.duration)
    else:
        claim = _claim(item, suite, recorder, [], call.duration)
    item.user_properties += junit.properties(claim)
    return claim


def _overrule(report: pytest.TestReport, found: outcome.Outcome) -> None:
    """Make pytest's report say what the record says."""
    report.outcome = "failed" if found.is_red else "skipped" if found.is_shown else "passed"
    report.__dict__.pop("wasxfail", None)
    if found.is_red or not found.is_shown:
        report.longrepr = plaintext.plain(found.text) or None


def _what(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    """What a test failed of, and in which phase where that is not its body."""
    # pytest says of a fixture that is not there in its own words, and in its error only by reference.
    said = getattr(report.longrepr, "errorstring", "")
    text = said or (call.excinfo.exconly() if call.excinfo is not None else str(report.longrepr))
    return text if report.when == "call" else f"{report.when} failed: {text}"


def _show(item: Any, arm: Arm) -> None:
    """Show a timed arm to pytest-benchmark: seconds of an epoch, since each run finds anew how long its rounds are."""
    per_epoch = bool(arm.images_per_epoch and arm.images_per_round)
    images = arm.images_per_epoch if per_epoch else arm.images_per_round
    extra = {"seconds_of_images": images, "images_per_round": arm.images_per_round}
    shown = arm.epoch_seconds if per_epoch else arm.round_seconds
    benchmark_adapter.add_row(item.config, item, arm.name, shown, extra, group=item.nodeid)


def _claim(item: Any, suite: Suite, recorder: ClaimRecorder, arms: list[Arm], seconds: float) -> Claim:
    for arm in arms:
        if arm.round_seconds:
            _show(item, arm)
    claim = suite.claim_of(
        item.nodeid,
        recorder,
        published=recorder.info.published,
        pictures=state.of_test(item).pictures,
        seconds=seconds,
        source_hash=source_hash(item.function),
        command=children.command_for(item.config, item.nodeid),
    )
    measured = [
        msgspec.structs.replace(arm, figures=[*arm.figures, *recorder.figures.get(arm.name, [])])
        for arm in distinct(arms)
    ]
    claim = msgspec.structs.replace(claim, comparisons=_compared(item.config, suite, claim, measured))
    suite.add(claim, measured)
    return claim


def _control(item: Any, suite: Suite, recorder: ClaimRecorder, arms: list[Arm], seconds: float) -> Claim:
    if not state.of_test(item).changed:
        recorder.assertions.clear()
    claim = suite.control_of(item.nodeid, real_id(item.nodeid), recorder, seconds=seconds)
    suite.add(claim, distinct(arms))
    return claim


def _compared(config: pytest.Config, suite: Suite, claim: Claim, arms: list[Arm]) -> list[Comparison]:
    """The comparisons of a claim; times that look slower are decided by process pairs or by fresh processes."""
    policy, context = suite.policy, suite.context() if suite.compare else None
    rows = suspects.compared(claim, arms, context, suite.against, policy)
    # A recording process is never timed again: where an ini file asks for the comparison, it would be without end.
    if context is None or policy.record or not suspects.look_slower(rows, arms, policy):
        return rows
    found = suspects.suspects(claim, arms, context)
    suite.rechecks += against.recheck(config, suite, claim.test, found, context.gate.gated)
    rows = suspects.compared(claim, arms, context, suite.against, policy)
    if not suspects.need_processes(rows, arms, policy) or comparisons.is_busy(arms, policy):
        return rows
    # All of them, whatever the second says: stopping at a pleasant one would be measuring until it is green.
    for _ in range(policy.processes_red - 1):
        suite.repeats += children.time_again(config, suite, claim.test)
    return suspects.compared(claim, arms, context, suite.against, policy)


def distinct(arms: list[Arm]) -> list[Arm]:
    """One record an arm: where a test asks for an arm's exact figures and times it too, the timed record has both."""
    kept: dict[str, Arm] = {}
    for arm in arms:
        if arm.name not in kept or arm.round_seconds or arm.curves:
            kept[arm.name] = arm
    return list(kept.values())


def source_hash(function: Any) -> str:
    """Hash of a test's syntax tree without docstring and decorators: comments and layout change nothing.

    "" where there is no source that can be read, or it is no function's: a lambda, a partial.
    """
    tree = syntax_tree(function)
    definition = tree.body[0] if tree else None
    if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    definition.decorator_list = []
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:]
    return sha256(ast.unparse(definition).encode()).hexdigest()[:16]
