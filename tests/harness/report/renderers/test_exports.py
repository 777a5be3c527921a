"""Exports: all figures of a run, in the forms that github-action-benchmark and Bencher read.

Neither reader runs here: what theirs demand is said again below, from their sources (named in the module).
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dlcv04.cli import app
from dlcv04.harness.report.model import measures
from dlcv04.harness.report.renderers import exports
from dlcv04.harness.store.schema import ENERGY, Arm, Claim, EpochRow, Figure, SeedCurve, to_builtins
from tests.harness.report.sample import changed, empty_run, sample_run

TEST = "bench/test_a.py::test_a"


def read_by_action(text):
    """As `BenchmarkResults` of github-action-benchmark: an array of {name, value, unit, range?, extra?}, coerced.

    `Number(null)` is 0 and `String(undefined)` "undefined" there: what is coerced must not be in doubt.
    """
    entries = json.loads(text, parse_constant=pytest.fail)
    assert isinstance(entries, list)
    for entry in entries:
        assert {"name", "value", "unit"} <= set(entry) <= {"name", "value", "unit", "range", "extra"}
        assert all(isinstance(entry[name], str) and entry[name] for name in set(entry) - {"value"})
        assert isinstance(entry["value"], float) and math.isfinite(entry["value"])
    # The next run's entry is found by its name alone.
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry["name"]: entry for entry in entries}


def read_by_bencher(text):
    """As Bencher's adapter `json`: names of 1 to 1,024 bytes, measures of 1 to 64 without space around them."""
    found = json.loads(text, parse_constant=pytest.fail)
    for name, arm in found.items():
        assert 0 < len(name.encode()) <= 1024 and name == name.strip()
        assert not re.search(r"(_bencher_ignore|BencherIgnore|-bencher-ignore)$", name)
        for measure, metric in arm.items():
            assert 0 < len(measure.encode()) <= 64 and measure == measure.strip()
            assert {"value"} <= set(metric) <= {"value", "lower_value", "upper_value"}
            assert all(isinstance(value, float) and math.isfinite(value) for value in metric.values())
            assert metric.get("lower_value", -math.inf) <= metric["value"] <= metric.get("upper_value", math.inf)
    return found


def a_run(*arms, **claim):
    return changed(empty_run(), arms=list(arms), claims=[Claim(test=TEST, sentence="s", **claim)])


def an_arm(name="base", **fields):
    return Arm(name=name, test=TEST, **fields)


def curves(*accuracies, **metrics):
    def one(seed, accuracy):
        row = EpochRow(train_seconds=1, train_loss=0.2, train_accuracy=0.99, val_loss=0.3, val_accuracy=accuracy,
                       metrics=metrics)  # fmt: skip
        return SeedCurve(seed=seed, epochs=[row])

    return [one(seed, accuracy) for seed, accuracy in enumerate(accuracies)]


EVERYTHING = an_arm(
    parameters=600_810, macs=6_000_000, weight_bytes=2_403_240, optimizer_bytes=12, activation_bytes=99,
    round_seconds=[0.1, 0.11, 0.12, 0.1], round_index=[0, 1, 2, 3], images_per_round=256, images_per_epoch=6000,
    compile_seconds=2.5,
    curves=curves(0.97, 0.98, 0.99, mae=0.5, psnr=31.0),
    values=[1.0, 3.0],
    figures=[
        Figure(name="peak memory", kind="times", unit="bytes", direction="lower", values=[100.0, 104.0, 102.0]),
        Figure(name=ENERGY, kind="times", unit="J", direction="lower", values=[7.0]),
        Figure(name="psnr", kind="learning", unit="dB", direction="higher", values=[20.0, 30.0], index=[0, 1]),
        Figure(name="share seen", kind="learning", unit="points", direction="higher", values=[0.5, 0.7], index=[0, 1]),
    ],
)  # fmt: skip


def test_every_figure_is_there_with_its_interval():
    found = {measure.name: measure for measure in measures.of_run(a_run(EVERYTHING))}
    assert {name: (found[name].value, found[name].low) for name in ("parameters", "MACs", "weight bytes")} == {
        "parameters": (600_810, None), "MACs": (6_000_000, None), "weight bytes": (2_403_240, None)
    }  # fmt: skip
    seconds = found["seconds an epoch"]
    assert seconds.low < 0.1 * 6000 / 256 < seconds.value < 0.12 * 6000 / 256 < seconds.high
    accuracy = found["final validation accuracy"]
    half = 4.302653 * 0.01 / math.sqrt(3)  # t of 2 degrees of freedom, at 97.5 %
    assert (accuracy.value, accuracy.low) == (pytest.approx(0.98), pytest.approx(0.98 - half))
    assert accuracy.high == 1.0, "no accuracy lies above 1"
    assert (accuracy.unit, accuracy.of) == ("fraction", "3 seeds")
    memory = found["peak memory"]
    assert (memory.value, memory.of) == (pytest.approx(102), "3 processes") and memory.low < 100 < memory.high
    assert found[ENERGY].value == 7 and found[ENERGY].low is None
    assert found["mean of values"].value == 2 and found["seconds to compile"].value == 2.5
    assert found["mae"].direction == "lower" and found["psnr"].direction == "higher"


