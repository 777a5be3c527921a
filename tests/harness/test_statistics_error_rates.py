"""Simulations of every error rate that `dlcv04.harness.stats` promises, and of what each rule withstands.

Each case states how many histories it simulates (`n`). A rate is judged by its exact (Clopper-Pearson) 99.9 %
interval: `proves_at_most` and `proves_at_least` ask its far end to keep the bound. A test whose true rate *is*
its level can't be proved to stay under it, so there `keeps` asks that the level be not shown broken, and one
half larger be excluded. Seeds are fixed. `pytest -s` prints each achieved rate; the larger simulations are
marked `nightly`.

Laws of a round's log time, each per arm (the sd of a pair's log ratio is about 9 %, as recorded):
    recorded   blocks of five successive recorded log ratios of one process, each block with a random sign
    normal     normal
    t3         Student t with 3 degrees of freedom, same scale
    lognormal  log time itself log-normal: skewed to the right with a long tail
    bimodal    each epoch 0.71 s or, with p = .3, 1.3 s
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from dlcv04.harness import stats
from dlcv04.harness.judging.card_times import FIGURES, SHAPES
from dlcv04.harness.judging.metrics import MEAN_VAL_ACCURACY
from dlcv04.harness.judging.pair_gate import LOOKS, PASS_LEVELS
from dlcv04.harness.policy import Policy
from dlcv04.harness.stats import (
    PRIOR_CARD_PROCESS_SD,
    PRIOR_CARD_SESSION_SD,
    PRIOR_DF,
    PRIOR_PROCESS_DF,
    PRIOR_SD,
    PRIOR_SLOPE,
    PooledSd,
    between_process_sd,
    clopper_pearson,
    combined_sd,
    detect_steps,
    level_shift_test,
    order_test,
    pooled_sd,
    process_pair_gate,
    session_test,
    sign_flip_e_process,
    split_alpha,
    stored_run_test,
    successive_sd,
    trimmed_mean,
    upper_sd,
)
from dlcv04.harness.store.reading import read_run

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "recorded_noise.json").read_text(encoding="utf-8"))
LOG_105 = math.log(1.05)


class Rate:
    """k of n with its 99.9 % band; printing it is what `-s` shows."""

    def __init__(self, name, hits):
        hits = np.asarray(hits, dtype=bool)
        self.name, self.k, self.n = name, int(hits.sum()), len(hits)
        band = clopper_pearson(self.k, self.n, 0.999)
        self.low, self.high = band.low, band.high
        print(f"RATE | {name} | {self.k / self.n:.4f} | {self.low:.4f}-{self.high:.4f} | {self.n}")

    def proves_at_most(self, bound):
        assert self.high <= bound, f"{self.name}: {self.k}/{self.n}, band to {self.high:.4f}, promised <= {bound}"

    def keeps(self, level):
        assert self.low <= level, f"{self.name}: {self.k}/{self.n}, band from {self.low:.4f}, level {level} is broken"
        self.proves_at_most(1.5 * level)

    def proves_at_least(self, bound):
        assert self.low >= bound, f"{self.name}: {self.k}/{self.n}, band from {self.low:.4f}, promised >= {bound}"


def recorded_blocks():
    """Five successive log ratios of one process about their common centre, from both files of recordings."""
    runs = [np.subtract(run["A"], run["B"]) for run in RECORDED["runs"]]
    centre = trimmed_mean(np.concatenate(runs)).mean
    return np.array([part for run in runs for part in (run - centre).reshape(-1, 5)])


BLOCKS = recorded_blocks()


def arm(rng, law, shape):
    if law == "normal":
        return rng.normal(0, 0.09 / math.sqrt(2), shape)
    if law == "t3":
        return rng.standard_t(3, shape) * 0.09 / math.sqrt(6)
    if law == "lognormal":
        return 0.03 * np.exp(rng.normal(0, 1, shape))
    if law == "bimodal":
        return np.where(rng.random(shape) < 0.3, math.log(1.3), math.log(0.71)) + rng.normal(0, 0.03, shape)
    raise KeyError(law)


def pair_noise(rng, law, histories, pairs):
    """Log ratios of equal arms, shape (histories, pairs)."""
    if law != "recorded":
        return arm(rng, law, (histories, pairs)) - arm(rng, law, (histories, pairs))
    chosen = BLOCKS[rng.integers(len(BLOCKS), size=(histories, math.ceil(pairs / 5)))]
    signs = rng.choice([-1.0, 1.0], size=(*chosen.shape[:2], 1))
    return (chosen * signs).reshape(histories, -1)[:, :pairs]


# --------------------------------------------------------------------------------------------------------- ORDER: times


@pytest.mark.parametrize("law", ["normal", "t3", pytest.param("lognormal", marks=pytest.mark.nightly), "bimodal"])
def test_e_process_keeps_its_level_at_every_stopping_rule(law):
    """n = 16,000 histories of 60 pairs, worst stopping rule (any crossing): at most 5 % and 1 %, whatever the law."""
    peak = sign_flip_e_process(pair_noise(np.random.default_rng(1), law, 16000, 60)).max(axis=1)
    Rate(f"e-process ever over 20, equal arms, {law}", peak >= 20).proves_at_most(0.05)
    Rate(f"e-process ever over 100, equal arms, {law}", peak >= 100).keeps(0.01)


def order_verdicts(law, ratio, margin, n, seed, extra=None, **kwargs):
    rng = np.random.default_rng(seed)
    noise = pair_noise(rng, law, n, 60)
    if extra is not None:
        noise = noise + extra(rng, n)[:, None]
    return [order_test(math.log(ratio) + row, margin, **kwargs) for row in noise]


def share(name, results, verdict):
    return Rate(name, [r.verdict == verdict for r in results])


@pytest.mark.parametrize(
    ("law", "n", "bound"),
    [
        ("recorded", 800, 0.02),
        pytest.param("recorded", 4000, 0.005, marks=pytest.mark.nightly),
        pytest.param("t3", 4000, 0.005, marks=pytest.mark.nightly),
    ],
)
def test_equal_arms_do_not_hold_at_the_margin(law, n, bound):
    """n = 800 A/A histories a law (4,000 nightly), optional stopping: HOLDS at margin 1.05 in at most 2 % (0.5 %)."""
    results = order_verdicts(law, 1.0, 1.05, n, 2)
    share(f"ORDER HOLDS, A/A, margin 1.05, {law}", results, "HOLDS").proves_at_most(bound)
    share(f"ORDER VIOLATED, A/A, margin 1.05, {law}", results, "VIOLATED").proves_at_least(0.6)


@pytest.mark.nightly
def test_equal_arms_with_a_slow_epoch_mode_stay_within_the_level():
    """n = 500 A/A histories, epochs of 0.71 or 1.3 s, whose spread makes 1.05 next to equality."""
    rate = share("ORDER HOLDS, A/A, margin 1.05, bimodal", order_verdicts("bimodal", 1.0, 1.05, 500, 2), "HOLDS")
    rate.proves_at_most(0.05)


@pytest.mark.parametrize(
    "law",
    [pytest.param("normal", marks=pytest.mark.nightly), pytest.param("t3", marks=pytest.mark.nightly), "recorded"],
)
def test_a_ratio_equal_to_the_margin_is_at_the_level(law):
    """n = 1,200 histories a law: 5 % HOLDS; VIOLATED, promised at 1 %, is excluded above 3 %."""
    results = order_verdicts(law, 1.05, 1.05, 1200, 3)
    share(f"ORDER HOLDS, ratio = margin, {law}", results, "HOLDS").keeps(0.05)
    share(f"ORDER VIOLATED, ratio = margin, {law}", results, "VIOLATED").proves_at_most(0.03)


@pytest.mark.nightly
def test_equal_arms_at_margin_one_are_at_the_level_and_so_no_good_control():
    """n = 800 A/A histories on recorded rounds at margin 1.00: why a margin must exceed 1."""
    rate = share("ORDER HOLDS, A/A, margin 1.00, recorded", order_verdicts("recorded", 1.0, 1.0, 800, 4), "HOLDS")
    rate.keeps(0.05)
    rate.proves_at_least(0.005)


@pytest.mark.parametrize(
    ("ratio", "power", "pairs", "n"),
    [(1.1, 0.7, 30, 500), (1.2, 0.97, 10, 400), (1.3, 0.98, 9, 400), (1.6, 0.98, 8.2, 400)],
)
def test_power_and_pairs_needed(ratio, power, pairs, n):
    """HOLDS at margin 1.05 on recorded rounds, and the mean number of pairs until it stops."""
    results = order_verdicts("recorded", ratio, 1.05, n, 5)
    mean_pairs = float(np.mean([r.n for r in results]))
    print(f"MEAN | pairs at ratio {ratio}, margin 1.05, recorded | {mean_pairs:.1f} | | {n}")
    share(f"ORDER HOLDS, ratio {ratio}, margin 1.05, recorded", results, "HOLDS").proves_at_least(power)
    assert mean_pairs <= pairs


@pytest.mark.parametrize(("n", "bound"), [(1000, 0.03), pytest.param(3000, 0.02, marks=pytest.mark.nightly)])
def test_bounds_cover_the_true_ratio_at_the_stopping_time(n, bound):
    """n = 1,000 (3,000 nightly), t3, ratio 1.1, at its own stop: low misses <= 5 %, high (1 %) <= 3 % (2 %)."""
    results = order_verdicts("t3", 1.1, 1.05, n, 6)
    Rate("ORDER low above the true ratio, t3, stopped", [r.low > math.log(1.1) for r in results]).proves_at_most(0.05)
    Rate("ORDER high below the true ratio, t3, stopped", [r.high < math.log(1.1) for r in results]).proves_at_most(
        bound
    )


def test_a_slow_mode_that_both_arms_share_does_no_harm_and_one_that_sticks_to_an_arm_is_not_withstood():
    """n = 600 and 300 at ratio = margin. Shared by both it cancels; sd 4 % sticking to one arm breaks the 5 %."""
    rng = np.random.default_rng(7)
    slow = math.log(1.3) * (rng.random((600, 1)) < 0.3)
    reference, treatment = (slow + arm(rng, "normal", (600, 60)) for _ in range(2))
    shared = [order_test(LOG_105 + row, 1.05) for row in treatment - reference]
    share("ORDER HOLDS, ratio = margin, slow process", shared, "HOLDS").keeps(0.05)
    sticky = order_verdicts("normal", 1.05, 1.05, 300, 8, lambda r, n: r.normal(0, 0.04, n))
    share("ORDER HOLDS, ratio = margin, 4 % sticks to an arm", sticky, "HOLDS").proves_at_least(0.1)


# ---------------------------------------------------------------------------------------------------------------- seeds


def counted(effects_by_history, margin=0.0, **options):
    """The verdict on each history of effects, shape (histories, seeds)."""
    return [
        stats.count_test(stats.by_seed((v, v, False) for v in row), margin, **options)
        for row in np.asarray(effects_by_history).tolist()
    ]


def counted_pairs(treatment, reference, margin, step=0.0):
    """The same of two arms' values, so that failed seeds are found."""
    return [
        stats.count_test(stats.paired_effects(new, old, step=step), margin, step=step)
        for new, old in zip(treatment.tolist(), reference.tolist(), strict=True)
    ]


