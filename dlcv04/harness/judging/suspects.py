"""A time that looks slower than the stored ones: process pairs decide it where they can.

A host that slows its machine for minutes looks, to any rule over stored times, like slower code. Process pairs against
the commit that was stored take turns in the same minutes and don't see it. Red is what both say, the stored times and
the pairs, so the run's error rate is at most that of the pairs. Where pairs can't tell (other software, no such
commit), three fresh processes decide as `stored_times` has it.

A card is one's own and its times are absolute, but its sessions differ by more than a slowdown worth seeing. There
pairs decide every time of which the stored ones don't exclude half of the pairs' gate; where they can't, the
stored ones alone do, and say what they see. Figures that a session can't move (`card_times.SHAPES`) need no pairs.

Pure: a function of the run, the stored runs and the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from dlcv04.harness.judging import pair_gate
from dlcv04.harness.judging.comparisons import (
    Context,
    baseline_of,
    could_be_slower,
    explain,
    is_suspect,
    with_stored,
)
from dlcv04.harness.judging.differences import environment_changes
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import SECONDS, Against, Arm, Claim, Comparison, Run

#: What a recorded difference of says nothing about the code and its libraries: on a shared CPU they are the machine.
MACHINE = frozenset({"kernel", "device"})


@dataclass(frozen=True)
class Suspect:
    """An arm whose time, in the run's own process, looks slower than a stored baseline.

    Attributes:
        arm: as this run measured it.
        look: the comparison with the stored times.
        baseline: the stored processes it looks slower than (path, run, arm), the one they stand for first.
        machine: what differs of the machine since then, such as the kernel.
        why: why process pairs against their commits would say nothing; empty where they would.
        sees: on a card, the slowdown (a ratio) that the stored processes alone see in 19 of 20 runs.
    """

    arm: Arm
    look: Comparison
    baseline: Sequence[tuple[str, Run, Arm]]
    machine: Sequence[str]
    why: str
    sees: float | None = None

    @property
    def commits(self) -> list[str]:
        """The commits whose code the stored processes ran, the one to be paired with first."""
        return list(dict.fromkeys(run.commit.id for _, run, _ in self.baseline if is_code(run)))


def is_code(run: Run) -> bool:
    """Whether a run's commit says which code it ran."""
    return bool(run.commit.id) and not run.commit.dirty


def suspects(claim: Claim, arms: Iterable[Arm], context: Context) -> list[Suspect]:
    """The arms of a test that look slower than stored ones."""
    arms = list(arms)
    looks = with_stored(claim, arms, context.alone)
    changed = any(look.verdict == "STALE" for look in looks)
    slower = look_slower(looks, arms, context.policy)
    found = (_suspect(arm, slower[arm.name], context, changed) for arm in arms if arm.name in slower)
    return [suspect for suspect in found if suspect is not None]


def look_slower(rows: Iterable[Comparison], arms: Iterable[Arm], policy: Policy) -> dict[str, Comparison]:
    """The rows of times that process pairs should decide, by arm."""
    on_card = {arm.name for arm in arms if not arm.calibrator_seconds}
    return {row.arm: row for row in rows if (_may_hide if row.arm in on_card else is_suspect)(row, policy)}


def _may_hide(row: Comparison, policy: Policy) -> bool:
    """Whether the stored times of a card leave room (95 %) for a slowdown that pairs may find."""
    judged = row.metric == SECONDS and row.verdict in {"PASS", "INCONCLUSIVE", "REGRESSED"} and row.first_look is None
    return judged and row.high is not None and row.high >= policy.suspect_card


def need_processes(rows: Iterable[Comparison], arms: Iterable[Arm], policy: Policy) -> bool:
    """Whether further processes would decide a time; on a card they share the session, which is what matters there."""
    calibrated = {arm.name for arm in arms if arm.calibrator_seconds}
    return any(row.arm in calibrated and could_be_slower(row, policy) for row in rows)


