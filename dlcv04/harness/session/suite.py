"""The state of one run of a suite: what was asked, what was measured, what it was compared with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dlcv04.harness.machine import ci_job
from dlcv04.harness.policy import PROFILES, Device, Policy
from dlcv04.harness.store.stored import Stored
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import msgspec

    from dlcv04.harness.claims import recorder as recorders
    from dlcv04.harness.claims.claim import ClaimInfo
    from dlcv04.harness.claims.recorder import ClaimRecorder
    from dlcv04.harness.judging import assertions, comparisons, verdicts
    from dlcv04.harness.judging.comparisons import Context
    from dlcv04.harness.machine import facts as machine_facts
    from dlcv04.harness.measuring.blocks import ArmTimes
    from dlcv04.harness.measuring.seeds import ArmCurves
    from dlcv04.harness.store import schema
    from dlcv04.harness.store.schema import Against, Arm, Claim, Commit, Comparison, DataRecord, Recheck, Run
else:
    msgspec = LazyModule("msgspec")
    recorders = LazyModule("dlcv04.harness.claims.recorder")
    assertions = LazyModule("dlcv04.harness.judging.assertions")
    comparisons = LazyModule("dlcv04.harness.judging.comparisons")
    verdicts = LazyModule("dlcv04.harness.judging.verdicts")
    machine_facts = LazyModule("dlcv04.harness.machine.facts")
    schema = LazyModule("dlcv04.harness.store.schema")


@dataclass(frozen=True)
class Plan:
    """What is known of a run before anything heavy is imported: shown in its first line."""

    device: Device
    data: str
    key: dict[str, str]
    learning: str = ""


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

    `settings` are recorded with the software: what of the command line may change a figure. `waiting` are the claims by
    test that this run can't judge (`needs`): they are not run. `before_timing` is called before anything is timed: it
    ends what would disturb that.
    """

    policy: Policy
    machine_class: str
    hardware: dict[str, str]
    commit: Commit
    compare: bool
    controls: bool = False
    max_seeds: int | None = None
    plan: Callable[[], Plan] = lambda: Plan("cpu", "", {})
    before_timing: Callable[[], None] = lambda: None
    stored: Stored = field(default_factory=Stored)
    against: Against | None = None
    problems: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, ClaimInfo] = field(default_factory=dict)
    device_layer: DeviceLayer | None = None
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

    def needs(self, info: ClaimInfo) -> str:
        """What this run lacks to judge a claim: a profile by its name, or other backends and devices; else ""."""
        if not self.policy.judges(info.judged_from):
            return info.judged_from
        if not info.judged_on:
            return ""
        plan = self.plan()
        return info.lacks(plan.key.get("backend", ""), plan.device)

    def spend(self, what: str, seconds: float) -> None:
        """Note wall time that went neither into timed rounds nor into training steps."""
        self.overhead_seconds[what] = self.overhead_seconds.get(what, 0.0) + seconds

    def context(self) -> Context:
        """What comparisons share, made once: the key is settled as soon as the framework has started."""
        if self._context is None or self._context.key != self.key:
            software = self._software()
            self._context = comparisons.Context(
                self.key, self.machine_class, self.stored, self.policy, software, self.repeats, self.rechecks
            )
        return self._context

    def _software(self) -> dict[str, str]:
        facts = machine_facts.software(self.device_layer.software if self.device_layer else {})
        return {**facts, **self.settings}

    def recorder(self, info: ClaimInfo) -> ClaimRecorder:
        """The `claim` fixture of a real claim."""
        return recorders.ClaimRecorder(info, self.policy, self.machine_class, max_seeds=self.max_seeds)

    def control_recorder(self, real_test: str, info: ClaimInfo) -> ClaimRecorder:
        """The `claim` fixture of a control: at the n of the real claim, or at the caps where it didn't run."""
        real = self.claim(real_test)
        fixed = {i: a.n for i, a in enumerate(real.assertions)} if real else {}
        return recorders.ClaimRecorder(info, self.policy, self.machine_class, fixed_n=fixed, max_seeds=self.max_seeds)

    def claim(self, test: str) -> Claim | None:
        """The record of a test that has ended."""
        return next((claim for claim in self.claims if claim.test == test), None)

    def claim_of(self, test: str, recorder: ClaimRecorder, **facts: Any) -> Claim:
        """The record of a claim test that ran to its end, compared with nothing yet; `facts` are further fields."""
        info = recorder.info
        verdict, reason = verdicts.overall(recorder.assertions, recorder.lacking)
        return schema.Claim(
            test=test,
            sentence=info.sentence,
            task=info.task,
            slide=info.slide,
            control=info.control.describes,
            judged_from=info.judged_from,
            assertions=recorder.assertions,
            verdict=verdict,
            reason=reason,
            lacking=recorder.lacking,
            declared=recorder.declared,
            **facts,
        )

    def control_of(self, test: str, real_test: str, recorder: ClaimRecorder, *, seconds: float) -> Claim:
        """The record of a control: it broke its claim, or why it did not."""
        real = self.claim(real_test)
        word, reason = verdicts.of_control(recorder.assertions, recorder.lacking, real.assertions if real else None)
        control = self.claim_of(test, recorder, is_control=True, control_verdict=word, seconds=seconds)
        return msgspec.structs.replace(control, reason=reason)

    def _waiting(self) -> list[Claim]:
        waits = {test: "" if (need := self.needs(info)) in PROFILES else need for test, info in self.waiting.items()}
        return [
            self.claim_of(test, self.recorder(info), published=info.published, judged=False, waits_for=waits[test])
            for test, info in self.waiting.items()
        ]

    def add(self, claim: Claim, arms: Iterable[Arm]) -> None:
        """Keep the record of a test that has ended, and its arms; an earlier record of the same test gives way."""
        self.arms += arms
        self.claims[:] = [*(other for other in self.claims if other.test != claim.test), claim]

    def run(self, **facts: Any) -> Run:
        """Everything of this run, as it is stored and reported; `facts` are further fields."""
        layer = self.device_layer
        return schema.Run(
            # With milliseconds: two runners may start within one second, and a run counts once.
            id=f"{self.started:%Y%m%dT%H%M%S}{self.started.microsecond // 1000:03d}Z",
            started=self.started.isoformat(timespec="seconds"),
            profile=self.policy.profile,
            device=layer.device if layer else self.plan().device,
            strict=self.policy.strict,
            key=self.key,
            data=list(self.data.values()),
            environment=schema.Environment(
                machine_class=self.machine_class,
                hardware=self.hardware,
                software=self._software(),
                booted=machine_facts.booted(),
            ),
            commit=self.commit,
            links=ci_job.links(self.commit.id, os.environ),
            arms=self.arms,
            repeats=self.repeats,
            rechecks=self.rechecks,
            claims=[*self.claims, *self._waiting()],
            missing=self.missing,
            failures=self.failures,
            overhead_seconds=self.overhead_seconds,
            seconds=time.perf_counter() - self._start,
            against=self.against,
            compared_with=sorted({path for path, _ in self.stored.everything}) if self.compare else [],
            **facts,
        )


