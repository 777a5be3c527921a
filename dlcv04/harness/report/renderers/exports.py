"""A run's figures in the forms of programs that follow figures over commits: github-action-benchmark, and Bencher.

What their readers take is written from their sources: `BenchmarkResults` in github-action-benchmark's `src/extract.ts`
(commit c38cce98), `JsonNewMetric`, `BenchmarkName` and `ResourceName` in Bencher's `lib/` (commit 8d75325c3).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from dlcv04.harness.report.model import measures
from dlcv04.harness.report.model.measures import FRACTION, Measure
from dlcv04.harness.store.schema import Run

#: Of what is less, 1 / x is no number.
_LEAST = 1e-300
#: Most bytes of a benchmark's and of a measure's name in Bencher.
_NAME_BYTES, _MEASURE_BYTES = 1024, 64


def github_action_benchmark(run: Run) -> str:
    """An array for `tool: customSmallerIsBetter`, an entry a figure.

    One array has one direction. A share of which more is better is written as what is missing to 1: an accuracy of 0.98
    that falls to 0.90 is an error five times as large, which the action's ratio shows, where 0.98 / 0.90 would stay
    below any threshold. Other figures of which more is better are written as 1 / x.
    """
    entries = []
    for measure in measures.of_run(run):
        if (turned := _smaller_is_better(measure)) is None:
            continue
        entry: dict[str, Any] = {
            "name": f"{turned.test}<{turned.arm}>: {turned.name}",
            "unit": turned.unit or "1",
            "value": turned.value,
        }
        if turned.low is not None and turned.high is not None:
            entry["range"] = f"{turned.low:.6g} to {turned.high:.6g}"
        if about := _about(measure, turned):
            entry["extra"] = about
        entries.append(entry)
    return json.dumps(entries, indent=1, allow_nan=False) + "\n"


def bencher(run: Run) -> str:
    """Bencher Metric Format: by arm, by figure with its unit, the value and its interval, as they are."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for measure in measures.of_run(run):
        if measure.value is None:
            continue
        metric = {"value": measure.value}
        if measure.low is not None and measure.high is not None:
            metric |= {"lower_value": measure.low, "upper_value": measure.high}
        # Bencher keeps no unit of a measure that a file names first.
        told = not measure.unit or measure.unit in measure.name
        name = measure.name if told else f"{measure.name} ({measure.unit})"
        arm = found.setdefault(_cut(f"{measure.test}<{measure.arm}>", _NAME_BYTES), {})
        arm[_cut(name, _MEASURE_BYTES)] = metric
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def left_out(form: str, run: Run) -> Iterator[str]:
    """A sentence for each figure of a run that one of these forms can't hold."""
    for measure in measures.of_run(run):
        name = f"{measure.test}<{measure.arm}>: {measure.name}"
        if measure.value is None:
            yield f"left out: {name} ({measure.of})"
        elif form == "github-action-benchmark" and _smaller_is_better(measure) is None:
            yield f"left out: {name}, since of {measure.value:.4g} more is better and 1 / x does not say so"


def _smaller_is_better(measure: Measure) -> Measure | None:
    """The figure turned so that less is better; None where it has no value, or none that can be turned."""
    if measure.value is None or measure.direction != "higher":
        return measure if measure.value is not None else None
    if measure.unit == FRACTION:
        return _turned(measure, f"1 - {measure.name}", FRACTION, lambda value: 1 - value)
    if measure.value < _LEAST:
        return None
    if measure.low is not None and measure.low < _LEAST:
        measure = dataclasses.replace(measure, low=None, high=None)
    unit = f"1 / {measure.unit}" if measure.unit else ""
    return _turned(measure, f"1 / {measure.name}", unit, lambda value: 1 / value)


def _turned(measure: Measure, name: str, unit: str, turn: Callable[[float], float]) -> Measure:
    """The figure by another name, its interval the other way round."""
    value, low, high = (None if each is None else turn(each) for each in (measure.value, measure.high, measure.low))
    return dataclasses.replace(measure, name=name, unit=unit, direction="lower", value=value, low=low, high=high)


def _about(measure: Measure, turned: Measure) -> str:
    """What stands in the action's tooltip beside the figure."""
    interval = f"range: 95 % interval over {measure.of}" if measure.low is not None else measure.of
    return "\n".join(filter(None, [interval, f"{measure.name}: {measure.value:.6g}" if turned is not measure else ""]))


def _cut(name: str, most: int) -> str:
    """A name of no more bytes than are taken, told apart by a hash from others that begin alike; never empty."""
    name = " ".join(name.split()) or "-"
    if len(name.encode()) <= most:
        return name
    end = f" {hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name.encode()[: most - len(end)].decode(errors="ignore").rstrip() + end
