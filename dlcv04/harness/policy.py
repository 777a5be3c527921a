"""The fixed numbers of the judge: error rates, looks, caps and gates, in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Profile = Literal["smoke", "standard", "paper"]
Device = Literal["auto", "cpu", "gpu"]
Data = Literal["auto", "real", "embedded"]
PROFILES: tuple[Profile, ...] = get_args(Profile)
DEVICES: tuple[Device, ...] = get_args(Device)
#: What `judged_on` may name: Keras's backends that train, and kinds of devices.
BACKENDS, KINDS = ("tensorflow", "jax", "torch"), DEVICES[1:]
DATA: tuple[Data, ...] = get_args(Data)
#: The options that decide what is measured (`--dl-profile` and so on), and their defaults.
DEFAULTS = {"profile": "smoke", "data": "auto", "device": "auto"}
#: Processes that a stored timing baseline needs: fewer don't show how processes differ.
MIN_PROCESSES = 5
#: Seeds that a learning baseline has at least: as many as any claim is judged by.
RECORDED_SEEDS = 12


def waiting(needs: Iterable[str]) -> str:
    """How many claims wait for what, in words: ``"5 claims wait for a larger profile (...)"``.

    Args:
        needs: what each waits for: a profile by its name, else another backend or device.
    """
    counts = Counter(need if need in PROFILES else "" for need in needs)
    listed = ", ".join(f"{counts[name]} for {name}" for name in PROFILES if counts[name])
    others, larger = counts[""], counts.total() - counts[""]
    parts = {f"a larger profile ({listed})": larger, "another backend or device": others}
    said = [(count, what) for what, count in parts.items() if count]
    (first, what), *rest = said
    text = f"{first} {'claim waits' if first == 1 else 'claims wait'} for {what}"
    return text + "".join(f", {count} for {what}" for count, what in rest)


@dataclass(frozen=True)
class Policy:
    """Error rates and sizes of a run.

    Attributes:
        alpha_holds: chance that a claim HOLDS whose effect lies at its margin.
        alpha_violated: chance that such a claim is VIOLATED.
        alpha_run: chance that any gated comparison of a whole run on unchanged code turns red; split over all gated
            comparisons there are, run or not, so that `-k` changes no verdict.
        gate_seconds: the slowdown (ratio) that a stored timing comparison must exclude to PASS; 1.30 because one new
            process on a shared CPU has a standard error of about 4 % (`stats.stored_run_test`).
        smallest_seconds: ratio below which a slowdown is never an alarm.
        processes_red: fresh processes that must all be slower before a time on a shared CPU is red; a run measures
            the further ones itself where its first looks slower. A process there may be slow from start to end
            (measured: one in four by 12 to 15 %), which no number of its rounds shows.
        suspect_seconds: ratio to the stored times from which process pairs decide a time on a shared CPU, though the
            stored times exclude a slowdown of `gate_seconds`.
        suspect_card: the slowdown (ratio) that stored times of a card must exclude (95 %), else process pairs decide;
            half of `gate_against`, so that one of that size is paired in 99 of 100 runs where sessions are 4 % apart.
        fastest_change: a time so many times shorter than the stored ones is faster than a change of code makes it: work
            was left out, or a wait for the device was lost.
        each_seconds: how much slower than the stored mean each of them must be (ratio).
        most_contention: share of the cores that others may use while times are taken that are believed to differ.
        gate_against: the slowdown that a comparison by process pairs must exclude to PASS.
        alpha_asserted: the share of `alpha_run` that figures have which a claim asserts; all others share the rest.
        margin_points: the loss of accuracy that matters, and that a learning comparison must exclude to PASS.
        margin_share: the same of other figures of learning, as a share of the stored mean.
        precision: a run that is compared, or recorded to be compared with, times an arm until the standard error of
            its mean log time is so small, or for `most_rounds` rounds.
    """

    profile: str = "smoke"
    strict: bool = False
    alpha_holds: float = 0.05
    alpha_violated: float = 0.01
    alpha_run: float = 0.01
    min_pairs: int = 8
    max_pairs: int = 60
    gate_seconds: float = 1.30
    smallest_seconds: float = 1.03
    processes_red: int = 3
    suspect_seconds: float = 1.10
    suspect_card: float = 1.05
    fastest_change: float = 1.25
    each_seconds: float = 1.05
    most_contention: float = 0.10
    alpha_asserted: float = 0.8
    margin_points: float = 0.02
    margin_share: float = 0.05
    compare: bool = False
    against: bool = False
    gate_against: float = 1.10
    record: bool = False
    recorded_pairs: int = 12
    precision: float = 0.015
    most_rounds: int = 40
    recorded_seeds: int = RECORDED_SEEDS

    @property
    def alpha_times(self) -> float:
        """What of `alpha_run` asserted times have: half, learning has the other; halved again where two rules judge."""
        return self.alpha_run * self.alpha_asserted / (4 if self.compare and self.against else 2)

    @property
    def alpha_learning(self) -> float:
        """What of `alpha_run` asserted figures of learning have."""
        return self.alpha_run * self.alpha_asserted / 2

    @property
    def alpha_rest(self) -> float:
        """What of `alpha_run` figures have that no claim asserts."""
        return self.alpha_run * (1 - self.alpha_asserted)

    def judges(self, judged_from: str) -> bool:
        """Whether this run's profile is large enough for a claim that names `judged_from`."""
        return PROFILES.index(self.profile) >= PROFILES.index(judged_from)