def times_arm(arm: ArmTimes) -> dict[str, object]:
    """The fields of a stored arm that come from its timed rounds, and from the memory of its processes."""
    peaks = [float(peak) for peak in arm.peaks]
    memory = schema.Figure(
        name=assertions.PEAK_MEMORY, kind="times", unit="bytes", direction="lower", values=list(peaks)
    )
    return {
        "figures": [*([memory] if peaks else []), *_energy(arm)],
        "noisy": arm.workload.noisy,
        "round_seconds": arm.seconds,
        "round_index": sorted(arm.rounds),
        "images_per_round": arm.block.steps_of(arm.name) * arm.workload.images_per_step,
        "warmup_rounds": len(arm.warmup),
        "compile_seconds": arm.compile_seconds,
        "contention": arm.block.contention,
        "clocks": arm.block.clocks,
        "neighbours": list(arm.block.neighbours),
        "calibrator_seconds": list(arm.block.calibrator_seconds),
    }


def _energy(arm: ArmTimes) -> list[schema.Figure]:
    used = arm.joules_per_1000_images
    if used is None:
        return []
    return [schema.Figure(name=schema.ENERGY, kind="times", unit="J", direction="lower", values=[used])]


def curves_arm(arm: ArmCurves) -> dict[str, object]:
    """The fields of a stored arm that come from its learning curves."""
    return {
        "curves": arm.by_seed,
        "val_images": arm.images,
        "train_images": arm.train_images,
        "val_labels": list(arm.labels()),
        "deterministic": arm.deterministic,
    }
