"""Comparisons with stored baselines: a pure function of (run, stored runs, policy), no clock and no file in it.

Times are compared within one machine class, exact figures and learning curves wherever the key (backend, dtype
policy, jit, profile, data) is the same. Each stored file is one process: rounds of one process are never taken as
independent samples of the machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dlcv04.harness.judging.differences import (
    clock_changes,
    declared_changes,
    differences,
    exact_changes,
    software_changes,
)
from dlcv04.harness.judging.metrics import MEAN_VAL_ACCURACY
from dlcv04.harness.judging.stored_times import TimingGate, level
from dlcv04.harness.policy import MIN_PROCESSES, Policy
from dlcv04.harness.store.schema import LEARNING, NETWORK, SECONDS, Arm, Claim, Comparison, Recheck, Run, finite
from dlcv04.harness.store.stored import Stored
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


_TOO_GOOD = (
    "too good to be chance: look for validation data among the training data; if the gain is meant, accept the run"
)


@dataclass(frozen=True)
class Context:
    """What of the running suite decides comparability and is the same for all its claims.

    `key` and `machine_class` decide what is comparable. `stored` is what there is, `gate` judges times by it.
    `software` (versions by name) is compared across, and named where a figure regressed. `repeats` are arms of the
    same new code, measured in further processes and judged together with the run's. `rechecks` say what was done about
    tests whose times looked slower (`suspects`).
    """

    key: dict[str, str]
    machine_class: str
    stored: Stored = field(default_factory=Stored)
    policy: Policy = field(default_factory=Policy)
    software: dict[str, str] = field(default_factory=dict)
    repeats: Sequence[Arm] = ()
    rechecks: Sequence[Recheck] = ()

    @cached_property
    def alone(self) -> Context:
        """The same for the run's own process: without further ones."""
        return replace(self, repeats=(), rechecks=())

    @cached_property
    def gate(self) -> TimingGate:
        """The gate of all times of this run."""
        return TimingGate([run for _, run in self.stored.timing if _fits(run, self.key)], self.policy)

    @cached_property
    def gated_curves(self) -> int:
        """How many stored learning curves share the run's false-alarm budget."""
        runs = [run for _, run in self.stored.portable if _fits(run, self.key)]
        return max(1, len({arm.fullname for run in runs for arm in run.arms if arm.curves}))


def with_stored(claim: Claim, arms: Sequence[Arm], context: Context) -> list[Comparison]:
    """Hold one test's arms against what is stored for it."""
    rows = _stale(claim, arms, context)
    # Arms that no assertion names are figures beside the claim, timed too briefly to be gated.
    named = {name for assertion in claim.assertions for name in (assertion.treatment, assertion.reference)}
    for arm in arms:
        if arm.parameters is not None:
            rows.append(_compare(arm, context, context.stored.everything, NETWORK, _exact))
        if arm.round_seconds and arm.name in named:
            rows.append(_compare(arm, context, context.stored.timing, SECONDS, _times))
        if arm.curves:
            rows.append(_compare(arm, context, context.stored.portable, LEARNING, _learning))
    return rows + _missing_arms(claim, arms, context)


def missing_tests(collected: Iterable[str], asked: Any, stored: Stored, key: dict[str, str]) -> dict[str, str]:
    """Stored tests that a run of the whole suite should have collected and did not, with the file that has them.

    `asked(test)` says whether the command line asked for the folder the test lived in.
    """
    known = set(collected)
    return {
        claim.test: path
        for path, run in stored.everything
        if _fits(run, key)
        for claim in run.claims
        if claim.test not in known and not claim.is_control and asked(claim.test)
    }


def missing_comparison(test: str, path: str, arm: str = "") -> Comparison:
    """The red row of a stored figure that was not measured although the whole suite was asked for."""
    what = f"the arm {arm!r} of {test}" if arm else test
    return Comparison(
        test=test,
        arm=arm,
        metric="presence",
        direction="none",
        unit="",
        new=None,
        old=None,
        effect=None,
        low=None,
        high=None,
        gate=None,
        minimum_detectable_effect=None,
        n_new=0,
        n_old=1,
        verdict="MISSING",
        method="stored for this profile, not run",
        reason=f"{what} is stored in {path} and was not run: restore it, or store the baseline anew with "
        "`dlcv04 baseline`",
        baselines=[path],
    )


