"""The state of one run of a suite: what was asked, what was measured, what it was compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dlcv04.harness.claims import ClaimInfo, ClaimRecorder, overall, weak_control
from dlcv04.harness.judge import LEARNING, Context, Stored, could_be_slower, is_busy, looks_slower
from dlcv04.harness.measure import ArmTimes
from dlcv04.harness.policy import Policy
from dlcv04.harness.schema import (
    RED,
    Against,
    Arm,
    Claim,
    Commit,
    Comparison,
    DataRecord,
    Environment,
    Picture,
    Recheck,
    Run,
)
from dlcv04.harness.seeds import ArmCurves
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness.suspects import Suspect

environment = LazyModule("dlcv04.harness.environment")
pairs = LazyModule("dlcv04.harness.against")
suspecting = LazyModule("dlcv04.harness.suspects")

EXIT_NOTHING_COMPARABLE = 7


@dataclass(frozen=True)
class Plan:
    """What is known of a run before anything heavy is imported: shown in its first line."""

    device: str
    data: str
    key: dict[str, str]


@dataclass
class DeviceLayer:
    """What the experiment hands to the harness once it has started its framework.

    `key`: backend, dtype policy, jit, as strings; `software`: versions by name.
    """

    device: str
    key: dict[str, str]
    software: dict[str, str]


@dataclass
class Suite:
    """Collects the records of a run; `run()` turns them into the stored form.

    `settings` are recorded with the software: what of the command line may change a figure.
    """

    policy: Policy
    machine_class: str
    hardware: dict[str, str]
    commit: Commit
    compare: bool
    controls: bool = False
    max_seeds: int | None = None
    plan: Callable[[], Plan] = lambda: Plan("cpu", "", {})
    stored: Stored = field(default_factory=Stored)
    against: Against | None = None
    problems: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    device_layer: DeviceLayer | None = None
    pair_again: Callable[[str, Sequence[Suspect], int], list[Recheck]] | None = None
    time_again: Callable[[str], list[Arm]] | None = None
    arms: list[Arm] = field(default_factory=list)
    repeats: list[Arm] = field(default_factory=list)
    rechecks: list[Recheck] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    missing: list[Comparison] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    data: dict[str, DataRecord] = field(default_factory=dict)
    overhead_seconds: dict[str, float] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _context: Context | None = None
    _start: float = field(default_factory=time.perf_counter)

    @property
    def key(self) -> dict[str, str]:
        """What, with an arm's data, decides whether figures may be compared at all."""
        layer = self.device_layer or self.plan()
        return {"profile": self.policy.profile, **layer.key}

    def spend(self, what: str, seconds: float) -> None:
        """Note wall time that went neither into timed rounds nor into training steps."""
        self.overhead_seconds[what] = self.overhead_seconds.get(what, 0.0) + seconds

    def _judging(self) -> Context:
        """What comparisons share, made once: the key is settled as soon as the framework has started."""
        if self._context is None or self._context.key != self.key:
            software = self._software()
            self._context = Context(
                self.key, self.machine_class, self.stored, self.policy, software, self.repeats, self.rechecks
            )
        return self._context

    def _software(self) -> dict[str, str]:
        facts = environment.software(self.device_layer.software if self.device_layer else {})
        return {**facts, **self.settings}

    def recorder(self, test: str, info: ClaimInfo) -> ClaimRecorder:
        """The `claim` fixture of a real claim."""
        return ClaimRecorder(info, self.policy, max_seeds=self.max_seeds)

    def control_recorder(self, real_test: str, info: ClaimInfo) -> ClaimRecorder:
        """The `claim` fixture of a control: at the n of the real claim, or at the caps where it didn't run."""
        real = self.claim(real_test)
        fixed = {i: a.n for i, a in enumerate(real.assertions)} if real else {}
        return ClaimRecorder(info, self.policy, fixed_n=fixed, max_seeds=self.max_seeds)

    def claim(self, test: str) -> Claim | None:
        """The record of a test that has ended."""
        return next((claim for claim in self.claims if claim.test == test), None)

    def finish_claim(
        self,
        test: str,
        recorder: ClaimRecorder,
        arms: Iterable[Arm],
        *,
        pictures: Sequence[Picture] = (),
        seconds: float,
        source_hash: str,
        command: str,
    ) -> Claim:
        """Judge one claim test that ran to its end, and hold its arms against the baselines."""
        info, measured = recorder.info, distinct(arms)
        verdict, reason = overall(recorder.assertions, recorder.lacking)
        judged = self.policy.judges(info.judged_from)
        claim = Claim(
            test=test,
            sentence=info.sentence,
            task=info.task,
            slide=info.slide,
            published=info.published,
            control=info.control.describes,
            judged_from=info.judged_from,
            judged=judged,
            assertions=recorder.assertions,
            verdict=verdict,
            reason=reason,
            lacking=recorder.lacking,
            pictures=list(pictures),
            seconds=seconds,
            source_hash=source_hash,
            command=command,
        )
        claim = _with(claim, comparisons=self._compared(claim, measured))
        self.arms += measured
        self.claims.append(claim)
        return claim

    def _compared(self, claim: Claim, arms: list[Arm]) -> list[Comparison]:
        """The comparisons of a claim; times that look slower are decided by process pairs or by fresh processes."""
        context = self._judging() if self.compare else None
        rows = comparisons(claim, arms, context, self.against, self.policy)
        if context is None or not any(looks_slower(row, self.policy) for row in rows):
            return rows
        if self.pair_again is not None:
            found = suspecting.suspects(claim, arms, context)
            self.rechecks += self.pair_again(claim.test, found, context.gate.gated)
            rows = comparisons(claim, arms, context, self.against, self.policy)
        left = any(could_be_slower(row, self.policy) for row in rows)
        if self.time_again is None or not left or is_busy(arms, self.policy):
            return rows
        # All of them, whatever the second says: stopping at a pleasant one would be measuring until it is green.
        for _ in range(self.policy.processes_red - 1):
            self.repeats += self.time_again(claim.test)
        return comparisons(claim, arms, context, self.against, self.policy)

    def finish_control(
        self, test: str, real_test: str, recorder: ClaimRecorder, arms: Iterable[Arm], *, seconds: float
    ) -> Claim:
        """Judge a control: it is green when nothing it asserts HOLDS and it could have told the difference."""
        info = recorder.info
        survivors = [a.sentence for a in recorder.assertions if a.verdict == "HOLDS"]
        real = self.claim(real_test)
        if survivors:
            outcome, reason = "SURVIVED", "; ".join(survivors)
        elif recorder.lacking:
            outcome, reason = "CONTROL_WEAK", " ".join(recorder.lacking)
        elif not recorder.assertions:
            outcome, reason = "NOT RUN", "the control asserted nothing"
        else:
            reason = weak_control(real.assertions, recorder.assertions) if real else ""
            outcome = "CONTROL_WEAK" if reason else "BROKE"
        verdict, _ = overall(recorder.assertions, recorder.lacking)
        claim = Claim(
            test=test,
            sentence=info.sentence,
            task=info.task,
            slide=info.slide,
            control=info.control.describes,
            is_control=True,
            control_verdict=outcome,
            judged_from=info.judged_from,
            assertions=recorder.assertions,
            verdict=verdict,
            reason=reason,
            lacking=recorder.lacking,
            seconds=seconds,
        )
        self.arms += distinct(arms)
        self.claims.append(claim)
        return claim

    def nothing_comparable(self) -> bool:
        """Asked to compare, and not one figure found something to be compared with."""
        rows = [*(row for claim in self.claims for row in claim.comparisons), *self.missing]
        return (self.compare or self.against is not None) and not comparable(rows)

    def run(self, *, exit_status: int, command: str, suite: str, whole_suite: bool) -> Run:
        """Everything of this run, as it is stored and reported."""
        layer = self.device_layer
        return Run(
            # With milliseconds: two runners may start within one second, and a run counts once.
            id=f"{self.started:%Y%m%dT%H%M%S}{self.started.microsecond // 1000:03d}Z",
            started=self.started.isoformat(timespec="seconds"),
            profile=self.policy.profile,
            device=layer.device if layer else self.plan().device,
            suite=suite,
            whole_suite=whole_suite,
            strict=self.policy.strict,
            key=self.key,
            data=list(self.data.values()),
            environment=Environment(
                machine_class=self.machine_class,
                hardware=self.hardware,
                software=self._software(),
            ),
            commit=self.commit,
            command=command,
            arms=self.arms,
            repeats=self.repeats,
            rechecks=self.rechecks,
            claims=self.claims,
            missing=self.missing,
            failures=self.failures,
            overhead_seconds=self.overhead_seconds,
            seconds=time.perf_counter() - self._start,
            exit_status=exit_status,
            against=self.against,
            compared_with=sorted({path for path, _ in self.stored.everything}) if self.compare else [],
        )


