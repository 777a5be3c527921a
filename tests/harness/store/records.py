"""A run to accept and its parts."""

import math

from dlcv04.harness.store.schema import (
    Arm,
    Assertion,
    Claim,
    Commit,
    Comparison,
    Environment,
    EpochRow,
    Run,
    SeedCurve,
    to_builtins,
)

HERE = "cpu-here-2-cores"
THERE = "gpu-there-x1-700w"
COMMIT = Commit(id="c" * 40, branch="main")


def comparison(verdict, test="bench/test_a.py::test_slow", metric="epoch time", unit="ratio"):
    return Comparison(
        test=test, arm="base", metric=metric, direction="lower", unit=unit, new=1.2, old=1.0, effect=1.2, low=1.1,
        high=1.3, gate=1.05, minimum_detectable_effect=1.06, n_new=10, n_old=50, verdict=verdict, method="t",
    )  # fmt: skip


def assertion(kind, verdict="HOLDS"):
    return Assertion(
        kind=kind, sentence="s", treatment="a", reference="b", unit="ratio", margin=1.1, effect=1.5, low=1.4,
        high=None, n=10, n_unit="rounds", verdict=verdict, method="m",
    )  # fmt: skip


def make_run(run_id="run-1", machine_class=HERE, **changes):
    epoch = EpochRow(train_seconds=2.5, train_loss=0.1, train_accuracy=0.9, val_loss=0.2, val_accuracy=0.8)
    arm = Arm(
        name="base", test="bench/test_a.py::test_slow", round_seconds=[0.1, 0.2], round_index=[0, 1],
        images_per_round=10, images_per_epoch=100, warmup_rounds=3, compile_seconds=4.0, parameters=7,
        calibrator_seconds=[0.3], key={"data": "digits"},
        curves=[SeedCurve(seed=1, epochs=[epoch])],
    )  # fmt: skip
    claim = Claim(
        test="bench/test_a.py::test_slow", sentence="It is slower", verdict="HOLDS", seconds=9.0, source_hash="abc",
        assertions=[assertion("ORDER"), assertion("PAIRED")], comparisons=[comparison("PASS")],
    )  # fmt: skip
    values = {
        "id": run_id, "started": "2026-10-01T10:00:00+00:00", "profile": "smoke", "device": "cpu",
        "whole_suite": True, "key": {"backend": "tensorflow"}, "arms": [arm], "claims": [claim],
        "environment": Environment(machine_class=machine_class, hardware={"cpu": "Here"}, software={}),
        "commit": COMMIT, "overhead_seconds": {"collection": 1.5}, "seconds": 60.0,
    }  # fmt: skip
    return Run(**(values | changes))


def make_document(run):
    return {
        "machine_info": {"node": "secret-host", "cpu": {"brand_raw": "X"}},
        "commit_info": {"id": "c" * 40, "dirty": False},
        "benchmarks": [{"name": "test_slow<base>", "stats": {"min": 0.1, "iqr": math.nan, "data": [0.1, 0.2]}}],
        "datetime": "2026-10-01T10:00:00",
        "version": "5.3.1",
        "dlcv04": to_builtins(run),
    }


def accept(store, run=None, part="timing", **changes):
    values = {"part": part, "reason": "first figures", "commit": COMMIT, "name": "smoke"} | changes
    return store.accept(make_document(run or make_run()), **values)