def _fits(run: Run, key: dict[str, str]) -> bool:
    return run.key == key


def _find(arm: Arm, runs: Iterable[tuple[str, Run]], key: dict[str, str]) -> list[tuple[str, Run, Arm]]:
    return [
        (path, run, old)
        for path, run in runs
        if _fits(run, key)
        for old in run.arms
        if old.fullname == arm.fullname and old.key == arm.key
    ]


def _has(arm: Arm, metric: str) -> bool:
    figures = {SECONDS: arm.round_seconds, LEARNING: arm.curves, NETWORK: arm.parameters}
    return bool(figures[metric])


def _compare(arm: Arm, context: Context, runs: Sequence[tuple[str, Run]], metric: str, judge: Any) -> Comparison:
    found = [(p, r, old) for p, r, old in _find(arm, runs, context.key) if _has(old, metric)]
    if not found:
        return _nothing_stored(arm, context, metric)
    comparison: Comparison = judge(arm, found, context)
    return comparison


def _nothing_stored(arm: Arm, context: Context, metric: str) -> Comparison:
    reasons = []
    for path, run in [*context.stored.everything, *context.stored.elsewhere]:
        for old in run.arms:
            if old.fullname == arm.fullname and _has(old, metric):
                reasons.append((path, _why_incomparable(arm, old, run, context, metric)))
    text = f"stored, but only {reasons[0][1]}" if reasons else "nothing is stored for this figure anywhere"
    return row(
        arm,
        metric,
        verdict="NO_BASELINE",
        method="",
        reason=f"{text}; `dlcv04 baseline` stores one",
        baselines=sorted({path for path, _ in reasons}),
    )


def _why_incomparable(arm: Arm, old: Arm, run: Run, context: Context, metric: str) -> str:
    other_class = run.environment.machine_class
    if metric == SECONDS and other_class != context.machine_class:
        return f"for the machine class {other_class}"
    theirs, ours = {**run.key, **old.key}, {**context.key, **arm.key}
    changed = [f"{name} {theirs.get(name)}" for name in theirs if theirs.get(name) != ours.get(name)]
    return f"for {', '.join(changed)}"


def _exact(arm: Arm, found: list[tuple[str, Run, Arm]], context: Context) -> Comparison:
    path, _, old = found[-1]
    changed = exact_changes(arm, old)
    return row(
        arm,
        NETWORK,
        direction="none",
        unit="parameters",
        new=arm.parameters,
        old=old.parameters,
        effect=(arm.parameters or 0) - (old.parameters or 0),
        n_new=1,
        n_old=1,
        verdict="REGRESSED" if changed else "PASS",
        minimum_detectable_effect=0.0,
        method="integer comparison, no tolerance",
        reason="; ".join(changed),
        differences=explain("REGRESSED" if changed else "PASS", arm, found[-1], context),
        baselines=[path],
    )


def _times(arm: Arm, found: list[tuple[str, Run, Arm]], context: Context) -> Comparison:
    found = _since_pin(found)
    stored = [old for _, _, old in found]
    new = [arm, *(other for other in context.repeats if (other.fullname, other.key) == (arm.fullname, arm.key))]
    result, method, history, doubt, _ = context.gate.judge(new, stored)
    verdict, reason = _believed(result.verdict, doubt, new, len(found), context.policy)
    return row(
        arm,
        SECONDS,
        direction="lower",
        unit="ratio",
        new=math.exp(_mean_level(new)),
        old=math.exp(_mean_level(stored)),
        effect=math.exp(result.effect),
        low=math.exp(result.low),
        high=math.exp(result.high),
        gate=context.policy.gate_seconds,
        minimum_detectable_effect=math.exp(result.minimum_detectable),
        n_new=len(new),
        n_old=len(found),
        verdict=verdict,
        method=method,
        reason=reason,
        differences=[*explain(verdict, arm, found[-1], context), *history],
        baselines=[path for path, _, _ in found],
    )


