"""Claims: what a test asserts about its arms, and how each assertion is judged.

The type of an assertion fixes its test: EXACT compares integers, ORDER compares interleaved times by the
symmetric e-process, PAIRED, EQUIVALENT, LEVEL and REACH judge learning over seeds at pre-set looks, IDENTITY holds a
fast path against a slow one. Each states a margin, the smallest effect that matters, before anything is measured:
HOLDS when the interval's near bound lies beyond it, VIOLATED when the far bound falls short of it, INCONCLUSIVE when
the interval straddles it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from dlcv04.harness import assertions as judging
from dlcv04.harness.controls import Control
from dlcv04.harness.measure import ArmTimes
from dlcv04.harness.policy import PROFILES, Policy
from dlcv04.harness.schema import Assertion, ClaimVerdict, Published
from dlcv04.harness.seeds import FINAL_VAL_ACCURACY, MEAN_VAL_ACCURACY, VAL_ACCURACY, ArmCurves, Metric, Series
from dlcv04.harness.values import ArmValues
from dlcv04.lazy import LazyModule

statistics = LazyModule("dlcv04.harness.statistics")

Test = TypeVar("Test", bound=Callable[..., Any])


class ClaimError(ValueError):
    """A claim is written in a way that can't be judged."""


@dataclass(frozen=True)
class ClaimInfo:
    """What the decorator `claim` says of a test."""

    sentence: str
    control: Control
    slide: int | None = None
    published: Published = field(default_factory=Published)
    judged_from: str = "smoke"
    task: str = ""


def claim(
    sentence: str,
    *,
    control: Control,
    slide: int | None = None,
    published: Published | str = "",
    judged_from: str = "smoke",
    task: str = "",
) -> Callable[[Test], Test]:
    """Declare that a test judges a claim.

    Args:
        sentence: the claim, as a person would say it.
        control: the intervention that makes the claim false by construction; a claim without one can't be
            collected, since nobody could know that it is able to fail.
        slide: the slide of the 2016 talk.
        published: the published figures, as a sentence or as `Published`.
        judged_from: the smallest profile that can judge the claim; below it the run shows figures only.
        task: the heading under which the report shows the claim.

    Raises:
        ClaimError: no control, or an unknown profile.

    Examples:
        >>> @claim("A wider layer is slower", control=reference_everywhere("narrow"))
        ... def test_wider_is_slower(epoch_time, claim):
        ...     times = epoch_time(narrow=narrow_net, wide=wide_net)
        ...     claim.slower(times.wide, than=times.narrow, by=1.10)
    """
    if not isinstance(control, Control):
        raise ClaimError(
            f"The claim {sentence!r} has no control: pass control=reference_everywhere('<arm>') or "
            "control=planted('<what>', change_arm), so that it can be shown able to fail."
        )
    if judged_from not in PROFILES:
        raise ClaimError(f"The claim {sentence!r} has judged_from={judged_from!r}; profiles are {PROFILES}.")
    figures = Published(sentence=published) if isinstance(published, str) else published
    info = ClaimInfo(sentence, control, slide, figures, judged_from, task)
    return pytest.mark.claim(info)


