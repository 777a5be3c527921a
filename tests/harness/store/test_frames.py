"""Stored runs as a table: its columns are a promise, its figures are exactly those of the files."""

import json
import re
import time
import warnings
from collections import defaultdict
from pathlib import Path
from statistics import mean, median, stdev

import msgspec
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04 import load_runs
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.frames import CLOCK_UNITS, EPOCH_UNITS, EXACT_UNITS, UnreadableRunWarning
from dlcv04.harness.store.reading import RunFileError
from dlcv04.harness.store.schema import (
    LARGEST,
    Against,
    Arm,
    Claim,
    Commit,
    DataRecord,
    Environment,
    EpochRow,
    Figure,
    PairRounds,
    Recheck,
    Run,
    SeedCurve,
    to_builtins,
)

ROOT = Path(__file__).parents[3]
MACHINE = Environment(machine_class="cpu-here-2-cores", hardware={}, software={})

# Version 1 of the table. A new column goes to the end; a change of any other breaks the scripts of people we don't
# know: it needs a line in CHANGELOG.md under "Breaking".
PROMISED = """
run category, started datetime64[us, UTC], commit category, dirty bool, machine_class category, device category,
profile category, backend category, dtype_policy category, jit category, accepted bool, part category, reason category,
data category, data_kind category, data_fingerprint category, test category, arm category, control bool,
figure category, status category, seed Int64, epoch Int32, round Int32, pair Int32, metric category, value float64,
unit category, file category, process Int32
"""


def columns(table):
    return ", ".join(f"{name} {dtype}" for name, dtype in table.dtypes.items())


def save(folder, run, name="run.json"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps({"benchmarks": [], "dlcv04": to_builtins(run)}, allow_nan=False))
    return run


def make_run(run_id="r1", **changes):
    epochs = [EpochRow(train_seconds=2.5, train_loss=0.5, train_accuracy=0.7, val_loss=0.6, val_accuracy=0.65)]
    arm = Arm(
        name="base", test="bench/test_a.py::test_a", key={"data": "f" * 64}, parameters=7, round_seconds=[0.1, 0.2],
        round_index=[0, 2], images_per_round=10, images_per_epoch=100, calibrator_seconds=[0.3], contention=0.05,
        curves=[SeedCurve(seed=3, epochs=epochs)],
    )  # fmt: skip
    fields = {
        "id": run_id, "started": "2026-11-23T18:17:26+01:00", "profile": "smoke", "device": "cpu",
        "key": {"backend": "tensorflow", "dtype_policy": "float32", "jit": "false"}, "environment": MACHINE,
        "commit": Commit(id="c" * 40, branch="main"), "arms": [arm],
        "data": [DataRecord(name="mine", kind="own", provenance="", fingerprint="f" * 64, train_images=9,
                            val_images=9)],
        "claims": [Claim(test="bench/test_a.py::test_a", sentence="s", verdict="HOLDS")],
    }  # fmt: skip
    return Run(**{**fields, **changes})


def of(table, metric):
    return table[table.metric == metric]