def test_of_the_action_less_is_better_of_every_entry():
    found = read_by_action(exports.github_action_benchmark(a_run(EVERYTHING)))
    name = f"{TEST}<base>: "
    error = found[f"{name}1 - final validation accuracy"]
    assert error["value"] == pytest.approx(0.02) and error["unit"] == "fraction"
    low, high = map(float, error["range"].split(" to "))
    assert low == 0 and high == pytest.approx(0.0448, abs=1e-4)
    assert error["extra"] == "range: 95 % interval over 3 seeds\nfinal validation accuracy: 0.98"
    assert found[f"{name}1 / psnr"]["value"] == pytest.approx(1 / 25)
    assert found[f"{name}1 / psnr"]["unit"] == "1 / dB" and "range" not in found[f"{name}1 / psnr"]
    assert found[f"{name}1 - share seen"]["value"] == pytest.approx(0.4)
    assert found[f"{name}parameters"] == {"name": f"{name}parameters", "unit": "parameters", "value": 600_810}
    assert found[f"{name}seconds an epoch"]["extra"] == "range: 95 % interval over 4 rounds of one process"


def test_to_bencher_figures_go_as_they_are():
    found = read_by_bencher(exports.bencher(a_run(EVERYTHING)))
    arm = found[f"{TEST}<base>"]
    accuracy = arm["final validation accuracy (fraction)"]
    assert accuracy["value"] == pytest.approx(0.98) and accuracy["upper_value"] == 1.0
    assert arm["parameters"] == {"value": 600_810}
    assert arm["peak memory (bytes)"]["value"] == pytest.approx(102)
    assert arm["psnr (dB)"]["value"] == 25


def test_a_name_that_is_too_long_for_bencher_is_cut_and_stays_its_own():
    twins = [Figure(name=f"{'é' * 80}{n}", kind="learning", unit="u", direction="lower", values=[1.0]) for n in "ab"]
    found = read_by_bencher(exports.bencher(a_run(an_arm("x" * 2000, figures=twins))))
    assert [len(arm) for arm in found.values()] == [2]


def test_controls_are_no_figures_of_the_code():
    assert list(measures.of_run(a_run(EVERYTHING, is_control=True))) == []


def test_what_can_not_be_exported_is_said():
    lost = [SeedCurve(seed=0, epochs=[], status="diverged", reason="nan")]
    negative = Figure(name="r2", kind="learning", unit="", direction="higher", values=[-0.5])
    run = a_run(an_arm(curves=lost, figures=[negative]))
    action, other = ([*exports.left_out(form, run)] for form in ("github-action-benchmark", "bencher"))
    assert other == [f"left out: {TEST}<base>: final validation accuracy (1 seed, 1 of them failed)"]
    assert action[1:] == other and action[0].startswith(f"left out: {TEST}<base>: r2, since")
    assert read_by_action(exports.github_action_benchmark(run)) == {}


def test_a_seed_that_failed_is_counted_and_never_averaged_away():
    lost = SeedCurve(seed=9, epochs=[], status="diverged", reason="nan")
    run = a_run(an_arm(curves=[*curves(0.9, 0.9), lost]))
    found = {measure.name: measure for measure in measures.of_run(run)}
    assert found["final validation accuracy"].of == "3 seeds, 1 of them failed"


def test_a_run_of_every_verdict_and_an_empty_one_are_read():
    for run in (sample_run(), empty_run()):
        action = read_by_action(exports.github_action_benchmark(run))
        kept = read_by_bencher(exports.bencher(run))
        assert len(action) == sum(map(len, kept.values())) == len([*measures.of_run(run)])


def test_the_repositorys_own_baselines_are_read():
    from dlcv04.harness.store.reading import read_run

    for path in sorted(Path(__file__).parents[4].glob("baselines/*/000[13]_*.json")):
        run = read_run(path)
        names = [measure.name for measure in measures.of_run(run)]
        assert "parameters" in names and ("seconds an epoch" in names) == any(arm.round_seconds for arm in run.arms)
        assert read_by_action(exports.github_action_benchmark(run)) and read_by_bencher(exports.bencher(run))


numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(max_size=90)
own = st.builds(
    Figure,
    name=names,
    kind=st.sampled_from(["times", "learning", "exact"]),
    unit=st.sampled_from(["", "points", "J"]),
    direction=st.sampled_from(["lower", "higher", "none"]),
    values=st.lists(st.none() | numbers, max_size=4),
)
rounds = st.lists(st.floats(0, 1e300), max_size=5)


@settings(deadline=None)  # the first example waits for SciPy
@given(figure=own, name=names, seconds=rounds, accuracies=st.lists(st.none() | st.floats(0, 1), max_size=4))
def test_whatever_was_stored_is_strict_json_that_is_read(figure, name, seconds, accuracies):
    index = list(range(len(seconds)))
    arm = an_arm(name, figures=[figure], round_seconds=seconds, round_index=index, images_per_round=1,
                 images_per_epoch=2, curves=curves(*accuracies))  # fmt: skip
    run = a_run(arm)
    action = read_by_action(exports.github_action_benchmark(run))
    kept = read_by_bencher(exports.bencher(run))
    lost = [len([*exports.left_out(form, run)]) for form in ("github-action-benchmark", "bencher")]
    count = len([*measures.of_run(run)])
    assert len(action) == count - lost[0] and sum(map(len, kept.values())) == count - lost[1]


def test_the_command_writes_both_and_says_what_it_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    negative = Figure(name="r2", kind="learning", unit="", direction="higher", values=[-0.5])
    run = a_run(msgspec.structs.replace(EVERYTHING, figures=[negative]))
    Path("run.json").write_text(json.dumps({"dlcv04": to_builtins(run)}))
    done = CliRunner().invoke(app, ["report", "run.json", "--format", "github-action-benchmark", "--out", "a.json"])
    assert done.exit_code == 0 and done.stdout == "report: a.json\n" and done.stderr.startswith("left out: ")
    assert read_by_action(Path("a.json").read_text())
    done = CliRunner().invoke(app, ["report", "run.json", "--format", "bencher"])
    assert done.exit_code == 0 and done.stderr == "" and read_by_bencher(done.stdout)
