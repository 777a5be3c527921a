"""A time against the stored processes of its machine class.

Each stored file is one process, and a process gives one figure an arm: the trimmed mean of its log times, less the
class's slope times that of its calibrator. Rounds of one process are never independent samples of the machine. On a
card, which has no calibrator, sessions take the place of processes (`card_times`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from dlcv04.harness.judging.card_times import FIGURES, SMALLEST_SD, CardHistory
from dlcv04.harness.policy import MIN_PROCESSES, Policy
from dlcv04.harness.store.schema import Arm, Run
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


#: Of the recorded 4 % between processes, 2.5 % are the sampling error of ten rounds: the rest is the process's own.
PROCESS_SHARE = math.sqrt(1 - (0.025 / 0.04) ** 2)


#: Degrees of freedom from which a class's own processes need no prior beside them.
OWN_DF = 6


#: What is said of a time that is faster than a change of code makes it.
TOO_FAST = (
    "faster than a change of code makes it: look for work left out or a wait for the device that was lost; if it is "
    "meant, accept the run"
)


_ORDER = ("REGRESSED", "INCONCLUSIVE", "PASS", "IMPROVED")


class Level(NamedTuple):
    """One process's figure for an arm: trimmed mean log seconds an epoch, the calibrator's, and both rounds' error."""

    seconds: float
    calibrator: float
    standard_error: float

    @property
    def calibrated(self) -> float:
        """The log seconds less the slope times the calibrator's."""
        return self.seconds - stats.PRIOR_SLOPE * self.calibrator


class Part(NamedTuple):
    """Some of the stored processes as one baseline: its name, and their places, the one it stands for first."""

    name: str
    places: Sequence[int]


class Verdict(NamedTuple):
    """The gate's result, its method as a sentence, what the history says of a regression, and what speaks against it.

    `doubt` is empty, or says why a result of REGRESSED does not stand. `part` is the baseline that gave the result.
    `alarm` says which figure beside the level is slower, `too_fast` that no change of code is so fast.
    """

    result: Any
    method: str
    history: list[str]
    doubt: str
    part: Part
    alarm: str = ""
    too_fast: bool = False

    @property
    def word(self) -> tuple[str, str]:
        """The verdict and, where the level's interval does not say it, its reason."""
        if self.alarm:
            return "REGRESSED", self.alarm
        return ("CHANGED", TOO_FAST) if self.too_fast else (self.result.verdict, "")


class Spread(NamedTuple):
    """Between-process standard deviation of a calibrated log time, its degrees of freedom, and where they come from."""

    sd: float
    df: float
    source: str


def _parts(count: int) -> list[Part]:
    """The baselines that so many stored processes are: the last five stand for the newest, others for the oldest."""
    places = range(count)
    if count <= MIN_PROCESSES:
        return [Part("all stored processes", places)]
    return [
        Part("the anchor (the first five processes)", places[:MIN_PROCESSES]),
        Part("the last five processes", places[: -MIN_PROCESSES - 1 : -1]),
        Part("all", places),
    ]


def level(arm: Arm) -> Level:
    """The figure of the process that timed this arm; where there was no calibrator (a GPU) its part is 0."""
    seconds, error, _ = stats.trimmed_mean([math.log(value) for value in arm.epoch_seconds])
    if not arm.calibrator_seconds:
        return Level(seconds, 0.0, error)
    calibrator, its_error, _ = stats.trimmed_mean([math.log(value) for value in arm.calibrator_seconds])
    return Level(seconds, calibrator, math.hypot(error, stats.PRIOR_SLOPE * its_error))


def _is_on_card(arm: Arm) -> bool:
    """Whether times are absolute: nothing was timed beside them that would take the machine out."""
    return not arm.calibrator_seconds


def rounds_error(levels: Iterable[Level]) -> float:
    """Standard error of a process's figure from its own rounds, over these processes."""
    errors = [process.standard_error for process in levels if math.isfinite(process.standard_error)]
    return math.sqrt(sum(error**2 for error in errors) / len(errors)) if errors else 0.0


def _worst(results: Iterable[tuple[Part, Any]]) -> tuple[Part, Any]:
    return min(results, key=lambda found: (_ORDER.index(found[1].verdict), -found[1].low))