class TestColumns:
    def test_they_are_the_promised_ones_in_order(self, tmp_path):
        save(tmp_path, make_run())
        assert columns(load_runs(tmp_path)) == " ".join(PROMISED.split())

    def test_a_tests_own_figures_are_rows_too(self, tmp_path):
        own = [
            Figure(name="depth", kind="learning", unit="layers", direction="higher", values=[1.0, None], index=[3, 4]),
            Figure(name="energy", kind="times", unit="J", direction="lower", values=[9.0]),
        ]
        arm = msgspec.structs.replace(make_run().arms[0], figures=own)
        save(tmp_path, make_run(arms=[arm]))
        table = load_runs(tmp_path)
        assert of(table, "depth")[["seed", "unit"]].values.tolist() == [[3, "layers"], [4, "layers"]]
        assert of(table, "depth")["value"].tolist()[0] == 1.0 and of(table, "energy")["value"].tolist() == [9.0]

    def test_an_empty_folder_has_them_too(self, tmp_path):
        table = load_runs(tmp_path)
        assert len(table) == 0
        assert columns(table) == " ".join(PROMISED.split())

    def test_what_stands_in_them(self, tmp_path):
        save(tmp_path / "Linux", make_run())
        table = load_runs(tmp_path)
        (row,) = of(table, "train_seconds").to_dict("records")
        assert row["value"] == 2.5 and row["unit"] == "s" and row["seed"] == 3 and row["epoch"] == 1
        assert row["started"] == pd.Timestamp("2026-11-23T17:17:26Z")
        assert row["data"] == "mine" and row["data_kind"] == "own" and row["backend"] == "tensorflow"
        assert not row["accepted"] and row["part"] == row["reason"] == "" and row["file"] == "Linux/run.json"
        assert pd.isna(row["round"]) and pd.isna(row["pair"])
        assert list(of(table, "epoch_seconds").value) == [1.0, 2.0]
        assert list(of(table, "round_seconds")["round"]) == [0, 2]

    def test_a_controls_figures_are_marked(self, tmp_path):
        run = make_run()
        save(tmp_path, make_run(claims=[Claim(test=run.arms[0].test, sentence="s", is_control=True)]))
        assert load_runs(tmp_path).control.all()

    def test_a_diverged_epoch_is_nan_with_its_status(self, tmp_path):
        epoch = EpochRow(train_seconds=1.0, train_loss=None, train_accuracy=None, val_loss=None, val_accuracy=None)
        arm = Arm(name="a", test="t", curves=[SeedCurve(seed=0, epochs=[epoch], status="diverged", reason="nan")])
        save(tmp_path, make_run(arms=[arm]))
        (row,) = of(load_runs(tmp_path), "val_loss").to_dict("records")
        assert pd.isna(row["value"]) and row["status"] == "diverged"

    def test_process_pairs_have_a_pair_and_two_sides(self, tmp_path):
        pair = PairRounds(test="t", arm="a", pair=1, steps=2, images_per_step=3, old_seconds=[1.0], new_seconds=[2.0])
        against = Against(rev="HEAD", commit="c", tests=1, process_sd=0.1, process_df=9, process_source="s")
        save(tmp_path, make_run(arms=[], against=Against(**{**_fields(against), "pairs": [pair]})))
        table = load_runs(tmp_path)
        assert list(table.metric) == ["old_seconds", "new_seconds"] and list(table.value) == [1.0, 2.0]
        assert set(table.pair) == {1} and set(table.figure) == {"pair"}

    def test_pairs_that_decided_a_slower_time_are_rows_too(self, tmp_path):
        pair = PairRounds(test="t", arm="a", pair=0, steps=2, images_per_step=3, old_seconds=[1.0], new_seconds=[2.0])
        against = Against(rev="c", commit="c", tests=1, process_sd=0.1, process_df=9, process_source="s", pairs=[pair])
        save(tmp_path, make_run(arms=[], rechecks=[Recheck(test="t", against=against), Recheck(test="t", why="gone")]))
        assert list(load_runs(tmp_path).metric) == ["old_seconds", "new_seconds"]

    def test_a_seed_that_has_no_epoch_is_no_seed_less(self, tmp_path):
        arm = Arm(name="a", test="t", curves=[SeedCurve(seed=7, epochs=[], status="diverged", reason="nan")])
        save(tmp_path, make_run(arms=[arm]))
        (row,) = of(load_runs(tmp_path), "val_accuracy").to_dict("records")
        assert row["seed"] == 7 and pd.isna(row["epoch"]) and pd.isna(row["value"]) and row["status"] == "diverged"


def _fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


class TestFiles:
    def test_a_missing_folder_is_one_clear_error(self, tmp_path):
        with pytest.raises(RunFileError, match=r"There is no folder .*nowhere: give one that holds runs"):
            load_runs(tmp_path / "nowhere")

    def test_a_file_is_no_folder(self, tmp_path):
        save(tmp_path, make_run())
        with pytest.raises(RunFileError, match="There is no folder"):
            load_runs(tmp_path / "run.json")

    def test_unreadable_files_are_named_and_the_others_loaded(self, tmp_path):
        save(tmp_path, make_run())
        whole = (tmp_path / "run.json").read_text()
        (tmp_path / "cut.json").write_text(whole[:99])
        (tmp_path / "plain.json").write_text('{"benchmarks": []}')
        (tmp_path / "indices.json").write_text(whole.replace('"round_index": [0, 2]', '"round_index": [0]'))
        with pytest.warns(UnreadableRunWarning, match="3 files below") as caught:
            table = load_runs(tmp_path)
        told = str(caught[0].message)
        assert all(name in told for name in ("cut.json", "plain.json", "indices.json"))
        assert caught[0].filename == __file__
        assert set(table.file) == {"run.json"} and len(table)

    def test_an_accepted_file_that_was_edited_is_named(self, tmp_path):
        path = accept(tmp_path, make_run(), "timing")
        path.write_text(path.read_text().replace('"parameters": 7', '"parameters": 8'))
        with pytest.warns(UnreadableRunWarning, match="edited by hand"):
            assert len(load_runs(tmp_path)) == 0

    def test_a_manifest_is_no_run_and_no_problem(self, tmp_path):
        accept(tmp_path, make_run(), "timing")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(load_runs(tmp_path / "baselines"))

    def test_self_tests_are_no_runs_and_no_problem(self, tmp_path):
        (tmp_path / "cpu-x" / "selftest").mkdir(parents=True)
        (tmp_path / "cpu-x" / "selftest" / "1.json").write_text("{}")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(load_runs(tmp_path)) == 0


