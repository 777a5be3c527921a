"""Comparisons with stored baselines: a pure function of (run, stored runs, policy), no clock and no file in it.

Times are compared within one machine class, exact figures and learning curves wherever the key (backend, dtype
policy, jit, profile, data) is the same. Each stored file is one process: rounds of one process are never taken as
independent samples of the machine.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dlcv04.harness.judging import declared, figures
from dlcv04.harness.judging.assertions import PEAK_MEMORY, memory
from dlcv04.harness.judging.differences import (
    clock_changes,
    declared_changes,
    differences,
    environment_changes,
    exact_changes,
    new_slowdowns,
)
from dlcv04.harness.judging.figures import Figure, Values
from dlcv04.harness.judging.stored_times import TimingGate, level
from dlcv04.harness.policy import MIN_PROCESSES, Policy
from dlcv04.harness.store.schema import SECONDS, Arm, Claim, Comparison, Recheck, Run, SeedCurve, finite
from dlcv04.harness.store.stored import Stored
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


_TOO_GOOD = (
    "too good to be chance: look for validation data among the training data; if the gain is intended, accept the run"
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
    def gated(self) -> Counter[str]:
        """How many stored figures have each share of the run's false-alarm budget, run or not (`Figure.share`)."""
        found: set[tuple[str, str, str, str]] = set()
        for _, run in self.stored.everything:
            if _fits(run, self.key):
                for claim in run.claims:
                    for figure in figures.of_claim(claim, self.by_test(run).get(claim.test, [])):
                        found.add((figure.share, claim.test, figure.arm, figure.name))
        return Counter(share for share, *_ in found)

    def by_test(self, run: Run) -> dict[str, list[Arm]]:
        """The arms of a stored run by test."""
        return self._arms[id(run)]

    @cached_property
    def _arms(self) -> dict[int, dict[str, list[Arm]]]:
        return {id(run): _by_test(run.arms) for _, run in (*self.stored.everything, *self.stored.elsewhere)}

    def alpha(self, figure: Figure) -> float:
        """One figure's part of its share of the budget."""
        share = figure.share
        whole = {"learning": self.policy.alpha_learning, "times": self.policy.alpha_times}.get(
            share, self.policy.alpha_rest
        )
        return whole / max(1, self.gated[share])


def with_stored(claim: Claim, arms: Sequence[Arm], context: Context) -> list[Comparison]:
    """Hold one test's figures against what is stored for it."""
    by_name = {arm.name: arm for arm in arms}
    compared = (_compare(figure, claim.test, by_name, context) for figure in figures.of_claim(claim, arms))
    rows = [row for row in compared if row is not None]
    stale = _stale(claim, arms, context)
    other_curves = [] if stale else [row for arm in arms for row in _other_curves(arm, context)]
    return stale + rows + other_curves + _missing_arms(claim, arms, context)


def stored_tests(stored: Stored, key: dict[str, str]) -> dict[str, str]:
    """The claims of all stored runs that may be compared with, each with the newest file that has it."""
    return {
        claim.test: path
        for path, run in stored.everything
        if _fits(run, key)
        for claim in run.claims
        if claim.judged and not claim.is_control
    }


def missing_comparison(test: str, path: str, arm: str = "", how: str = "was not run") -> Comparison:
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
        reason=f"{what} is stored in {path} and {how}: restore it, or, where it is gone on purpose, take it out "
        "with `dlcv04 accept --retire`",
        baselines=[path],
    )


def waits_now(test: str, path: str, changed: str) -> Comparison:
    """The red row of a claim that is stored for runs like this one, and now says that these can't judge it."""
    return msgspec.structs.replace(
        missing_comparison(test, path, how=f"is not run for it now ({changed})"), verdict="STALE", differences=[changed]
    )


def lost_file(path: str, sentence: str) -> Comparison:
    """The red row of an accepted file that is gone or can't be used."""
    return msgspec.structs.replace(
        missing_comparison(path, path), method="named by the store's manifest", reason=sentence
    )


