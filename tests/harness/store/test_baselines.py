"""What goes into the store comes out; what is refused; what other machine classes keep."""

import json
import shutil
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcv04.harness.store import baselines
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import BaselineError
from dlcv04.harness.store.schema import LARGEST, Against, Arm, EpochRow, Recheck, SeedCurve
from tests.harness.store.records import COMMIT, HERE, THERE, accept, make_document, make_run


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


finite = st.floats(-LARGEST, LARGEST)
seconds = st.floats(1e-9, 1e9)
duration = st.floats(0, 1e12)


facts = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | finite | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


epochs = st.builds(
    EpochRow, train_seconds=duration, train_loss=st.none() | finite, train_accuracy=st.none() | finite,
    val_loss=st.none() | finite, val_accuracy=st.none() | finite,
)  # fmt: skip


arms = st.builds(
    Arm, name=st.text(max_size=8), test=st.text(max_size=8), facts=st.dictionaries(st.text(max_size=5), facts),
    round_seconds=st.lists(seconds, min_size=1, max_size=4), round_index=st.just([]),
    images_per_round=st.integers(1, 2**40), images_per_epoch=st.integers(1, 2**40),
    compile_seconds=st.none() | duration,
    curves=st.lists(
        st.builds(SeedCurve, seed=st.integers(0, 2**31), epochs=st.lists(epochs, max_size=3)),
        max_size=2, unique_by=lambda curve: curve.seed,
    ),
)  # fmt: skip


runs = st.builds(
    make_run, run_id=st.text(min_size=1, max_size=20), arms=st.lists(arms, min_size=1, max_size=3),
    key=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), command=st.text(max_size=20),
    seconds=duration, repeats=st.lists(arms, max_size=2),
    rechecks=st.lists(st.builds(Recheck, test=st.text(max_size=5), against=st.none())),
    against=st.none() | st.builds(
        Against, tests=st.integers(0, 9), gated=st.just(0), process_sd=st.floats(0, 9), process_df=st.floats(1, 99),
        pairs=st.just([]),
    ),
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


def test_same_content_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "_now", lambda: "2026-10-01T10:00:00+00:00")
    document = make_document(make_run())
    shuffled = dict(reversed(document.items()))
    texts = [
        Store(tmp_path / str(i)).accept(d, part="timing", reason="r", commit=COMMIT).read_bytes()
        for i, d in enumerate((document, shuffled))
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reason_is_needed(store, reason):
    with pytest.raises(BaselineError, match="needs a reason"):
        accept(store, reason=reason)
    assert not list(store.root.rglob("*.json"))


@pytest.mark.parametrize("machine_class", ["", "../up", "a/b", "portable", "published", ".."])
def test_a_machine_class_that_names_no_folder_is_refused(store, machine_class):
    with pytest.raises(BaselineError, match="can't name a folder"):
        accept(store, make_run(machine_class=machine_class))


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


def test_a_forced_acceptance_is_marked(store):
    accept(store, forced=True)
    assert store.load(machine_class=HERE).timing[0].run.acceptance.forced


def test_a_file_in_the_wrong_folder_is_told(store):
    path = accept(store, make_run(machine_class=THERE))
    (store.root / HERE).mkdir()
    path.rename(store.root / HERE / "0001_moved.json")
    (problem,) = store.load(machine_class=HERE).problems
    assert f"belongs to {store.root / THERE}" in problem


def test_an_absent_store_is_empty(tmp_path):
    loaded = Store(tmp_path / "none").load(machine_class=HERE)
    assert (loaded.timing, loaded.portable, loaded.elsewhere, loaded.problems) == ([], [], [], [])


def test_published_figures_are_not_read(store):
    (store.root / "published").mkdir(parents=True)
    (store.root / "published" / "2016.json").write_text('{"slides": 1}')
    assert store.load(machine_class=HERE).problems == []


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


def test_numbers_go_on_after_the_highest(store):
    path = accept(store)
    path.rename(path.with_name("0041_old.json"))
    assert accept(store, make_run("next")).name == "0042_smoke.json"