def keep_their_rates(name, results, holds=0.05, violated=0.01):
    share(f"{name}: HOLDS", results, "HOLDS").proves_at_most(holds)
    share(f"{name}: VIOLATED", results, "VIOLATED").proves_at_most(violated)


N = 20_000
SKEWED = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
    "log-normal .5, to the right": lambda rng, shape: np.exp(rng.normal(0, 0.5, shape)) - 1,
    "log-normal .5, to the left": lambda rng, shape: 1 - np.exp(rng.normal(0, 0.5, shape)),
    "log-normal 1, to the right": lambda rng, shape: np.exp(rng.normal(0, 1, shape)) - 1,
    "log-normal 1, to the left": lambda rng, shape: 1 - np.exp(rng.normal(0, 1, shape)),
}


@pytest.mark.parametrize("law", SKEWED)
def test_the_count_keeps_its_rates_whatever_the_law_of_the_seeds(law):
    """n = 20,000 histories with the median at the margin, as effects and as arms: HOLDS <= .05, VIOLATED <= .01."""
    rng = np.random.default_rng(10)
    keep_their_rates(f"COUNT at the margin, {law}", counted(SKEWED[law](rng, (N, 12))))
    arms = 0.5 + 0.1 * SKEWED[law](rng, (N, 12)), 0.5 + rng.normal(0, 0.001, (N, 12))
    keep_their_rates(f"COUNT at the margin, an arm {law}", counted_pairs(*arms, 0.0))


@pytest.mark.parametrize("images", [177, 100, 40])
@pytest.mark.parametrize("sd", [0.001, 0.01, 0.03])
def test_the_count_keeps_its_rates_on_shares_of_few_pictures(images, sd):
    """n = 20,000 at the margin, rounded to steps of 1 / pictures: <= .06; without the half step ties break it."""
    rng = np.random.default_rng(images)
    ability = 0.8 + 0.0075 + rng.normal(0, sd, (N, 12)), np.full((N, 12), 0.8)
    seen = [np.round(arm * images) / images for arm in ability]
    name = f"COUNT at the margin, steps of 1/{images}, sd {sd}"
    keep_their_rates(name, counted_pairs(*seen, 0.0075, step=1 / images), holds=0.06)


def test_without_half_a_step_ties_are_taken_for_evidence():
    """n = 2,000: a true median of .0075, which 100 pictures show as .01."""
    seen = np.round((0.0075 + np.random.default_rng(1).normal(0, 0.001, (2000, 12))) * 100) / 100
    share("COUNT HOLDS at the margin, no half step", counted(seen, 0.0075), "HOLDS").proves_at_least(0.69)


def stored_differences():
    """Differences by seed of the project's own stored MNIST curves, each about its median."""
    run = read_run(Path(__file__).parents[2] / "baselines" / "portable" / "0002_real-mnist.json")
    arms = {arm.name: arm for arm in run.arms if "one_conv_less_learns_worse" in arm.test}
    values = [[MEAN_VAL_ACCURACY.value(curve) for curve in arms[name].curves] for name in ("base", "one_conv_less")]
    return np.subtract(*values)


def test_the_count_keeps_its_rates_on_our_own_stored_differences():
    """n = 20,000 histories drawn from the ten stored differences, their median at the margin: HOLDS <= .06.

    Ten values have no value at their median, so ties do not arise.
    """
    differences = stored_differences()
    drawn = np.random.default_rng(2).choice(differences, (N, 12))
    keep_their_rates("COUNT at the margin, stored MNIST differences", counted(drawn, np.median(differences)), 0.06)


@pytest.mark.parametrize("sd", [0.01, 0.02, 0.05])
def test_failed_seeds_make_no_claim_hold(sd):
    """n = 20,000: unfailed seeds at the margin, one in ten loses .3: HOLDS <= .10, VIOLATED <= .03."""
    rng = np.random.default_rng(3)
    arms = [0.9 + rng.normal(0, sd / math.sqrt(2), (N, 12)) for _ in range(2)]
    arms[0] += 0.01 - 0.3 * (rng.random((N, 12)) < 0.1)
    keep_their_rates(f"COUNT, one seed in ten fails, sd {sd}", counted_pairs(*arms, 0.01), 0.10, 0.03)


