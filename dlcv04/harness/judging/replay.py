"""Judging a stored run again: verdicts as a pure function of files, the same on any machine.

Nothing is measured here. Times, curves and process pairs are those of the run; the rules are this version's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from dlcv04.harness.judging import assertions, outcome
from dlcv04.harness.judging.comparisons import Context
from dlcv04.harness.judging.metrics import METRICS, SERIES, Series, series_of
from dlcv04.harness.judging.suspects import compared
from dlcv04.harness.judging.verdicts import overall
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Arm, Assertion, Claim, Run, SeedCurve
from dlcv04.harness.store.stored import Stored


def rejudge(run: Run, stored: Stored | None, *, strict: bool = False, companions: Sequence[Run] = ()) -> Run:
    """The run with every verdict decided anew.

    Args:
        run: as it was stored.
        stored: what to hold it against; None for nothing but the process pairs it has itself.
        strict: INCONCLUSIVE fails, as `--dl-strict`.
        companions: further processes of the same code, whose times are judged together with the run's.

    Returns:
        A run with new assertions, comparisons, what they were compared with, verdicts and exit status; figures are
        untouched. Stored tests that the run did not have stay as MISSING as they were found.
    """
    policy = Policy(profile=run.profile, strict=strict, compare=stored is not None, against=run.against is not None)
    context = Context(
        run.key,
        run.environment.machine_class,
        stored or Stored(),
        policy,
        software=run.environment.software,
        repeats=[*run.repeats, *_arms_of(companions, run.key)],
        rechecks=run.rechecks,
    )
    claims = [_rejudged(claim, run, context, stored is not None) for claim in run.claims]
    held_against = sorted({path for path, _ in stored.everything}) if stored else []
    judged = msgspec.structs.replace(run, claims=claims, strict=strict, compared_with=held_against)
    return msgspec.structs.replace(judged, exit_status=outcome.exit_status(judged, asked=stored is not None))


def untrue(run: Run) -> str:
    """What a run says of a claim and its own figures do not, as a sentence; empty where it says nothing such.

    A file that nobody accepted has no hash: its words are believed only where they follow from what was measured.
    """
    again = {(claim.test, claim.is_control): claim.verdict for claim in rejudge(run, None).claims}
    asserted = [claim for claim in run.claims if claim.judged and claim.assertions]
    said = [claim for claim in asserted if claim.verdict != again[_name(claim)]]
    if not said:
        return ""
    more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
    figures = again[_name(said[0])]
    return (
        f"Run {run.id} says {said[0].verdict} of {said[0].test}{more}, and its own figures say {figures}: it was "
        "edited, or judged by another version; `dlcv04 judge` judges it again."
    )


def _name(claim: Claim) -> tuple[str, bool]:
    return claim.test, claim.is_control


def _arms_of(companions: Sequence[Run], key: Mapping[str, str]) -> list[Arm]:
    """All arms of the processes that measured with this key."""
    return [arm for run in companions if run.key == key for arm in (*run.arms, *run.repeats)]


def _rejudged(claim: Claim, run: Run, context: Context, asked: bool) -> Claim:
    arms = {arm.name: arm for arm in run.arms if arm.test == claim.test}
    policy = context.policy
    judged = [_again(assertion, arms, context, fixed_n=claim.is_control) for assertion in claim.assertions]
    verdict, reason = overall(judged, claim.lacking)
    rows = []
    if not claim.is_control:
        rows = compared(claim, list(arms.values()), context if asked else None, run.against, policy)
    return msgspec.structs.replace(claim, assertions=judged, verdict=verdict, reason=reason, comparisons=rows)


def _again(assertion: Assertion, arms: Mapping[str, Arm], context: Context, *, fixed_n: bool) -> Assertion:
    policy = context.policy
    present = assertion.treatment in arms and (not assertion.reference or assertion.reference in arms)
    if not present:
        return assertion
    if assertion.kind == "EXACT":
        return _exact(assertion)
    if assertion.metric == assertions.PEAK_MEMORY:
        return _memory(assertion, arms, context)
    if assertion.kind == "ORDER":
        return _order(assertion, arms, policy, fixed_n=fixed_n)
    return _over_seeds(assertion, arms, policy, fixed_n) if assertion.n_unit == "seeds" else assertion


def _order(assertion: Assertion, arms: Mapping[str, Arm], policy: Policy, *, fixed_n: bool) -> Assertion:
    names = (assertion.treatment, assertion.reference)
    # Where rounds have no numbers, nothing says which were neighbours.
    rounds = [dict(zip(arms[name].round_index, arms[name].round_seconds, strict=False)) for name in names]
    ratios = [math.log(rounds[0][i] / rounds[1][i]) for i in sorted(rounds[0].keys() & rounds[1].keys())]
    if not ratios:
        lost = "no round of one arm has a neighbouring round of the other"
        return msgspec.structs.replace(assertion, verdict="INCONCLUSIVE", reason=lost)
    # Runs stored before a claim could ask for more pairs have no look.
    min_pairs = assertion.n if fixed_n else max([policy.min_pairs, *assertion.looks])
    return assertions.order(
        ratios, names, assertion.margin, policy, min_pairs=min_pairs, reason=assertion.reason
    ).assertion


def _memory(assertion: Assertion, arms: Mapping[str, Arm], context: Context) -> Assertion:
    names = (assertion.treatment, assertion.reference)
    new, old = (
        [v for f in arms[n].figures if f.name == assertion.metric for v in f.values if v and v > 0] for n in names
    )
    if not new or not old:
        return assertion
    return assertions.needs_more((new, old), names, assertion.margin, context.policy, context.machine_class)


def _over_seeds(assertion: Assertion, arms: Mapping[str, Arm], policy: Policy, control: bool) -> Assertion:
    """The assertion judged from the stored curves; as it was where its figure is the test's own, known to it alone."""
    names = [name for name in (assertion.treatment, assertion.reference) if name]
    curves = {name: {curve.seed: curve for curve in arms[name].curves} for name in names}
    drawn = [set(curves[name]) for name in names if not arms[name].deterministic]
    seeds = sorted(set.intersection(*drawn))[: assertion.n] if drawn else []
    sides = [_side(arms[name], [curves[name][seed] for seed in seeds]) for name in names]
    counting = assertions.Counting(policy, allowed=assertion.failures_allowed, control=control)
    try:
        judged = _judge_seeds(assertion, sides, counting)
    except assertions.EqualSeedsError as error:
        return msgspec.structs.replace(assertion, verdict="INCONCLUSIVE", reason=str(error))
    return assertion if judged is None else judged.assertion