def accept(root, run, part):
    document = {"benchmarks": [], "dlcv04": to_builtins(run)}
    return Store(root / "baselines").accept(document, part=part, reason="why", commit=Commit())


class TestAcceptedRuns:
    def test_a_run_that_was_saved_and_accepted_in_both_parts_counts_once(self, tmp_path):
        run = save(tmp_path / ".benchmarks", make_run())
        alone = load_runs(tmp_path)
        for part in ("timing", "portable"):
            accept(tmp_path, run, part)
        table = load_runs(tmp_path)
        index = ["test", "arm", "figure", "metric", "seed", "epoch", "round", "value"]
        assert sorted(map(str, table[index].values)) == sorted(map(str, alone[index].values))
        assert set(table[table.accepted].reason) == {"why"}
        assert not of(table, "train_seconds").accepted.any()  # only the saved file has them

    def test_the_clocks_that_a_portable_baseline_lacks_are_absent_not_zero(self, tmp_path):
        accept(tmp_path, make_run(), "portable")
        table = load_runs(tmp_path)
        assert set(table.part) == {"portable"} and "val_accuracy" in set(table.metric)
        assert not {"train_seconds", "round_seconds", "contention"} & set(table.metric)

    def test_runs_of_one_id_on_two_machines_are_two_runs(self, tmp_path):
        save(tmp_path, make_run(), "here.json")
        there = Environment(machine_class="cpu-there", hardware={}, software={})
        save(tmp_path, make_run(environment=there), "there.json")
        assert len(of(load_runs(tmp_path), "parameters")) == 2


# -- round trip ------------------------------------------------------------------------------------------------------

numbers = st.floats(-LARGEST, LARGEST)
seconds = st.floats(1e-9, 1e9)
maybe = st.none() | numbers
text = st.text(max_size=8).filter(lambda value: value.isprintable())
counts = st.none() | st.integers(0, 10**12)
epoch_rows = st.builds(
    EpochRow,
    train_seconds=seconds,
    train_loss=maybe,
    train_accuracy=maybe,
    val_loss=maybe,
    val_accuracy=maybe,
    val_loss_halves=st.sampled_from([[], [0.5, 0.25]]),
    metrics=st.dictionaries(st.sampled_from(["mae", "val_mae", "f1 of 7"]), maybe),
)
seed_curves = st.builds(
    SeedCurve,
    seed=st.integers(0, 2**62),
    epochs=st.lists(epoch_rows, max_size=3),
    status=st.sampled_from(["ok", "diverged"]),
)
rounds = st.lists(seconds, max_size=4)


@st.composite
def arms(draw):
    timed = draw(rounds)
    return Arm(
        name=draw(text),
        test=draw(text),
        round_seconds=timed,
        round_index=draw(st.permutations(range(len(timed)))),
        images_per_round=draw(st.integers(1, 9)),
        images_per_epoch=draw(st.integers(1, 9)),
        calibrator_seconds=draw(rounds),
        compile_seconds=draw(st.none() | seconds),
        contention=draw(st.floats(0, 1)),
        clocks=draw(st.dictionaries(st.sampled_from([*CLOCK_UNITS]), seconds)),
        curves=draw(st.lists(seed_curves, max_size=2, unique_by=lambda curve: curve.seed)),
        values=draw(st.lists(numbers, max_size=3)),
        **{name: draw(counts) for name in EXACT_UNITS},
    )


def figures_of(arm):
    """The plain way: every figure of an arm as (metric, seed, epoch, round, process, value)."""
    for metric, seed, epoch, number, value in learned_of(arm):
        yield metric, seed, epoch, number, None, value
    for metric, number, value in times_of(arm):
        yield metric, None, None, number, 0, value


