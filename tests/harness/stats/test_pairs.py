"""Process pairs: the gate, and the spread between processes."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from dlcv04.harness.stats import (
    FLOOR_PROCESS_SD,
    StatisticsError,
    between_process_sd,
    minimum_detectable_effect,
    process_pair_gate,
    trimmed_mean,
)
from tests.harness.stats.samples import noise

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "recorded_noise.json").read_text(encoding="utf-8"))


def process_pairs(effect, count=4, rounds=15, seed=0, sd=0.05):
    return list(effect + np.random.default_rng(seed).normal(0, sd, (count, rounds)))


def test_the_gate_is_red_on_a_slowdown_and_green_on_none():
    assert process_pair_gate(process_pairs(0.4)[:2], alpha=0.01 / 8).verdict == "REGRESSED"
    assert process_pair_gate(process_pairs(0.0), alpha=0.01 / 8).verdict == "PASS"
    assert process_pair_gate(process_pairs(-0.4), alpha=0.01 / 8).verdict == "IMPROVED"
    assert process_pair_gate(process_pairs(0.08, sd=0.3), alpha=0.01 / 8).verdict == "INCONCLUSIVE"
    assert process_pair_gate(process_pairs(0.08, sd=0.3)[:3], alpha=0.01 / 8).verdict == "CONTINUE"
    assert process_pair_gate(process_pairs(0.4)[:1], alpha=0.01 / 8).verdict == "CONTINUE"
    assert process_pair_gate([], alpha=0.01 / 8).verdict == "CONTINUE"


def test_the_gate_is_the_formula():
    pairs = process_pairs(0.3, 2)
    result = process_pair_gate(pairs, alpha=0.002, s0=0.02, d0=12)
    parts = [trimmed_mean(pair) for pair in pairs]
    q = np.mean([part.se**2 for part in parts])
    y = np.array([part.mean for part in parts])
    se = math.sqrt(max((0.02**2 + q) / 2, y.var(ddof=1) / 2))
    df = (0.02**2 + q) ** 2 / (0.02**4 / 12 + q**2 / (2 * 8))
    assert (result.effect, result.se, result.df) == (pytest.approx(y.mean()), pytest.approx(se), pytest.approx(df))
    assert result.low == pytest.approx(result.effect - scipy.stats.t.ppf(1 - 0.001, df) * se)
    assert result.high == pytest.approx(result.effect + scipy.stats.t.ppf(0.995, df) * se)
    assert result.minimum_detectable == pytest.approx(minimum_detectable_effect(se, df, 0.001))


def test_one_pair_that_points_the_other_way_stops_the_alarm():
    pairs = [*process_pairs(0.6, 3, sd=0.001), *process_pairs(-0.001, 1, sd=0.0001)]
    result = process_pair_gate(pairs, alpha=0.4, s0=0.001, d0=50, gate=1.05, looks=(4,), pass_levels=(0.95,))
    assert (result.verdict, result.low) == ("INCONCLUSIVE", 0.0)


def test_an_early_pass_is_final():
    pairs = [*process_pairs(0.0, 2, sd=0.01), *process_pairs(0.6, 2)]
    assert process_pair_gate(pairs, alpha=0.01, s0=0.005).verdict == "PASS"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"s0": 0}, "above 0"),
        ({"looks": (1, 4)}, "looks"),
        ({"looks": (2,)}, "looks"),
        ({"pairs": [[0.1]] * 2}, "two rounds"),
    ],
)
def test_a_gate_that_cannot_judge_is_refused(change, message):
    with pytest.raises(StatisticsError, match=message):
        process_pair_gate(**({"pairs": process_pairs(0.0), "alpha": 0.01} | change))


def test_process_spread_of_the_recorded_pairs():
    """sd of a process's own share: 2.2 % (8-step rounds, 95 % limit 4.7 %) and 1.3 % (2-step rounds, limit 2.8 %)."""
    for steps, point, limit in (("8", 0.022, 0.047), ("2", 0.013, 0.028)):
        spread = between_process_sd([[np.subtract(*pair[steps]) for pair in RECORDED["process_pairs"]]])
        assert (spread.point, spread.upper95) == (pytest.approx(point, abs=6e-4), pytest.approx(limit, abs=6e-4))
        assert spread.point < spread.sd < spread.upper95
        assert spread.df == 11


def test_process_spread_is_pooled_about_each_benchmarks_own_mean_and_has_a_floor():
    quiet = process_pairs(0.0, 11, 9, 1, 1e-6)
    far = process_pairs(0.9, 11, 9, 2, 1e-6)
    spread = between_process_sd([quiet, far])
    assert (spread.sd, spread.df) == (FLOOR_PROCESS_SD, 20)
    with pytest.raises(StatisticsError, match="two process pairs"):
        between_process_sd([quiet[:1]])


def test_upper_limit_of_twenty_degrees_of_freedom_is_seventeen_percent_above_the_point():
    pairs = [[y] * 8 for y in noise(21, 0.05, 8)]
    spread = between_process_sd([pairs])
    assert spread.sd / spread.point == pytest.approx(1.17, abs=0.005)
