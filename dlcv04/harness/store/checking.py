"""What no run can be, though its record has the right shape: refused at the door, so that no later comparison fails."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from dlcv04.harness.store.schema import LARGEST, Against, Arm, Claim, PairRounds, Run

#: A run's records nest seven deep; what a test says of an arm (`facts`) may add some levels.
DEEPEST = 40


def unfit_value(block: Any) -> str:
    """Why a value of a JSON document can't be stored, as half a sentence; empty where all can."""
    left = [(block, 0)]
    while left:
        value, depth = left.pop()
        if depth > DEEPEST:
            return f"its values nest more than {DEEPEST} deep"
        if isinstance(value, dict):
            left += ((one, depth + 1) for pair in value.items() for one in pair)
        elif isinstance(value, list):
            left += ((one, depth + 1) for one in value)
        elif isinstance(value, str):
            if any("\ud800" <= sign <= "\udfff" for sign in value):
                return f"the text {value[:40]!r} has half a character"
        elif isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:
            return f"the number {str(value)[:20]} is larger than any figure"
    return ""


def contradiction(run: Run) -> str:
    """What in a run contradicts itself, as half a sentence; empty where nothing does."""
    return next(_contradictions(run), "")


def _contradictions(run: Run) -> Iterator[str]:
    if twice := _twice((claim.test, claim.is_control) for claim in run.claims):
        yield f"{twice[0]} occurs twice"
    for arm in (*run.arms, *run.repeats):
        yield from (f"the arm {arm.name!r} of {arm.test}: {fault}" for fault in _arm(arm))
    for against in (run.against, *(recheck.against for recheck in run.rechecks)):
        yield from _against(against) if against is not None else ()
    for claim in run.claims:
        yield from _claim(claim)


def _arm(arm: Arm) -> Iterator[str]:
    if arm.round_seconds and not (arm.images_per_round and arm.images_per_epoch):
        yield "its rounds have no images"
    if arm.round_index and (len(arm.round_index) != len(arm.round_seconds) or _twice(arm.round_index)):
        yield "its rounds are not numbered one by one"
    if _twice(curve.seed for curve in arm.curves):
        yield "a seed has two curves"
    for figure in arm.figures:
        if figure.index and (len(figure.index) != len(figure.values) or _twice(figure.index)):
            yield f"the values of {figure.name!r} are not numbered one by one"


def _against(against: Against) -> Iterator[str]:
    yield from uneven(against.pairs)


def uneven(pairs: Iterable[PairRounds]) -> Iterator[str]:
    """Which process pairs have not as many rounds on one side as on the other, or none, each as half a sentence."""
    for pair in pairs:
        if not pair.old_seconds or len(pair.old_seconds) != len(pair.new_seconds):
            yield f"a process pair of {pair.test} lacks rounds of one side"


def _claim(claim: Claim) -> Iterator[str]:
    for assertion in claim.assertions:
        if assertion.unit == "ratio" and assertion.margin <= 0:
            yield f"{claim.test} asserts a ratio of {assertion.margin:g}"


def other_times(document: Mapping[str, Any], run: Run) -> str:
    """Which arm has other seconds in pytest-benchmark's own rows than in the run's block; empty where none has.

    People and other tools read the rows, the judge reads the block: one file must not tell them different things.
    """
    block = {arm.fullname: arm for arm in run.arms if arm.round_seconds}
    rows = document.get("benchmarks")
    for row in rows if isinstance(rows, list) else ():
        stats = row.get("stats") if isinstance(row, dict) else None
        arm = block.get(str(row.get("fullname"))) if isinstance(row, dict) else None
        if arm is None or not isinstance(stats, dict):
            continue
        # Rows are seconds of an epoch; those of older files, and of work that has none, are seconds of a round.
        if not any(_tells(stats, seconds) for seconds in (arm.epoch_seconds, arm.round_seconds) if seconds):
            return arm.fullname
    return ""


def _tells(stats: Mapping[str, Any], seconds: list[float]) -> bool:
    told = {"min": min(seconds), "max": max(seconds), "data": seconds}
    return all(name not in stats or stats[name] == value for name, value in told.items())


def _twice(values: Iterable[Hashable]) -> list[Any]:
    """The values that come a second time."""
    seen: set[Hashable] = set()
    return [value for value in values if value in seen or seen.add(value)]  # type: ignore[func-returns-value]