def test_power_of_the_count():
    """n = 20,000 normal histories at 1.5 sd: HOLDS >= .94 above the margin, VIOLATED >= .80 below; seeds on average."""
    x = np.random.default_rng(12).normal(0, 1 / math.sqrt(2), (2, N, 12))
    above, below = (counted_pairs(x[0] + shift, x[1], 0.0) for shift in (1.5, -1.5))
    share("COUNT HOLDS at +1.5 sd", above, "HOLDS").proves_at_least(0.94)
    share("COUNT VIOLATED at -1.5 sd", below, "VIOLATED").proves_at_least(0.80)


@pytest.mark.parametrize(("sd", "rate"), [(0.5, 0.12), (1.0, 0.28)])
def test_what_the_count_does_not_promise_of_the_mean(sd, rate):
    """n = 20,000, the *mean* at the margin, skewed to the left: HOLDS in 12 % and 28 %; docs/judging.md says so."""
    x = math.exp(sd**2 / 2) - np.exp(np.random.default_rng(13).normal(0, sd, (N, 12)))
    held = share(f"COUNT HOLDS, mean at the margin, log-normal {sd}", counted(x), "HOLDS")
    assert held.low - 0.02 <= rate <= held.high + 0.02


def equivalent_verdicts(x):
    return [stats.equivalence_test(stats.by_seed((v, v, False) for v in row), 1.0) for row in x.tolist()]


def test_equivalence_counts_on_each_side():
    """n = 20,000 at a difference of the margin: <= .05 and .01; equal arms with an sd of .7 margins: >= .85."""
    rng = np.random.default_rng(14)
    keep_their_rates("EQUIVALENT at the margin", equivalent_verdicts(rng.normal(1.0, 0.4, (N, 12))))
    equal = equivalent_verdicts(rng.normal(0, 0.7, (N, 12)))
    share("EQUIVALENT HOLDS, equal arms, sd .7 margins", equal, "HOLDS").proves_at_least(0.85)


@pytest.mark.parametrize("n", [5, 8, 13, 64])
def test_units_keep_their_rates(n):
    """n = 20,000 draws of skewed units with the median at the margin: HOLDS <= .05, VIOLATED <= .01."""
    x = SKEWED["log-normal 1, to the left"](np.random.default_rng(n), (N, n)).tolist()
    results = [stats.sign_count_test(row, 0.0) for row in x]
    share(f"SIGNS of {n} units HOLDS at the margin", results, "HOLDS").keeps(0.05)
    share(f"SIGNS of {n} units VIOLATED at the margin", results, "VIOLATED").keeps(0.01)


# ---------------------------------------------------------------------------------------------------------- stored runs


def whole_run_alarms(rng, runs, m, true_sd, fresh=3, stored=5, **kwargs):
    """For each run of m unchanged benchmarks: did any go red?"""
    alpha = split_alpha(0.01, m)
    y = rng.normal(0, true_sd, (runs, m, fresh + stored))
    return [
        any(stored_run_test(b[:fresh], b[fresh:], alpha=alpha, **kwargs).verdict == "REGRESSED" for b in run)
        for run in y
    ]


@pytest.mark.parametrize(
    ("m", "true_sd", "runs"),
    [
        (8, 0.04, 1500),
        (8, 0.023, 1200),
        pytest.param(20, 0.04, 1200, marks=pytest.mark.nightly),
        pytest.param(60, 0.04, 1500, marks=pytest.mark.nightly),
    ],
)
def test_stored_gate_keeps_the_whole_runs_false_alarms(m, true_sd, runs):
    """n = 1,200-1,500 whole runs, sd at the prior or below: at most 1 % of runs red."""
    rate = Rate(
        f"stored gate, whole run red, m={m}, sd {true_sd}",
        whole_run_alarms(np.random.default_rng(20), runs, m, true_sd),
    )
    rate.proves_at_most(0.01)


def test_stored_gate_with_a_larger_true_sd_than_the_prior_is_not_withstood():
    """n = 1,500 whole runs of m = 8, true sd 1.5 x the prior: over the promised 1 %, though below 6 %."""
    rate = Rate(
        "stored gate, whole run red, m=8, sd 1.5 x prior", whole_run_alarms(np.random.default_rng(21), 1500, 8, 0.06)
    )
    rate.proves_at_least(0.01)
    rate.proves_at_most(0.06)


def test_a_pooled_sd_of_ten_degrees_of_freedom_keeps_the_level():
    """n = 12,000 comparisons at alpha .01 with an *estimated* sd: the t quantile pays for the estimate."""
    rng = np.random.default_rng(22)
    y = rng.normal(0, 0.04, (12000, 8))
    sds = 0.04 * np.sqrt(rng.chisquare(10, 12000) / 10)
    red = [
        stored_run_test(r[:3], r[3:], alpha=0.01, sd=s, df=10).verdict == "REGRESSED"
        for r, s in zip(y, sds, strict=True)
    ]
    Rate("stored gate, one comparison, estimated sd (10 df), alpha .01", red).keeps(0.01)


@pytest.mark.parametrize(
    ("ratio", "fresh", "m", "power"),
    [(1.2, 3, 8, 0.95), (1.3, 3, 8, 0.98), (1.2, 1, 8, 0.4), (1.3, 1, 8, 0.9), (1.2, 3, 60, 0.7), (1.3, 3, 60, 0.98)],
)
def test_power_of_the_stored_gate(ratio, fresh, m, power):
    """n = 1,000 comparisons with the shipped prior, true sd equal to it, five stored processes."""
    y = np.random.default_rng(23).normal(0, PRIOR_SD, (1000, fresh + 5))
    y[:, :fresh] += math.log(ratio)
    red = [stored_run_test(r[:fresh], r[fresh:], alpha=0.01 / m).verdict == "REGRESSED" for r in y]
    Rate(f"stored gate red at x{ratio}, {fresh} new + 5 stored, m={m}", red).proves_at_least(power)


def recorded_processes(rng, n, count):
    """`count` recorded processes of one evening for each of n comparisons: calibrated inputs (y, cal)."""
    y = np.array([trimmed_mean(run["A"]).mean for run in RECORDED["runs"]])
    cal = np.array([trimmed_mean(run["cal"]).mean for run in RECORDED["runs"]])
    chosen = np.array([rng.permutation(len(y))[:count] for _ in range(n)])
    return y[chosen], cal[chosen]


def test_stored_gate_on_the_recorded_processes():
    """n = 2,000 draws of 3 new and 5 stored of the 14 recorded processes: none red, and +20 % red in at least 98 %."""
    y, cal = recorded_processes(np.random.default_rng(24), 2000, 8)

    def red(shift):
        return [
            stored_run_test(
                a[:3] + shift,
                a[3:],
                new_calibrator=c[:3],
                old_calibrator=c[3:],
                slope=PRIOR_SLOPE,
                df=PRIOR_DF,
                alpha=0.01 / 8,
            ).verdict
            == "REGRESSED"
            for a, c in zip(y, cal, strict=True)
        ]

    Rate("stored gate red, recorded processes, unchanged", red(0.0)).proves_at_most(0.005)
    Rate("stored gate red, recorded processes, x1.2", red(math.log(1.2))).proves_at_least(0.98)


def test_what_the_calibrator_is_for():
    """n = 2,000 draws as above without the calibrator: the evening's drift is taken for a change of code."""
    y, _ = recorded_processes(np.random.default_rng(24), 2000, 8)
    red = [stored_run_test(a[:3], a[3:], alpha=0.05).verdict == "REGRESSED" for a in y]
    Rate("stored gate red at 5 %, recorded, no calibrator", red).proves_at_least(0.05)


def test_the_minimum_detectable_effect_is_seen_in_four_of_five():
    """n = 3,000 comparisons at the effect that the design promises to see with power .8, estimated sd, 10 df."""
    rng = np.random.default_rng(25)
    sds = 0.04 * np.sqrt(rng.chisquare(10, 3000) / 10)
    effect = stored_run_test([0.0] * 3, [0.0] * 5, alpha=0.00125).minimum_detectable
    y = rng.normal(0, 0.04, (3000, 8))
    red = [
        stored_run_test(r[:3] + effect, r[3:], alpha=0.00125, sd=s, df=10).verdict == "REGRESSED"
        for r, s in zip(y, sds, strict=True)
    ]
    rate = Rate("stored gate red at its minimum detectable effect", red)
    rate.proves_at_least(0.72)
    rate.proves_at_most(0.88)


