"""Claims: what a test asserts about its arms, and how each assertion is judged.

The type of an assertion fixes its test: EXACT compares integers, ORDER compares interleaved times by the
symmetric e-process, PAIRED, EQUIVALENT, LEVEL and REACH count seeds, IDENTITY holds a fast path against a slow one.
Each states a margin, the smallest effect that matters, before anything is measured: HOLDS when the interval's near
bound lies beyond it, VIOLATED when the far bound falls short of it, INCONCLUSIVE when the interval straddles it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dlcv04.code_hash import code_hash
from dlcv04.harness.claims.claim import ClaimError, ClaimInfo
from dlcv04.harness.judging import assertions
from dlcv04.harness.judging.assertions import ArmSeeds, Counting, Judged
from dlcv04.harness.judging.declared import CONTROL_CODE, of_assertions
from dlcv04.harness.judging.metrics import (
    FINAL_VAL_ACCURACY,
    MEAN_VAL_ACCURACY,
    METRICS,
    SERIES,
    VAL_ACCURACY,
    Metric,
    Series,
    is_accuracy,
    series_of,
)
from dlcv04.harness.measuring.blocks import ArmTimes
from dlcv04.harness.measuring.seeds import ArmCurves
from dlcv04.harness.measuring.values import ArmValues
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Assertion, ClaimVerdict, Figure, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


@dataclass
class ClaimRecorder:
    """The fixture `claim`: judges assertions as the test makes them and keeps them for the verdict.

    `fixed_n` is set for a control: it runs at the n that the real claim used, assertion by assertion, with no
    early stop.
    """

    info: ClaimInfo
    policy: Policy
    machine_class: str = ""
    fixed_n: Mapping[int, int] | None = None
    max_seeds: int | None = None
    assertions: list[Assertion] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    metrics: dict[str, Metric | Series] = field(default_factory=dict)

    @property
    def declared(self) -> dict[str, str]:
        """What the test fixed in advance: its assertions as they were resolved, the code of control and metrics."""
        own = {f"the code of {name}": code_hash(metric.of) for name, metric in self.metrics.items()}
        control = {CONTROL_CODE: code_hash(self.info.control.change)}
        return {**of_assertions(self.assertions), **control, **own}

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

    def slower(self, treatment: ArmTimes, *, than: ArmTimes, by: float, pairs: int = 0) -> None:
        """ORDER: a round of `treatment` takes at least `by` times as long as one of `than`.

        Measures further rounds of the two arms until the symmetric e-process decides or 60 pairs are spent.

        Args:
            treatment: the slower arm.
            than: the faster one, of the same `epoch_time(...)` call.
            by: the margin, a ratio above 1.
            pairs: decide on so many pairs at least (up to 60): a control has as many as its claim, and where the effect
                is small the usual 8 would not tell the two apart.

        Raises:
            ClaimError: the margin is not above 1, the arms were not timed in one interleaved block, or more pairs are
                asked for than a claim may take.
        """
        _check_ratio(by)
        if pairs > self.policy.max_pairs:
            raise ClaimError(f"pairs={pairs}: a claim on times takes {self.policy.max_pairs} pairs at most.")
        if treatment.block is not than.block:
            raise ClaimError(
                f"{treatment.name!r} and {than.name!r} were timed in two blocks, minutes apart: time them in one "
                "epoch_time(...) call."
            )
        self.assertions.append(self._judge_order(treatment, than, by, max(pairs, self.policy.min_pairs)))
        for arm in (treatment, than):
            self._sharpen(arm)

    def faster(self, treatment: ArmTimes, *, than: ArmTimes, by: float, pairs: int = 0) -> None:
        """ORDER: `than` takes at least `by` times as long as `treatment`."""
        self.slower(than, than=treatment, by=by, pairs=pairs)

    def needs_more_memory(self, treatment: ArmTimes, *, than: ArmTimes, by: float) -> None:
        """ORDER: training `treatment` takes at least `by` times the memory of `than`, at its peak.

        On a card the peak of its allocator. On a CPU what three fresh processes took beyond the framework, which is
        less sharp: their standard deviation is 5 %.

        Args:
            treatment: the hungrier arm.
            than: the other.
            by: the margin, a ratio above 1.

        Raises:
            ClaimError: the margin is not above 1, or an arm's memory can't be measured.
        """
        _check_ratio(by)
        peaks = _peaks_of(treatment), _peaks_of(than)
        names = treatment.name, than.name
        self.assertions.append(assertions.needs_more(peaks, names, by, self.policy, self.machine_class))

    def _judge_order(self, treatment: ArmTimes, than: ArmTimes, margin: float, least: int) -> Assertion:
        block, both, fixed = treatment.block, (treatment.name, than.name), self._fixed_n()
        wanted = fixed or (max(self.policy.recorded_pairs, least) if self.policy.record else least)
        # A control is judged once, at its n: it gets no earlier chance to be found violated.
        controlled = self.fixed_n is not None
        while True:
            done = len(block.log_ratios(*both))
            if done < wanted:
                block.run(wanted - done, only=None if done == 0 else both)
            judged = assertions.order(
                block.log_ratios(*both),
                both,
                margin,
                self.policy,
                min_pairs=wanted if controlled else least,
                reason=_noisy(treatment, than),
            )
            if not judged.undecided or controlled or wanted >= self.policy.max_pairs:
                return judged.assertion
            wanted = min(wanted + 2, self.policy.max_pairs)

    def _sharpen(self, arm: ArmTimes) -> None:
        """Time an arm that is compared with stored processes until its own rounds say enough about it.

        The verdict on the claim is fixed by then: these rounds have no partner.
        """
        if self.fixed_n is not None or not (self.policy.compare or self.policy.record):
            return
        while len(arm.rounds) < self.policy.most_rounds:
            _, standard_error, _ = stats.trimmed_mean([math.log(seconds) for seconds in arm.seconds])
            if standard_error <= self.policy.precision:
                return
            arm.block.run(2, only=(arm.name,))

    # -- over seeds ----------------------------------------------------------------------------------------

    # Of all of these: arms are trained to 5, 8 and 12 seeds until the count decides. A claim HOLDS when all of the
    # first 5 seeds or 10 of 12 beat the margin, and is VIOLATED when all of the first 8 or 11 of 12 fall short of it.
    # It speaks of the typical (median) seed. A seed that failed (it diverged, or ended far worse than its arm's others)
    # falls short, and the claim can't hold unless it says how many `failures` it allows.

    def better(
        self,
        treatment: ArmCurves,
        *,
        than: ArmCurves,
        by: float,
        of: Metric | str = MEAN_VAL_ACCURACY,
        failures: int = 0,
    ) -> None:
        """PAIRED: over seeds, `of` of `treatment` is better than that of `than` by at least `by`.

        Args:
            treatment: the better arm.
            than: the other, of the same `learning(...)` call.
            by: the smallest difference that matters, above 0, in the metric's unit.
            of: the figure of each curve; a name as in Keras's history ("val_mae") is that figure after the last epoch.
            failures: so many seeds may fail and the claim still hold.

        Raises:
            ClaimError: the margin is not positive, the arms come from two calls, or an arm ignores its seed.
        """
        _check_margin(by, "the smallest difference that matters")
        self._by_figure(assertions.paired, (treatment, than), of, by, failures)

    def right_more_often(self, treatment: ArmCurves, *, than: ArmCurves, by: float, failures: int = 0) -> None:
        """PAIRED: `treatment` classes a share of at least `by` more of the validation pictures rightly, after training.

        Paired by seed and by picture, for new seeds and new pictures of new classes: both arms validate on the same
        ones. The curves are those of `learning(..., answers=True)`.

        Raises:
            ClaimError: the margin is not positive, the arms come from two calls or lack the answers, or an arm ignores
                its seed.
        """
        _check_margin(by, "the smallest share of the pictures that matters")

        def judge(sides: list[ArmSeeds], how: Counting) -> Judged:
            _check_answers(sides)
            return assertions.right_more_often(sides, by, how)

        self._over_seeds((treatment, than), failures, judge)

    def not_better(
        self,
        treatment: ArmCurves,
        *,
        than: ArmCurves,
        by: float,
        of: Metric | str = MEAN_VAL_ACCURACY,
        failures: int = 0,
    ) -> None:
        """PAIRED: over seeds, `of` of `treatment` is not better than that of `than` by `by` or more.

        Equal arms satisfy it, so its control is a planted difference of at least two margins.

        Raises:
            ClaimError: the margin is not positive, the arms come from two calls, or an arm ignores its seed.
        """
        _check_margin(by, "the smallest difference that would matter")
        self._by_figure(assertions.not_better, (treatment, than), of, by, failures)

    def equivalent(
        self,
        one: ArmCurves,
        other: ArmCurves,
        *,
        within: float,
        of: Metric | str = FINAL_VAL_ACCURACY,
        failures: int = 0,
    ) -> None:
        """EQUIVALENT: over seeds, `of` of both arms differs by less than `within`; the count on each side.

        Equal arms satisfy it, so its control is a planted difference of at least two margins.

        Raises:
            ClaimError: the margin is not positive, the arms come from two calls, or an arm ignores its seed.
        """
        _check_margin(within, "the largest difference that does not matter")
        self._by_figure(assertions.equivalent, (one, other), of, within, failures)

    def at_least(
        self, arm: ArmCurves, least: float, *, of: Metric | str = FINAL_VAL_ACCURACY, failures: int = 0
    ) -> None:
        """LEVEL: `of` of `arm` is at least `least`, for new seeds and, where it is a proportion, for new pictures.

        Raises:
            ClaimError: the level is not finite, or the arm ignores its seed.
        """
        if not math.isfinite(least):
            raise ClaimError(f"least={least!r}: a level is a finite number.")
        self._by_figure(assertions.level, (arm,), of, least, failures)

    def reaches_sooner(
        self,
        treatment: ArmCurves,
        *,
        than: ArmCurves,
        target: float,
        by: float,
        of: Series | str = VAL_ACCURACY,
        failures: int = 0,
    ) -> None:
        """REACH: `than` takes at least `by` times as many epochs as `treatment` until `of` reaches `target`.

        Epochs are interpolated. A reference that has not arrived by the end took longer; a treatment that has not
        falls short of a reference that has; where neither has, the seed says nothing.

        Raises:
            ClaimError: the margin is not above 1, the arms come from two calls, or an arm ignores its seed.
        """
        _check_ratio(by)
        of = _series(of)
        self._over_seeds(
            (treatment, than), failures, lambda sides, how: assertions.reach(sides, of, target, by, how), of
        )

    def _by_figure(
        self,
        judge: Callable[[list[ArmSeeds], Metric, float, Counting], Judged],
        arms: tuple[ArmCurves, ...],
        of: Metric | str,
        margin: float,
        failures: int,
    ) -> None:
        metric = _figure(of)
        self._over_seeds(arms, failures, lambda sides, how: judge(sides, metric, margin, how), metric)

    def _over_seeds(
        self,
        arms: tuple[ArmCurves, ...],
        failures: int,
        judge: Callable[[list[ArmSeeds], Counting], Judged],
        metric: Metric | Series | None = None,
    ) -> None:
        """Train to each look until the verdict stands; a control and a recording train a fixed number of seeds."""
        if any(arm.block is not arms[0].block for arm in arms):
            names = " and ".join(repr(arm.name) for arm in arms)
            raise ClaimError(f"{names} must come from one learning(...) call.")
        if failures < 0:
            raise ClaimError(f"failures={failures}: give the number of seeds that may fail, 0 or more.")
        looks = self._looks()
        fixed = self._fixed_n() or (self.policy.recorded_seeds if self.policy.record else None)
        how = Counting(self.policy, cap=looks[-1], allowed=failures, control=self.fixed_n is not None)
        for seeds in [fixed] if fixed else looks:
            arms[0].block.run(seeds)
            _check_accuracies(arms)
            if metric is not None:
                _check_has(arms, metric)
            try:
                judged = judge([_seeds_of(arm) for arm in arms], how)
            except assertions.EqualSeedsError as error:
                raise ClaimError(str(error)) from error
            if not judged.undecided:
                break
        self.assertions.append(judged.assertion)
        if metric is not None and metric not in (*METRICS, *SERIES):
            self._keep(arms, metric)

    def _keep(self, arms: tuple[ArmCurves, ...], metric: Metric | Series) -> None:
        """Store the values of a test's own metric: nobody else can draw them from the curves."""
        self.metrics[metric.name] = metric
        if isinstance(metric, Series):
            return
        for arm in arms:
            known = self.figures.setdefault(arm.name, [])
            known[:] = [figure for figure in known if figure.name != metric.name]
            known.append(
                Figure(
                    name=metric.name,
                    kind="learning",
                    unit=metric.unit,
                    direction="higher" if metric.higher else "lower",
                    values=[finite(metric.value(curve)) for curve in arm.by_seed],
                    index=[curve.seed for curve in arm.by_seed],
                )
            )

    # -- over values ---------------------------------------------------------------------------------------

    def identical(self, fast: ArmValues, slow: ArmValues, *, within: float, what: str = "values") -> None:
        """IDENTITY: a fast path gives what the slow one gives; no value differs by more than `within`.

        Raises:
            ClaimError: the tolerance is negative, or the shapes differ.
        """
        if not within >= 0:
            raise ClaimError(f"within={within!r}: a tolerance is 0 or more.")
        _check_shapes(fast, slow)
        self._over_values(lambda: assertions.identity(fast.values, slow.values, (fast.name, slow.name), within, what))

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
        differences = assertions.cluster_means(treatment.values - than.values, clusters)
        step = assertions.resolution(treatment.values - than.values, clusters)
        names = treatment.name, than.name
        control = self.fixed_n is not None
        self._over_values(
            lambda: assertions.over_units(differences, names, what, by, over, self.policy, step=step, control=control)
        )

    def _over_values(self, judge: Callable[[], Assertion]) -> None:
        self.assertions.append(judge())

    def _looks(self) -> tuple[int, ...]:
        """The numbers of seeds to train, one after the other; `--dl-seeds` only cuts them."""
        if self.max_seeds is None:
            return stats.LOOKS
        return tuple(look for look in stats.LOOKS if look <= self.max_seeds) or (self.max_seeds,)

    def _fixed_n(self) -> int | None:
        return None if self.fixed_n is None else self.fixed_n.get(len(self.assertions))


