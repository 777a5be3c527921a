"""The figures of `judging.md`, simulated with the package's own rules. All seeds are fixed.

`python docs/figures.py` writes them, and the numbers that they show, to `docs/figures/`; the site's build draws them
anew (`hooks.py`).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import matplotlib
import msgspec
import numpy as np
from matplotlib.figure import Figure

from dlcv04 import atomic
from dlcv04.harness.judging.pair_gate import LOOKS, PASS_LEVELS
from dlcv04.harness.measuring.process_pairs import PAIRS_OF_ROUNDS
from dlcv04.harness.policy import Policy
from dlcv04.harness.selftest import replaying
from dlcv04.harness.stats import PRIOR_PROCESS_DF, PRIOR_PROCESS_SD, order_test, process_pair_gate, split_alpha
from dlcv04.harness.store.selftests import SelfTest

FOLDER = Path(__file__).parent / "figures"
SELF_TEST = "cpu-intel-xeon-family-6-model-167-2-cores/selftest/20261123T184222.json"

ROUND_SD = 0.09  # of a pair's log ratio, as recorded on two shared cores
MARGIN, TRUE_RATIOS = 1.10, (1.25, 1.10, 1.00)
SLOWDOWNS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.10, 0.12, 0.15, 0.20, 0.25, 0.30)
RUNS = 1000
BENCHMARKS = 7
POLICY = Policy(against=True)

COLOURS = ("#0072b2", "#d55e00", "#009e73")  # Okabe and Ito: told apart by colour-blind readers
STYLE = {"svg.hashsalt": "dlcv04", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}


# -- the numbers ----------------------------------------------------------------------------------------------------


def closing_in(true_ratio: float, seed: int = 2) -> dict[str, list[Any]]:
    """Effect and bounds (ratios; None: unbounded) of one claim after each pair until it is decided, or for 60 pairs."""
    x = math.log(true_ratio) + np.random.default_rng(seed).normal(0, ROUND_SD, POLICY.max_pairs)
    found: dict[str, list[Any]] = {"n": [], "effect": [], "low": [], "high": []}
    for n in range(2, len(x) + 1):
        result = order_test(x[:n], MARGIN)
        for name in ("effect", "low", "high"):
            bound = getattr(result, name)
            found[name].append(math.exp(bound) if math.isfinite(bound) else None)
        found["n"].append(n)
        if result.verdict != "CONTINUE":
            return {**found, "verdict": [result.verdict]}
    raise AssertionError("order_test ends at its cap")


def simulated(slowdown: float, process_sd: float, s0: float, d0: float, runs: int = RUNS) -> float:
    """Share of `runs` benchmarks that are red, one of seven that share the budget.

    Args:
        slowdown: the true one, as a share (0.1 = 10 %).
        process_sd: true spread between processes (log units).
        s0: the spread that the gate works with.
        d0: its degrees of freedom.
        runs: benchmarks to simulate.
    """
    rng = np.random.default_rng([round(slowdown * 1000), round(process_sd * 1000)])
    rule = {"alpha": split_alpha(POLICY.alpha_times, BENCHMARKS), "looks": LOOKS, "pass_levels": PASS_LEVELS}
    red = 0
    for _ in range(runs):
        centres = math.log1p(slowdown) + rng.normal(0, process_sd, LOOKS[-1])
        pairs = [centre + rng.normal(0, ROUND_SD, PAIRS_OF_ROUNDS) for centre in centres]
        red += process_pair_gate(pairs, s0=s0, d0=d0, **rule).verdict == "REGRESSED"
    return red / runs


def replayed(slowdown: float, test: SelfTest, runs: int = RUNS) -> tuple[float, float]:
    """Shares of whole runs and of single benchmarks that are red, redrawn from recorded rounds of identical code."""
    whole, single = replaying.replay(test, 1 + slowdown, policy=POLICY, runs=runs)
    return whole.share, single.share


def recorded() -> SelfTest:
    """The self-test whose rounds are replayed; `judging.md` quotes what they give."""
    stored = Path(__file__).parents[1] / "baselines" / SELF_TEST
    return msgspec.json.decode(stored.read_bytes(), type=SelfTest)


def numbers() -> dict[str, Any]:
    """Everything that the figures show."""
    test = recorded()
    again = [replayed(slowdown, test) for slowdown in SLOWDOWNS]
    return {
        "bounds": {f"{ratio:.2f}": closing_in(ratio) for ratio in TRUE_RATIOS},
        "slowdowns": list(SLOWDOWNS),
        "runs": RUNS,
        "prior": [simulated(slowdown, PRIOR_PROCESS_SD, PRIOR_PROCESS_SD, PRIOR_PROCESS_DF) for slowdown in SLOWDOWNS],
        "measured": [simulated(slowdown, 0.01, test.process_sd, test.process_df) for slowdown in SLOWDOWNS],
        "replayed": [single for _, single in again],
        "replayed_whole": [whole for whole, _ in again],
        "replayed_from": {"pairs": len({rounds.pair for rounds in test.identical}), "started": test.started[:10]},
    }


# -- the pictures ---------------------------------------------------------------------------------------------------


def draw_bounds(found: dict[str, Any]) -> Figure:
    """Three claims with one margin: the effect and its bounds after each pair."""
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    for axes, (ratio, path) in zip(figure.subplots(1, 3, sharey=True), found["bounds"].items(), strict=True):
        low, high = (np.array(path[name], dtype=float) for name in ("low", "high"))
        axes.fill_between(path["n"], low, high, color=COLOURS[0], alpha=0.25, label="95 % / 99 % bounds")
        axes.plot(path["n"], path["effect"], color=COLOURS[0], label="effect")
        axes.axhline(MARGIN, color=COLOURS[1], linestyle="--", label=f"margin {MARGIN:.2f}")
        axes.axvline(path["n"][-1], color="0.5", linewidth=0.8)
        axes.set_title(f"true ratio {ratio}: {path['verdict'][0]}\nafter {path['n'][-1]} pairs", fontsize=9)
        axes.set_xlabel("pairs of rounds")
        axes.set_xlim(0, POLICY.max_pairs)
        axes.set_ylim(0.8, 1.5)
    figure.axes[0].set_ylabel("seconds, treatment / reference")
    figure.axes[1].legend(frameon=False, fontsize=8)
    return figure


def draw_gate(found: dict[str, Any]) -> Figure:
    """How often a benchmark is red, against its true slowdown."""
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    axes, start = figure.subplots(), found["replayed_from"]
    curves = {
        "prior": f"simulated: spread between processes {PRIOR_PROCESS_SD:.1%}, judged by the shipped prior",
        "measured": "simulated: spread 1.0 %, judged by a self-test of 20 pairs",
        "replayed": f"replayed: {start['pairs']} recorded pairs of identical code ({start['started']}), slowed",
    }
    for (name, label), colour, marker in zip(curves.items(), COLOURS, "os^", strict=True):
        shares = [100 * share for share in found[name]]
        axes.plot([100 * x for x in SLOWDOWNS], shares, color=colour, marker=marker, label=label)
    axes.axvline(100 * (POLICY.gate_against - 1), color="0.5", linestyle="--", linewidth=0.8)
    axes.set_xlabel("true slowdown (%); dashed: the gate, what PASS excludes")
    axes.set_ylabel(f"red benchmarks (%), n = {found['runs']:,} runs a point")
    axes.set_ylim(-3, 103)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def write(folder: Path) -> None:
    """Write both figures as SVG, and their numbers as JSON, to an existing folder."""
    found = numbers()
    atomic.write(folder / "figures.json", (json.dumps(found, allow_nan=False) + "\n").encode())
    with matplotlib.rc_context(STYLE):
        for name, draw in (("bounds", draw_bounds), ("gate", draw_gate)):
            with atomic.replacing(folder / f"{name}.svg") as file:
                draw(found).savefig(file, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write(FOLDER)