@pytest.mark.parametrize(("stored", "fresh", "alpha"), [(10, 5, 0.05), (5, 3, 0.05), (10, 1, 0.01)])
def test_level_shift_keeps_its_level_with_new_seeds(stored, fresh, alpha):
    """n = 8,000 A/A comparisons with new seeds, margin next to nothing: alpha."""
    x = np.random.default_rng(26).normal(0.8, 0.01, (8000, stored + fresh))
    red = [level_shift_test(r[:fresh], r[fresh:], alpha=alpha, margin=1e-9).verdict == "REGRESSED" for r in x]
    Rate(f"level shift red, A/A, {stored} + {fresh} seeds, alpha {alpha}", red).keeps(alpha)


def same_seeds(rng, n, fresh, shared, fall=0.0):
    """n comparisons of `fresh` of ten stored seeds; `shared` is the correlation of a seed's two values."""
    old = rng.normal(0, 1, (n, 10))
    new = shared * old[:, :fresh] + math.sqrt(1 - shared**2) * rng.normal(0, 1, (n, fresh)) - fall
    return zip(new, old, strict=True)


def judged_by_seed(cases, alpha, margin):
    return [
        level_shift_test(new, old, alpha=alpha, margin=margin, new_seeds=range(len(new)), old_seeds=range(10)).verdict
        for new, old in cases
    ]


@pytest.mark.parametrize(("shared", "fresh"), [(0.0, 3), (0.5, 3), (0.99, 3), (0.0, 5), (0.0, 10)])
def test_level_shift_by_seed_keeps_its_level(shared, fresh):
    """n = 4,000: at worst alpha (independent values), far less where a seed's values resemble each other."""
    verdicts = judged_by_seed(same_seeds(np.random.default_rng(41), 4000, fresh, shared), 0.05, 1e-9)
    red = [verdict == "REGRESSED" for verdict in verdicts]
    Rate(f"level shift by seed red, A/A, {fresh} of 10 seeds, correlation {shared}, alpha .05", red).keeps(0.05)


@pytest.mark.parametrize("shared", [0.0, 0.9, 0.99])
def test_level_shift_by_seed_passes_a_fall_of_its_margin_in_at_most_5_percent(shared):
    cases = same_seeds(np.random.default_rng(42), 4000, 3, shared, fall=2.0)
    # A seed's expected fall is 2 whatever it was: regression to the mean is part of the model.
    passed = [verdict == "PASS" for verdict in judged_by_seed(cases, 1e-3, 2.0)]
    Rate(f"level shift by seed passes a fall equal to its margin, correlation {shared}", passed).keeps(0.05)


def test_level_shift_by_seed_passes_other_rounding_and_sees_a_fall():
    """Three of ten stored seeds on another processor: differences of a tenth of the seeds' spread."""
    rng = np.random.default_rng(43)
    same = judged_by_seed(same_seeds(rng, 2000, 3, 0.995), 0.00125, 2.0)
    Rate("level shift by seed passes other rounding", [v == "PASS" for v in same]).proves_at_least(0.99)
    fallen = judged_by_seed(same_seeds(rng, 2000, 3, 0.9, fall=5.0), 0.00125, 2.0)
    Rate("level shift by seed red at 5 seed sd", [v == "REGRESSED" for v in fallen]).proves_at_least(0.9)


def test_ten_stored_seeds_see_what_five_do_not():
    """n = 1,500: a fall of 2.9 seed sd at alpha .01/20 is seen in 80 % with 10 + 5 seeds, far less often with 5 + 3."""
    x = np.random.default_rng(27).normal(0, 1, (1500, 15))

    def red(fresh, stored):
        return [
            level_shift_test(r[:fresh] - 2.9, r[fresh : fresh + stored], alpha=0.0005, margin=0.5).verdict
            == "REGRESSED"
            for r in x
        ]

    Rate("level shift red at 2.9 sd, 10 + 5 seeds, alpha .01/20", red(5, 10)).proves_at_least(0.7)
    Rate("level shift red at 2.9 sd, 5 + 3 seeds, alpha .01/20", red(3, 5)).proves_at_most(0.4)


# ------------------------------------------------------------------------------------------------------- LEVEL, REACH


def shares(rng, histories, seeds, images, p, seed_sd):
    """Accuracies, shape (histories, seeds), over pictures, easy and hard ones, that all seeds of a history share."""
    ease = rng.beta(2 * p, 2 * (1 - p), (histories, 1, images))
    own = rng.normal(0, seed_sd, (histories, seeds, 1)) if seed_sd else 0.0
    return (rng.random((histories, seeds, images)) < np.clip(ease + own, 0, 1)).mean(axis=2)


def level_results(drawn, least, images):
    """The verdict of `claim.at_least` on each history of accuracies."""

    def also(row):
        return lambda seeds: stats.share_bounds(float(np.median(row[:seeds])), images, 0.05, 0.01)

    return [
        stats.count_test(
            stats.by_seed((v, v, False) for v in row), least, step=1 / images, also=also(row) if images > 1 else None
        )
        for row in drawn.tolist()
    ]


@pytest.mark.parametrize("images", [40, 180])
@pytest.mark.parametrize("seed_sd", [0.0, 0.05])
def test_level_claims_keep_their_level_for_new_seeds_and_new_pictures(images, seed_sd):
    """n = 4,000 histories at a true level of .85: HOLDS at .85 in at most 5 %, VIOLATED in at most 1 %."""
    rng = np.random.default_rng(images)
    drawn = np.concatenate([shares(rng, 1000, 12, images, 0.85, seed_sd) for _ in range(4)])
    # Clipping at 1 moves the true level of unequal seeds: it is measured on far more pictures.
    true = float(np.median(shares(np.random.default_rng(0), 400, 8, 400, 0.85, seed_sd)))
    keep_their_rates(f"LEVEL, {images} pictures, seed sd {seed_sd}", level_results(drawn, true, images))


def test_the_seeds_error_alone_would_promise_too_much():
    """n = 2,000: with 40 pictures and bit-equal seeds, a level claim blind to the pictures is wrong in 2 of 5."""
    rng = np.random.default_rng(4)
    drawn = shares(rng, 2000, 3, 40, 0.85, 0.0).mean(axis=1, keepdims=True) + rng.normal(0, 1e-6, (2000, 12))
    blind = counted(drawn, 0.85)
    share("LEVEL HOLDS at its level, pictures' error left out", blind, "HOLDS").proves_at_least(0.3)


def reach_results(old, new, by, budget):
    def seen(epochs):
        return stats.EpochsToTarget(epochs, epochs) if epochs <= budget else stats.EpochsToTarget(budget, math.inf)

    return [
        stats.count_test(
            stats.by_seed((*stats.reach_ratio(seen(o), seen(n)), False) for o, n in zip(*pair, strict=True)), by
        )
        for pair in zip(old.tolist(), new.tolist(), strict=True)
    ]


def times_to_target(rng, ratio, sd=0.3, treatment=6.0):
    """Epochs of reference and treatment whose log ratio has a median of log(ratio) and the given sd."""
    shape = (N, 12)
    logs = rng.normal(0, sd / math.sqrt(2), (2, *shape))
    return treatment * ratio * np.exp(logs[0]), treatment * np.exp(logs[1])


@pytest.mark.parametrize("budget", [6.3, 9.0, 15.0, 100.0])
def test_reach_keeps_its_rates_with_misses_on_either_side(budget):
    """n = 20,000, true ratio at the margin of 1.25, target at epoch 6: at most .05 and .01 at every budget."""
    results = reach_results(*times_to_target(np.random.default_rng(8), 1.25), 1.25, budget)
    keep_their_rates(f"REACH at its margin, budget {budget}", results)


