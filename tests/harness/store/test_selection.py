"""Selectors of stored and saved runs."""

import json

import pytest

from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import BaselineError
from tests.harness.store.records import HERE, THERE, accept, make_document, make_run


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
