"""The fixed numbers of the judge: error rates, looks, caps and gates, in one place."""

from __future__ import annotations

from dataclasses import dataclass

PROFILES = ("smoke", "standard", "paper")
#: Processes that a stored timing baseline needs: fewer don't show how processes differ.
MIN_PROCESSES = 5


@dataclass(frozen=True)
class Policy:
    """Error rates and sizes of a run.

    `alpha_holds`, `alpha_violated`: per claim. `alpha_run`: chance that any gated comparison of a whole run on
    unchanged code turns red; it is split over all gated comparisons that are stored, run or not, so that `-k`
    changes no verdict. `gate_seconds`: the slowdown a stored timing comparison must exclude to PASS (ratio); it
    is 1.30 because one new process on a shared CPU has a standard error of about 4 % (statistics.stored_run_test)
    and 1.03 on an exclusive GPU is for the judge's self-test to earn. `margin_points`: the loss of accuracy that
    matters, and that a learning comparison must exclude to PASS. `precision`: a run that is compared, or recorded to be
    compared with, times an arm until the standard error of its mean log time is so small, or for `most_rounds` rounds.
    """

    profile: str = "smoke"
    strict: bool = False
    alpha_holds: float = 0.05
    alpha_violated: float = 0.01
    alpha_run: float = 0.01
    min_pairs: int = 8
    max_pairs: int = 60
    looks: tuple[int, ...] = (3, 5, 8)
    gate_seconds: float = 1.30
    smallest_seconds: float = 1.03
    margin_points: float = 0.02
    compare: bool = False
    record: bool = False
    recorded_pairs: int = 12
    precision: float = 0.015
    most_rounds: int = 40
    recorded_seeds: int = 10

    def judges(self, judged_from: str) -> bool:
        """Whether this run's profile is large enough for a claim that names `judged_from`."""
        return PROFILES.index(self.profile) >= PROFILES.index(judged_from)
