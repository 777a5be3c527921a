"""What the machine's newest self-test says of its noise and of the gate: figures as text, and the detection curve."""

from __future__ import annotations

from dataclasses import dataclass

from dlcv04.harness import against, selftest
from dlcv04.harness.policy import Policy
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model import Fact
from dlcv04.harness.schema import Replayed, SelfTest

WIDTH, HEIGHT = 420, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 44
_WIDEST = 0.20


@dataclass(frozen=True)
class Detected:
    """A slowdown (0.1 = 10 %) and the share of benchmarks that were red; `x`, `y`, `low`, `high` are pixels."""

    slowdown: float
    share: float
    n: int
    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Curve:
    """The detection curve: replayed points joined by `line`, live ones beside them, and what it says in words."""

    replayed: tuple[Detected, ...]
    live: tuple[Detected, ...]
    line: str
    smallest: float
    said: str


@dataclass(frozen=True)
class Noise:
    """The self-test section: its figures, and the curve where replayed figures are stored with the self-test."""

    started: str
    facts: tuple[Fact, ...]
    curve: Curve | None


def build(test: SelfTest, policy: Policy) -> Noise:
    """The section of one self-test; cheap, since what takes seconds was stored when it was measured."""
    pairs = len({rounds.pair for rounds in test.identical})
    planted = len({(p.ratio, rounds.pair) for p in test.planted for rounds in p.pairs})
    tests = fmt.plural(test.tests, "timing test")
    smallest = selftest.smallest_seen(test, policy)
    facts = [
        Fact("Measured", f"{fmt.moment(test.started)}, in {fmt.seconds(test.seconds)}, commit {test.commit.id[:10]}"),
        Fact("Process pairs", f"{pairs} of identical code, {planted} slowed on purpose, of {tests}"),
        Fact("Spread between processes", f"sd {test.process_point:.1%}, 95 % limit {test.process_upper95:.1%}"),
        Fact("The gate counts on", f"sd {test.process_sd:.1%} with {test.process_df:g} degrees of freedom"),
        Fact("Rounds of one pair", f"leave {test.rounds_sd:.1%} open about its mean"),
        _false_alarms(test),
        Fact("Smallest slowdown seen", f"{smallest - 1:.1%}, in 4 of 5 runs of {against.LOOKS[-1]} process pairs"),
    ]
    facts += [
        Fact("Planted fault", f"{fault.describes}: {selftest.said_of(fault)}", warn=not fault.noticed)
        for fault in test.faults
    ]
    return Noise(test.started, tuple(facts), _curve(test, policy, smallest - 1))


def _false_alarms(test: SelfTest) -> Fact:
    same = next((one for one in test.replayed if one.ratio == 1.0), None)
    if same is None:
        return Fact("False alarms", "not stored with this self-test: measure anew with `dlcv04 selftest`", warn=True)
    rate = selftest.Rate(same.red_runs, same.runs)
    told = f"{rate} whole runs red, replayed from these pairs; promised {same.promised:.1%}"
    return Fact("False alarms", told, warn=rate.bounds.low > same.promised)


def _curve(test: SelfTest, policy: Policy, smallest: float) -> Curve | None:
    replayed = tuple(_detected(one.ratio - 1, selftest.Rate(one.red, one.benchmarks)) for one in _in_order(test))
    if not replayed:
        return None
    rates = [(planted.ratio - 1, selftest.live(test, planted, policy)) for planted in test.planted]
    live = tuple(_detected(slowdown, rate) for slowdown, rate in rates if rate.runs)
    told = "; ".join(f"slowed by {one.text}" for one in replayed)
    told += "".join(f"; live, slowed by {one.text}" for one in live)
    line = "M" + "L".join(f"{one.x:g} {one.y:g}" for one in replayed)
    return Curve(replayed, live, line, _across(smallest), f"Share of benchmarks that turned red: {told}.")


def _in_order(test: SelfTest) -> list[Replayed]:
    return sorted((one for one in test.replayed if one.benchmarks), key=lambda one: one.ratio)


def _detected(slowdown: float, rate: selftest.Rate) -> Detected:
    bounds = rate.bounds
    return Detected(
        slowdown=slowdown,
        share=rate.share,
        n=rate.runs,
        x=_across(slowdown),
        y=_down(rate.share),
        low=_down(bounds.low),
        high=_down(bounds.high),
        text=f"{slowdown:.0%}: {rate}",
    )


def _across(slowdown: float) -> float:
    return round(_LEFT + min(slowdown, _WIDEST * 1.05) / (_WIDEST * 1.05) * (WIDTH - _LEFT - _RIGHT), 1)


def _down(share: float) -> float:
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def axes() -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
    """Places and labels of the curve's ticks, along the bottom and up the side."""
    return (
        [(_across(percent / 100), f"{percent} %") for percent in (0, 5, 10, 15, 20)],
        [(_down(percent / 100), f"{percent} %") for percent in (0, 50, 100)],
    )
