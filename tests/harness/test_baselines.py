"""The store: what goes in comes out, nothing is lost, overwritten or believed that was edited."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcv04.harness.store import baselines
from dlcv04.harness.store.acceptance import enough_processes, may_accept, parts, span
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import BaselineError
from dlcv04.harness.store.reading import RunFileError
from dlcv04.harness.store.schema import (
    Against,
    Arm,
    Assertion,
    Claim,
    Commit,
    Comparison,
    Environment,
    EpochRow,
    Recheck,
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


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "baselines", saved=tmp_path / ".benchmarks")


# ------------------------------------------------------------------------------------------- what goes in, comes out


def test_timing_goes_to_the_folder_of_its_machine_class(store):
    path = accept(store)
    assert path == store.root / HERE / "0001_smoke.json"
    loaded = store.load(machine_class=HERE)
    assert loaded.problems == [] and loaded.portable == []
    (stored,) = loaded.timing
    assert stored.path == path and stored.label == f"{HERE}/0001_smoke"
    assert stored.run.arms[0].round_seconds == [0.1, 0.2]
    assert stored.run.arms[0].curves == []
    assert stored.run.arms[0].calibrator_seconds == [0.3]
    acceptance = stored.run.acceptance
    assert (acceptance.reason, acceptance.part, acceptance.commit) == ("first figures", "timing", COMMIT)
    assert json.loads(path.read_text())["benchmarks"][0]["stats"]["iqr"] is None


def test_portable_holds_no_clock_and_no_host(store):
    path = accept(store, part="portable")
    assert path == store.root / "portable" / "0001_smoke.json"
    document = json.loads(path.read_text())
    assert document["benchmarks"] == [] and document["machine_info"] == {}
    assert "secret-host" not in path.read_text()
    (stored,) = store.load(machine_class="any-other").portable
    run, arm = stored.run, stored.run.arms[0]
    assert (arm.round_seconds, arm.round_index, arm.compile_seconds, arm.calibrator_seconds) == ([], [], None, [])
    assert (run.overhead_seconds, run.seconds) == ({}, 0.0)
    assert run.claims[0].seconds == 0.0 and run.claims[0].comparisons == []
    assert [a.kind for a in run.claims[0].assertions] == ["PAIRED"], "a ratio of times does not travel"
    assert arm.curves[0].epochs[0].train_seconds == 0.0
    assert arm.curves[0].epochs[0].val_accuracy == 0.8
    assert run.claims[0].source_hash == "abc" and arm.parameters == 7


finite = st.floats(allow_nan=False, allow_infinity=False)
facts = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | finite | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
epochs = st.builds(
    EpochRow, train_seconds=finite, train_loss=st.none() | finite, train_accuracy=st.none() | finite,
    val_loss=st.none() | finite, val_accuracy=st.none() | finite,
)  # fmt: skip
arms = st.builds(
    Arm, name=st.text(max_size=8), test=st.text(max_size=8), facts=st.dictionaries(st.text(max_size=5), facts),
    round_seconds=st.lists(finite, min_size=1, max_size=4), round_index=st.lists(st.integers(0, 99), max_size=4),
    compile_seconds=st.none() | finite,
    curves=st.lists(st.builds(SeedCurve, seed=st.integers(0, 2**31), epochs=st.lists(epochs, max_size=3)), max_size=2),
)  # fmt: skip
runs = st.builds(
    make_run, run_id=st.text(min_size=1, max_size=20), arms=st.lists(arms, min_size=1, max_size=3),
    key=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), command=st.text(max_size=20),
    seconds=finite, repeats=st.lists(arms, max_size=2), rechecks=st.lists(st.builds(Recheck, test=st.text(max_size=5))),
    against=st.none() | st.builds(Against, process_sd=finite, process_df=finite),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(run=runs, reason=st.text(min_size=1, max_size=30).filter(str.strip), name=st.text(max_size=10))
def test_round_trip(run, reason, name):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for part in ("timing", "portable"):
            path = accept(store, run, part=part, reason=reason, name=name)
            assert path.parent.parent == Path(folder)
        loaded = store.load(machine_class=HERE)
        assert loaded.problems == []
        (timing,), (portable,) = loaded.timing, loaded.portable
    replace = msgspec.structs.replace
    assert timing.run.arms == [replace(arm, curves=[]) for arm in run.arms]
    assert [arm.facts for arm in portable.run.arms] == [arm.facts for arm in run.arms]
    for after, before in zip(portable.run.arms, run.arms, strict=True):
        assert [[replace(e, train_seconds=0.0) for e in c.epochs] for c in before.curves] == [
            c.epochs for c in after.curves
        ]
    for stored in (timing, portable):
        kept = stored.run.repeats, stored.run.rechecks, stored.run.against
        assert kept == ([], [], None), "a stored file is one process"
        assert (stored.run.id, stored.run.key, stored.run.command) == (run.id, run.key, run.command)
        assert stored.run.acceptance.reason == reason.strip()


def test_numbers_of_other_types_and_nan_become_strict_json(store):
    numpy = pytest.importorskip("numpy")
    document = make_document(make_run())
    document["dlcv04"]["arms"][0]["facts"] = {"rate": numpy.float32(0.5), "n": numpy.int64(3), "bad": math.inf}
    document["dlcv04"]["arms"][0]["round_seconds"] = (numpy.float64(0.1),)
    path = store.accept(document, part="timing", reason="r", commit=COMMIT)
    arm = store.load(machine_class=HERE).timing[0].run.arms[0]
    assert arm.facts == {"rate": 0.5, "n": 3, "bad": None}
    json.loads(path.read_text(), parse_constant=pytest.fail)


def test_what_json_cannot_hold_is_refused_and_nothing_stored(store):
    document = make_document(make_run())
    document["extra"] = object()
    with pytest.raises(BaselineError, match="object"):
        store.accept(document, part="timing", reason="r", commit=COMMIT)
    assert store.load(machine_class=HERE).timing == []


def test_a_round_that_is_no_number_is_refused(store):
    document = make_document(make_run())
    document["dlcv04"]["arms"][0]["round_seconds"] = [math.nan]
    with pytest.raises(RunFileError, match="The run to accept"):
        store.accept(document, part="timing", reason="r", commit=COMMIT)


def test_same_content_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "_now", lambda: "2026-10-01T10:00:00+00:00")
    document = make_document(make_run())
    shuffled = dict(reversed(document.items()))
    texts = [
        Store(tmp_path / str(i)).accept(d, part="timing", reason="r", commit=COMMIT).read_bytes()
        for i, d in enumerate((document, shuffled))
    ]
    assert texts[0] == texts[1]


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reason_is_needed(store, reason):
    with pytest.raises(BaselineError, match="needs a reason"):
        accept(store, reason=reason)
    assert not list(store.root.rglob("*.json"))


@pytest.mark.parametrize("machine_class", ["", "../up", "a/b", "portable", "published", ".."])
def test_a_machine_class_that_names_no_folder_is_refused(store, machine_class):
    with pytest.raises(BaselineError, match="can't name a folder"):
        accept(store, make_run(machine_class=machine_class))


def test_a_part_that_the_run_lacks_is_refused(store):
    learning = make_run(arms=[])
    assert parts(learning) == ["portable"]
    with pytest.raises(BaselineError, match="nothing to store as timing"):
        accept(store, learning)


def test_a_run_counts_once(store):
    accept(store)
    accept(store, part="portable")
    with pytest.raises(BaselineError, match="stored already"):
        accept(store)


def test_a_copied_file_counts_once(store):
    path = accept(store)
    shutil.copy(path, path.with_name("0002_copy.json"))
    loaded = store.load(machine_class=HERE)
    assert len(loaded.timing) == 1
    (problem,) = loaded.problems
    assert "same run" in problem


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "baselines").write_text("a file, no folder")
    with pytest.raises(BaselineError, match="can't be written"):
        accept(Store(tmp_path / "baselines"))


def claims(verdict="HOLDS", compared="PASS", **changes):
    values = {"test": "bench/test_a.py::test_slow", "sentence": "s", "verdict": verdict}
    return [Claim(**(values | {"comparisons": [comparison(compared)]} | changes))]


@pytest.mark.parametrize(
    ("changes", "ground"),
    [
        ({"claims": claims("VIOLATED")}, "1 violated (bench/test_a.py::test_slow)"),
        ({"claims": claims("VIOLATED", "REGRESSED")}, "1 violated"),
        ({"failures": ["bench/test_a.py::test_slow"], "claims": claims("HOLDS")}, "1 failed"),
        ({"failures": ["bench/test_a.py::test_slow: ValueError"], "claims": claims("HOLDS", "REGRESSED")}, "1 failed"),
        ({"failures": [f"t{i}" for i in range(5)]}, "5 failed (t0, t1, t2 and 2 more)"),
        ({"missing": [comparison("MISSING", test="bench/test_b.py::test_gone")]}, "1 missing"),
        ({"commit": Commit(id="x", dirty=True)}, "uncommitted changes"),
        ({"whole_suite": False}, "only part of the suite"),
        ({"exit_status": 2}, "ended early"),
        ({"exit_status": 1}, "failed outside its claims"),
    ],
)
def test_runs_that_may_not_be_accepted(changes, ground):
    sentence = may_accept(make_run(**changes))
    assert ground in sentence and "`--force`" in sentence and "run-1" in sentence


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"exit_status": 7},
        {"exit_status": 1, "strict": True, "claims": claims("INCONCLUSIVE")},
        {"claims": claims("INCONCLUSIVE", "NO_BASELINE")},
        {"exit_status": 1, "claims": claims("HOLDS", "REGRESSED")},
        {"exit_status": 1, "claims": claims("HOLDS", "REGRESSED"), "failures": ["bench/test_a.py::test_slow"]},
        {"exit_status": 1, "claims": claims("HOLDS", "STALE"), "failures": ["bench/test_a.py::test_slow"]},
        {"claims": claims() + claims("VIOLATED", is_control=True)},
    ],
)
def test_runs_that_may_be_accepted(changes):
    assert may_accept(make_run(**changes)) is None


def test_a_forced_acceptance_is_marked(store):
    accept(store, forced=True)
    assert store.load(machine_class=HERE).timing[0].run.acceptance.forced


# ------------------------------------------------------------------------------------------------------- broken files


def test_a_cut_file_is_one_sentence_and_the_others_load(store):
    path = accept(store, make_run("cut"))
    accept(store, make_run("whole"))
    content = path.read_bytes()
    for size in [*range(0, len(content) - 1, max(1, len(content) // 60)), len(content) - 2]:
        path.write_bytes(content[:size])
        loaded = store.load(machine_class=HERE)
        (problem,) = loaded.problems
        assert str(path) in problem and "restore it from git or delete it" in problem
        assert [stored.run.id for stored in loaded.timing] == ["whole"]


def edit_reason(document):
    document["dlcv04"]["acceptance"]["reason"] = "a better one"


def edit_round(document):
    document["dlcv04"]["arms"][0]["round_seconds"][0] = 0.05


def edit_outside(document):
    document["benchmarks"][0]["stats"]["min"] = 0.05


def drop_hash(document):
    del document["dlcv04"]["acceptance"]["sha256"]


def unknown_field(document):
    document["dlcv04"]["note"] = "harmless?"


def wrong_type(document):
    document["dlcv04"]["arms"] = "none"


def huge_number(document):
    document["dlcv04"]["seconds"] = 10**400


@pytest.mark.parametrize(
    "edit", [edit_reason, edit_round, edit_outside, drop_hash, unknown_field, wrong_type, huge_number]
)
def test_an_edit_by_hand_is_found(store, edit):
    path = accept(store)
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    loaded = store.load(machine_class=HERE)
    (problem,) = loaded.problems
    assert "edited by hand" in problem and str(path) in problem
    assert loaded.timing == []


def test_other_white_space_is_no_edit(store):
    path = accept(store)
    path.write_text(json.dumps(json.loads(path.read_text())).replace("\n", "\r\n"))
    assert store.load(machine_class=HERE).problems == []


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_other_content_is_never_a_crash_and_never_believed(tmp_path_factory, data):
    content = _accepted_bytes(tmp_path_factory)
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start, min(len(content), start + 30)))
    noise = data.draw(
        st.sampled_from([b"", b"NaN", b"1e999", b"<<<<<<< HEAD", b'"', b"\xff", b"9" * 5000, b"[" * 9000])
    )
    changed = content[:start] + noise + content[end:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / HERE / "0001_a.json"
        path.parent.mkdir()
        path.write_bytes(changed)
        loaded = Store(folder).load(machine_class=HERE)
    assert len(loaded.problems) + len(loaded.timing) == 1
    if loaded.timing:
        assert json.loads(changed) == json.loads(content)


_CONTENT = []


def _accepted_bytes(factory):
    if not _CONTENT:
        _CONTENT.append(accept(Store(factory.mktemp("accepted"))).read_bytes())
    return _CONTENT[0]


@pytest.mark.parametrize("content", ["[]", "null", "{}", '{"dlcv04": null}', '{"dlcv04": {"schema": 99}}', "\ufeff{}"])
def test_foreign_json_is_one_sentence(store, content):
    (store.root / "portable").mkdir(parents=True)
    (store.root / "portable" / "0001_x.json").write_text(content)
    (problem,) = store.load(machine_class=HERE).problems
    assert problem.endswith(".")


def test_a_file_in_the_wrong_folder_is_told(store):
    path = accept(store, make_run(machine_class=THERE))
    (store.root / HERE).mkdir()
    path.rename(store.root / HERE / "0001_moved.json")
    (problem,) = store.load(machine_class=HERE).problems
    assert f"belongs to {store.root / THERE}" in problem


def test_a_run_that_nobody_accepted_is_told(store):
    (store.root / HERE).mkdir(parents=True)
    document = make_document(make_run())
    document["benchmarks"] = []
    (store.root / HERE / "0001_x.json").write_text(json.dumps(document))
    (problem,) = store.load(machine_class=HERE).problems
    assert "nobody accepted it" in problem and "dlcv04 accept" in problem


def test_an_absent_store_is_empty(tmp_path):
    loaded = Store(tmp_path / "none").load(machine_class=HERE)
    assert (loaded.timing, loaded.portable, loaded.elsewhere, loaded.problems) == ([], [], [], [])


def test_published_figures_are_not_read(store):
    (store.root / "published").mkdir(parents=True)
    (store.root / "published" / "2016.json").write_text('{"slides": 1}')
    assert store.load(machine_class=HERE).problems == []


# ------------------------------------------------------------------------------------------------ other machine classes


def test_clocks_of_other_hardware_are_elsewhere(store):
    run = make_run("far", machine_class=THERE)
    accept(store, run)
    loaded = store.load(machine_class=HERE)
    assert loaded.timing == [] and {stored.run.environment.machine_class for stored in loaded.elsewhere} == {THERE}
    assert store.load(machine_class=THERE).timing[0].run.id == "far"


def test_a_broken_file_of_other_hardware_stays_silent_unless_selected(store):
    path = accept(store, make_run(machine_class=THERE))
    path.write_text("{")
    assert store.load(machine_class=HERE).problems == []
    assert len(store.load([f"{THERE}/*"], machine_class=HERE).problems) == 1


# ----------------------------------------------------------------------------------------------------------- selectors


@pytest.fixture
def filled(store):
    """Two accepted runs with both parts here, one elsewhere, and one saved run that nobody accepted."""
    for run_id in ("one", "two"):
        accept(store, make_run(run_id), name=run_id)
        accept(store, make_run(run_id), part="portable", name=run_id)
    accept(store, make_run("far", machine_class=THERE), name="far")
    folder = store.saved / "Linux-CPython-3.11-64bit"
    folder.mkdir(parents=True)
    document = make_document(make_run("saved"))
    document["benchmarks"] = []
    (folder / "0009_saved.json").write_text(json.dumps(document))
    return store


@pytest.mark.parametrize(
    ("selectors", "timing", "portable"),
    [
        (["one"], ["one"], ["one"]),
        (["two", "one"], ["one", "two"], ["one", "two"]),
        (["0002"], ["two"], ["two"]),
        (["0001_one"], ["one"], ["one"]),
        (["0001_one.json"], ["one"], ["one"]),
        (["*_t*"], ["two"], ["two"]),
        (["portable/*"], [], ["one", "two"]),
        ([f"{HERE}/0001"], ["one"], []),
        (["0001*", "0001"], ["one"], ["one"]),
        (["saved"], ["saved"], ["saved"]),
        (["0009"], ["saved"], ["saved"]),
        (["*/0009_*"], ["saved"], ["saved"]),
    ],
)
def test_selectors(filled, selectors, timing, portable):
    loaded = filled.load(selectors, machine_class=HERE)
    assert sorted(stored.run.id for stored in loaded.timing) == timing
    assert sorted(stored.run.id for stored in loaded.portable) == portable
    assert loaded.problems == []


def test_a_path_anywhere_and_a_glob_of_paths(filled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = ".benchmarks/Linux-CPython-3.11-64bit/0009_saved.json"
    for selector in (path, str(tmp_path / path), ".benchmarks/*/0009*", str(tmp_path / ".benchmarks/*/*.json")):
        loaded = Store("baselines").load([selector], machine_class=HERE)
        assert [stored.run.id for stored in loaded.timing] == ["saved"], selector
        assert [stored.run.id for stored in loaded.portable] == ["saved"]


def test_a_selected_run_of_other_hardware_is_elsewhere(filled):
    loaded = filled.load(["far"], machine_class=HERE)
    assert [stored.run.id for stored in loaded.elsewhere] == ["far"]
    assert loaded.timing == [] and {stored.run.environment.machine_class for stored in loaded.elsewhere} == {THERE}


def test_a_selected_run_that_was_edited_is_told(filled, tmp_path):
    source = next((filled.root / HERE).glob("0001*"))
    copy = tmp_path / "copy.json"
    copy.write_text(source.read_text().replace("0.1", "0.3"))
    assert "edited by hand" in filled.load([str(copy)], machine_class=HERE).problems[0]


@pytest.mark.parametrize("selector", ["nothing", "00", "[", "9999", "x/*.json"])
def test_a_selector_without_a_match_names_what_exists(filled, selector):
    with pytest.raises(BaselineError, match="0002_two"):
        filled.load([selector], machine_class=HERE)


def test_a_selector_in_an_empty_store_names_the_command(store):
    with pytest.raises(BaselineError, match="dlcv04 baseline"):
        store.load(["0001"], machine_class=HERE)


@pytest.mark.parametrize("selector", ["bench", "bench/test_a.py", "bench/test_a.py::test_b", "test_absent.py"])
def test_a_path_of_tests_is_refused(filled, tmp_path, monkeypatch, selector):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench").mkdir()
    with pytest.raises(BaselineError, match="put the path first"):
        filled.load([selector], machine_class=HERE)


def test_an_empty_selector_is_refused(filled):
    with pytest.raises(BaselineError, match="empty value"):
        filled.load([""], machine_class=HERE)


# ----------------------------------------------------------------------------------------------------------- processes


def test_processes_and_days(store):
    started = ["2026-10-01T23:30:00+00:00", "2026-10-02T01:30:00+02:00", "2026-10-02T10:00:00+00:00", "unknown"]
    for index, moment in enumerate(started):
        accept(store, make_run(f"r{index}", started=moment))
    timing = store.load(machine_class=HERE).timing
    assert span(timing) == (4, 2)
    assert span([*timing, *timing]) == (4, 2), "a run is one process however often it is listed"
    sentence = enough_processes(timing)
    assert "this one has 4" in sentence and "--processes 1" in sentence
    accept(store, make_run("r4"))
    assert enough_processes(store.load(machine_class=HERE).timing) is None
    assert enough_processes([]) is not None


# -------------------------------------------------------------------------------------- kills, races, never overwriting

WRITER = """
import sys, msgspec, json
from pathlib import Path
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.schema import Commit
root, source, prefix, count = sys.argv[1:]
document = json.loads(Path(source).read_text())
print("ready", flush=True)
for i in range(int(count)):
    document["dlcv04"]["id"] = f"{prefix}-{i}"
    Store(root).accept(document, part="timing", reason="r", commit=Commit(), name=prefix)
