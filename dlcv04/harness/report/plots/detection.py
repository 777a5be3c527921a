"""The share of benchmarks that turned red at a slowdown: places in pixels, which the page's template draws as SVG."""

from __future__ import annotations

from dataclasses import dataclass

from dlcv04.harness.policy import Policy
from dlcv04.harness.selftest import replaying
from dlcv04.harness.store.selftests import Replayed, SelfTest

WIDTH, HEIGHT = 420, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 44
_WIDEST = 0.20


@dataclass(frozen=True)
class Detected:
    """Where a slowdown, the share of benchmarks that were red and its interval lie, and all of it as text."""

    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class DetectionCurve:
    """The detection curve: replayed points joined by `line`, live ones beside them, and its sentence."""

    replayed: tuple[Detected, ...]
    live: tuple[Detected, ...]
    line: str
    smallest: float
    sentence: str


def detection_curve(test: SelfTest, policy: Policy) -> DetectionCurve | None:
    """The curve of one self-test; none where no replayed figures are stored with it."""
    rates = [(replay.ratio - 1, replaying.Rate(replay.red, replay.benchmarks)) for replay in _in_order(test)]
    replayed = tuple(_detected(slowdown, rate) for slowdown, rate in rates)
    if not replayed:
        return None
    planted_rates = [(planted.ratio - 1, replaying.live(test, planted, policy)) for planted in test.planted]
    live = tuple(_detected(slowdown, rate) for slowdown, rate in planted_rates if rate.runs)
    shares = "; ".join(f"slowed by {point.text}" for point in replayed)
    shares += "".join(f"; live, slowed by {point.text}" for point in live)
    line = "M" + "L".join(f"{point.x:g} {point.y:g}" for point in replayed)
    smallest = _across(replaying.smallest_seen(test, policy) - 1)
    return DetectionCurve(replayed, live, line, smallest, f"Share of benchmarks that turned red: {shares}.")


def _in_order(test: SelfTest) -> list[Replayed]:
    return sorted((replay for replay in test.replayed if replay.benchmarks), key=lambda replay: replay.ratio)


def _detected(slowdown: float, rate: replaying.Rate) -> Detected:
    bounds = rate.bounds
    return Detected(
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