@pytest.mark.parametrize(("ratio", "budget"), [(2.0, 6.5), (4.0, 6.3)])
def test_a_reference_that_has_not_arrived_is_not_taken_for_nearly_as_fast(ratio, budget):
    """n = 20,000, true ratio far above the margin: VIOLATED in at most .01 (with misses at the budget .41 and .90)."""
    results = reach_results(*times_to_target(np.random.default_rng(9), ratio), 1.25, budget)
    share(f"REACH VIOLATED, true ratio {ratio}, budget {budget}", results, "VIOLATED").proves_at_most(0.01)


@pytest.mark.parametrize("ratio", [2.5, 3.0, 4.0])
def test_power_of_reach(ratio):
    """n = 20,000, target at half the budget, sd of the log ratio .3: HOLDS >= .95 by twelve seeds."""
    results = reach_results(*times_to_target(np.random.default_rng(15), ratio), 1.25, 12.0)
    share(f"REACH HOLDS, true ratio {ratio}, target at half the budget", results, "HOLDS").proves_at_least(0.95)


# ------------------------------------------------------------------------------------------------- --dl-against


def gate_results(rng, law, n, m, effect=0.0, process_sd=0.0, s0=0.015, d0=20, sticky=0.0, rounds=15):
    """n comparisons of four process pairs each."""
    noise = pair_noise(rng, law, n * 4, rounds).reshape(n, 4, rounds)
    own = rng.normal(0, process_sd, (n, 4)) if process_sd else np.zeros((n, 4))
    slow = rng.random((n, 4, 2)) < sticky
    own = own + math.log(1.3) * (slow[..., 0].astype(float) - slow[..., 1])
    data = effect + noise + own[..., None]
    return [process_pair_gate(pairs, alpha=0.01 / m, s0=s0, d0=d0) for pairs in data]


def whole_runs(results, m):
    return np.array([r.verdict == "REGRESSED" for r in results]).reshape(-1, m).any(axis=1)


@pytest.mark.parametrize(
    ("law", "process_sd", "s0", "m", "runs"),
    [
        ("recorded", 0.0, 0.015, 8, 1500),
        ("recorded", 0.02, 0.025, 8, 1500),
        ("t3", 0.01, 0.015, 8, 1500),
        pytest.param("bimodal", 0.0, 0.015, 8, 1500, marks=pytest.mark.nightly),
        pytest.param("recorded", 0.01, 0.015, 60, 1500, marks=pytest.mark.nightly),
    ],
)
def test_process_pair_gate_keeps_the_whole_runs_false_alarms(law, process_sd, s0, m, runs):
    """n = 1,500 whole runs: at most 1 % red."""
    results = gate_results(np.random.default_rng(30), law, runs * m, m, process_sd=process_sd, s0=s0)
    rate = Rate(f"pair gate, whole run red, {law}, process sd {process_sd}, s0 {s0}, m={m}", whole_runs(results, m))
    rate.proves_at_most(0.01)


@pytest.mark.nightly
def test_an_understated_process_sd_is_not_withstood():
    """n = 1,500 whole runs of m = 60 at a true 2 % and s0 = 1.5 %: about twice the promised 1 %, excluded above 4 %."""
    results = gate_results(np.random.default_rng(30), "recorded", 90_000, 60, process_sd=0.02, s0=0.015)
    rate = Rate("pair gate, whole run red, recorded, process sd 0.02, s0 0.015, m=60", whole_runs(results, 60))
    rate.proves_at_most(0.04)


def test_process_pair_gate_on_the_recorded_process_pairs():
    """n = 1,500 whole runs of m = 8, four of the 12 recorded A/A pairs each (45 short rounds), s0 from those pairs."""
    rng = np.random.default_rng(39)
    pairs = np.array([np.subtract(*pair["2"]) for pair in RECORDED["process_pairs"]])
    pairs -= trimmed_mean(pairs.ravel()).mean
    spread = between_process_sd([pairs])
    chosen = pairs[rng.integers(12, size=(12000, 4))] * rng.choice([-1.0, 1.0], size=(12000, 4, 1))
    common = {"alpha": 0.01 / 8, "s0": spread.sd, "d0": spread.df}
    unchanged = [process_pair_gate(four, **common) for four in chosen]
    Rate("pair gate, whole run red, recorded process pairs, m=8", whole_runs(unchanged, 8)).proves_at_most(0.01)
    share("pair gate PASS, recorded process pairs, m=8", unchanged, "PASS").proves_at_least(0.95)
    slower = [process_pair_gate(four + math.log(1.1), **common) for four in chosen[:1000]]
    share("pair gate red at x1.1, recorded process pairs, m=8", slower, "REGRESSED").proves_at_least(0.85)


@pytest.mark.parametrize(
    ("effect", "process_sd", "s0", "m", "low", "high"),
    [
        (1.05, 0.0, 0.015, 8, 0.3, 0.6),
        (1.10, 0.0, 0.015, 8, 0.95, 1),
        (1.10, 0.02, 0.025, 8, 0.9, 1),
        (1.10, 0.0, 0.015, 60, 0.92, 1),
        (1.20, 0.0, 0.015, 60, 0.985, 1),
    ],
)
def test_power_of_the_process_pair_gate(effect, process_sd, s0, m, low, high):
    """n = 700 comparisons on recorded rounds, 15 a pair."""
    results = gate_results(np.random.default_rng(31), "recorded", 700, m, math.log(effect), process_sd, s0)
    rate = share(f"pair gate red at x{effect}, recorded, process sd {process_sd}, m={m}", results, "REGRESSED")
    rate.proves_at_least(low)
    rate.proves_at_most(high)
    if effect == 1.10:
        share(f"pair gate PASS at x1.1, process sd {process_sd}, m={m}", results, "PASS").proves_at_most(0.05)


def test_process_pair_gate_passes_unchanged_code():
    """n = 700 comparisons on recorded rounds, m = 8."""
    results = gate_results(np.random.default_rng(32), "recorded", 700, 8)
    share("pair gate PASS, unchanged, recorded, m=8", results, "PASS").proves_at_least(0.98)


def test_a_slow_epoch_mode_blinds_the_gate_but_a_slow_process_mode_breaks_it_unless_it_was_measured():
    """n = 400 whole runs of m = 8. Slow processes (p = .15): > 3 % red; with s0 measured there <= 2 %."""
    blind = gate_results(np.random.default_rng(33), "bimodal", 400, 8, math.log(1.1))
    share("pair gate red at x1.1, bimodal epochs, m=8", blind, "REGRESSED").proves_at_most(0.35)
    unknown = gate_results(np.random.default_rng(34), "recorded", 3200, 8, sticky=0.15)
    Rate("pair gate, whole run red, slow processes, s0 1.5 %", whole_runs(unknown, 8)).proves_at_least(0.03)
    rng = np.random.default_rng(35)
    history = rng.random((40, 2)) < 0.15
    pairs = math.log(1.3) * (history[:, :1].astype(float) - history[:, 1:]) + pair_noise(rng, "recorded", 40, 15)
    spread = between_process_sd([pairs])
    known = gate_results(np.random.default_rng(36), "recorded", 3200, 8, sticky=0.15, s0=spread.sd, d0=spread.df)
    Rate(f"pair gate, whole run red, slow processes, s0 measured {spread.sd:.2f}", whole_runs(known, 8)).proves_at_most(
        0.02
    )


def test_one_process_pair_would_not_be_enough():
    """n = 1,500 comparisons at 2 % between processes: a t-test on 36 rounds of one pair, alpha .01/8, is red on A/A."""
    rng = np.random.default_rng(37)
    x = pair_noise(rng, "recorded", 1500, 36) + rng.normal(0, 0.02, (1500, 1))
    t = x.mean(axis=1) / x.std(axis=1, ddof=1) * 6
    Rate("t-test on one process pair red, A/A, 2 %", t > scipy.stats.t.ppf(1 - 0.01 / 8, 35)).proves_at_least(0.02)