def baseline_of(arm: Arm, context: Context) -> list[tuple[str, Run, Arm]]:
    """The stored processes that this run's own process is held against most strictly, the one they stand for first.

    The newest of the last five, else the oldest: against the newest commit a slow drift would never show.
    """
    found = [entry for entry in _find(arm, context.stored.timing, context.key) if entry[2].round_seconds]
    found = _since_pin(found)
    places = context.gate.judge([arm], [old for _, _, old in found]).part.places
    return [found[place] for place in places]


def _since_pin(found: list[tuple[str, Run, Arm]]) -> list[tuple[str, Run, Arm]]:
    """Stored processes since the last slowdown that somebody accepted: what was before is no longer the level."""
    pins = [i for i, (_, run, _) in enumerate(found) if run.acceptance is not None and run.acceptance.pins]
    return found[pins[-1] :] if pins else found


def _believed(verdict: str, doubt: str, new: Sequence[Arm], stored: int, policy: Policy) -> tuple[str, str]:
    """The verdict, or INCONCLUSIVE with the reason where the machine or the baseline does not bear it."""
    if verdict == "PASS" and stored < MIN_PROCESSES:
        return "INCONCLUSIVE", f"only {stored} stored processes, {MIN_PROCESSES} are wanted"
    if verdict == "REGRESSED" and is_busy(new, policy):
        most = max(arm.contention for arm in new)
        return "INCONCLUSIVE", f"other processes took {most:.0%} of the cores meanwhile: a slower time proves nothing"
    if verdict == "REGRESSED" and doubt:
        return "INCONCLUSIVE", doubt
    return verdict, ""


def is_busy(arms: Iterable[Arm], policy: Policy) -> bool:
    """Whether other processes took so much of the cores that a slower time proves nothing."""
    return any(arm.contention > policy.most_contention for arm in arms)


def could_be_slower(row: Comparison, policy: Policy) -> bool:
    """Whether further processes of the same code would decide this time: it looks slower, and too few were timed."""
    return (
        (row.metric, row.verdict, row.first_look) == (SECONDS, "INCONCLUSIVE", None)
        and row.n_old >= MIN_PROCESSES
        and row.n_new < policy.processes_red
        and (row.effect or 0) > policy.smallest_seconds
    )


def is_suspect(row: Comparison, policy: Policy) -> bool:
    """Whether process pairs should decide this time: they see slowdowns that the stored times alone let pass."""
    looked = (row.metric, row.verdict, row.first_look) == (SECONDS, "PASS", None)
    return could_be_slower(row, policy) or (looked and (row.effect or 0) >= policy.suspect_seconds)


def _mean_level(arms: Sequence[Arm]) -> float:
    return sum(level(arm).seconds for arm in arms) / len(arms)


def _learning(arm: Arm, found: list[tuple[str, Run, Arm]], context: Context) -> Comparison:
    policy = context.policy
    old_by_seed = {curve.seed: MEAN_VAL_ACCURACY.value(curve) for _, _, old in found for curve in old.curves}
    new_by_seed = {curve.seed: MEAN_VAL_ACCURACY.value(curve) for curve in arm.curves}
    result = stats.level_shift_test(
        list(new_by_seed.values()),
        list(old_by_seed.values()),
        alpha=policy.alpha_run / 2 / context.gated_curves,
        margin=policy.margin_points,
        new_seeds=list(new_by_seed),
        old_seeds=list(old_by_seed),
    )
    diverged = [curve.reason for curve in arm.curves if curve.status == "diverged"]
    return row(
        arm,
        LEARNING,
        direction="higher",
        unit="points",
        new=_mean(new_by_seed.values()),
        old=_mean(old_by_seed.values()),
        effect=result.effect,
        low=result.low,
        high=result.high,
        gate=-policy.margin_points,
        minimum_detectable_effect=result.minimum_detectable,
        n_new=len(new_by_seed),
        n_old=len(old_by_seed),
        verdict="REGRESSED" if diverged else _unlikely(result.verdict),
        method="mean over seeds against the stored seeds, by seed where these are stored; an alarm by their spread",
        reason="; ".join(diverged) or (_TOO_GOOD if result.verdict == "IMPROVED" else result.reason),
        differences=explain(result.verdict, arm, found[-1], context),
        baselines=[path for path, _, _ in found],
    )


