"""Broken, edited and foreign files: one sentence each, and never believed."""

import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.reading import RunFileError, decode_run
from tests.harness.store.records import COMMIT, HERE, accept, make_document, make_run

ROOT = Path(__file__).parents[3]


def test_a_round_that_is_no_number_is_refused(store):
    document = make_document(make_run())
    document["dlcv04"]["arms"][0]["round_seconds"] = [math.nan]
    with pytest.raises(RunFileError, match="The run to accept"):
        store.accept(document, part="timing", reason="r", commit=COMMIT)


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


def test_a_run_that_nobody_accepted_is_told(store):
    (store.root / HERE).mkdir(parents=True)
    document = make_document(make_run())
    document["benchmarks"] = []
    (store.root / HERE / "0001_x.json").write_text(json.dumps(document))
    (problem,) = store.load(machine_class=HERE).problems
    assert "never accepted" in problem and "dlcv04 accept" in problem


def test_a_layer_may_have_open_sides():
    """A run of a network that takes pictures of any size is read again."""
    layer = {"name": "c", "kind": "Conv2D", "output_shape": [None, None, 4], "parameters": 40, "macs": None}
    block = {**make_document(make_run())["dlcv04"], "arms": [{"name": "a", "test": "t", "layers": [layer]}]}
    assert decode_run(block, "x").arms[0].layers[0].output_shape == [None, None, 4]


class TestSchemaOne:
    """Files of the first version are read in today's words; what they did not say is filled in where it is known."""

    def block(self, **changes):
        document = json.loads((ROOT / "baselines/portable/0002_real-mnist.json").read_text())
        assert document["dlcv04"]["schema"] == 1
        return {**document["dlcv04"], **changes}

    def test_a_whole_file(self):
        run = decode_run(self.block(), "x")
        assert run.schema == 2 and run.arms and run.acceptance is not None

    @pytest.mark.parametrize(
        ("device", "measured", "added"),
        [
            ("cpu", {"round_seconds": [0.1]}, {"threads": "2"}),
            ("cpu", {"curves": [{"seed": 0, "epochs": []}]}, {"threads": "2"}),
            ("cpu", {}, {}),
            ("gpu", {"round_seconds": [0.1]}, {"tf32": "true"}),
        ],
    )
    def test_settings_that_are_part_of_the_key_now(self, device, measured, added):
        images = {"images_per_round": 1, "images_per_epoch": 1}
        arm = {"name": "a", "test": "t", "key": {"data": "d"}, **images, **measured}
        run = decode_run(self.block(device=device, arms=[arm]), "x")
        assert run.arms[0].key == {"data": "d", **added}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (("INCOMPARABLE", "seconds an epoch"), ("NO_BASELINE", "times")),
            (("IMPROVED", "seconds an epoch"), ("IMPROVED", "times")),
            (("IMPROVED", "mean validation accuracy over epochs"), ("CHANGED", "learning")),
        ],
    )
    def test_words(self, old, new):
        row = dict.fromkeys(("new", "old", "effect", "low", "high", "gate", "minimum_detectable_effect"))
        row |= {"test": "t", "arm": "a", "metric": old[1], "direction": "equal", "unit": "", "n_new": 1, "n_old": 1}
        (found,) = decode_run(self.block(missing=[{**row, "verdict": old[0], "method": ""}]), "x").missing
        assert (found.verdict, found.kind, found.direction) == (*new, "none")

    @pytest.mark.parametrize("name", ["arms", "claims", "missing", "environment"])
    @pytest.mark.parametrize("value", [None, 3, "text", {"a": 1}, [1], [{"key": 3}]])
    def test_what_has_another_shape_is_refused_with_a_sentence(self, name, value):
        if (name, value) != ("environment", {"a": 1}):
            with pytest.raises(RunFileError, match="cut or edited by hand"):
                decode_run(self.block(**{name: value}), "x")