def test_upper_limit_of_the_process_spread_covers_it():
    """n = 800 selftests of 20 pairs: s0 reaches the true 2 % in about 80 %, the 95 % limit in about 97.5 %."""
    rng = np.random.default_rng(38)
    spreads = []
    for _ in range(800):
        pairs = rng.normal(0, 0.02, (20, 1)) + pair_noise(rng, "normal", 20, 30)
        spreads.append(between_process_sd([pairs]))
    Rate("s0 at least the true process sd", [s.sd >= 0.02 for s in spreads]).proves_at_least(0.72)
    Rate("95 % limit at least the true process sd", [s.upper95 >= 0.02 for s in spreads]).proves_at_least(0.94)


# ------------------------------------------------------------------------------------------------------------- coverage


@pytest.mark.parametrize("n", [40, 177])
def test_clopper_pearson_never_covers_less_than_its_level(n):
    """Exact, no simulation: coverage at 400 proportions, where Wilson's falls to .905 (n = 40), .930 (n = 177)."""
    intervals = [clopper_pearson(k, n) for k in range(n + 1)]
    lows, highs = np.array([i.low for i in intervals]), np.array([i.high for i in intervals])
    coverage = []
    for p in np.linspace(0.002, 0.998, 400):
        coverage.append(scipy.stats.binom.pmf(np.arange(n + 1), n, p)[(lows <= p) & (p <= highs)].sum())
    print(f"EXACT | Clopper-Pearson lowest coverage, n = {n} | {min(coverage):.4f} | |")
    assert min(coverage) >= 0.95


def answered(rng, classes, each, class_sd, seed_sd, advantage=0.05):
    """Right (1) or wrong (0), treatment less reference, twelve seeds; the advantage varies by class and by seed."""
    count = classes * each
    of_class = rng.normal(0, class_sd, classes).repeat(each)
    hard = np.clip(0.6 + 0.12 * rng.normal(size=count), 0.2, 0.8)
    better = np.clip(hard + advantage + of_class + rng.normal(0, seed_sd, (12, 1)), 0, 1)
    return (rng.random((12, count)) < better).astype(float) - (rng.random((12, count)) < hard)


