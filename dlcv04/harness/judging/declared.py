"""What a claim fixed in advance, as it was resolved, and how that differs from what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dlcv04.harness.store.schema import Assertion, Claim

#: The name under which a claim stores the hash of its control's code.
CONTROL_CODE = "the control's code"


def of_assertions(assertions: Iterable[Assertion]) -> dict[str, str]:
    """Margin, arms, metric, target and least pairs of each assertion, named by its kind and place: "ORDER 1 margin"."""
    found: dict[str, str] = {}
    places: Counter[str] = Counter()
    for a in assertions:
        places[a.kind] += 1
        name = f"{a.kind} {places[a.kind]}"
        parts = {
            "margin": f"{a.margin:.12g}",
            "arms": " and ".join(filter(None, (a.treatment, a.reference))),
            "relation": a.relation,
            "metric": a.metric,
            "target": "" if a.target is None else f"{a.target:.12g}",
            "pairs": str(a.looks[0]) if a.kind == "ORDER" and a.looks else "",
            "failures": str(a.failures_allowed or ""),
        }
        found |= {f"{name} {part}": text for part, text in parts.items() if text}
    return found


def changes(new: Claim, old: Claim, *, clockless: bool) -> list[str]:
    """What a test declares otherwise than when it was stored, as "ORDER 1 margin 1.1 -> 1.05".

    Args:
        new: this run's.
        old: the stored one; a run of schema 1 has its assertions alone, and its control's description.
        clockless: whether it was stored without its assertions about times.
    """
    ours, theirs = new.declared or of_assertions(new.assertions), old.declared or of_assertions(old.assertions)
    found = [
        f"{name} {theirs[name]} -> {ours[name]}" for name in theirs if ours.get(name, theirs[name]) != theirs[name]
    ]
    if old.control and new.control != old.control:
        found.append(f"control {old.control!r} -> {new.control!r}")
    if old.judged_from != new.judged_from:
        found.append(f"judged from {old.judged_from} -> {new.judged_from}")
    if new.lacking or old.lacking:
        return found  # one of both could not make all of its assertions
    added, removed = _assertions(ours) - _assertions(theirs), _assertions(theirs) - _assertions(ours)
    if clockless and not old.declared:
        added = {name for name in added if not name.startswith("ORDER")}
    return (
        found + [f"assertion {name} is new" for name in sorted(added)] + [f"{name} is gone" for name in sorted(removed)]
    )


def _assertions(declared: Iterable[str]) -> set[str]:
    return {name.removesuffix(" margin") for name in declared if name.endswith(" margin")}
