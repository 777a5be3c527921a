"""Which claims of a run are controls, which wait, which claim a control belongs to, and how a test is called."""

from __future__ import annotations

import re

from dlcv04.harness.policy import PROFILES
from dlcv04.harness.store.schema import Claim, Run

#: How a control's node id ends: `test_x[control]`, `test_x[a-control]`.
_CONTROL_ID = re.compile(r"\[(.*?)-?\bcontrol\]$")


def real_claims(run: Run) -> list[Claim]:
    """The claims of a run without their controls, and without those that wait for a larger profile."""
    return [c for c in run.claims if c.judged and not c.is_control]


def waiting_claims(run: Run) -> list[Claim]:
    """The claims that this run's profile can't judge, those of the smallest larger profile first."""
    waiting = [c for c in run.claims if not (c.judged or c.is_control)]
    return sorted(waiting, key=lambda claim: PROFILES.index(claim.judged_from))


def controls(run: Run) -> list[Claim]:
    """The controls of a run."""
    return [c for c in run.claims if c.is_control]


def real_test(control: str) -> str:
    """The node id of the claim that a control's node id belongs to."""
    return _CONTROL_ID.sub(lambda m: f"[{m[1]}]" if m[1] else "", control)


def short_name(node: str) -> str:
    """A test's own name without its file: `bench/test_a.py::test_b` becomes `test_b`."""
    return node.rsplit("::", 1)[-1]