@dataclass
class TimingGate:
    """What all gated times of a run share: their number, and the spread between processes.

    `runs`: the stored timing runs that this run may be compared with.
    """

    runs: Sequence[Run]
    policy: Policy
    _levels: dict[int, Level] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def gated(self) -> int:
        """How many stored times share the run's false-alarm budget: all that are stored, run or not."""
        stored = {arm.fullname: arm for run in self.runs for arm in run.arms if self.is_gated(arm)}
        return max(1, sum(FIGURES if _is_on_card(arm) else 1 for arm in stored.values()))

    @cached_property
    def card(self) -> CardHistory:
        """The stored processes of a card, by session."""
        return CardHistory(self.runs, lambda arm: self._level(arm).seconds, self.is_gated)

    @cached_property
    def spread(self) -> Spread:
        """What this class's own stored processes show, with the shipped prior while they are few.

        Below `OWN_DF` degrees of freedom the variances are weighted by theirs; from there on the class's own upper
        80 % limit stands alone. Neighbours in time are compared, so that a drift is not taken for noise. Arms of one
        process share its luck, so their number adds no degrees of freedom: processes do.
        """
        prior = Spread(stats.PRIOR_SD, stats.PRIOR_DF, "shipped prior")
        groups = {name: values for name, values in self._calibrated().items() if len(values) > 1}
        if not groups:
            return prior
        processes: dict[str, int] = {}
        for (_, key), values in groups.items():
            processes[key] = max(processes.get(key, 0), len(values))
        df = (sum(processes.values()) - len(processes)) * 2 / 3
        own = stats.PooledSd(stats.successive_sd(groups.values()).sd, df)
        shown = f"{sum(processes.values())} processes of this class {own.sd:.1%}"
        if df >= OWN_DF:
            return Spread(max(stats.upper_sd(own), SMALLEST_SD), df, shown)
        both = stats.combined_sd(stats.PooledSd(prior.sd, prior.df), own)
        return Spread(both.sd, both.df, f"shipped prior {prior.sd:.1%}, {shown}")

    def judge(self, new: Sequence[Arm], old: Sequence[Arm]) -> Verdict:
        """Hold an arm's new processes against the stored ones, oldest first.

        Up to `MIN_PROCESSES` stored ones are one baseline. More are three that share the budget: the pinned anchor (the
        first five), the last five, and all of them. The worst of the three is the verdict, so that a drift too slow to
        show against the previous runs shows against the anchor.
        """
        if _is_on_card(new[0]):
            return self._judge_on_card(new, old)
        fresh, stored = [level(arm) for arm in new], [self._level(arm) for arm in old]
        sd = self._sd([*fresh, *stored])
        parts = _parts(len(stored))
        part, worst = _worst(
            (part, self._test(fresh, [stored[i] for i in part.places], sd, len(parts))) for part in parts
        )
        spread = self.spread
        method = (
            f"stored-run test against {part.name}, over a run-level calibrator (slope {stats.PRIOR_SLOPE}); "
            f"between-process sd {spread.sd:.1%} on {spread.df:.3g} degrees of freedom ({spread.source}), with these "
            f"rounds' own error {sd:.1%}"
        )
        if worst.verdict != "REGRESSED":
            too_fast = worst.verdict == "IMPROVED" and worst.effect < -math.log(self.policy.fastest_change)
            return Verdict(worst, method, [], "", part, too_fast=too_fast)
        doubt = self._doubt(fresh, [stored[i] for i in part.places])
        return Verdict(worst, method, self._steps(fresh, stored), doubt, part)

    def _judge_on_card(self, new: Sequence[Arm], old: Sequence[Arm]) -> Verdict:
        """The same where times are absolute: by session, and with the figures that no session moves."""
        fresh, parts = [level(arm).seconds for arm in new], _parts(len(old))
        rounds = rounds_error([*map(level, new), *map(self._level, old)])
        part, worst = _worst(
            (part, self._test_on_card(fresh, [old[i] for i in part.places], rounds, len(parts))) for part in parts
        )
        against = [old[i] for i in part.places]
        seen = self.smallest_slowdown(against, power=0.95)
        method = (
            f"stored-run test against {part.name}, {self.card.described(against)}; stored processes alone see a "
            f"slowdown of {seen:.2f} in 19 of 20 runs"
        )
        too_fast = worst.effect < -math.log(self.policy.fastest_change)
        history = (
            self._steps([level(arm) for arm in new], [self._level(arm) for arm in old])
            if worst.verdict == "REGRESSED"
            else []
        )
        return Verdict(worst, method, history, "", part, self.alarm(new, old), too_fast)

    def _test_on_card(self, fresh: Sequence[float], old: Sequence[Arm], rounds: float, share: int) -> Any:
        return self.card.test(
            fresh,
            old,
            rounds,
            alpha=self.alpha / share,
            smallest=self.policy.smallest_seconds,
            gate=self.policy.gate_seconds,
        )

    def alarm(self, new: Sequence[Arm], old: Sequence[Arm]) -> str:
        """On a card: which figure beside the level is slower than the stored ones; empty where none is."""
        enough = [arm for arm in old if self.is_gated(arm)]
        if not enough or not all(self.is_gated(arm) for arm in new):
            return ""
        return self.card.alarm(new, enough, self.alpha)

    def _doubt(self, fresh: Sequence[Level], stored: Sequence[Level]) -> str:
        """Why a slower time on a shared CPU may be the luck of a process."""
        if len(fresh) < self.policy.processes_red:
            processes = "1 process says" if len(fresh) == 1 else f"{len(fresh)} processes say"
            return f"{processes} it is slower, on a shared CPU {self.policy.processes_red} must"
        fastest = min(process.calibrated for process in fresh) - fmean(process.calibrated for process in stored)
        if fastest < math.log(self.policy.each_seconds):
            return (
                f"one of the {len(fresh)} processes took {math.exp(fastest):.2f}x the stored time, each must take "
                f"{self.policy.each_seconds:g}x"
            )
        return ""

    def _test(self, fresh: Sequence[Level], stored: Sequence[Level], sd: float, share: int) -> Any:
        return stats.stored_run_test(
            [process.seconds for process in fresh],
            [process.seconds for process in stored],
            new_calibrator=[process.calibrator for process in fresh],
            old_calibrator=[process.calibrator for process in stored],
            slope=stats.PRIOR_SLOPE,
            sd=sd,
            df=self.spread.df,
            alpha=self.alpha / share,
            smallest=self.policy.smallest_seconds,
            gate=self.policy.gate_seconds,
        )

    def _steps(self, fresh: Sequence[Level], stored: Sequence[Level]) -> list[str]:
        """Where the level rose, in the history that ends with the new processes."""
        history = [process.calibrated for process in (*stored, *fresh)]
        if len(stored) <= MIN_PROCESSES:
            return []
        return [
            f"its level changed by {math.exp(step.after - step.before) - 1:+.0%} at process {step.index + 1} of "
            f"{len(history)}"
            for step in stats.detect_steps(history)
        ]

    def smallest_slowdown(self, old: Sequence[Arm], power: float = 0.8) -> float:
        """The slowdown (a ratio above 1) that one new process would show as REGRESSED, in 4 of 5 runs by default."""
        levels = [self._level(arm) for arm in old]
        if _is_on_card(old[0]):
            design = self._test_on_card([0.0], old, rounds_error(levels), 1)
            se, df = design.se, design.df
        else:
            se, df = self._sd(levels) * math.sqrt(1 + 1 / len(old)), self.spread.df
        detectable = stats.minimum_detectable_effect(se, df, self.alpha, power)
        return max(self.policy.smallest_seconds, math.exp(detectable))

    @property
    def alpha(self) -> float:
        """One comparison's share of what times have of the run's budget."""
        return self.policy.alpha_times / self.gated

    def _sd(self, levels: Sequence[Level]) -> float:
        """Between processes, or more where these processes' own rounds were noisier than usual."""
        return max(self.spread.sd, math.hypot(self.spread.sd * PROCESS_SHARE, rounds_error(levels)))

    def is_gated(self, arm: Arm) -> bool:
        """Whether the arm was timed often enough to be compared with a baseline."""
        # Arms beside a claim have two rounds or so: their spread is that of their rounds, not of processes.
        return len(arm.round_seconds) >= self.policy.min_pairs

    def _calibrated(self) -> dict[tuple[str, str], list[float]]:
        """Calibrated log times by arm and by the arm's key: the same arm on other data has another epoch."""
        found: dict[tuple[str, str], list[float]] = {}
        for run in self.runs:
            for arm in filter(self.is_gated, run.arms):
                name = (arm.fullname, str(sorted(arm.key.items())))
                found.setdefault(name, []).append(self._level(arm).calibrated)
        return found

    def _level(self, arm: Arm) -> Level:
        """`level` of a stored arm, computed once a run."""
        if id(arm) not in self._levels:
            self._levels[id(arm)] = level(arm)
        return self._levels[id(arm)]