"""


def writer(root, source, prefix, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), str(source), prefix, str(count)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def source(tmp_path):
    document = make_document(make_run())
    document["benchmarks"] = [{"padding": ["x" * 100] * 2000}]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_kill_leaves_every_file_readable(tmp_path, source):
    root = tmp_path / "baselines"
    known = {}
    for attempt in range(6):
        process = writer(root, source, f"p{attempt}", 10_000)
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.03 + 0.017 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        loaded = Store(root).load(machine_class=HERE)
        assert loaded.problems == []
        found = {stored.path: stored.path.read_bytes() for stored in loaded.timing}
        assert known.items() <= found.items(), "a file vanished or was overwritten"
        known = found
    assert known, "no attempt stored anything: the kills came too early to mean something"
    accept(Store(root), make_run("after"))
    assert not list(root.rglob("*.partial")), "the next acceptance clears what a kill left behind"


KILLED = """
import os, signal, sys
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
link, moment = os.link, sys.argv.pop()
if moment == "before the link":
    os.link = die
elif moment == "after the link":
    os.link = lambda *names: (link(*names), die())
else:
    os.fsync = die
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
@pytest.mark.parametrize(("moment", "stored"), [("before the sync", 0), ("before the link", 0), ("after the link", 1)])
def test_a_kill_at_each_step(tmp_path, source, moment, stored):
    root = tmp_path / "baselines"
    command = [sys.executable, "-c", KILLED + WRITER, str(root), str(source), "p", "1", moment]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert list(root.rglob("*.partial")), "the kill came too early or too late to mean something"
    loaded = Store(root).load(machine_class=HERE)
    assert (len(loaded.timing), loaded.problems) == (stored, [])
    assert accept(Store(root), make_run("after")).name.startswith(f"{stored + 1:04d}")
    assert not list(root.rglob("*.partial")), "the next acceptance clears what a kill left behind"