def _suspect(arm: Arm, look: Comparison, context: Context, changed: bool) -> Suspect | None:
    baseline = baseline_of(arm, context.alone)
    sees = None
    if not arm.calibrator_seconds:
        gate, old = context.alone.gate, [stored for _, _, stored in baseline]
        if gate.alarm([arm], old):
            return None
        sees = gate.smallest_slowdown(old, power=0.95)
    differing = [environment_changes(context.software, run.environment.software) for _, run, _ in baseline]
    changes = list(dict.fromkeys(text for found in differing for name, text in found.items() if name not in MACHINE))
    machine = list(dict.fromkeys(text for found in differing for name, text in found.items() if name in MACHINE))
    why = ""
    if changed:
        why = "the test itself changed since it was stored"
    elif changes:
        why = f"both sides would run on today's software, and that changed: {', '.join(changes)}"
    elif not any(is_code(run) for _, run, _ in baseline):
        dirty = any(run.commit.dirty for _, run, _ in baseline)
        why = "the stored code had uncommitted changes" if dirty else "no commit was stored with the times"
    return Suspect(arm, look, baseline, machine, why, sees)


def decided(suspect: Suspect, records: Iterable[Against], policy: Policy) -> Comparison | None:
    """The comparison by the process pairs against the first of the suspect's commits that has any; None without."""
    if suspect.why:
        return None
    fitting = [record for record in records if record.commit in suspect.commits]
    rows = (
        pair_gate.compare(suspect.arm, record, policy)
        for record in sorted(fitting, key=lambda record: suspect.commits.index(record.commit))
    )
    return next((row for row in rows if row is not None), None)


def compared(
    claim: Claim, arms: Sequence[Arm], context: Context | None, pairs: Against | None, policy: Policy
) -> list[Comparison]:
    """All comparisons of one test: with what is stored (with a context), and with a commit (with its process pairs)."""
    rows = settled(claim, arms, context, pairs) if context is not None else []
    if pairs is not None:
        rows += pair_gate.rows(claim.test, arms, pairs, policy)
    return rows


def settled(claim: Claim, arms: Sequence[Arm], context: Context, pairs: Against | None) -> list[Comparison]:
    """Hold one test's arms against what is stored, and let process pairs decide what looks slower.

    Args:
        claim: the test.
        arms: its arms.
        context: what is stored, and what was done about times that looked slower.
        pairs: of `--dl-against`, which serve where REV is a commit that was stored.
    """
    rows = with_stored(claim, arms, context)
    tried = context.rechecks or context.repeats or pairs
    if not tried and all(arm.calibrator_seconds for arm in arms):
        return rows
    found = {suspect.look.key: suspect for suspect in suspects(claim, arms, context)}
    return [_settled(row, found[row.key], context, pairs) if row.key in found else row for row in rows]


def _settled(row: Comparison, suspect: Suspect, context: Context, pairs: Against | None) -> Comparison:
    test = suspect.arm.test
    by_pairs = decided(suspect, records(test, context, pairs), context.policy)
    if by_pairs is not None:
        return _said(by_pairs, suspect, context)
    why = suspect.why or "; ".join(found.why for found in context.rechecks if found.test == test and found.why)
    undecided = f"process pairs did not decide: {why}" if why else ""
    if undecided and suspect.sees:
        undecided += f"; the stored processes alone see a slowdown of {suspect.sees:.2f} in 19 of 20 runs"
    return msgspec.structs.replace(row, reason="; ".join(filter(None, (row.reason, undecided))))


def records(test: str, context: Context, pairs: Against | None) -> Iterator[Against]:
    """The process pairs there are of a test."""
    if pairs is not None:
        yield pairs
    yield from (found.against for found in context.rechecks if found.test == test and found.against is not None)


def _said(row: Comparison, suspect: Suspect, context: Context) -> Comparison:
    """The pairs' comparison, with the look at the stored times beside it."""
    look, (commit,) = suspect.look, row.baselines
    stored = (
        f"the stored times: {look.new:.3g} s now, {look.old:.3g} s stored, ratio {look.effect:.3f} "
        f"[{look.low:.3f}, {look.high:.3f}], {look.n_new} against {look.n_old} processes"
    )
    says = {
        "REGRESSED": f"slower than {commit} in the same minutes too",
        "PASS": f"no slower than {commit} in the same minutes: the machine is slower than it was, not the code",
        "IMPROVED": f"faster than {commit} in the same minutes: the machine is slower than it was, not the code",
    }
    text = says.get(row.verdict, f"whether it is slower than {commit} in the same minutes remained open")
    machine = f" ({', '.join(suspect.machine)})" if suspect.machine else ""
    return msgspec.structs.replace(
        row,
        reason=f"process pairs decide: {text}{machine}; {stored}",
        differences=explain(row.verdict, suspect.arm, suspect.baseline[0], context),
        baselines=[commit, *look.baselines],
        first_look=look.effect,
    )
