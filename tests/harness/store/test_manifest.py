"""The list of accepted files: what is lost is said, what is retired is not missed, and a crash loses nothing."""

import contextlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04 import atomic
from dlcv04.harness.store import manifest
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import BaselineError
from dlcv04.harness.store.manifest import Manifest
from dlcv04.harness.store.schema import Commit
from tests.harness.store.records import HERE, THERE, accept, make_run

TEST = "bench/test_a.py::test_slow"


def retire(store, test, reason="renamed"):
    return store.retire(test, reason=reason, commit=Commit())


def claims_in(loaded):
    return [claim.test for stored in (*loaded.timing, *loaded.portable) for claim in stored.run.claims]


class Killed(BaseException):
    """What ends a process between two steps: nobody catches it."""


@pytest.mark.parametrize("after", [False, True], ids=["before the step", "after the step"])
@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("what", ["accept", "retire"])
def test_a_crash_at_any_step_loses_nothing(store, monkeypatch, step, after, what):
    """Steps are those that make something visible: a file gets its name, or a manifest takes the place of another."""
    accept(store)
    before = store.load(machine_class=HERE)
    count = [0]

    def dies_at_step(do):
        def step_or_die(*arguments):
            count[0] += 1
            if count[0] == step + 1 and not after:
                raise Killed
            done = do(*arguments)
            if count[0] == step + 1:
                raise Killed
            return done

        return step_or_die

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "publish", dies_at_step(atomic.publish))
        patch.setattr(manifest, "write", dies_at_step(manifest.write))
        with contextlib.suppress(Killed):
            accept(store, make_run("second")) if what == "accept" else retire(store, TEST)
    found = store.load(machine_class=HERE)
    assert found.problems == [] and {s.path for s in found.timing} >= {s.path for s in before.timing}
    accept(store, make_run("third"))
    again = store.load(machine_class=HERE)
    assert again.problems == [] and len(again.timing) == len(found.timing) + 1
    assert set(manifest.read(store.root).files) == {f"{HERE}/{s.path.name}" for s in again.timing}


def test_a_file_that_is_gone_is_told_and_its_name_is_given_to_no_other(store):
    accept(store)
    newest = accept(store, make_run("second"))
    newest.unlink()
    (problem,) = store.load(machine_class=HERE).problems
    assert str(newest) in problem and f"accept --retire baselines/{HERE}/{newest.name}" in problem
    assert accept(store, make_run("third")) != newest
    assert len(store.load(machine_class=HERE).problems) == 1


@pytest.mark.parametrize("selected", ["relative", "absolute"])
def test_a_file_is_listed_however_its_path_is_written(store, monkeypatch, selected):
    """The store's own path may be written in the other way."""
    monkeypatch.chdir(store.root.parent)
    path = accept(store)
    retire(store, TEST)
    named, root = (str(path.relative_to(store.root.parent)), store.root)
    if selected == "absolute":
        named, root = str(path), Path("baselines")
    loaded = Store(root).load([named], machine_class=HERE)
    assert loaded.problems == [] and len(loaded.timing) == 1 and claims_in(loaded) == []
    path.unlink()
    assert Store(root).retire(named, reason="an old machine", commit=Commit()) == 1


def test_a_file_that_was_deleted_on_purpose_is_taken_out_of_the_list(store):
    path = accept(store)
    kept = accept(store, make_run("second"))
    with pytest.raises(BaselineError, match="still there"):
        retire(store, str(path))
    path.unlink()
    assert retire(store, str(path), reason="an old machine") == 1
    loaded = store.load(machine_class=HERE)
    assert loaded.problems == [] and [stored.path for stored in loaded.timing] == [kept]
    assert accept(store, make_run("third")).name not in {path.name, kept.name}
    assert len(claims_in(store.load(machine_class=HERE))) == 2, "what was retired was the file, not its name"