def test_writers_at_the_same_time_get_their_own_numbers(tmp_path, source):
    root = tmp_path / "baselines"
    processes = [writer(root, source, prefix, 8) for prefix in ("a", "b")]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    names = sorted(path.name for path in (root / HERE).glob("*.json"))
    assert [int(name[:4]) for name in names] == list(range(1, 17))
    loaded = Store(root).load(machine_class=HERE)
    assert len(loaded.timing) == 16 and loaded.problems == []


@pytest.mark.parametrize("links", [True, False])
def test_nothing_is_ever_overwritten(store, monkeypatch, links):
    """Even when another program took the name between the choice of the number and the link."""
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    first = accept(store)
    before = first.read_bytes()
    monkeypatch.setattr(baselines, "_next_number", lambda folder: 1)
    with pytest.raises(BaselineError, match="can't be written"):
        accept(store, make_run("second"))
    assert first.read_bytes() == before
    assert not list(store.root.rglob("*.partial"))


def test_numbers_go_on_after_the_highest(store):
    path = accept(store)
    path.rename(path.with_name("0041_old.json"))
    assert accept(store, make_run("next")).name == "0042_smoke.json"


def test_a_full_disk_leaves_nothing_behind(store, monkeypatch):
    accept(store)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BaselineError, match="No space left"):
        accept(store, make_run("second"))
    assert [path.name for path in sorted((store.root / HERE).iterdir())] == ["0001_smoke.json"]
