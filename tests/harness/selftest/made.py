"""A self-test whose spread between processes is known."""

import math
import random

from dlcv04.harness.policy import Policy
from dlcv04.harness.selftest import running
from dlcv04.harness.store.schema import Commit, Environment, PairRounds
from dlcv04.harness.store.selftests import SelfTest

POLICY = Policy(against=True)


def pairs(count, *, process_sd, ratio=1.0, arms=("a", "b", "c"), seed=0, rounds=20):
    rng = random.Random(seed)
    found = []
    for number in range(count):
        for arm in arms:
            own = rng.gauss(0, process_sd) + math.log(ratio)
            old = [0.1 * math.exp(rng.gauss(0, 0.05)) for _ in range(rounds)]
            new = [0.1 * math.exp(own + rng.gauss(0, 0.05)) for _ in range(rounds)]
            found.append(
                PairRounds(
                    test="t", arm=arm, pair=number, steps=1, images_per_step=128, old_seconds=old, new_seconds=new
                )
            )
    return found


def a_test(process_sd, planted=()):
    identical = pairs(20, process_sd=process_sd)
    spread = running.process_spread(identical)
    return SelfTest(
        id="x", started="2026-11-23", seconds=1, key={"backend": "b"}, commit=Commit(), tests=1,
        environment=Environment(machine_class="cpu-x", hardware={}, software={}),
        process_sd=spread.sd, process_df=spread.df, process_point=spread.point, process_upper95=spread.upper95,
        rounds_sd=spread.within, identical=identical, planted=list(planted),
    )  # fmt: skip
