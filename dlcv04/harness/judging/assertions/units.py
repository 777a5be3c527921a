"""IDENTITY and PAIRED over units: values that an arm computed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlcv04.harness.judging.assertions import common
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Assertion, ClaimVerdict, finite
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dlcv04.harness import stats
else:
    np = LazyModule("numpy")
    stats = LazyModule("dlcv04.harness.stats")


def identity(
    fast: npt.NDArray[np.float64], slow: npt.NDArray[np.float64], names: tuple[str, str], within: float, what: str
) -> Assertion:
    """IDENTITY: no value of `fast` lies further than `within` from `slow`'s; NaN on one side alone violates it."""
    gone = np.isnan(fast) != np.isnan(slow)
    deviations = np.where(np.isnan(fast) & np.isnan(slow), 0.0, np.abs(fast - slow))
    worst = math.inf if gone.any() else float(np.nan_to_num(deviations, nan=0.0, posinf=math.inf).max(initial=0.0))
    verdict: ClaimVerdict = "HOLDS" if worst <= within else "VIOLATED"
    reason = f"{int(gone.sum())} values are NaN on one side" if gone.any() else ""
    if verdict == "VIOLATED" and not reason:
        place = np.unravel_index(int(np.argmax(deviations)), deviations.shape)
        reason = f"the largest deviation is at index {tuple(map(int, place))}"
    return Assertion(
        kind="IDENTITY",
        sentence=f"{what} of {names[0]} and of {names[1]} are the same within {within:g}",
        treatment=names[0],
        reference=names[1],
        unit="deviation",
        margin=within,
        effect=finite(worst),
        low=finite(worst),
        high=finite(worst),
        n=int(fast.size),
        n_unit="values",
        minimum_detectable_effect=None,
        verdict=verdict,
        method="largest absolute deviation of all values",
        reason=reason,
        relation="<=",
    )


def cluster_means(values: npt.NDArray[np.float64], clusters: Sequence[Any] | None) -> npt.NDArray[np.float64]:
    """The mean of each cluster's values, in order of first appearance; the values themselves without clusters."""
    if clusters is None:
        return values
    groups: dict[Any, list[float]] = {}
    for label, value in zip(clusters, values.tolist(), strict=True):
        groups.setdefault(label, []).append(value)
    return np.array([math.fsum(group) / len(group) for group in groups.values()])


def over_units(
    differences: npt.NDArray[np.float64],
    names: tuple[str, str],
    what: str,
    by: float,
    over: str,
    policy: Policy,
    *,
    step: float = 0.0,
    control: bool = False,
) -> Assertion:
    """PAIRED over units (filters, pictures, or means of clusters of them): one look at all of them, by their signs.

    Args:
        differences: treatment less reference, one a unit.
        names: treatment and reference.
        what: a value is.
        by: the margin.
        over: what a unit is, in the plural.
        policy: error rates.
        step: the smallest difference that a unit can show.
        control: whether a control is judged.
    """
    n = len(differences)
    result = stats.sign_count_test(
        differences.tolist(),
        by,
        step=step,
        alpha_holds=policy.alpha_holds,
        alpha_violated=policy.alpha_violated,
        control=control,
    )
    lost = int(np.isnan(differences).sum())
    few = f"{n} {over} are too few to judge: {stats.LEAST_UNITS} at least" if n < stats.LEAST_UNITS else ""
    shift, spread = stats.detectable_shift(0, n), float(np.nanstd(differences, ddof=1)) if n - lost > 1 else math.nan
    return Assertion(
        kind="PAIRED",
        sentence=f"{what} of {names[0]} exceeds that of {names[1]} by {by:g} or more",
        treatment=names[0],
        reference=names[1],
        unit="difference",
        margin=by,
        effect=finite(result.effect),
        low=finite(result.low),
        high=finite(result.high),
        n=result.n,
        n_unit=over,
        minimum_detectable_effect=finite(shift * spread),
        verdict=common.final(result.verdict),
        method=f"exact sign count over {over}, near bound 95 %, far bound 99 %",
        reason="; ".join(filter(None, (few, f"{lost} of {n} {over} gave no number" if lost else ""))),
        relation=">",
    )


def resolution(values: npt.NDArray[np.float64], clusters: Sequence[Any] | None = None) -> float:
    """The smallest difference between two values that occur: what a unit can show; 0 of continuous values, nearly.

    Means of clusters move in steps that are finer by the size of the largest cluster.
    """
    gaps = np.diff(np.unique(values[np.isfinite(values)]))
    largest = 1 if clusters is None else max(Counter(list(clusters)).values())
    return float(gaps.min()) / largest if len(gaps) else 0.0
