"""Runs stored by earlier versions of dlcv04, in today's form. What was stored is not touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlcv04.harness.store.schema import LEARNING, NETWORK, SECONDS

_KINDS = {SECONDS: "times", LEARNING: "learning", NETWORK: "exact"}


def upgraded(block: dict[str, Any]) -> dict[str, Any]:
    """A `dlcv04` block of schema 1 as one of schema 2; any other is returned as it is, for its reader to refuse.

    Nothing is checked here: what has another shape than schema 1 gave it stays, and is refused when it is decoded.
    """
    if block.get("schema") != 1:
        return block
    with_missing = _each(block, "missing", _row)
    for name in ("arms", "repeats"):
        with_missing = _each(with_missing, name, lambda arm: _with_settings(arm, block))
    return {**_each(with_missing, "claims", lambda claim: _each(claim, "comparisons", _row)), "schema": 2}


def _with_settings(arm: Any, block: dict[str, Any]) -> Any:
    """Schema 1 kept threads beside the versions, and not whether a card rounds to TF32: by default it does."""
    if not isinstance(arm, dict) or not isinstance(arm.get("key"), dict):
        return arm
    timed, learnt = bool(arm.get("round_seconds")), bool(arm.get("curves"))
    if block.get("device") == "gpu":
        known = {"tf32": "true"} if timed or learnt else {}
    else:
        environment = block.get("environment")
        software = environment.get("software") if isinstance(environment, dict) else None
        threads = software.get("threads") if isinstance(software, dict) else None
        known = {"threads": threads} if (timed or learnt) and isinstance(threads, str) else {}
    return {**arm, "key": {**known, **arm["key"]}}


def _each(record: Any, name: str, change: Callable[[Any], Any]) -> Any:
    """The record with every entry of one of its lists changed; as it is where it has no such list."""
    found = record.get(name) if isinstance(record, dict) else None
    return {**record, name: [change(entry) for entry in found]} if isinstance(found, list) else record


def _row(row: Any) -> Any:
    """Schema 1 had a word more for what is stored for other machines or data, and none for what is too good."""
    if not isinstance(row, dict):
        return row
    kind = _KINDS.get(str(row.get("metric")))
    verdict = {"INCOMPARABLE": "NO_BASELINE"}.get(str(row.get("verdict")), row.get("verdict"))
    if (verdict, kind) == ("IMPROVED", "learning"):
        verdict = "CHANGED"
    direction = {"equal": "none"}.get(str(row.get("direction")), row.get("direction"))
    return {**row, "kind": kind, "verdict": verdict, "direction": direction}
