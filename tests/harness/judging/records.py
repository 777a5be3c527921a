"""Arms, claims and runs as a comparison takes them."""

import math
import random

from dlcv04.harness.store.schema import Arm, Assertion, Claim, Environment, Run

KEY = {"profile": "smoke", "backend": "tensorflow"}
TEST = "bench/test_a.py::test_a"


def timed(seconds=0.2, seed=0, noise=0.05, calibrator=0.05, **fields):
    rng = random.Random(seed)

    def rounds(value, count):
        return [value * math.exp(rng.gauss(0, noise)) for _ in range(count)]

    defaults = {
        "name": "base",
        "test": TEST,
        "images_per_round": 256,
        "images_per_epoch": 60_000,
        "round_seconds": rounds(seconds, 10),
        "calibrator_seconds": rounds(calibrator, 20),
        "key": {"data": "digits"},
    }
    return Arm(**{**defaults, **fields})


def a_claim(**fields):
    named = Assertion(
        kind="ORDER", sentence="x", treatment="base", reference="base", unit="ratio", margin=1.1, effect=2.0,
        low=1.5, high=3.0, n=8, n_unit="pairs", verdict="HOLDS", method="m",
    )  # fmt: skip
    return Claim(**{"test": TEST, "sentence": "x", "assertions": [named], "source_hash": "h", **fields})


def a_run(*arms, key=KEY, machine_class="cpu-x", claims=None):
    environment = Environment(machine_class=machine_class, hardware={}, software={"keras": "3.15.1"})
    return Run(
        id="r", started="t", profile="smoke", device="cpu", key=key, environment=environment,
        arms=list(arms), claims=claims or [a_claim()],
    )  # fmt: skip
