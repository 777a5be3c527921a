"""What stored processes of a card of one's own say: its times are absolute, so nothing takes its sessions out.

A session is what was measured in one go: runs that started within `SESSION` of its first, with no reboot between. A
card's clocks, driver and neighbours change from session to session, so five processes of one session are one figure and
not five. Two more
figures of a process need no session, since the whole process shares it: how much slow rounds add to its mean, and its
last third of rounds against its first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dlcv04.harness.store.schema import Arm, Run
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness import stats
else:
    stats = LazyModule("dlcv04.harness.stats")


#: Runs that started within so long of a session's first belong to it.
SESSION = timedelta(hours=6)


#: Boots that differ by less are the same.
BOOT_TOLERANCE = timedelta(minutes=1)


_UNKNOWN = datetime.min.replace(tzinfo=UTC)


#: Degrees of freedom between sessions from which a class's own spread replaces the shipped prior.
OWN_SESSIONS_DF = 10


#: No class is believed to be quieter than this between sessions or processes.
SMALLEST_SD = 0.005


class Shape(NamedTuple):
    """A figure of one process that its session can't move: what it is, as a ratio, its prior sd and when it matters."""

    name: str
    of: Callable[[Sequence[float]], float]
    prior_sd: float
    smallest: float


def _slow_rounds(seconds: Sequence[float]) -> float:
    """Log of the rounds' mean over their median. The slowest is left out: one hiccup of the host is not the code's."""
    return math.log(fmean(sorted(seconds)[:-1]) / median(seconds))