def _fits(run: Run, key: dict[str, str]) -> bool:
    return run.key == key


def _by_test(arms: Iterable[Arm]) -> dict[str, list[Arm]]:
    found: dict[str, list[Arm]] = {}
    for arm in arms:
        found.setdefault(arm.test, []).append(arm)
    return found


def _find(arm: Arm, runs: Iterable[tuple[str, Run]], key: dict[str, str]) -> list[tuple[str, Run, Arm]]:
    return [
        (path, run, old)
        for path, run in runs
        if _fits(run, key)
        for old in run.arms
        if old.fullname == arm.fullname and old.key == arm.key
    ]


class Old(NamedTuple):
    """A stored run that has a figure: its file, its record, its arms of the test by name, the figure's values."""

    path: str
    run: Run
    arms: Mapping[str, Arm]
    values: Values


def _stored(
    figure: Figure,
    test: str,
    arms: Mapping[str, Arm],
    runs: Iterable[tuple[str, Run]],
    context: Context,
    *,
    any_key: bool,
) -> list[Old]:
    """The stored runs that have the figure, and may be compared with unless `any_key` will do."""
    found = []
    names = [figure.arm] if figure.arm else list(arms)
    for path, run in runs:
        if not (any_key or _fits(run, context.key)):
            continue
        old = {arm.name: arm for arm in context.by_test(run).get(test, [])}
        if not any_key:
            old = {name: arm for name, arm in old.items() if name in arms and _alike(figure, arm, arms[name])}
        try:
            values = figure.of(old)
        except KeyError:
            continue  # an arm that the figure is about is not stored there, or not with this key
        if values:
            found.append(Old(path, run, {name: old[name] for name in names if name in old}, values))
    return found


def _alike(figure: Figure, old: Arm, new: Arm) -> bool:
    """Whether a figure of these arms may be compared: counts depend on their data, not on threads or calibrator."""
    if figure.kind == "exact":
        return old.key.get("data") == new.key.get("data")
    return old.key == new.key


def _home(figure: Figure, context: Context) -> Sequence[tuple[str, Run]]:
    """Where figures of a kind are stored: clocks by machine class, others for every machine."""
    stored = context.stored
    return {"times": stored.timing, "learning": stored.portable, "exact": stored.everything}[figure.kind]


def _compare(figure: Figure, test: str, arms: Mapping[str, Arm], context: Context) -> Comparison | None:
    """The figure's row; None where neither this run nor a stored one has a value of it."""
    values = figure.of(arms)
    found = _stored(figure, test, arms, _home(figure, context), context, any_key=False)
    if not found:
        return _nothing_stored(figure, test, arms, context) if values else None
    if not values:
        lost = "stored, and this run has no value of it"
        return _row(figure, test, verdict="CHANGED", method="", reason=lost, baselines=[old.path for old in found])
    if figure.name == SECONDS:
        return _times(arms[figure.arm], [(old.path, old.run, old.arms[figure.arm]) for old in found], context)
    if figure.kind == "exact":
        return _exact(figure, arms[figure.arm], found, context)
    judge = _units if figure.by_unit else {"times": _clocks, "learning": _learning}[figure.kind]
    return judge(figure, test, arms, values, found, context)


def _nothing_stored(figure: Figure, test: str, arms: Mapping[str, Arm], context: Context) -> Comparison:
    others = _stored(figure, test, arms, [*context.stored.everything, *context.stored.elsewhere], context, any_key=True)
    reasons = [(old.path, _why_incomparable(figure, arms, old, context)) for old in others]
    text = f"stored, but only {reasons[0][1]}" if reasons else "nothing is stored for this figure anywhere"
    return _row(
        figure,
        test,
        verdict="NO_BASELINE",
        method="",
        reason=f"{text}; `dlcv04 baseline` stores one",
        baselines=sorted({path for path, _ in reasons}),
    )