def comparisons(
    claim: Claim, arms: Sequence[Arm], context: Context | None, against: Against | None, policy: Policy
) -> list[Comparison]:
    """A claim's arms against what is stored (with a context) and against a commit (with its process pairs)."""
    rows = suspecting.compare(claim, arms, context, against) if context is not None else []
    if against is not None:
        rows += [row for arm in arms if (row := pairs.compare(arm, against, policy)) is not None]
    return rows


def comparable(rows: Iterable[Comparison]) -> bool:
    """Whether one of these figures at least found something to be compared with."""
    return any(row.verdict not in {"NO_BASELINE", "INCOMPARABLE"} for row in rows)


def distinct(arms: Iterable[Arm]) -> list[Arm]:
    """One record an arm: where a test asks for an arm's exact figures and times it too, the timed record has both."""
    kept: dict[str, Arm] = {}
    for arm in arms:
        if arm.name not in kept or arm.round_seconds or arm.curves:
            kept[arm.name] = arm
    return list(kept.values())


def red_rows(claim: Claim) -> list[Comparison]:
    """The comparisons that fail a test."""
    return [row for row in claim.comparisons if row.verdict in RED]


def is_too_good(row: Comparison) -> bool:
    """Learning better than the stored seeds explain: a leak as often as an improvement, so it is never just green."""
    return row.verdict == "IMPROVED" and row.metric == LEARNING


def times_arm(arm: ArmTimes) -> dict[str, object]:
    """The fields of a stored arm that come from its timed rounds."""
    return {
        "noisy": arm.workload.noisy,
        "round_seconds": arm.seconds,
        "round_index": sorted(arm.rounds),
        "images_per_round": arm.block.steps_of(arm.name) * arm.workload.images_per_step,
        "warmup_rounds": len(arm.warmup),
        "compile_seconds": arm.compile_seconds,
        "contention": arm.block.contention,
        "clocks": arm.block.clocks,
        "calibrator_seconds": list(arm.block.calibrator_seconds),
    }


def curves_arm(arm: ArmCurves) -> dict[str, object]:
    """The fields of a stored arm that come from its learning curves."""
    return {"curves": [arm.curves[seed] for seed in sorted(arm.curves)]}


def _with(claim: Claim, **changes: object) -> Claim:
    fields = {name: getattr(claim, name) for name in claim.__struct_fields__}
    return Claim(**{**fields, **changes})
