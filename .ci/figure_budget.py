"""The false-alarm budget over all figures of learning: whole runs of unchanged code with new seeds.

    PYTHONPATH=. python .ci/figure_budget.py [RUNS]

Half of the runs are drawn from the curves of baselines/portable (five new seeds and ten stored ones, with replacement),
half are simulated (three arms that share their luck, log-normal losses, five new seeds against twelve stored). A run is
red where one of its figures is REGRESSED. Prints the share of red runs with its 95 % interval; fails above 1 %.
"""

import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from dlcv04.harness import stats
from dlcv04.harness.judging.comparisons import Context, with_stored
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.reading import read_run
from dlcv04.harness.store.schema import Arm, EpochRow, SeedCurve
from dlcv04.harness.store.stored import Stored

STORED = Path(__file__).parents[1] / "baselines" / "portable" / "0002_real-mnist.json"
TEST = "bench/test_task1_architecture.py::test_one_conv_less_learns_worse"


def red(run, claim, new, old):
    """Whether any figure of new arms regressed against old ones."""
    stored = msgspec.structs.replace(run, arms=old, claims=[claim])
    context = Context(run.key, "another machine", Stored(portable=[("stored", stored)]), Policy())
    return any(row.verdict == "REGRESSED" for row in with_stored(claim, new, context))


def numbered(arm, curves, first):
    """The arm with these curves under seeds of their own."""
    seeds = [msgspec.structs.replace(curve, seed=first + number) for number, curve in enumerate(curves)]
    return msgspec.structs.replace(arm, curves=seeds)


def from_stored(rng, run, claim):
    """Ten stored and five new curves of each arm, drawn from those that there are: the same seeds in all arms."""
    arms = [arm for arm in run.arms if arm.test == TEST]
    chosen = rng.integers(len(arms[0].curves), size=15)
    return [
        [numbered(arm, [arm.curves[i] for i in chosen[part]], first) for arm in arms]
        for part, first in ((slice(10, 15), 1000), (slice(0, 10), 0))
    ]


def simulated(rng, run, claim):
    """Three arms of five new and twelve stored seeds; a seed's luck is half shared by the arms."""
    new, old = [], []
    shared = rng.normal(0, 0.006, 17)
    for name in ("base", "one_conv_less", "wide"):
        luck = shared + rng.normal(0, 0.006, 17)
        losses = np.exp(rng.normal(0, 0.15, (17, 2)))
        curves = [
            SeedCurve(seed=seed, epochs=[row(0.8 + 0.05 * epoch + luck[seed], *losses[seed]) for epoch in range(3)])
            for seed in range(17)
        ]
        arm = Arm(name=name, test=TEST, key={"data": "simulated"})
        new.append(numbered(arm, curves[:5], 1000))
        old.append(numbered(arm, curves[5:], 0))
    return new, old


def row(accuracy, train_loss, val_loss):
    """One epoch."""
    values = {"train_loss": 0.2 * train_loss, "val_loss": 0.4 * val_loss}
    return EpochRow(train_seconds=1, train_accuracy=accuracy + 0.02, val_accuracy=accuracy, **values)


def main(runs):
    """Replay so many runs."""
    run = read_run(STORED)
    claim = next(claim for claim in run.claims if claim.test == TEST)
    rng, found = np.random.default_rng(1), {}
    bounds = [0, runs // 2, runs]
    for make, (start, end) in zip((from_stored, simulated), pairwise(bounds), strict=True):
        count = sum(red(run, claim, *make(rng, run, claim)) for _ in range(start, end))
        found[make.__name__] = (count, end - start)
    for name, (count, n) in {**found, "all": tuple(map(sum, zip(*found.values(), strict=True)))}.items():
        interval = stats.clopper_pearson(count, n)
        print(f"{name}: {count} of {n:,} runs red, {count / n:.3%} [{interval.low:.3%}, {interval.high:.3%}]")
    if interval.low > 0.01:
        sys.exit("More than 1 % of the runs were red.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