def _seeds_of(arm: ArmCurves) -> ArmSeeds:
    return ArmSeeds(arm.name, arm.by_seed, arm.images, arm.train_images, arm.labels(), arm.deterministic)


def _figure(of: Metric | str) -> Metric:
    """The figure itself, or that of its name."""
    return _series(of).last() if isinstance(of, str) else of


def _series(of: Series | str) -> Series:
    """The series itself, or that of its name.

    Raises:
        ClaimError: the name does not say which way is better.
    """
    try:
        return series_of(of) if isinstance(of, str) else of
    except ValueError as error:
        raise ClaimError(str(error)) from error


def _check_has(arms: Sequence[ArmCurves], metric: Metric | Series) -> None:
    """Refuse a figure that no seed of an arm has: it is not that they failed."""
    for arm in arms:
        curves = [curve for curve in arm.by_seed if curve.status == "ok"]
        of = metric.of_curve if isinstance(metric, Series) else lambda curve: [metric.value(curve)]
        if curves and all(math.isnan(value) for curve in curves for value in of(curve)):
            raise ClaimError(
                f"No curve of {arm.name!r} has a number for {metric.name}: compile its model with the metric "
                "(metrics=['accuracy']), give it with each epoch (trained_by), or name another figure by of=..."
            )


def _check_accuracies(arms: Sequence[ArmCurves]) -> None:
    """Refuse accuracies that are no shares: in per cent, every margin in points would be met a hundredfold."""
    for name, curve in [(arm.name, curve) for arm in arms for curve in arm.by_seed]:
        for number, epoch in enumerate(curve.epochs, 1):
            named = epoch.metrics | {"accuracy": epoch.train_accuracy, "val_accuracy": epoch.val_accuracy}
            for figure, value in named.items():
                if is_accuracy(figure) and value is not None and not 0 <= round(value, 6) <= 1:
                    raise ClaimError(
                        f"{figure} of {name!r} is {value:g} in epoch {number} of seed {curve.seed}: an accuracy is a "
                        "share from 0 to 1. Divide per cent by 100, or give the figure another name."
                    )


