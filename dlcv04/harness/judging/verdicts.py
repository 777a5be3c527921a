"""The verdict of a claim from its assertions, and whether its control was informative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcv04.harness.store.schema import Assertion, ClaimVerdict, ControlVerdict
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


def overall(assertions: list[Assertion], lacking: Sequence[str] = ()) -> tuple[ClaimVerdict, str]:
    """The claim's verdict: all must hold (intersection-union, no correction); one violated is enough to fail.

    What is lacking on this machine leaves open what else would hold.
    """
    for verdict in ("VIOLATED", "INCONCLUSIVE"):
        found = [assertion for assertion in assertions if assertion.verdict == verdict]
        if found:
            return verdict, "; ".join(describe(assertion) for assertion in found)
    if lacking:
        return "INCONCLUSIVE", " ".join(lacking)
    if not assertions:
        return "INCONCLUSIVE", "the test asserted nothing: call claim.slower, claim.better, claim.exactly ..."
    return "HOLDS", ""


def describe(assertion: Assertion) -> str:
    """One sentence with the figures: "an epoch of a takes ... b: 1.62 [1.55, 1.70], margin 1.1, 8 pairs"."""
    if assertion.kind == "EXACT":
        return assertion.reason or assertion.sentence
    figure = f"{_number(assertion.effect)} [{_number(assertion.low)}, {_number(assertion.high)}]"
    text = f"{assertion.sentence}: {figure}, {evidence(assertion)}: {assertion.verdict}"
    return f"{text} ({assertion.reason})" if assertion.reason else text


def evidence(assertion: Assertion) -> str:
    """How much a verdict rests on: `8 pairs`, `12 seeds, 1 failed`, `5 seeds, none failed (...)`."""
    n = assertion.n
    counted = f"{n:,} {assertion.n_unit}" if n != 1 else f"1 {assertion.n_unit.removesuffix('s')}"
    if assertion.n_unit != "seeds" or n < 2:
        return counted
    return f"{counted}, {failures(assertion)}"


def failures(assertion: Assertion) -> str:
    """How many seeds failed, and what none in so few excludes."""
    if assertion.failed:
        return f"{assertion.failed} failed"
    return f"none failed (excludes only rates above {stats.smallest_rate(assertion.n):.0%})"


def of_control(
    assertions: Sequence[Assertion], lacking: Sequence[str], real: Sequence[Assertion] | None
) -> tuple[ControlVerdict, str]:
    """Whether a control broke its claim, and why not: BROKE, SURVIVED, CONTROL_WEAK or NOT RUN.

    Args:
        assertions: the control's.
        lacking: what it needs and this machine does not have.
        real: the claim's own assertions, None where it did not run.
    """
    survivors = [assertion.sentence for assertion in assertions if assertion.verdict == "HOLDS"]
    if survivors:
        return "SURVIVED", "; ".join(survivors)
    if lacking:
        return "CONTROL_WEAK", " ".join(lacking)
    if not assertions:
        return "NOT RUN", "the control asserted nothing"
    weak = weak_control(real, assertions) if real is not None else ""
    return ("CONTROL_WEAK", weak) if weak else ("BROKE", "")


def weak_control(real: Sequence[Assertion], control: Sequence[Assertion]) -> str:
    """Say why a control was uninformative: its interval must lie apart from the real one, on the claim's wrong side."""
    for wanted, got in zip(real, control, strict=False):
        if wanted.kind in {"EXACT", "IDENTITY"} or _apart(wanted, got):
            continue
        return (
            f"control's interval [{_number(got.low)}, {_number(got.high)}] is not apart from the real one "
            f"[{_number(wanted.low)}, {_number(wanted.high)}] ({wanted.sentence})"
        )
    return ""


def _apart(real: Assertion, control: Assertion) -> bool:
    below = control.high is not None and real.low is not None and control.high < real.low
    above = control.low is not None and real.high is not None and control.low > real.high
    if real.kind == "EQUIVALENT":
        return below or above
    return above if real.relation == "<" else below


def _number(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:.4g}"
