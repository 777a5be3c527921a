"""Stored files that were cut, whose bits flipped, or that another version wrote: one sentence, and never believed.

What is accepted carries a hash, so that any change of it is found, and so do self-tests and the names in the manifest.
A saved run, which nobody has accepted yet, carries none: of it the form is checked.
"""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import typer

from dlcv04 import caching
from dlcv04.cli import app
from dlcv04.harness.store import manifest, reading, selftests
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import encode, strict
from tests.faults.killing import forked
from tests.faults.rows import Row
from tests.harness.selftest.made import a_test
from tests.harness.store.records import HERE, accept, make_document, make_run

FLIPS, CUTS = 300, 40

ROWS = [
    Row("cut-run", "an accepted run is cut anywhere", "was cut or is not JSON", 1, "every other stored run"),
    Row("flipped-run", "a bit of an accepted run flips", "restore it from git", 1, "every other stored run"),
    Row("cut-manifest", "the manifest is cut anywhere", "can't be read", 1, "the stored runs"),
    Row("flipped-manifest", "a bit of the manifest flips", "restore it from git", 1, "the stored runs"),
    Row("self-test", "a self-test is cut, or a bit of it flips", "restore it from git or delete it", 2, "the runs"),
    Row("cut-saved-run", "a saved run is cut, and accepted", "was cut or is not JSON", 2, "the store"),
    Row("cut-cache", "a cut or flipped file of the cache or state of a command", "damaged", 0, "nothing"),
    Row("older", "a run of the first schema", "", 0, "it is read in today's words"),
    Row("newer", "a run of a newer schema", "this version of dlcv04 reads schema", 1, "every other stored run"),
    Row("deep", "JSON that is nested 100,000 deep", "was cut or is not JSON", 1, "every other stored run"),
    Row("huge-number", "a number of 5,000 digits", "was cut or is not JSON", 1, "every other stored run"),
]


def cuts(content):
    return [
        content[:size] for size in sorted({*range(0, len(content), max(1, len(content) // CUTS)), len(content) - 2})
    ]


def flips(content, seed):
    """The content with one bit flipped, at places drawn by the seed."""
    drawn = random.Random(seed)
    for _ in range(FLIPS):
        place, bit = drawn.randrange(len(content)), drawn.randrange(8)
        yield content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def damaged(path, seed):
    """Damage a file in every way, one after the other, and mend it at last."""
    whole = path.read_bytes()
    try:
        for content in [*cuts(whole), *flips(whole, seed)]:
            path.write_bytes(content)
            yield content
    finally:
        path.write_bytes(whole)


def is_same(content, whole):
    """Whether what a file holds is the same, however it is written: a flipped blank."""
    try:
        return json.loads(content) == json.loads(whole)
    except ValueError:
        return False


@pytest.fixture
def filled(tmp_path):
    """A store with two runs of both parts."""
    store = Store(tmp_path / "baselines")
    for name in ("first", "second"):
        for part in ("timing", "portable"):
            accept(store, make_run(name), part=part)
    return store


def found(store):
    loaded = store.load(machine_class=HERE)
    return loaded.problems, loaded.timing + loaded.portable


@pytest.mark.parametrize("home", [HERE, "portable"])
def test_an_accepted_run(filled, home):
    path = filled.root / home / "0001_smoke.json"
    whole = path.read_bytes()
    for content in damaged(path, seed=1):
        problems, runs = found(filled)
        if is_same(content, whole):
            assert (problems, len(runs)) == ([], 4)
        else:
            assert len(problems) == 1 and str(path) in problems[0] and len(runs) == 3, content


def test_the_manifest(filled):
    path = filled.root / manifest.NAME
    whole = path.read_bytes()
    silent = 0
    for content in damaged(path, seed=2):
        problems, runs = found(filled)
        silent += not problems and not is_same(content, whole)
        assert problems or len(runs) == 4, content
    assert silent == 0


def test_a_self_test(tmp_path):
    path = selftests.keep(a_test(0.01), tmp_path)
    whole = path.read_bytes()
    silent = 0
    for content in damaged(path, seed=3):
        try:
            selftests.latest(tmp_path, "cpu-x", {"backend": "b"})
        except selftests.SelfTestError as error:
            assert str(path) in str(error)
            continue
        silent += not is_same(content, whole)
    assert silent == 0


def test_a_saved_run(tmp_path):
    path = tmp_path / "0001_x.json"
    path.write_bytes(encode(strict(make_document(make_run()))))
    for _ in damaged(path, seed=4):
        for read in (reading.read_run, reading.read_stored):
            try:
                read(path)
            except reading.RunFileError as error:
                assert str(path) in str(error)


def test_a_file_of_the_cache(tmp_path):
    path, key = tmp_path / "x.npz", {"epochs": 3}
    arrays = {"weights": np.arange(50.0), "labels": np.arange(7)}
    caching.store(path, key, arrays)
    silent = 0
    for _ in damaged(path, seed=5):
        try:
            read = caching.read(path, key)
        except caching.CacheError as error:
            assert str(path) in str(error)
            continue
        silent += any(not np.array_equal(read[name], arrays[name]) for name in arrays)
    assert silent == 0


def newer(document):
    document["dlcv04"]["schema"] += 1
    return json.dumps(document)


def deep(document):
    return json.dumps(document)[:-1] + ', "deep": ' + "[" * 100_000 + "]" * 100_000 + "}"


def huge_number(document):
    return json.dumps(document)[:-1] + ', "number": ' + "9" * 5_000 + "}"


@pytest.mark.parametrize("name", ["newer", "deep", "huge-number"])
def test_what_another_version_or_nobody_wrote(filled, name, monkeypatch):
    path = filled.root / HERE / "0001_smoke.json"
    made = {"newer": newer, "deep": deep, "huge-number": huge_number}[name]
    path.write_text(made(json.loads(path.read_text())))
    (problem,), runs = found(filled)
    row = next(one for one in ROWS if one.name == name)
    assert row.sentence in problem and len(runs) == 3
    monkeypatch.chdir(filled.root.parent)
    for command in (["accept", str(path), "--reason", "x"], ["judge", str(path)], ["report", str(path)]):
        ended = forked(lambda command=command: typer.main.get_command(app).main(command, prog_name="dlcv04"))
        assert "Traceback" not in ended.printed and ended.code == 2 and len(ended.printed.splitlines()) == 1, ended


def test_the_older_schema_is_read(tmp_path):
    stored = Path(__file__).parents[2] / "baselines/portable/0002_real-mnist.json"
    assert json.loads(stored.read_text(encoding="utf-8"))["dlcv04"]["schema"] == 1
    assert reading.read_stored(stored).schema == 2
