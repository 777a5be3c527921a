"""Whole runs of unchanged code through the gate of `--dl-against`, 100,000 a case: how many have a red benchmark.

Usage: PYTHONPATH=. false_alarms.py [RUNS]. The rule is computed for many runs at once; that it is the package's own is
checked first, verdict by verdict. Laws of the rounds are those of tests/harness/test_statistics_error_rates.py.
"""

import functools
import math
import sys

import numpy as np
import scipy.special

from dlcv04.harness.judging.pair_gate import LOOKS, PASS_LEVELS
from dlcv04.harness.measuring.process_pairs import PAIRS_OF_ROUNDS
from dlcv04.harness.policy import Policy
from dlcv04.harness.stats import (
    PRIOR_PROCESS_DF,
    PRIOR_PROCESS_SD,
    between_process_sd,
    clopper_pearson,
    process_pair_gate,
)
from tests.harness.test_statistics_error_rates import RECORDED, pair_noise

ALPHA = Policy(against=True).alpha_times
PRIOR = (PRIOR_PROCESS_SD, PRIOR_PROCESS_DF)
SLOWER = math.log(1.3)


def trimmed(data):
    """Trimmed mean and squared Yuen standard error along the last axis, and its degrees of freedom."""
    values = np.sort(data, axis=-1)
    n = values.shape[-1]
    cut = math.floor(0.2 * n + 1e-9)
    kept = n - 2 * cut
    mean = values[..., cut : n - cut].mean(axis=-1)
    values[..., :cut], values[..., n - cut :] = values[..., cut : cut + 1], values[..., n - cut - 1 : n - cut]
    square_sum = ((values - values.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return mean, square_sum / (kept * (kept - 1)), kept - 1


def verdicts(data, alpha, s0, d0):
    """1 REGRESSED, -1 IMPROVED, 0 anything else, for log ratios of shape (comparisons, pairs, rounds)."""
    y, squares, free = trimmed(data)
    found, open_ = np.zeros(len(data), int), np.ones(len(data), bool)
    for look, level in zip(LOOKS, PASS_LEVELS, strict=True):
        seen, rounds = y[:, :look], squares[:, :look].mean(axis=1)
        modelled = s0**2 + rounds
        df = modelled**2 / (s0**4 / d0 + rounds**2 / (look * free))
        se = np.sqrt(np.maximum(modelled, seen.var(axis=1, ddof=1)) / look)
        effect, strict = seen.mean(axis=1), -scipy.special.stdtrit(df, alpha / len(LOOKS)) * se
        red = (effect > strict) & (effect > math.log(1.03)) & (seen > 0).all(axis=1)
        better = (effect < -strict) & (effect < -math.log(1.03)) & (seen < 0).all(axis=1)
        passed = effect - scipy.special.stdtrit(df, 1 - level) * se < math.log(1.10)
        found[open_ & red], found[open_ & better] = 1, -1
        open_ &= ~(red | better | passed)
    return found


def draw(rng, law, comparisons, sd, sticky):
    """Log ratios of unchanged code; `sticky` is the chance that a process is 30 % slow all its life."""
    own = rng.normal(0, sd, (comparisons, LOOKS[-1])) if sd else np.zeros((comparisons, LOOKS[-1]))
    slow = rng.random((comparisons, LOOKS[-1], 2)) < sticky
    own = own + SLOWER * (slow[..., 0].astype(float) - slow[..., 1])
    noise = pair_noise(rng, law, comparisons * LOOKS[-1], PAIRS_OF_ROUNDS)
    return noise.reshape(comparisons, LOOKS[-1], PAIRS_OF_ROUNDS) + own[..., None]


def check_the_rule(rng):
    """The rule for many runs is the package's rule, on 3,000 comparisons with every verdict among them."""
    data = draw(rng, "recorded", 3000, 0.03, 0.1) + rng.choice([-0.1, 0.0, 0.05, 0.1], 3000)[:, None, None]
    words = {"REGRESSED": 1, "IMPROVED": -1}
    rule = {"alpha": 0.001, "s0": 0.02, "d0": 15, "looks": LOOKS, "pass_levels": PASS_LEVELS}
    slow_path = [words.get(process_pair_gate(one, **rule).verdict, 0) for one in data]
    assert set(slow_path) == {1, 0, -1} and (verdicts(data, 0.001, 0.02, 15) == slow_path).all()


def measured_spread(rng, sticky, pairs=20):
    """What a self-test of 20 pairs would give the gate on such a machine."""
    slow = rng.random((pairs, 2)) < sticky
    own = SLOWER * (slow[:, :1].astype(float) - slow[:, 1:])
    spread = between_process_sd([own + pair_noise(rng, "recorded", pairs, PAIRS_OF_ROUNDS)])
    return spread.sd, spread.df


def case(name, runs, m, law, sd=0.0, sticky=0.0, spread=PRIOR):
    """Simulate one case in portions and print its rate; the benchmarks of a run have their own processes' luck."""
    rng, red = np.random.default_rng(m), 0
    portion = 200 if callable(spread) else 4000
    for start in range(0, runs, portion):
        count = min(portion, runs - start)
        s0, d0 = spread(rng) if callable(spread) else spread
        found = verdicts(draw(rng, law, count * m, sd, sticky), ALPHA / m, s0, d0)
        red += int((found.reshape(count, m) == 1).any(axis=1).sum())
    bounds = clopper_pearson(red, runs, 0.95)
    print(
        f"{name}, m = {m}: red {red} of {runs:,} runs, {red / runs:.3%} [{bounds.low:.3%}, {bounds.high:.3%}]",
        flush=True,
    )


def main(runs):
    """All cases."""
    check_the_rule(np.random.default_rng(0))
    print(f"{len(RECORDED['runs'])} recorded processes; promised {ALPHA:.2%}; spread between processes: prior {PRIOR}")
    for m in (8, 20, 60):
        for sd in (0.0, 0.01, 0.02):
            case(f"recorded noise, process sd {sd:.0%}", runs, m, "recorded", sd)
        case("Student t with 3 df, process sd 1 %", runs, m, "t3", 0.01)
        case("slow epochs (p = .3), process sd 1 %", runs, m, "bimodal", 0.01)
        case("slow processes (p = .05), without a self-test", runs, m, "recorded", sticky=0.05)
        spread = functools.partial(measured_spread, sticky=0.05)
        case("slow processes (p = .05), a self-test for each 200 runs", runs, m, "recorded", sticky=0.05, spread=spread)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