def more_often(differences, classes, margin, clustered=True):
    labels = np.arange(classes).repeat(differences.shape[1] // classes)
    labels = labels.tolist() if clustered else range(differences.shape[1])

    def by_class(seeds):
        return stats.clustered_interval(differences[:seeds].mean(axis=0), labels, 0.025, 0.005)

    effects = stats.by_seed((v, v, False) for v in differences.mean(axis=1).tolist())
    return stats.count_test(effects, margin, step=1 / differences.shape[1], also=by_class)


@pytest.mark.parametrize(("classes", "each"), [(10, 18), (13, 14), (5, 30)])
@pytest.mark.parametrize("class_sd", [0.0, 0.1])
def test_right_more_often_keeps_its_rates_for_new_seeds_pictures_and_classes(classes, each, class_sd):
    """n = 2,000 draws at the margin: HOLDS <= .05, VIOLATED <= .015 (99.9 % limits of about .03 and .007)."""
    rng = np.random.default_rng(44)
    results = [more_often(answered(rng, classes, each, class_sd, 0.02), classes, 0.05) for _ in range(2000)]
    name = f"RIGHT MORE OFTEN, {classes} classes of {each}, advantage varies by {class_sd}"
    keep_their_rates(name, results, holds=0.06, violated=0.02)


def test_pictures_taken_one_by_one_would_promise_too_much():
    """n = 1,000: where the advantage varies by class, pictures counted singly break the promise."""
    rng = np.random.default_rng(45)
    single = [more_often(answered(rng, 10, 90, 0.1, 0.005), 10, 0.05, clustered=False) for _ in range(1000)]
    share("RIGHT MORE OFTEN at the margin, classes ignored", single, "HOLDS").proves_at_least(0.08)


def white(rng, law, histories, runs):
    """Histories of mere noise of sd 1, shape (histories, runs)."""
    if law == "normal":
        return rng.normal(size=(histories, runs))
    return rng.standard_t(3, (histories, runs)) / math.sqrt(3)


@pytest.mark.parametrize("law", ["normal", "t3"])
@pytest.mark.parametrize(
    "n",
    [5, 6, 7, 8, 9, 10, 12, 15, 20, 30, *(pytest.param(n, marks=pytest.mark.nightly) for n in (11, 13, 14, 19, 60))],
)
def test_histories_without_a_step_show_none(law, n):
    """2,000 white histories a case: a step in 1 %, and surely not in 1.5 % beyond what 2,000 can tell."""
    x = white(np.random.default_rng(43), law, 2000, n)
    found = Rate(f"detect_steps finds a step in white noise, {law}, {n} runs", [bool(detect_steps(row)) for row in x])
    assert found.low <= 0.01, f"{found.k} of {found.n}: the promised 1 % is broken"
    found.proves_at_most(0.025)


@pytest.mark.parametrize(
    ("n", "sd", "least"), [(5, 0.012, 0.55), (7, 0.012, 0.85), (8, 0.02, 0.5), (10, 0.02, 0.8), (15, 0.03, 0.7)]
)
def test_ten_per_cent_are_found_by_so_many_runs(n, sd, least):
    """500 histories, the level 10 % higher from the middle on, normal noise of a card's or a CPU's processes."""
    x = sd * white(np.random.default_rng(45), "normal", 500, n)
    x[:, (n + 1) // 2 :] += math.log(1.1)
    Rate(f"detect_steps finds +10 %, {n} runs, sd {sd}", [bool(detect_steps(row)) for row in x]).proves_at_least(least)


def test_a_step_of_three_sd_is_found():
    """n = 500 histories of 15 + 15 runs."""
    x = np.random.default_rng(44).normal(size=(500, 30)) + np.repeat([0.0, 3.0], 15)
    Rate("detect_steps finds a step of 3 sd, 15 + 15 runs", [bool(detect_steps(row)) for row in x]).proves_at_least(0.9)


def alarms_with_the_classes_own_spread(rng, runs, m, true_sd, processes=6, shared=0.5):
    """Whole runs of m gated arms that go red on unchanged code, with the prior updated by the stored processes.

    `shared` is the part of a process's variance that all its arms have in common.
    """
    alpha = split_alpha(0.005, m)
    common = rng.normal(0, true_sd * math.sqrt(shared), (runs, 1, processes + 1))
    y = common + rng.normal(0, true_sd * math.sqrt(1 - shared), (runs, m, processes + 1))
    prior = PooledSd(PRIOR_SD, PRIOR_DF)
    red = []
    for run in y:
        own = PooledSd(successive_sd(run[:, 1:]).sd, (processes - 1) * 2 / 3)
        sd, df = combined_sd(prior, own)
        verdicts = (stored_run_test(arm[:1], arm[1:], alpha=alpha, sd=sd, df=df).verdict for arm in run)
        red.append(any(verdict == "REGRESSED" for verdict in verdicts))
    return red


@pytest.mark.parametrize("true_sd", [0.01, 0.10])
@pytest.mark.parametrize("m", [8, 20, 60])
def test_a_class_with_ten_processes_needs_no_prior(m, true_sd):
    """Its own upper 80 % limit on 6 df, three baselines (anchor, last five, all) sharing the budget."""
    rng = np.random.default_rng(34)
    alpha = split_alpha(0.005, m) / 3
    red = []
    for run in rng.normal(0, true_sd, (600, m, 11)):
        sd = upper_sd(PooledSd(successive_sd(run[:, 1:]).sd, 6))
        parts = (slice(1, 6), slice(6, 11), slice(1, 11))
        red.append(
            any(
                stored_run_test(arm[:1], arm[part], alpha=alpha, sd=sd, df=6).verdict == "REGRESSED"
                for arm in run
                for part in parts
            )
        )
    Rate(f"stored gate, ten processes, no prior, whole run red, m={m}, sd {true_sd}", red).proves_at_most(0.02)


def test_successive_differences_find_the_spread_beside_a_drift_and_know_their_degrees_of_freedom():
    noise = np.random.default_rng(35).normal(0, 0.02, (2000, 12))
    variances = np.array([successive_sd([row]).sd ** 2 for row in noise])
    assert math.sqrt(variances.mean()) == pytest.approx(0.02, rel=0.03)
    assert 2 * variances.mean() ** 2 / variances.var() == pytest.approx(successive_sd(noise[:1]).df, rel=0.15)
    drifting = noise + 0.02 * np.arange(12)
    assert (
        np.mean([successive_sd([row]).sd for row in drifting])
        < 0.03
        < np.mean([pooled_sd([row]).sd for row in drifting])
    )


@pytest.mark.parametrize(("m", "true_sd"), [(7, 0.02), (7, 0.04), (7, 0.05), (40, 0.04)])
def test_the_updated_prior_keeps_the_whole_runs_false_alarms(m, true_sd):
    red = alarms_with_the_classes_own_spread(np.random.default_rng(31), 1500, m, true_sd)
    Rate(f"stored gate with the class's own spread, whole run red, m={m}, sd {true_sd}", red).keeps(0.01)


def test_the_updated_prior_withstands_twice_the_prior_less_badly_than_the_prior_alone():
    """True sd 8 %: not kept at 1 %, but the class's own six processes take most of the harm away."""
    rng = np.random.default_rng(32)
    red = np.mean(alarms_with_the_classes_own_spread(rng, 1500, 7, 0.08))
    alone = np.mean(whole_run_alarms(np.random.default_rng(32), 1500, 7, 0.08, fresh=1, stored=6))
    assert 0.01 < red < 0.5 * alone


def test_the_updated_prior_sees_thirty_percent_with_one_new_process():
    """The planted sleep: m = 7 gated arms, five stored processes, true sd 4 %."""
    rng = np.random.default_rng(33)
    red = []
    for y in rng.normal(0, 0.04, (2000, 7, 6)):
        sd, df = combined_sd(PooledSd(PRIOR_SD, PRIOR_DF), PooledSd(successive_sd(y[:, 1:]).sd, 8 / 3))
        new = [y[0, 0] + math.log(1.3)]
        red.append(stored_run_test(new, y[0, 1:], alpha=split_alpha(0.005, 7), sd=sd, df=df).verdict == "REGRESSED")
    Rate("stored gate red at x1.3, 1 new + 5 stored, m=7, updated prior", red).proves_at_least(0.9)


# -------------------------------------------------------------------- stored processes, then process pairs


def drifting_runs(rng, runs, m, ratio=1.0, session_sd=0.10, slow=0.25, sticks=False):
    """Whole runs on a host that drifts: which benchmarks are red by process pairs, and by three processes.

    Five stored processes share one session's level, the new ones another's. A process is slow with probability `slow`,
    by 12 to 15 % in all its benchmarks. The two of a pair share the host's minutes; where `sticks`, a slow process is
    slow by itself and not by its minutes, so that its partner isn't.
    """
    alpha = Policy().alpha_times / m
    sessions = rng.normal(0, session_sd, (runs, 1, 2)).repeat([3, 5], axis=2)
    slower = (rng.random((runs, 1, 8)) < slow) * rng.uniform(0.12, 0.15, (runs, 1, 8))
    y = sessions + slower + rng.normal(0, 0.025, (runs, m, 8))
    y[..., :3] += math.log(ratio)
    own = rng.normal(0, 0.021, (runs, m, LOOKS[-1]))
    if sticks:
        sides = (rng.random((runs, 1, LOOKS[-1], 2)) < slow) * rng.uniform(0.12, 0.15, (runs, 1, LOOKS[-1], 2))
        own = own + sides[..., 0] - sides[..., 1]
    by_pairs, by_three = np.zeros((2, runs, m), bool)
    for place in np.ndindex(runs, m):
        new, old = y[place][:3], y[place][3:]
        look = stored_run_test(new[:1], old, alpha=alpha, gate=1.30)
        if look.verdict == "IMPROVED" or look.effect < math.log(Policy().smallest_seconds):
            continue
        if look.verdict != "PASS":
            three = stored_run_test(new, old, alpha=alpha, gate=1.30).verdict == "REGRESSED"
            by_three[place] = three and new.min() - old.mean() > math.log(Policy().each_seconds)
        elif look.effect < math.log(Policy().suspect_seconds):
            continue
        rounds = pair_noise(rng, "recorded", LOOKS[-1], 20) + own[place][:, None] + math.log(ratio)
        gate = process_pair_gate(rounds, alpha=alpha, looks=LOOKS, pass_levels=PASS_LEVELS)
        by_pairs[place] = gate.verdict == "REGRESSED"
    return by_pairs, by_three


def test_on_a_drifting_host_process_pairs_keep_the_false_alarms_that_three_processes_do_not():
    """n = 1,000 whole runs of m = 7, sessions 10 % apart, one process in four slow: .5 % is what times may cost."""
    by_pairs, by_three = drifting_runs(np.random.default_rng(70), 1000, 7)
    Rate("suspects by pairs, whole run red, drifting host, m=7", by_pairs.any(axis=1)).proves_at_most(0.01)
    Rate("suspects by three processes, the same runs", by_three.any(axis=1)).proves_at_least(0.1)


def test_a_slow_process_that_is_slow_by_itself_is_not_withstood_by_pairs_either():
    """n = 600 whole runs of m = 7 whose pairs are broken by one side's luck: more than promised, below 10 %."""
    by_pairs, _ = drifting_runs(np.random.default_rng(71), 600, 7, sticks=True)
    rate = Rate("suspects by pairs, whole run red, slow processes stick to one side, m=7", by_pairs.any(axis=1))
    rate.proves_at_most(0.10)


@pytest.mark.parametrize(
    ("ratio", "session_sd", "slow", "low"),
    [
        (1.2, 0.0, 0.0, 0.9),
        (1.3, 0.0, 0.0, 0.98),
        (1.2, 0.1, 0.25, 0.5),
        (1.3, 0.1, 0.25, 0.75),
        (1.5, 0.1, 0.25, 0.95),
    ],
)
def test_power_of_suspects_by_pairs(ratio, session_sd, slow, low):
    """n = 700 benchmarks: on a quiet host nearly all; on a drifting one a fast session hides what is slower."""
    by_pairs, _ = drifting_runs(np.random.default_rng(72), 100, 7, ratio, session_sd, slow)
    Rate(f"suspects by pairs red at x{ratio}, sessions {session_sd}, slow {slow}", by_pairs.ravel()).proves_at_least(
        low
    )


# ------------------------------------------------------------------------------ absolute times: a card of one's own

CARD_M = 8
CARD_ALPHA = split_alpha(Policy().alpha_times, CARD_M * FIGURES)
CARD_SESSION = PooledSd(PRIOR_CARD_SESSION_SD, math.inf)
CARD_PROCESS = PooledSd(PRIOR_CARD_PROCESS_SD, PRIOR_PROCESS_DF)


def card_levels(rng, n, sessions, each, session_sd, process_sd=0.011):
    """A new process's log seconds and the stored ones, of `sessions` sessions of `each` processes, for n arms."""
    own = rng.normal(0, session_sd, (n, sessions + 1, 1)) + rng.normal(0, process_sd, (n, sessions + 1, each))
    return own[:, :1, 0].tolist(), own[:, 1:].tolist()


def card_looks(new, old, session, ratio=1.0):
    """Each arm's new process against the stored sessions."""
    options = {"alpha": CARD_ALPHA, "process": CARD_PROCESS, "gate": Policy().gate_seconds}
    return [
        session_test([[one[0] + math.log(ratio)]], stored, session=session, **options)
        for one, stored in zip(new, old, strict=True)
    ]


@pytest.mark.parametrize(("sessions", "each"), [(1, 5), (3, 5), (9, 1)])
def test_absolute_times_keep_the_budget_with_sessions_as_far_apart_as_the_prior_says(sessions, each):
    """n = 6,000 whole runs of m = 8 arms with sessions of their own, the worst case: within what times may cost."""
    new, old = card_levels(np.random.default_rng(80), 6000 * CARD_M, sessions, each, PRIOR_CARD_SESSION_SD)
    red = whole_runs(card_looks(new, old, CARD_SESSION), CARD_M)
    Rate(f"card, stored alone, whole run red, {sessions} sessions of {each}", red).proves_at_most(Policy().alpha_times)


@pytest.mark.parametrize("session_sd", [0.005, 0.04, 0.10])
def test_own_sessions_of_ten_degrees_of_freedom_keep_the_budget_too(session_sd):
    """n = 2,000 whole runs of m = 8, eleven stored sessions whose own spread judges, whatever it is: at most 1 %."""
    rng, red = np.random.default_rng(81), []
    for _ in range(2000):
        new, old = card_levels(rng, CARD_M, 11, 1, session_sd)
        own = PooledSd(pooled_sd([[one[0] for one in arm] for arm in old]).sd, 10)
        looks = card_looks(new, old, PooledSd(upper_sd(own), 10))
        red.append(any(look.verdict == "REGRESSED" for look in looks))
    Rate(f"card, stored alone, own sessions {session_sd} apart, whole run red", red).proves_at_most(0.01)


def test_five_processes_of_one_session_taken_for_five_sessions_would_not_keep_it():
    """n = 2,000 whole runs, sessions 4 % apart, judged by the spread inside one session: over half are red."""
    new, old = card_levels(np.random.default_rng(82), 2000 * CARD_M, 1, 5, 0.04)
    red = [
        stored_run_test(one, stored[0], alpha=CARD_ALPHA, sd=0.011, df=10).verdict == "REGRESSED"
        for one, stored in zip(new, old, strict=True)
    ]
    runs = np.reshape(red, (-1, CARD_M)).any(axis=1)
    Rate("card, a session's processes taken for sessions, whole run red", runs).proves_at_least(0.5)


@pytest.mark.parametrize(("sessions", "each"), [(1, 5), (3, 5)])
def test_stored_processes_alone_see_what_they_say(sessions, each):
    """n = 40,000 arms slowed by what the row says is seen in 19 of 20 runs, never less than 50 %."""
    new, old = card_levels(np.random.default_rng(83), 40_000, sessions, each, PRIOR_CARD_SESSION_SD)
    design = card_looks(new[:1], old[:1], CARD_SESSION)[0]
    seen = math.exp(stats.minimum_detectable_effect(design.se, design.df, CARD_ALPHA, 0.95))
    assert seen > 1.5
    looks = card_looks(new, old, CARD_SESSION, seen)
    share(f"card, stored alone, red at x{seen:.2f}, {sessions} sessions of {each}", looks, "REGRESSED").proves_at_least(
        0.94
    )


def card_runs(rng, n, ratio, process_sd, session_sd=PRIOR_CARD_SESSION_SD):
    """n arms with five stored processes of one session: red where the stored times can't exclude 1.05 and pairs say so.

    `process_sd` is of the log ratio of two processes; their rounds differ by 1 %.
    """
    new, old = card_levels(rng, n, 1, 5, session_sd, process_sd / math.sqrt(2))
    looks = card_looks(new, old, CARD_SESSION, ratio)
    red = np.zeros(n, bool)
    for place, look in enumerate(looks):
        if look.high >= math.log(Policy().suspect_card):
            own = rng.normal(math.log(ratio), process_sd, (LOOKS[-1], 1))
            rounds = own + rng.normal(0, 0.01 * math.sqrt(2), (LOOKS[-1], 20))
            known = {"s0": PRIOR_CARD_PROCESS_SD * math.sqrt(2), "looks": LOOKS, "pass_levels": PASS_LEVELS}
            gate = process_pair_gate(rounds, alpha=CARD_ALPHA, **known)
            red[place] = gate.verdict == "REGRESSED"
    return red


@pytest.mark.parametrize("process_sd", [0.005, 0.015, 0.025])
def test_ten_percent_are_red_on_a_card_by_pairs(process_sd):
    """n = 6,000 arms, sessions 7.5 % apart, slowed by 10 %: at least 95 % red."""
    red = card_runs(np.random.default_rng(84), 6000, 1.10, process_sd)
    Rate(f"card, red at x1.10 by pairs, processes {process_sd} apart", red).proves_at_least(0.95)


@pytest.mark.parametrize("process_sd", [0.005, 0.017, 0.025])
def test_unchanged_code_is_not_red_on_a_card_by_pairs(process_sd):
    """n = 1,000 whole runs of m = 8, sessions 7.5 % apart: none red, and 1 % at most where processes differ by more."""
    red = card_runs(np.random.default_rng(85), 1000 * CARD_M, 1.0, process_sd).reshape(-1, CARD_M).any(axis=1)
    Rate(f"card, whole run red by pairs, unchanged, processes {process_sd} apart", red).proves_at_most(0.01)
    assert process_sd > PRIOR_CARD_PROCESS_SD * math.sqrt(2) or not red.any()


def card_rounds(rng, n, rounds=12):
    """Rounds of six processes of n arms as an H100's: 1 % apart; one in six has five in a row that are 7 % slower."""
    times = np.exp(rng.normal(0, 0.01, (n, 6, rounds)))
    start = rng.integers(0, rounds - 4, (n, 6, 1))
    places = np.arange(rounds)
    burst = (rng.random((n, 6, 1)) < 1 / 6) & (places >= start) & (places < start + 5)
    return times * np.where(burst, 1.07, 1.0)


def shape_alarms(times):
    """Whether the last of six processes is red by a figure beside its level, for each of n arms, eight to a run."""
    red = np.zeros(len(times), bool)
    for figure in SHAPES:
        values = np.array([[figure.of(process) for process in arm] for arm in times.tolist()])
        for place in range(0, len(values), CARD_M):
            run = values[place : place + CARD_M]
            own = PooledSd(pooled_sd(run[:, :5]).sd, 4)
            spread = combined_sd(PooledSd(figure.prior_sd, PRIOR_PROCESS_DF), own)
            options = {"alpha": CARD_ALPHA, "sd": spread.sd, "df": spread.df, "smallest": figure.smallest}
            red[place : place + len(run)] |= [
                stored_run_test(arm[5:], arm[:5], **options).verdict == "REGRESSED" for arm in run
            ]
    return red


def test_figures_beside_the_level_are_quiet_on_unchanged_code():
    """n = 2,000 whole runs of m = 8, bursts of slow rounds included: at most 1 %."""
    red = shape_alarms(card_rounds(np.random.default_rng(86), 2000 * CARD_M)).reshape(-1, CARD_M).any(axis=1)
    Rate("card, slow rounds or a slow last third, unchanged, whole run red", red).proves_at_most(0.01)


@pytest.mark.parametrize(
    ("name", "slowed", "power"),
    [
        ("the last third 1.5x", np.where(np.arange(12) >= 8, 1.5, 1.0), 0.99),
        ("every fourth round 2x", np.where(np.arange(12) % 4 == 3, 2.0, 1.0), 0.99),
        ("every fourth round 1.5x", np.where(np.arange(12) % 4 == 0, 1.5, 1.0), 0.9),
    ],
)
def test_slow_rounds_and_a_slow_last_third_are_red(name, slowed, power):
    """n = 4,000 arms: at least 99 %; every fourth round half as slow again, 90 %."""
    times = card_rounds(np.random.default_rng(87), 4000)
    times[:, 5] *= slowed
    Rate(f"card, {name}, red", shape_alarms(times)).proves_at_least(power)