@dataclass
class ClaimRecorder:
    """The fixture `claim`: judges assertions as the test makes them and keeps them for the verdict.

    `fixed_n` is set for a control: it runs at the n that the real claim used, assertion by assertion, with no
    early stop.
    """

    info: ClaimInfo
    policy: Policy
    fixed_n: Mapping[int, int] | None = None
    max_seeds: int | None = None
    assertions: list[Assertion] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    def lacks(self, what: str) -> None:
        """Leave the claim INCONCLUSIVE: something that it needs is not on this machine.

        Args:
            what: a sentence that says what is missing and how to get it (`pip install ...`, `dlcv04 fetch ...`).

        Raises:
            ClaimError: it says nothing.
        """
        if not what.strip():
            raise ClaimError("claim.lacks() needs a sentence that says what is missing and how to get it.")
        self.lacking.append(what)

    # -- EXACT ---------------------------------------------------------------------------------------------

    def exactly(self, value: int, expected: int, *, of: str, what: str = "parameters") -> None:
        """EXACT: an integer figure of the arm `of` equals the expected one, tolerance 0."""
        self._exact(
            sentence=f"{of} has {expected:,} {what}",
            treatment=of,
            reference="",
            unit=what,
            effect=float(value),
            margin=float(expected),
            relation="==",
            holds=value == expected,
            found=f"{of} has {value:,} {what}, not {expected:,}",
        )

    def fewer(self, value: int, *, than: int, of: str, reference: str, what: str = "parameters") -> None:
        """EXACT: the arm `of` has fewer `what` than the arm `reference`."""
        self._exact(
            sentence=f"{of} has fewer {what} than {reference}",
            treatment=of,
            reference=reference,
            unit="ratio",
            effect=value / than,
            margin=1.0,
            relation="<",
            holds=value < than,
            found=f"{of} has {value:,} {what}, {reference} has {than:,}",
        )

    def times_as_many(
        self, value: int, *, than: int, by: float, of: str, reference: str, what: str = "parameters"
    ) -> None:
        """EXACT: the arm `of` has at least `by` times as many `what` as the arm `reference`."""
        self._exact(
            sentence=f"{of} has at least {by:g} times the {what} of {reference}",
            treatment=of,
            reference=reference,
            unit="ratio",
            effect=value / than,
            margin=by,
            relation=">=",
            holds=value >= by * than,
            found=f"{of} has {value:,} {what}, {value / than:.2f} times the {than:,} of {reference}",
        )

    def _exact(self, *, holds: bool, found: str, effect: float, **figures: Any) -> None:
        verdict: ClaimVerdict = "HOLDS" if holds else "VIOLATED"
        self.assertions.append(
            Assertion(
                kind="EXACT",
                effect=effect,
                low=effect,
                high=effect,
                n=1,
                n_unit="count",
                minimum_detectable_effect=0.0,
                verdict=verdict,
                method="integer comparison, no tolerance",
                reason="" if holds else found,
                **figures,
            )
        )

    # -- ORDER ---------------------------------------------------------------------------------------------

    def slower(self, treatment: ArmTimes, *, than: ArmTimes, by: float) -> None:
        """ORDER: a round of `treatment` takes at least `by` times as long as one of `than`.

        Measures further rounds of the two arms until the symmetric e-process decides or 60 pairs are spent.

        Raises:
            ClaimError: the margin is not above 1, or the arms were not timed in one interleaved block.
        """
        _check_ratio(by)
        if treatment.block is not than.block:
            raise ClaimError(
                f"{treatment.name!r} and {than.name!r} were timed in two blocks, minutes apart: time them in one "
                "epoch_time(...) call."
            )
        self.assertions.append(self._judge_order(treatment, than, by))
        for arm in (treatment, than):
            self._sharpen(arm)

    def faster(self, treatment: ArmTimes, *, than: ArmTimes, by: float) -> None:
        """ORDER: `than` takes at least `by` times as long as `treatment`."""
        self.slower(than, than=treatment, by=by)

    def _judge_order(self, treatment: ArmTimes, than: ArmTimes, margin: float) -> Assertion:
        block, both, fixed = treatment.block, (treatment.name, than.name), self._fixed_n()
        wanted = fixed or (self.policy.recorded_pairs if self.policy.record else self.policy.min_pairs)
        # A control is judged once, at its n: it gets no earlier chance to be found violated.
        controlled = self.fixed_n is not None
        while True:
            done = len(block.log_ratios(*both))
            if done < wanted:
                block.run(wanted - done, only=None if done == 0 else both)
            judged = judging.order(
                block.log_ratios(*both),
                both,
                margin,
                self.policy,
                min_pairs=wanted if controlled else self.policy.min_pairs,
                reason=_noisy(treatment, than),
            )
            if not judged.undecided or controlled or wanted >= self.policy.max_pairs:
                return judged.assertion
            wanted = min(wanted + 2, self.policy.max_pairs)

    def _sharpen(self, arm: ArmTimes) -> None:
        """Time an arm that is held against stored processes until its own rounds say enough about it.

        The verdict on the claim is fixed by then: these rounds have no partner.
        """
        if self.fixed_n is not None or not (self.policy.compare or self.policy.record):
            return
        while len(arm.rounds) < self.policy.most_rounds:
            _, standard_error, _ = statistics.trimmed_mean([math.log(seconds) for seconds in arm.seconds])
            if standard_error <= self.policy.precision:
                return
            arm.block.run(2, only=(arm.name,))

    # -- over seeds ----------------------------------------------------------------------------------------

    def better(self, treatment: ArmCurves, *, than: ArmCurves, by: float, of: Metric = MEAN_VAL_ACCURACY) -> None:
        """PAIRED: over seeds, `of` of `treatment` is better than that of `than` by at least `by`.

        Trains both arms at the pre-set looks (3, 5, 8 seeds) until the group-sequential t test decides. A
        diverged curve makes the claim VIOLATED and its epoch is named.

        Raises:
            ClaimError: the margin is not positive, or the arms come from two calls.
        """
        _check_margin(by, "the smallest difference that matters")
        self._over_seeds((treatment, than), lambda sides, looks: judging.paired(sides, of, by, looks, self.policy))

    def not_better(self, treatment: ArmCurves, *, than: ArmCurves, by: float, of: Metric = MEAN_VAL_ACCURACY) -> None:
        """PAIRED: over seeds, `of` of `treatment` is not better than that of `than` by `by` or more.

        Equal arms satisfy it, so its control is a planted difference of at least two margins.

        Raises:
            ClaimError: the margin is not positive, or the arms come from two calls.
        """
        _check_margin(by, "the smallest difference that would matter")
        self._over_seeds((treatment, than), lambda sides, looks: judging.not_better(sides, of, by, looks, self.policy))

    def equivalent(self, one: ArmCurves, other: ArmCurves, *, within: float, of: Metric = FINAL_VAL_ACCURACY) -> None:
        """EQUIVALENT: over seeds, `of` of both arms differs by less than `within`, by two one-sided t tests.

        Equal arms satisfy it, so its control is a planted difference of at least two margins.

        Raises:
            ClaimError: the margin is not positive, or the arms come from two calls.
        """
        _check_margin(within, "the largest difference that does not matter")
        self._over_seeds((one, other), lambda sides, looks: judging.equivalent(sides, of, within, looks, self.policy))

    def at_least(self, arm: ArmCurves, least: float, *, of: Metric = FINAL_VAL_ACCURACY) -> None:
        """LEVEL: `of` of `arm` is at least `least`, for new seeds and, where it is a proportion, for new pictures.

        Raises:
            ClaimError: the level is not finite.
        """
        if not math.isfinite(least):
            raise ClaimError(f"least={least!r}: a level is a finite number.")
        self._over_seeds((arm,), lambda sides, looks: judging.level(sides, of, least, looks, self.policy))

    def reaches_sooner(
        self, treatment: ArmCurves, *, than: ArmCurves, target: float, by: float, of: Series = VAL_ACCURACY
    ) -> None:
        """REACH: `than` takes at least `by` times as many epochs as `treatment` until `of` reaches `target`.

        Epochs are interpolated; a miss counts as the epochs that were trained, so that both missed is a tie.

        Raises:
            ClaimError: the margin is not above 1, or the arms come from two calls.
        """
        _check_ratio(by)
        self._over_seeds(
            (treatment, than), lambda sides, looks: judging.reach(sides, of, target, by, looks, self.policy)
        )

    def _over_seeds(
        self,
        arms: tuple[ArmCurves, ...],
        judge: Callable[[list[judging.Side], tuple[int, ...]], judging.Judged],
    ) -> None:
        """Train to each look until the verdict stands; a control and a recording train a fixed number of seeds."""
        if any(arm.block is not arms[0].block for arm in arms):
            names = " and ".join(repr(arm.name) for arm in arms)
            raise ClaimError(f"{names} must come from one learning(...) call.")
        looks = self._looks()
        fixed = self._fixed_n() or (self.policy.recorded_seeds if self.policy.record else None)
        for seeds in [fixed] if fixed else looks:
            arms[0].block.run(seeds)
            judged = judge([judging.Side(arm.name, arm.by_seed, arm.images) for arm in arms], looks)
            if not judged.undecided:
                break
        self.assertions.append(judged.assertion)

    # -- over values ---------------------------------------------------------------------------------------

    def identical(self, fast: ArmValues, slow: ArmValues, *, within: float, what: str = "values") -> None:
        """IDENTITY: a fast path gives what the slow one gives; no value differs by more than `within`.

        Raises:
            ClaimError: the tolerance is negative, or the shapes differ.
        """
        if not within >= 0:
            raise ClaimError(f"within={within!r}: a tolerance is 0 or more.")
        _check_shapes(fast, slow)
        self._over_values(lambda: judging.identity(fast.values, slow.values, (fast.name, slow.name), within, what))

    def higher(
        self,
        treatment: ArmValues,
        *,
        than: ArmValues,
        by: float,
        over: str = "units",
        what: str = "value",
        clusters: Sequence[Any] | None = None,
    ) -> None:
        """PAIRED over units: the values of `treatment` exceed those of `than` by at least `by`, unit by unit.

        Args:
            treatment: one value a unit.
            than: the same units' values in the reference arm.
            by: the smallest difference that matters.
            over: what a unit is, in the plural ("filters").
            what: what a value is.
            clusters: one label a unit, where units are not independent (pictures of one building): the means of the
                clusters are judged, and `over` names them.

        Raises:
            ClaimError: the margin is not positive, there are several values a unit, or the arms' units differ.
        """
        _check_margin(by, "the smallest difference that matters")
        _check_shapes(treatment, than)
        if treatment.values.ndim != 1 or len(treatment.values) < 2:
            raise ClaimError(
                f"{treatment.name!r} has values of shape {treatment.values.shape}: give one a unit, two units or more."
            )
        differences = judging.cluster_means(treatment.values - than.values, clusters)
        names = treatment.name, than.name
        self._over_values(lambda: judging.over_units(differences, names, what, by, over, self.policy))

    def _over_values(self, judge: Callable[[], Assertion]) -> None:
        self.assertions.append(judge())

    def _looks(self) -> tuple[int, ...]:
        if self.max_seeds is None:
            return self.policy.looks
        kept = tuple(look for look in self.policy.looks if look <= self.max_seeds)
        return kept or (self.max_seeds,)

    def _fixed_n(self) -> int | None:
        return None if self.fixed_n is None else self.fixed_n.get(len(self.assertions))


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
    text = f"{assertion.sentence}: {figure}, {assertion.n} {assertion.n_unit}: {assertion.verdict}"
    return f"{text} ({assertion.reason})" if assertion.reason else text


def weak_control(real: list[Assertion], control: list[Assertion]) -> str:
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


def _check_margin(margin: float, what: str) -> None:
    if not margin > 0:
        raise ClaimError(f"{margin!r} is no margin: give {what}, above 0.")


def _check_ratio(by: float) -> None:
    if not by > 1:
        raise ClaimError(f"by={by!r}: a margin is a ratio above 1, the smallest effect that matters.")


def _check_shapes(one: ArmValues, other: ArmValues) -> None:
    if one.values.shape != other.values.shape:
        raise ClaimError(
            f"{one.name!r} has values of shape {one.values.shape} and {other.name!r} of shape {other.values.shape}: "
            "they can't be compared value by value."
        )


def _noisy(*arms: ArmTimes) -> str:
    names = [arm.name for arm in arms if arm.workload.noisy]
    return f"timed with its own host pipeline, noisier: {', '.join(names)}" if names else ""


def _number(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:.4g}"