def learned_of(arm):
    for metric in EXACT_UNITS:
        if getattr(arm, metric) is not None:
            yield metric, None, None, None, float(getattr(arm, metric))
    for number, value in enumerate(arm.values):
        yield "value", None, None, number, value
    for curve in arm.curves:
        for number, epoch in enumerate(curve.epochs, 1):
            for metric in EPOCH_UNITS:
                yield metric, curve.seed, number, None, getattr(epoch, metric)
            for metric, value in epoch.metrics.items():
                yield metric, curve.seed, number, None, value
            for half, value in enumerate(epoch.val_loss_halves, 1):
                yield f"val_loss_half_{half}", curve.seed, number, None, value
        if not curve.epochs and curve.status == "diverged":
            for metric in EPOCH_UNITS:
                yield metric, curve.seed, None, None, None


def times_of(arm):
    if not arm.round_seconds:
        return
    for number, value in zip(arm.round_index, arm.round_seconds, strict=True):
        yield "round_seconds", number, value
        if arm.images_per_round:
            yield "epoch_seconds", number, value * (arm.images_per_epoch / arm.images_per_round)
    for number, value in enumerate(arm.calibrator_seconds):
        yield "calibrator_seconds", number, value
    if arm.images_per_round:
        yield "images_per_second", None, arm.images_per_round / median(arm.round_seconds)
    if arm.compile_seconds is not None:
        yield "compile_seconds", None, arm.compile_seconds
    yield "contention", None, arm.contention
    for name, value in arm.clocks.items():
        yield name.replace(" ", "_"), None, value


def rows_of(table):
    kept = table[["test", "arm", "metric", "seed", "epoch", "round", "process", "value"]].astype(object)
    return kept.where(kept.notna(), None).itertuples(index=False, name=None)


@given(
    drawn=st.lists(arms(), max_size=3, unique_by=lambda arm: (arm.test, arm.name)),
    started=text,
    again=st.integers(0, 2),
)
def test_a_run_written_and_loaded_gives_exactly_its_figures(tmp_path_factory, drawn, started, again):
    """Those of its further fresh processes too, in which all its arms were timed again."""
    folder = tmp_path_factory.mktemp("runs")
    save(folder, make_run(arms=drawn, started=started, repeats=drawn * again))
    expected = [(arm.test, arm.name, *row) for arm in drawn for row in figures_of(arm)]
    for process in range(1, again + 1):
        expected += [
            (arm.test, arm.name, metric, None, None, number, process, value)
            for arm in drawn
            for metric, number, value in times_of(arm)
        ]
    assert sorted(map(repr, rows_of(load_runs(folder)))) == sorted(map(repr, expected))


def test_two_hundred_benchmarks_by_fifty_runs_load_in_seconds(tmp_path):
    arm = {"round_seconds": [0.1 + i / 977 for i in range(40)], "round_index": list(range(40)), "macs": 9}
    many = [
        Arm(name=name, test=f"bench/test_a.py::test_{number}", images_per_round=1, images_per_epoch=2, **arm)
        for number in range(100)
        for name in ("base", "wide")
    ]
    claims = [Claim(test=test, sentence="s") for test in dict.fromkeys(one.test for one in many)]
    whole = json.dumps({"dlcv04": to_builtins(make_run("the-id", arms=many, claims=claims))})
    for number in range(50):
        (tmp_path / f"{number}.json").write_text(whole.replace("the-id", f"r{number}"))
    start = time.process_time()
    table = load_runs(tmp_path)
    took = time.process_time() - start
    assert len(table) == 50 * 200 * (40 + 40 + 1 + 1 + 1)
    assert table.memory_usage(deep=True).sum() < 80 * len(table)
    assert took < 20, f"{took:.1f} s"


# -- the questions of docs/stored-runs.md ----------------------------------------------------------------------------


def run_page(folder):
    """The page's code, run on a folder; its answers by name."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs/stored-runs.md").read_text(), re.S))
    names = {}
    exec(compile(code.replace('"baselines"', repr(str(folder))), "stored-runs.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def answers():
    """Those on this repository's own files, of two processors and a card, two backends and several kinds of data."""
    return run_page(ROOT / "baselines")


@pytest.fixture(scope="module")
def stored():
    """The same files, read with nothing but json."""
    files = sorted((ROOT / "baselines").glob("*/*.json"))
    return [json.loads(file.read_text())["dlcv04"] for file in files]