def _side(arm: Arm, curves: list[SeedCurve]) -> assertions.ArmSeeds:
    return assertions.ArmSeeds(
        arm.name,
        arm.curves[:1] if arm.deterministic else curves,
        arm.val_images,
        arm.train_images,
        arm.val_labels,
        arm.deterministic,
    )


def _judge_seeds(
    assertion: Assertion, sides: list[assertions.ArmSeeds], counting: assertions.Counting
) -> assertions.Judged | None:
    """By the rule of its kind; None where the figure is known to the test alone."""
    if assertion.kind == "REACH":
        series = next((series for series in SERIES if series.name == assertion.metric), _by_name(assertion, sides))
        if series is None or assertion.target is None:
            return None
        return assertions.reach(sides, series, assertion.target, assertion.margin, counting)
    if assertion.metric == assertions.ANSWERS:
        return assertions.right_more_often(sides, assertion.margin, counting)
    metric = next((metric for metric in METRICS if metric.name == assertion.metric), None)
    if metric is None:
        series = _by_name(assertion, sides)
        if series is None:
            return None
        metric = series.last()
    rules = {"EQUIVALENT": assertions.equivalent, "LEVEL": assertions.level, "PAIRED": assertions.paired}
    upper = assertion.kind == "PAIRED" and assertion.relation == "<"
    rule = assertions.not_better if upper else rules[assertion.kind]
    return rule(sides, metric, assertion.margin, counting)


def _by_name(assertion: Assertion, sides: list[assertions.ArmSeeds]) -> Series | None:
    """The figure that a claim asked for by the name that Keras gives it, where the curves have it."""
    rows = [epoch for side in sides for curve in side.curves for epoch in curve.epochs]
    if all(row.named(assertion.metric) is None for row in rows):
        return None
    try:
        return series_of(assertion.metric)
    except ValueError:  # its direction is known to the test alone
        return None


def _exact(assertion: Assertion) -> Assertion:
    if assertion.effect is None or not assertion.relation:
        return assertion
    holds = {
        "==": assertion.effect == assertion.margin,
        "<": assertion.effect < assertion.margin,
        ">=": assertion.effect >= assertion.margin,
    }[assertion.relation]
    return msgspec.structs.replace(assertion, verdict="HOLDS" if holds else "VIOLATED")