def test_a_lost_file_of_another_machine_is_its_own_affair(store):
    accept(store, make_run(machine_class=THERE)).unlink()
    assert store.load(machine_class=HERE).problems == []
    assert len(store.load(machine_class=THERE).problems) == 1


@pytest.mark.parametrize("name", [TEST, "bench/test_a.py::test_slow[p]"])
def test_a_control_goes_with_its_test(store, name):
    run = make_run()
    control = f"{name[:-1]}-control]" if name.endswith("]") else f"{name}[control]"
    claims = [msgspec.structs.replace(run.claims[0], test=test, is_control=test == control) for test in (name, control)]
    arms = [msgspec.structs.replace(run.arms[0], test=test) for test in (name, control)]
    accept(store, make_run(claims=claims, arms=arms))
    assert retire(store, name) == 1
    (stored,) = store.load(machine_class=HERE).timing
    assert (stored.run.claims, stored.run.arms) == ([], [])


def test_what_is_accepted_later_counts_again(store):
    accept(store)
    retire(store, TEST)
    accept(store, make_run("second"))
    assert claims_in(store.load(machine_class=HERE)) == [TEST]
    assert retire(store, TEST) == 2


@pytest.mark.parametrize(
    ("test", "reason", "said"),
    [
        (TEST, " ", "needs a reason"),
        ("bench/test_a.py::test_slwo", "typo", f"for example, {TEST}"),
        ("", "x", "nothing to retire"),
        ("../../etc/passwd", "x", "nothing to retire"),
    ],
)
def test_what_can_not_be_retired_is_one_sentence_and_changes_nothing(store, test, reason, said):
    accept(store)
    before = (store.root / manifest.NAME).read_bytes()
    with pytest.raises(BaselineError, match=said):
        retire(store, test, reason)
    assert (store.root / manifest.NAME).read_bytes() == before


def test_a_test_is_retired_once(store):
    accept(store)
    retire(store, TEST)
    with pytest.raises(BaselineError, match="retired already"):
        retire(store, TEST)


def test_a_test_is_taken_out_of_a_file_that_can_not_be_read_now_too(store):
    accept(store)
    broken = accept(store, make_run("second"))
    content = broken.read_bytes()
    broken.write_bytes(content[:100])
    assert retire(store, TEST) == 2
    broken.write_bytes(content)
    loaded = store.load(machine_class=HERE)
    assert loaded.problems == [] and claims_in(loaded) == []


def test_what_there_was_before_manifests_is_listed_by_the_next_acceptance(store):
    accept(store)
    old = accept(store, make_run("second"))
    document = json.loads((store.root / manifest.NAME).read_text())
    del document["files"][f"{HERE}/{old.name}"]
    (store.root / manifest.NAME).write_text(json.dumps(document))
    accept(store, make_run("third"))
    old.unlink()
    assert len(store.load(machine_class=HERE).problems) == 1


@given(content=st.binary(max_size=200) | st.sampled_from([b"", b"[]", b"null", b'{"files": 3}', b"<<<<<<< HEAD\n"]))
def test_whatever_stands_in_a_manifest_is_read_or_one_sentence(tmp_path_factory, content):
    store = Store(tmp_path_factory.mktemp("store") / "baselines")
    path = accept(store)
    (store.root / manifest.NAME).write_bytes(content)
    loaded = store.load(machine_class=HERE)
    assert len(loaded.problems) <= 1 and path.exists()
    try:
        assert isinstance(manifest.read(store.root), Manifest)
    except manifest.RunFileError:
        assert len(loaded.problems) == 1


def test_a_manifest_that_was_cut_is_told_to_be_restored_and_never_deleted(tmp_path):
    (tmp_path / manifest.NAME).write_text('{"files": {"port')
    with pytest.raises(manifest.RunFileError) as told:
        manifest.read(tmp_path)
    assert str(told.value).count("restore it from git") == 1 and "delete" not in str(told.value)
    assert "Unterminated string" in str(told.value)