def _unlikely(verdict: str) -> str:
    """Learning better than the stored seeds explain is a leak as often as an improvement, so it is never just green."""
    return "CHANGED" if verdict == "IMPROVED" else verdict


def explain(verdict: str, arm: Arm, found: tuple[str, Run, Arm], context: Context) -> list[str]:
    """What could be to blame for a regression; where nothing recorded differs, that is the finding."""
    if verdict != "REGRESSED":
        return []
    _, run, old = found
    changes = [
        *differences(arm, old),
        *software_changes(context.software, run.environment.software),
        *clock_changes(arm, old),
    ]
    return changes or [
        "nothing recorded: network, recipe, optimizer and software are as stored, so look at the code that runs them"
    ]


def _stale(claim: Claim, arms: Sequence[Arm], context: Context) -> list[Comparison]:
    for path, run in reversed(context.stored.everything):
        if not _fits(run, context.key):
            continue
        for old in run.claims:
            if old.test != claim.test:
                continue
            reasons = [] if old.source_hash == claim.source_hash else ["the test's own code changed"]
            for arm in arms:
                before = [a for a in run.arms if a.fullname == arm.fullname and a.key == arm.key]
                reasons += [f"{arm.name}: {text}" for a in before for text in declared_changes(arm, a)]
            if reasons:
                return [_stale_row(claim, reasons, path)]
    return []


def _stale_row(claim: Claim, reasons: list[str], path: str) -> Comparison:
    return _replace(
        missing_comparison(claim.test, path),
        metric="source",
        verdict="STALE",
        n_new=1,
        method="hash of the test's syntax tree without its docstring; arms and recipe as declared",
        reason=f"{'; '.join(reasons)} since {path} was stored: if intended, store the baseline anew with "
        "`dlcv04 baseline`",
        differences=reasons,
    )


def _missing_arms(claim: Claim, arms: Sequence[Arm], context: Context) -> list[Comparison]:
    present = {arm.name for arm in arms}
    lost = {
        arm.name: path
        for path, run in context.stored.everything
        if _fits(run, context.key)
        for arm in run.arms
        if arm.test == claim.test and arm.name not in present
    }
    return [missing_comparison(claim.test, path, arm) for arm, path in lost.items()]


def _mean(values: Iterable[float]) -> float | None:
    finite_values = [value for value in values if math.isfinite(value)]
    return sum(finite_values) / len(finite_values) if finite_values else None


def row(arm: Arm, metric: str, **figures: Any) -> Comparison:
    """One comparison of an arm's figure; what is not given is blank, and floats are made finite."""
    direction = {SECONDS: "lower", LEARNING: "higher", NETWORK: "none"}[metric]
    kind = {SECONDS: "times", LEARNING: "learning", NETWORK: "exact"}[metric]
    blank: dict[str, Any] = dict.fromkeys(("new", "old", "effect", "low", "high", "gate", "minimum_detectable_effect"))
    defaults: dict[str, Any] = {"kind": kind, "direction": direction, "unit": "", "n_new": 0, "n_old": 0, **blank}
    filled = {**defaults, **figures}
    filled.update({name: finite(filled[name]) for name in blank})
    return Comparison(test=arm.test, arm=arm.name, metric=metric, **filled)


def _replace(comparison: Comparison, **changes: Any) -> Comparison:
    fields = {name: getattr(comparison, name) for name in comparison.__struct_fields__}
    return Comparison(**{**fields, **changes})