def _why_incomparable(figure: Figure, arms: Mapping[str, Arm], old: Old, context: Context) -> str:
    other_class = old.run.environment.machine_class
    if figure.kind == "times" and other_class != context.machine_class:
        return f"for the machine class {other_class}"
    theirs, ours = dict(old.run.key), dict(context.key)
    for name, arm in old.arms.items():
        theirs |= arm.key
        ours |= arms[name].key if name in arms else {}
    changed = [f"{name} {theirs.get(name)}" for name in theirs if theirs.get(name) != ours.get(name)]
    return f"for {', '.join(changed) or 'other settings'}"


def _exact(figure: Figure, arm: Arm, found: Sequence[Old], context: Context) -> Comparison:
    path, run, old = found[-1].path, found[-1].run, found[-1].arms[arm.name]
    changed = exact_changes(arm, old)
    verdict = "REGRESSED" if changed else "PASS"
    return _row(
        figure,
        arm.test,
        new=arm.parameters,
        old=old.parameters,
        effect=(arm.parameters or 0) - (old.parameters or 0),
        n_new=1,
        n_old=1,
        verdict=verdict,
        minimum_detectable_effect=0.0,
        method="integer comparison, no tolerance",
        reason="; ".join(changed),
        differences=explain(verdict, arm, (path, run, old), context),
        baselines=[path],
    )


def _times(arm: Arm, found: list[tuple[str, Run, Arm]], context: Context) -> Comparison:
    found = _since_pin(found)
    stored = [old for _, _, old in found]
    new = [arm, *(other for other in context.repeats if (other.fullname, other.key) == (arm.fullname, arm.key))]
    judged = context.gate.judge(new, stored)
    result, (word, why) = judged.result, judged.word
    verdict, reason = _believed(word, judged.doubt, new, stored, context.policy)
    return row(
        arm,
        SECONDS,
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
        method=judged.method,
        reason=reason or why,
        differences=[*explain(verdict, arm, found[-1], context), *judged.history],
        baselines=[path for path, _, _ in found],
    )


