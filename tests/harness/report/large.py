"""A large run and its stored runs, made up: many claims, each with two timed arms, a quarter of them learning too."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import msgspec

from dlcv04.harness.store.schema import Acceptance, Arm, Claim, Commit, Run
from tests.harness.report.sample import green_run, sample_run

ROUNDS = 12


def large_run(claims: int) -> Run:
    """A run of `claims` claims; each has two gated arms, two assertions and the comparisons of its kind."""
    base = sample_run()
    timed = next(c for c in base.claims if "expensive in total" in c.sentence)
    learns = next(c for c in base.claims if "learn as well" in c.sentence)
    made: list[Claim] = []
    arms: list[Arm] = []
    for number in range(claims):
        of = learns if number % 4 == 0 else timed
        test = f"bench/test_task{number % 5}.py::test_claim_{number}"
        names = {a.name for a in base.arms if a.test == of.test}
        kept = [c for c in of.comparisons if c.arm in names][:2]
        made.append(
            msgspec.structs.replace(
                of, test=test, sentence=f"{of.sentence} ({number})", task=f"Task {number % 5}",
                assertions=of.assertions[:2],
                comparisons=[msgspec.structs.replace(c, test=test) for c in kept],
            )
        )  # fmt: skip
        arms += [msgspec.structs.replace(a, test=test) for a in base.arms if a.test == of.test][:2]
    return msgspec.structs.replace(base, claims=made, arms=[_timed(a, 0, 1.0) for a in arms], missing=[])


def full_green_run() -> Run:
    """A run as large as the whole suite's: 25 claims that hold, nine that wait for a larger profile."""
    base = green_run()
    made = [
        msgspec.structs.replace(
            base.claims[number % len(base.claims)],
            test=f"bench/test_task{number % 5}.py::test_claim_{number}", judged=number < 25,
            judged_from="smoke" if number < 25 else "standard",
        )
        for number in range(34)
    ]  # fmt: skip
    arms = [
        msgspec.structs.replace(arm, test=claim.test)
        for number, claim in enumerate(made)
        for arm in base.arms
        if arm.test == base.claims[number % len(base.claims)].test
    ]
    return msgspec.structs.replace(base, claims=made, arms=arms)


def stored_runs(run: Run, count: int) -> list[Run]:
    """`count` stored runs of the same arms, a day apart, the last third 5 % slower."""
    started = datetime.fromisoformat(run.started) - timedelta(days=count)
    accepted = Acceptance(reason="nightly", accepted=run.started, commit=Commit(id="a" * 40), part="timing")
    return [
        msgspec.structs.replace(
            run, id=f"stored-{number:03d}", started=(started + timedelta(days=number)).astimezone(UTC).isoformat(),
            arms=[_timed(arm, number + 1, 1.05 if number > 2 * count / 3 else 1.0) for arm in run.arms],
            acceptance=accepted,
        )
        for number in range(count)
    ]  # fmt: skip


def _timed(arm: Arm, process: int, slower: float) -> Arm:
    rng = random.Random(f"{arm.test}{arm.name}{process}")
    middle = 0.1 * slower * math.exp(rng.gauss(0, 0.02))

    def rounds(scale: float) -> list[float]:
        return [middle * scale * math.exp(rng.gauss(0, 0.05)) for _ in range(ROUNDS)]

    return msgspec.structs.replace(
        arm, round_seconds=rounds(1), round_index=list(range(ROUNDS)), calibrator_seconds=rounds(0.3),
        images_per_round=256, images_per_epoch=1_024,
    )  # fmt: skip