def _late(seconds: Sequence[float]) -> float:
    """Log of the last third of the rounds over the first, by their medians, in the order they were run."""
    third = max(1, len(seconds) // 3)
    return math.log(median(seconds[-third:]) / median(seconds[:third]))


#: An arm's figures beside its level; priors are twice what five stored processes of an H100 showed (.3 %, 1.7 %).
SHAPES = (
    Shape("the mean of its rounds over their median", _slow_rounds, 0.007, 1.05),
    Shape("the last third of its rounds over the first", _late, 0.035, 1.05),
)


#: All figures of an arm on a card: they share what the arm has of the run's error rate equally.
FIGURES = 1 + len(SHAPES)


@dataclass(frozen=True)
class Process:
    """One stored process of an arm: what it may be compared with, its session, and its log seconds an epoch."""

    group: tuple[str, str, int]
    session: int
    level: float
    shapes: tuple[float, ...]


Value = TypeVar("Value")


@dataclass(frozen=True)
class CardHistory:
    """The stored processes of a machine class whose times are absolute.

    `runs` are the stored timing runs, oldest first; `levels` gives an arm's log seconds and `is_gated` which arms
    count. Runs before and after a slowdown that was accepted are never pooled.
    """

    runs: Sequence[Run]
    level: Callable[[Arm], float]
    is_gated: Callable[[Arm], bool]

    @cached_property
    def _sessions(self) -> dict[int, int]:
        """The session of each stored arm, by the record's identity; runs without a readable start are one session."""
        return {id(arm): n for n, session in enumerate(sessions(self.runs)) for run in session for arm in run.arms}

    def by_session(self, arms: Iterable[Arm]) -> list[list[float]]:
        """The levels of stored arms, those of one session together."""
        return list(_grouped((self._sessions[id(arm)], self.level(arm)) for arm in arms).values())

    @cached_property
    def _processes(self) -> list[Process]:
        found, era = [], 0
        for run in self.runs:
            era += run.acceptance is not None and run.acceptance.pins
            found += [
                Process(
                    (arm.fullname, str(sorted(arm.key.items())), era),
                    self._sessions[id(arm)],
                    self.level(arm),
                    tuple(shape.of(arm.epoch_seconds) for shape in SHAPES),
                )
                for arm in run.arms
                if self.is_gated(arm) and not arm.calibrator_seconds
            ]
        return found

    @cached_property
    def session(self) -> tuple[stats.PooledSd, str]:
        """The spread between sessions and where it comes from.

        The shipped prior, taken as known, until sessions of this class have ten degrees of freedom; then their own
        upper 80 % limit, by Student's t.
        Arms of one session share its luck, so their number adds no degrees of freedom: sessions do.
        """
        levels = _grouped(((process.group, process.session), process.level) for process in self._processes)
        means = _grouped((group, fmean(values)) for (group, _), values in levels.items())
        df = _shared_df((group[1:], len(values)) for group, values in means.items())
        if df < OWN_SESSIONS_DF:
            return stats.PooledSd(stats.PRIOR_CARD_SESSION_SD, math.inf), "shipped prior"
        own = stats.PooledSd(stats.pooled_sd(means.values()).sd, df)
        return stats.PooledSd(max(stats.upper_sd(own), SMALLEST_SD), df), "this class's own sessions"

    @cached_property
    def process(self) -> stats.PooledSd:
        """The spread between processes of one session, with the shipped prior."""
        groups = _grouped(((process.group, process.session), process.level) for process in self._processes)
        prior = stats.PooledSd(stats.PRIOR_CARD_PROCESS_SD, stats.PRIOR_PROCESS_DF)
        return _with_prior(prior, {(*group, str(number)): found for (group, number), found in groups.items()})

    def _shape_spread(self, place: int) -> stats.PooledSd:
        groups = _grouped((process.group, process.shapes[place]) for process in self._processes)
        return _with_prior(stats.PooledSd(SHAPES[place].prior_sd, stats.PRIOR_PROCESS_DF), groups)

    def alarm(self, new: Sequence[Arm], old: Sequence[Arm], alpha: float) -> str:
        """Which figures beside the level are slower than in the stored processes, in words; empty where none is.

        Args:
            new: the arm's new processes.
            old: its stored ones.
            alpha: the error rate of each figure.
        """
        found = []
        for place, shape in enumerate(SHAPES):
            now, then = ([shape.of(arm.epoch_seconds) for arm in arms] for arms in (new, old))
            spread = self._shape_spread(place)
            result = stats.stored_run_test(now, then, alpha=alpha, sd=spread.sd, df=spread.df, smallest=shape.smallest)
            if result.verdict == "REGRESSED":
                most = math.exp(fmean(then) + result.effect - result.low)
                found.append(
                    f"{shape.name} is {math.exp(fmean(now)):.2f}, in the stored processes {math.exp(fmean(then)):.2f}, "
                    f"and chance explains {most:.2f} at most"
                )
        return "; ".join(found)

    def test(self, fresh: Sequence[float], old: Iterable[Arm], rounds: float, **options: Any) -> stats.ComparisonResult:
        """The level of new processes of one session against stored ones.

        Args:
            fresh: log seconds of the new processes.
            old: the stored processes.
            rounds: standard error of a process's level from its own rounds.
            **options: of `stats.session_test`.
        """
        process = stats.PooledSd(max(self.process.sd, rounds), self.process.df)
        return stats.session_test(
            [list(fresh)], self.by_session(old), session=self.session[0], process=process, **options
        )

    def described(self, old: Sequence[Arm]) -> str:
        """The spreads that judge, in words."""
        session, source = self.session
        known = "" if math.isinf(session.df) else f" on {session.df:.3g} degrees of freedom"
        count = len(self.by_session(old))
        return (
            f"absolute times; {len(old)} stored processes of {count} session{'s' * (count != 1)}; between-session sd "
            f"{session.sd:.1%}{known} ({source}), between-process sd "
            f"{self.process.sd:.1%}"
        )


def sessions(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs by session, oldest first."""
    found: list[list[Run]] = []
    for run in sorted(runs, key=started):
        if found and is_one_session(found[-1][0], run):
            found[-1].append(run)
        else:
            found.append([run])
    return found


def is_one_session(first: Run, later: Run) -> bool:
    """Whether a run belongs to the session that another began."""
    boots = [_moment(run.environment.booted) for run in (first, later)]
    # A clock that is set right after the start moves what the system says of it.
    rebooted = _UNKNOWN not in boots and abs(boots[1] - boots[0]) > BOOT_TOLERANCE
    return started(later) - started(first) < SESSION and not rebooted


def started(run: Run) -> datetime:
    """When a run started, UTC; long ago where it does not say."""
    return _moment(run.started)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _UNKNOWN
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _grouped(entries: Iterable[tuple[Any, Value]]) -> dict[Any, list[Value]]:
    found: dict[Any, list[Value]] = {}
    for key, value in entries:
        found.setdefault(key, []).append(value)
    return found


def _shared_df(sizes: Iterable[tuple[Any, int]]) -> float:
    """Degrees of freedom of groups of which those with the same key share their luck: the largest counts."""
    return float(sum(max(found) - 1 for found in _grouped(sizes).values()))


def _with_prior(prior: stats.PooledSd, groups: dict[Any, list[float]]) -> stats.PooledSd:
    """The spread in groups about their means, with the prior; keys of groups are (arm, what its processes share)."""
    df = _shared_df((key[1:], len(values)) for key, values in groups.items())
    if not df:
        return prior
    both = stats.combined_sd(prior, stats.PooledSd(stats.pooled_sd(groups.values()).sd, df))
    return stats.PooledSd(max(both.sd, SMALLEST_SD), both.df)