def _check_margin(margin: float, what: str) -> None:
    if not margin > 0:
        raise ClaimError(f"{margin!r} is not a margin: give {what}, above 0.")


def _check_ratio(by: float) -> None:
    if not by > 1:
        raise ClaimError(f"by={by!r}: a margin is a ratio above 1, the smallest effect that matters.")


def _peaks_of(arm: ArmTimes) -> list[int]:
    peaks = arm.measure_peaks()
    if not peaks:
        raise ClaimError(
            f"The memory of {arm.name!r} can't be measured: it is that of training a network in epoch_time(...), not "
            "of timed_fit or timed_call."
        )
    return peaks


def _check_shapes(one: ArmValues, other: ArmValues) -> None:
    if one.values.shape != other.values.shape:
        raise ClaimError(
            f"{one.name!r} has values of shape {one.values.shape} and {other.name!r} of shape {other.values.shape}: "
            "they can't be compared value by value."
        )


def _check_answers(sides: Sequence[ArmSeeds]) -> None:
    counts = {len(curve.answers) for side in sides for curve in side.curves if curve.status == "ok"}
    if counts in ({0}, set()):
        raise ClaimError("These curves lack the answers to each picture: take them from learning(..., answers=True).")
    if len(counts) > 1:
        raise ClaimError(
            f"The arms validate on {sorted(counts)} pictures: they must share them to be paired by picture."
        )


def _noisy(*arms: ArmTimes) -> str:
    names = [arm.name for arm in arms if arm.workload.noisy]
    return f"timed with its own host pipeline, noisier: {', '.join(names)}" if names else ""