def place(run, arm):
    """All that keeps two figures from being of the same kind, in the order of the page's `where`."""
    data = {one["fingerprint"]: (one["kind"], one["name"]) for one in run["data"]}
    kind, name = data.get(arm["key"].get("data", ""), ("", ""))
    key = [run["key"][part] for part in ("profile", "backend", "dtype_policy", "jit")]
    return (run["environment"]["machine_class"], *key, kind, name, arm["key"].get("data", ""), arm["test"], arm["name"])


def controls(run):
    return {claim["test"] for claim in run["claims"] if claim["is_control"]}


def arms_of(stored):
    return [(run, arm) for run in stored for arm in run["arms"] if arm["test"] not in controls(run)]


def test_which_arms_epoch_time_spread_most_between_processes(answers, stored):
    processes = defaultdict(list)
    for run, arm in arms_of(stored):
        if arm["round_seconds"]:
            scale = arm["images_per_epoch"] / arm["images_per_round"]
            processes[place(run, arm)].append(median(arm["round_seconds"]) * scale)
    spread = {key: stdev(values) / mean(values) for key, values in processes.items()}
    assert dict(answers["spread"].relative_sd) == pytest.approx(spread)
    assert dict(answers["spread"]["count"]) == {key: len(values) for key, values in processes.items()}
    assert answers["most"] == max(spread, key=spread.get)
    # Of one machine class, backend and kind of data no arm spread by a tenth; all classes in one heap gave 122 %.
    assert 0.05 < spread[answers["most"]] < 0.10
    shown = re.search(r"([\d.]+) %", (ROOT / "docs/stored-runs.md").read_text()).group(1)
    assert f"{spread[answers['most']]:.1%}" == f"{shown}%"


def test_the_mean_final_accuracy_by_arm_with_its_sd_over_seeds(answers, stored):
    final = defaultdict(dict)
    for run, arm in arms_of(stored):
        for curve in arm["curves"]:
            final[*place(run, arm), run["id"]][curve["seed"]] = curve["epochs"][-1]["val_accuracy"]
    assert {row.Index: (row.mean, row.std, row.count, row.diverged) for row in named(answers["accuracy"])} == {
        key: pytest.approx((mean(seeds.values()), stdev(seeds.values()), len(seeds), 0)) for key, seeds in final.items()
    }


def named(table):
    return table.itertuples(name="Row")


def test_how_the_base_nets_epoch_moved_over_the_days(answers, stored):
    by_day = defaultdict(list)
    for run, arm in arms_of(stored):
        if arm["name"] == "base" and arm["round_seconds"]:
            scale = arm["images_per_epoch"] / arm["images_per_round"]
            key = place(run, arm)[:-1]
            by_day[*key, run["started"][:10]] += [second * scale for second in arm["round_seconds"]]
    found = {(*key[:-1], str(key[-1])): row for key, row in answers["days"].iterrows()}
    assert {key: (row["median"], row["count"]) for key, row in found.items()} == {
        key: pytest.approx((median(values), len(values))) for key, values in by_day.items()
    }


def test_nothing_is_dropped_silently_by_the_pages_code(tmp_path):
    """A single process has no spread, diverged seeds are counted, two runs of the same seeds are two rows."""
    curve = make_run().arms[0].curves[0]
    lost = SeedCurve(seed=4, epochs=[], status="diverged", reason="nan")
    arm = msgspec.structs.replace(make_run().arms[0], curves=[curve, lost])
    save(tmp_path, make_run("r1", arms=[arm], started="2026-11-23T01:00:00Z"), "1.json")
    save(tmp_path, make_run("r2", arms=[arm], started="2026-11-24T01:00:00Z"), "2.json")
    there = Environment(machine_class="cpu-there", hardware={}, software={})
    save(tmp_path, make_run("r3", arms=[arm], environment=there), "3.json")
    all_lost = Arm(name="lost", test=arm.test, key=arm.key, curves=[lost])
    save(tmp_path, make_run("r4", arms=[all_lost], environment=there), "4.json")
    answers = run_page(tmp_path)
    assert answers["spread"]["count"].tolist() == [2, 1] and pd.isna(answers["spread"].relative_sd.iloc[1])
    assert answers["accuracy"][["count", "diverged"]].values.tolist() == [[1, 1], [1, 1], [1, 1], [0, 1]]
    assert answers["days"]["count"].tolist() == [2, 2, 2]