def baseline_of(arm: Arm, context: Context) -> list[tuple[str, Run, Arm]]:
    """The stored processes that this run's own process is compared with most strictly, the one they stand for first.

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


def _believed(verdict: str, doubt: str, new: Sequence[Arm], stored: Sequence[Arm], policy: Policy) -> tuple[str, str]:
    """The verdict, or INCONCLUSIVE with the reason where the machine or the baseline does not bear it."""
    if verdict == "PASS" and len(stored) < MIN_PROCESSES:
        return "INCONCLUSIVE", f"only {len(stored)} stored processes, {MIN_PROCESSES} are wanted"
    # A neighbour slows the calibrator more than the arm, or less: what is left looks faster, or slower.
    if verdict in ("REGRESSED", "CHANGED") and is_busy(new, policy):
        return "INCONCLUSIVE", f"{_who_was_busy(new)} meanwhile: these times prove nothing"
    if verdict == "REGRESSED" and (slowed := new_slowdowns(new, stored)):
        return "INCONCLUSIVE", f"the card was slowed ({', '.join(slowed)}), and it was not in the stored processes"
    if verdict == "REGRESSED" and doubt:
        return "INCONCLUSIVE", doubt
    return verdict, ""


def is_busy(arms: Iterable[Arm], policy: Policy) -> bool:
    """Whether other processes took so much of the cores, or were on the card, that these times prove nothing."""
    return any(arm.neighbours or arm.contention > policy.most_contention for arm in arms)


def _who_was_busy(arms: Sequence[Arm]) -> str:
    if on_card := list(dict.fromkeys(name for arm in arms for name in arm.neighbours)):
        return f"{'; '.join(on_card)} ran on the card"
    return f"other processes took {max(arm.contention for arm in arms):.0%} of the cores"


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


def _learning(
    figure: Figure, test: str, arms: Mapping[str, Arm], new: Values, found: Sequence[Old], context: Context
) -> Comparison:
    """Values by seed against the stored seeds."""
    old = {seed: value for run in found for seed, value in run.values.items()}
    margin = _margin(figure, old.values(), context.policy)
    result = stats.level_shift_test(
        list(new.values()),
        list(old.values()),
        alpha=context.alpha(figure),
        margin=margin,
        higher_is_better=figure.direction != "lower",
        new_seeds=list(new),
        old_seeds=list(old),
    )
    diverged = [curve.reason for arm in arms.values() if figure.arm == arm.name for curve in arm.curves if curve.reason]
    verdict, reason = _settled(figure, result.verdict, result.reason)
    if diverged and figure.asserted:
        verdict, reason = "REGRESSED", "; ".join(diverged)
    return _row(
        figure,
        test,
        new=_mean(new.values()),
        old=_mean(old.values()),
        effect=result.effect,
        low=result.low,
        high=result.high,
        gate=margin if figure.direction == "lower" else -margin,
        minimum_detectable_effect=result.minimum_detectable,
        n_new=len(new),
        n_old=len(old),
        verdict=verdict,
        method="mean over seeds against the stored seeds, by seed where these are stored; an alarm by their spread",
        reason=reason,
        differences=_explained(figure, verdict, arms, found[-1], context),
        baselines=[run.path for run in found],
    )


def _margin(figure: Figure, stored: Iterable[float], policy: Policy) -> float:
    """The smallest change that matters: two points of a share, five per cent of anything else."""
    if figure.unit == "points":
        return policy.margin_points
    return max(policy.margin_share * abs(_mean(stored) or 0.0), 1e-9)


def _settled(figure: Figure, verdict: str, reason: str) -> tuple[str, str]:
    """The verdict for a figure of this direction, and its reason.

    What no claim asserts need not exclude a worsening to pass: it is watched for alarms alone.
    """
    if figure.direction == "none" and verdict in {"REGRESSED", "IMPROVED"}:
        return "CHANGED", "more than chance explains; no claim says which way is better"
    if verdict == "IMPROVED" and figure.kind == "learning":
        # A leak makes learning better as often as an improvement does, so it is never just green.
        return "CHANGED", _TOO_GOOD
    if verdict == "INCONCLUSIVE" and not figure.asserted:
        return "PASS", "no worsening is shown"
    return verdict, reason


def _clocks(
    figure: Figure, test: str, arms: Mapping[str, Arm], new: Values, found: Sequence[Old], context: Context
) -> Comparison:
    """A figure that belongs to a machine class, against the stored processes: log ratios, or logs."""
    processes = [_process_levels(figure, values) for values in (new, *(old.values for old in found))]
    fresh, stored = processes[0], [level for levels in processes[1:] for level in levels]
    noise = _noise(figure, context)
    result = stats.stored_run_test(
        fresh,
        stored,
        alpha=context.alpha(figure),
        sd=noise.sd,
        df=noise.df,
        smallest=noise.smallest,
        gate=noise.gate,
    )
    verdict, reason = _settled(figure, result.verdict, result.reason)
    return _row(
        figure,
        test,
        new=math.exp(sum(fresh) / len(fresh)),
        old=math.exp(sum(stored) / len(stored)),
        effect=math.exp(result.effect),
        low=math.exp(result.low),
        high=math.exp(result.high),
        gate=noise.gate,
        minimum_detectable_effect=math.exp(result.minimum_detectable),
        n_new=len(fresh),
        n_old=len(stored),
        verdict=verdict,
        method=f"stored-run test, sd between processes {noise.sd:.1%} (shipped prior)",
        reason=reason,
        differences=_explained(figure, verdict, arms, found[-1], context),
        baselines=[old.path for old in found],
    )


def _noise(figure: Figure, context: Context) -> memory.Noise:
    if figure.name == PEAK_MEMORY:
        return memory.noise(context.machine_class)
    policy = context.policy
    return memory.Noise(stats.PRIOR_SD, stats.PRIOR_DF, policy.smallest_seconds, policy.gate_seconds)


def _process_levels(figure: Figure, values: Values) -> list[float]:
    """A run's figure on the log scale, one value a process: an effect's values are log ratios already."""
    if not figure.arm:
        return [float(stats.trimmed_mean(list(values.values())).mean)]
    known = [math.log(value) for value in values.values() if value > 0]
    return known if figure.name == PEAK_MEMORY else [float(stats.trimmed_mean(known).mean)]


def _units(
    figure: Figure, test: str, arms: Mapping[str, Arm], new: Values, found: Sequence[Old], context: Context
) -> Comparison:
    """Values of the same units: equal but for rounding, or other than chance explains."""
    stored = found[-1]
    pairs = [(new[unit], stored.values[unit]) for unit in new if unit in stored.values]
    differing = [now - then for now, then in pairs if not math.isclose(now, then, rel_tol=1e-5, abs_tol=1e-9)]
    lost = len({*new, *stored.values}) - len(pairs)
    risen = sum(difference > 0 for difference in differing)
    most = max(risen, len(differing) - risen)
    one_sided = most >= stats.least_count(len(differing), context.alpha(figure) / 2) if differing else False
    told = f"{len(differing)} of {len(pairs)} values differ" + (f", {lost} are on one side alone" if lost else "")
    if not differing and not lost:
        verdict, reason = "PASS", "every value is as stored"
    elif lost or one_sided or _is_same_machine(stored.run, context):
        verdict, reason = "CHANGED", told
    else:
        verdict, reason = "PASS", f"{told}, no more to one side than another machine's rounding explains"
    return _row(
        figure,
        test,
        new=_mean(new.values()),
        old=_mean(stored.values.values()),
        effect=max(map(abs, differing), default=0.0),
        n_new=len(new),
        n_old=len(stored.values),
        verdict=verdict,
        method="value by value; on another processor or other versions by the exact count of their signs",
        reason=reason,
        differences=_explained(figure, verdict, arms, stored, context),
        baselines=[stored.path],
    )


def _other_curves(arm: Arm, context: Context) -> list[Comparison]:
    """A row where seeds learnt otherwise than stored although nothing but the code can be why: one thread, one machine.

    How well an arm learns is judged seed against seed within what chance explains. A leak of a few validation pictures
    lies within that, and yet no random seed draws another curve.
    """
    found = [entry for entry in _find(arm, context.stored.portable, context.key) if entry[2].curves]
    if arm.key.get("threads") != "1" or not found or not _is_same_machine(found[-1][1], context):
        return []
    path, run, old = found[-1]
    stored = {curve.seed: curve for curve in old.curves}
    shared = [curve for curve in arm.curves if curve.seed in stored]
    differing = [curve.seed for curve in shared if not _is_same_curve(curve, stored[curve.seed])]
    if not differing:
        return []
    named = f"seed{'s' * (len(differing) > 1)} {', '.join(map(str, differing))}"
    return [
        _row(
            Figure("curves", "learning", "seeds", "none", lambda arms: {}, arm.name),
            arm.test,
            effect=len(differing),
            n_new=len(shared),
            n_old=len(old.curves),
            verdict="CHANGED",
            method="epoch by epoch, with the same seeds, processor, versions and one thread",
            reason=f"{named} learned differently from the stored run: the code or its data changed, or "
            "something random has no seed; if this is intended, `dlcv04 baseline` stores a new baseline",
            differences=explain("CHANGED", arm, (path, run, old), context),
            baselines=[path],
        )
    ]


def _is_same_curve(new: SeedCurve, old: SeedCurve) -> bool:
    """Whether two curves are equal but for rounding."""
    if (new.status, len(new.epochs)) != (old.status, len(old.epochs)):
        return False
    both = _points(new), _points(old)
    pairs = zip(*both, strict=False)
    return len(both[0]) == len(both[1]) and all(
        now == then or math.isclose(now, then, rel_tol=1e-5, abs_tol=1e-9) for now, then in pairs
    )


def _points(curve: SeedCurve) -> list[float]:
    points = (value for row in curve.epochs for value in row.learnt)
    return [math.inf if point is None else point for point in points]


def _is_same_machine(run: Run, context: Context) -> bool:
    """Whether equal code must give equal values: the same processor, not a card, and the same versions.

    Plugins of pytest are code: they excuse nothing.
    """
    if run.environment.machine_class != context.machine_class or context.machine_class.startswith("gpu"):
        return False
    return environment_changes(context.software, run.environment.software).keys() <= {"plugins"}


def _explained(figure: Figure, verdict: str, arms: Mapping[str, Arm], old: Old, context: Context) -> list[str]:
    """What could be to blame, of every arm that the figure is about."""
    found = [explain(verdict, arms[name], (old.path, old.run, arm), context) for name, arm in old.arms.items()]
    return list(dict.fromkeys(text for texts in found for text in texts))


def explain(verdict: str, arm: Arm, found: tuple[str, Run, Arm], context: Context) -> list[str]:
    """What could be to blame for a regression; where nothing recorded differs, that is the finding."""
    if verdict not in {"REGRESSED", "CHANGED"}:
        return []
    _, run, old = found
    changes = [
        *differences(arm, old),
        *environment_changes(context.software, run.environment.software).values(),
        *clock_changes(arm, old),
    ]
    return changes or [
        "nothing recorded: network, recipe, optimizer and software are as stored, so look at the code that runs them"
    ]


def _stale(claim: Claim, arms: Sequence[Arm], context: Context) -> list[Comparison]:
    for path, run in reversed(context.stored.everything):
        old = next((old for old in run.claims if old.test == claim.test), None) if _fits(run, context.key) else None
        if old is None:
            continue
        reasons = [] if old.source_hash == claim.source_hash else ["the test's own code changed"]
        before = {arm.name: arm for arm in context.by_test(run).get(claim.test, [])}
        alike = [arm for arm in arms if arm.name in before and before[arm.name].key == arm.key]
        if alike or not arms:  # on other data a margin may be another
            clockless = run.acceptance is not None and run.acceptance.part == "portable"
            reasons += declared.changes(claim, old, clockless=clockless)
        reasons += [f"{arm.name}: {text}" for arm in alike for text in declared_changes(arm, before[arm.name])]
        if reasons:
            return [_stale_row(claim, reasons, path)]
    return []


def _stale_row(claim: Claim, reasons: list[str], path: str) -> Comparison:
    return msgspec.structs.replace(
        missing_comparison(claim.test, path),
        metric="source",
        verdict="STALE",
        n_new=1,
        method="hash of the test's syntax tree without its docstring; margins, targets, metrics, pairs, control, arms "
        "and recipe as declared",
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
    rows = [missing_comparison(claim.test, path, arm) for arm, path in lost.items()]
    judged = None if rows or claim.assertions else _newest_assertions(claim.test, context)
    return [missing_comparison(claim.test, judged, how="was not judged")] if judged else rows


def _newest_assertions(test: str, context: Context) -> str | None:
    """The newest stored run in which a test asserted something; None where none did."""
    for path, run in reversed(context.stored.everything):
        if _fits(run, context.key) and any(old.test == test and old.assertions for old in run.claims):
            return path
    return None


def _mean(values: Iterable[float]) -> float | None:
    finite_values = [value for value in values if math.isfinite(value)]
    return sum(finite_values) / len(finite_values) if finite_values else None


def row(arm: Arm, metric: str, **details: Any) -> Comparison:
    """One comparison of an arm's times; what is not given is blank, and floats are made finite."""
    figure = Figure(metric, "times", "ratio", "lower", lambda arms: {}, arm.name, asserted=True)
    return _row(figure, arm.test, **details)


def _row(figure: Figure, test: str, **details: Any) -> Comparison:
    """One comparison of a figure; what is not given is blank, and floats are made finite."""
    blank: dict[str, Any] = dict.fromkeys(("new", "old", "effect", "low", "high", "gate", "minimum_detectable_effect"))
    known = {"kind": figure.kind, "direction": figure.direction, "unit": figure.unit, "asserted": figure.asserted}
    filled = {**known, "n_new": 0, "n_old": 0, **blank, **details}
    filled.update({name: finite(filled[name]) for name in blank})
    return Comparison(test=test, arm=figure.arm, metric=figure.name, **filled)
