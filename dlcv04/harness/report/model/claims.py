"""Which claims of a run are controls, which wait, which claim a control belongs to, and how a test is called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from dlcv04.harness.policy import PROFILES
from dlcv04.harness.store.schema import Claim, Run


def real_claims(run: Run) -> list[Claim]:
    """The claims of a run without their controls, and without those that it can't judge."""
    return [c for c in run.claims if c.judged and not c.is_control]


def waiting_claims(run: Run) -> list[Claim]:
    """The claims that this run can't judge: those of the smallest larger profile first, of other backends last."""
    waiting = [c for c in run.claims if not (c.judged or c.is_control)]
    return sorted(waiting, key=lambda claim: (claim.waits_for, PROFILES.index(claim.judged_from)))


def controls(run: Run) -> list[Claim]:
    """The controls of a run."""
    return [c for c in run.claims if c.is_control]


def short_name(node: str) -> str:
    """A test's own name without its file: `bench/test_a.py::test_b` becomes `test_b`."""
    name, parameters = _inside(node)
    return name.rsplit("::", 1)[-1] + parameters


def _inside(node: str) -> tuple[str, str]:
    """A test within its file, and its parameters in brackets; both may hold what separates node ids."""
    name, bracket, parameters = (node.partition("::")[2] or node).partition("[")
    return name, bracket + parameters


def told_apart(claims: Iterable[Claim]) -> dict[str, str]:
    """What tells claims of one sentence apart, by test: their parameters, else their names, else all of their ids."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for claim in claims:
        alike[claim.sentence].append(claim.test)
    found: dict[str, str] = {}
    for tests in alike.values():
        if len(tests) > 1:
            parameters = [_inside(test)[1] for test in tests]
            names = [short_name(test) for test in tests]
            shown = next((ids for ids in (parameters, names) if all(ids) and len({*ids}) == len(ids)), tests)
            found |= dict(zip(tests, shown, strict=True))
    return found
