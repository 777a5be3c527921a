"""The first lines of a run: how many claims, which profile, data, device, about how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dlcv04.harness.claims.controls import real_id
from dlcv04.harness.policy import waiting
from dlcv04.harness.session import items, state
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness.judging import pair_gate
    from dlcv04.harness.session.suite import Suite
else:
    pair_gate = LazyModule("dlcv04.harness.judging.pair_gate")

#: What a claim costs where no stored run says better; only the estimate uses it.
SECONDS_A_CLAIM, SECONDS_TO_START = 4.0, 10.0
#: The same of a claim about learning, by profile.
LEARNING_SECONDS = {"smoke": 8.0, "standard": 120.0, "paper": 3600.0}
#: The same of a process pair: to start it, and for each of its tests.
PAIR_SECONDS, TEST_SECONDS = 10.0, 6.0


def lines(config: pytest.Config, tests: list[Any]) -> list[str]:
    """What pytest's header says of the claims; nothing where there are none."""
    session = state.of(config)
    suite = session.suite
    left_out = [f"dlcv04: {said}" for said in session.left_out]
    if suite is None:
        return left_out
    claims = [item for item in tests if items.is_claim(item)]
    controls = sum(items.is_control(item) for item in claims)
    plan = suite.plan()
    seconds = SECONDS_TO_START + sum(_expected_seconds(suite, item) for item in claims)
    counted = _count(len(claims) - controls, "claim") + (f" and {_count(controls, 'control')}" if controls else "")
    learning = f"{plan.learning}, " if plan.learning and any("learning" in item.fixturenames for item in claims) else ""
    header = [
        f"dlcv04: {counted}, profile {suite.policy.profile}, data: {plan.data}, on the {_device(suite, plan.device)}, "
        f"{learning}about {seconds:.0f} s"
    ]
    if suite.waiting:
        waits = waiting(suite.needs(info) for info in suite.waiting.values())
        header.append(f"dlcv04: {waits}: not run")
    if suite.compare:
        count = len(suite.stored.timing), len(suite.stored.portable)
        header.append(f"dlcv04: comparing with {count[0]} stored timing and {count[1]} portable runs")
    if session.options.against is not None:
        header.append(_process_pairs(session.options.against, sum(items.is_timing(item) for item in tests)))
    return header + left_out + [f"dlcv04: {said}" for said in suite.problems]


def _device(suite: Suite, device: str) -> str:
    if device == "gpu":
        return f"GPU ({suite.hardware.get('gpu', '')})"
    return f"{device.upper()} ({suite.hardware.get('cpu', '')}, {suite.hardware.get('cores', '')} cores)"


def _process_pairs(rev: str, timing: int) -> str:
    a_pair = PAIR_SECONDS + TEST_SECONDS * timing
    first, last = pair_gate.LOOKS[0], pair_gate.LOOKS[-1]
    return (
        f"dlcv04: against {rev}: {_count(timing, 'timing test')} in {first} to {last} process pairs, about "
        f"{first * a_pair:.0f} to {last * a_pair:.0f} s before the claims"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _expected_seconds(suite: Suite, item: Any) -> float:
    test, profile = real_id(item.nodeid), suite.policy.profile
    runs = [run for _, run in suite.stored.everything if run.profile == profile]
    usual = LEARNING_SECONDS[profile] if "learning" in item.fixturenames else SECONDS_A_CLAIM
    return max((claim.seconds for run in runs for claim in run.claims if claim.test == test), default=usual)
