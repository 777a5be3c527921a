"""A claim's verdict and figures as JUnit properties: name-value pairs that test viewers show and scripts read."""

from __future__ import annotations

from collections.abc import Iterator

from dlcv04 import plaintext
from dlcv04.harness.store.schema import Assertion, Claim, Comparison, Record

_ASSERTION = ("kind", "verdict", "effect", "low", "high", "margin", "unit", "n", "n_unit", "minimum_detectable_effect")
_COMPARISON = ("verdict", "effect", "low", "high", "gate", "unit", "new", "old", "n_new", "n_old")


def properties(claim: Claim) -> list[tuple[str, str]]:
    """Name and value of every property of a claim's test case.

    `dl_verdict`, `dl_sentence`, `dl_control_verdict` and, where the test was expected to fail, `dl_expected`; then,
    counted from 1, `dl_assertion_1_effect` and its kin for each assertion and `dl_comparison_1_effect` and its kin for
    each figure compared with stored runs. A figure that does not exist has no property; numbers are written so that
    reading them gives the same number.
    """
    return [(name, _line(value)) for name, value in _pairs(claim)]


def _pairs(claim: Claim) -> Iterator[tuple[str, str]]:
    yield from (("dl_verdict", claim.verdict), ("dl_sentence", claim.sentence))
    if claim.expected:
        yield "dl_expected", claim.expected
    if claim.is_control:
        yield "dl_control_verdict", claim.control_verdict
    for number, assertion in enumerate(claim.assertions, 1):
        yield from _row(f"dl_assertion_{number}", assertion.sentence, assertion, _ASSERTION)
    for number, row in enumerate(claim.comparisons, 1):
        yield from _row(f"dl_comparison_{number}", row.key, row, _COMPARISON)


def _row(prefix: str, title: str, record: Assertion | Comparison, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield prefix, title
    for name in names:
        value = _value(record, name)
        if value:
            yield f"{prefix}_{name}", value


def _value(record: Record, name: str) -> str:
    value = getattr(record, name)
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _line(text: str) -> str:
    return " ".join(plaintext.one_line(text).split())
