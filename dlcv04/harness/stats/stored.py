"""REGRESSION of times: a new process against stored ones of the same machine class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dlcv04.harness.stats import basics
from dlcv04.harness.stats.basics import Floats, StatisticsError
from dlcv04.harness.stats.results import ComparisonResult, ComparisonVerdict
from dlcv04.harness.stats.spreads import PooledSd

#: sd of a process's calibrated trimmed mean of log seconds, its degrees of freedom, and the slope of log time on the
#: log calibrator: used until a machine class has its own history, and then named in the report.
PRIOR_SD = 0.04


PRIOR_DF = 10.0


PRIOR_SLOPE = 0.86


def _calibrated(y: Floats, calibrator: Floats | None, slope: float, what: str) -> NDArray[np.float64]:
    values = basics.finite_array(y, what)
    if calibrator is None:
        return values
    cal = basics.finite_array(calibrator, f"{what}'s calibrator")
    if len(cal) != len(values):
        raise StatisticsError(f"{what}: {len(values)} processes but {len(cal)} calibrator values; store one for each.")
    return values - slope * cal


def two_sided_verdict(
    effect: float, low: float, high: float, smallest: float, pass_high: float, gate: float
) -> tuple[ComparisonVerdict, str]:
    """One rule for every comparison: `effect` above 0 is worse; `low`, `high` are at 1 - alpha, `pass_high` at 95 %."""
    if low > 0 and effect > smallest:
        return "REGRESSED", "worse by more than noise and by more than the smallest change that matters"
    if high < 0 and effect < -smallest:
        return "IMPROVED", "better by more than noise and by more than the smallest change that matters"
    if pass_high < gate:
        return "PASS", "a worsening as large as the gate is excluded"
    return "INCONCLUSIVE", "the interval neither shows a worsening nor excludes one as large as the gate"


def stored_run_test(
    new: Floats,
    old: Floats,
    *,
    alpha: float,
    new_calibrator: Floats | None = None,
    old_calibrator: Floats | None = None,
    slope: float = PRIOR_SLOPE,
    sd: float = PRIOR_SD,
    df: float = PRIOR_DF,
    smallest: float = 1.03,
    gate: float = 1.25,
) -> ComparisonResult:
    """Compare time with stored runs of the same machine class.

    Each process gives Y = y - slope * cal, with y and cal its trimmed means of log seconds. T = (mean new - mean
    old) / (sd sqrt(1/n_old + 1/n_new)) is compared with Student's t with `df`. REGRESSED iff the lower bound at 1 -
    alpha is above 0 and the effect above log(smallest); PASS iff the upper 95 % bound is below log(gate); IMPROVED
    is REGRESSED mirrored.

    `sd` must come from many benchmarks or from A/A history (`pooled_sd`), never from this benchmark's few runs
    alone; the defaults are the shipped prior. If the true sd is larger than `sd`, the false-alarm rate is not kept.

    Args:
        new: Trimmed mean log seconds of each new process, shape (n_new,).
        old: The same of each stored process, shape (n_old,).
        alpha: This comparison's share of the run's false alarms (`split_alpha`).
        new_calibrator: Trimmed mean log seconds of the calibrator in each new process; None where times are absolute.
        old_calibrator: The same for the stored processes; given exactly if `new_calibrator` is.
        slope: Slope of log time on the log calibrator for this machine class.
        sd: Between-process sd of Y, log units.
        df: Degrees of freedom of `sd`.
        smallest: Ratio below which a slowdown is never an alarm.
        gate: Ratio that a PASS must exclude.

    Raises:
        StatisticsError: empty or unequal lists, or values that are not finite.
    """
    basics.check_alpha(alpha=alpha)
    if (new_calibrator is None) != (old_calibrator is None):
        raise StatisticsError("stored_run_test: only one side has a calibrator; compare runs that both have one.")
    if not sd > 0 or not df > 0:
        raise StatisticsError(f"stored_run_test: sd = {sd} with {df} degrees of freedom; both must be above 0.")
    fresh = _calibrated(new, new_calibrator, slope, "new run")
    stored = _calibrated(old, old_calibrator, slope, "stored run")
    effect = basics.mean(fresh) - basics.mean(stored)
    return _judged(effect, sd * math.sqrt(1 / len(fresh) + 1 / len(stored)), df, alpha, smallest, gate)


def session_test(
    new: Sequence[Floats],
    old: Sequence[Floats],
    *,
    alpha: float,
    session: PooledSd,
    process: PooledSd,
    smallest: float = 1.03,
    gate: float = 1.25,
) -> ComparisonResult:
    """Compare absolute times with stored ones of other sessions: `stored_run_test` with a term for the sessions.

    A session's figure is the mean of its processes, a side's the mean of its sessions, so the log ratio has
    se^2 = sigma_session^2 (1/S_new + 1/S_old) + sigma_process^2 (sum 1/n_new / S_new^2 + sum 1/n_old / S_old^2), with
    degrees of freedom by Satterthwaite. Many processes of one session shrink the second term alone.

    Args:
        new: Trimmed mean log seconds of the new processes, a list a session.
        old: The same of the stored processes.
        alpha: This comparison's share of the run's false alarms.
        session: Standard deviation between sessions and its degrees of freedom, log units.
        process: The same between processes of one session.
        smallest: Ratio below which a slowdown is never an alarm.
        gate: Ratio that a PASS must exclude.

    Raises:
        StatisticsError: an empty list, or values that are not finite.
    """
    basics.check_alpha(alpha=alpha)
    sides = [[basics.finite_array(one, "session") for one in side] for side in (new, old)]
    if not all(sides):
        raise StatisticsError("session_test: each side needs a session.")
    means = [basics.mean(np.array([basics.mean(one) for one in side])) for side in sides]
    between = session.sd**2 * sum(1 / len(side) for side in sides)
    within = process.sd**2 * sum(sum(1 / len(one) for one in side) / len(side) ** 2 for side in sides)
    df = (between + within) ** 2 / (between**2 / session.df + within**2 / process.df)
    return _judged(means[0] - means[1], math.sqrt(between + within), df, alpha, smallest, gate)


def _judged(effect: float, se: float, df: float, alpha: float, smallest: float, gate: float) -> ComparisonResult:
    strict, usual = basics.upper_t(alpha, df) * se, basics.upper_t(0.05, df) * se
    verdict, reason = two_sided_verdict(
        effect, effect - strict, effect + strict, math.log(smallest), effect + usual, math.log(gate)
    )
    detectable = basics.detectable_above(se, df, alpha, math.log(smallest))
    return ComparisonResult(verdict, effect, effect - strict, effect + usual, detectable, se, df, reason)
