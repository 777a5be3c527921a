"""Properties of any input: no reader raises anything but its sentence, no verdict improves with a slower run.

Few examples here; `.ci/nightly` asks for 10,000 of each by `DLCV04_EXAMPLES`.
"""

import contextlib
import copy
import json
import math
import os
import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dlcv04 import hdf5, plaintext
from dlcv04.cli import COMMANDS, app
from dlcv04.datasets import DataError, annotation, cifar_batches, npz, pictures
from dlcv04.harness.judging.comparisons import Context, with_stored
from dlcv04.harness.judging.replay import rejudge
from dlcv04.harness.policy import Policy
from dlcv04.harness.report.renderers import html_page, json_document
from dlcv04.harness.store import files, folders, manifest, selftests
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.files import BaselineError
from dlcv04.harness.store.reading import RunFileError, decode_run, read_run, read_stored
from dlcv04.harness.store.schema import SECONDS, to_builtins
from dlcv04.harness.store.stored import Stored
from tests.faults import records
from tests.harness.judging.records import KEY, a_claim, a_run, timed
from tests.harness.selftest.made import a_test
from tests.harness.selftest.made import pairs as made_pairs
from tests.harness.store.records import HERE, accept, make_document, make_run

EXAMPLES = int(os.environ.get("DLCV04_EXAMPLES", "10"))
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def examples(share=1.0):
    """A property's examples, a share of the usual number where one is costly and not at night."""
    count = EXAMPLES if EXAMPLES > 1000 else max(5, round(EXAMPLES * share))
    return settings(max_examples=count, deadline=None, suppress_health_check=SLOW, database=None)


pytestmark = pytest.mark.nightly if EXAMPLES > 1000 else []


# -- stored records ---------------------------------------------------------------------------------------------------


@examples(2)
@given(edited=records.edits, how=st.sampled_from(records.USES))
def test_a_record_that_the_door_accepts_can_be_judged_compared_and_shown(edited, how):
    try:
        run = decode_run(records.block(edited), "x")
    except RunFileError:
        return
    for text in records.use(run, how):
        assert not isinstance(text, str) or text.encode() is not None


def damaged(content, data):
    """Bytes of a file with some of them cut, replaced, or put in twice."""
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(content) - 1)))
        match data.draw(st.sampled_from(["cut", "flip", "put", "number", "twice"])):
            case "cut":
                del content[place:]
            case "flip" if content:
                content[place] ^= 1 << data.draw(st.integers(0, 7))
            case "put":
                content[place:place] = data.draw(st.binary(max_size=8))
            case "number":
                content[place : place + 3] = data.draw(
                    st.sampled_from([b"NaN", b"1e999", b"-1", b"[[[", b"null", b'"\\ud800"'])
                )
            case "twice":
                content[place:place] = content[place : place + data.draw(st.integers(0, 40))]
    return bytes(content)


STORED = json.dumps(files.strict(make_document(make_run()))).encode()


@examples()
@given(data=st.data())
def test_a_damaged_run_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_bytes(damaged(STORED, data))
        for read in (read_run, read_stored):
            try:
                records.use(read(path), records.USES[0])
            except RunFileError as error:
                assert str(path) in str(error)


@examples(0.5)
@given(data=st.data())
def test_a_damaged_store_loads_and_loses_nothing_unsaid(data):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        paths = [accept(store, make_run(f"r{number}")) for number in range(2)]
        hurt = data.draw(st.sampled_from([*paths, store.root / manifest.NAME]))
        before = hurt.read_bytes()
        hurt.write_bytes(damaged(before, data))
        assume(hurt.read_bytes() != before)
        loaded = store.load(machine_class=HERE)
        same = {run.run.id for run in loaded.timing} == {"r0", "r1"}
        assert loaded.problems or same


@examples()
@given(data=st.data())
def test_a_damaged_self_test_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "x" / folders.SELFTEST
        place.mkdir(parents=True)
        (place / "1.json").write_bytes(damaged(SELF_TEST, data))
        try:
            selftests.latest(Path(folder), "x", {})
        except selftests.SelfTestError as error:
            assert "1.json" in str(error)


SELF_TEST = json.dumps(
    {
        "schema": 2, "id": "i", "started": "s", "seconds": 1.0, "key": {}, "tests": 1, "process_sd": 0.02, "process_df": 9.0,
        "environment": {"machine_class": "x", "hardware": {}, "software": {}}, "commit": {"id": "", "branch": "", "dirty": False},
        "process_point": 0.01, "process_upper95": 0.03, "rounds_sd": 0.01, "identical": [],
    }
).encode()  # fmt: skip


SELF = to_builtins(
    msgspec.structs.replace(
        a_test(0.02, [selftests.Planted(ratio=1.1, pairs=made_pairs(2, process_sd=0.02))]),
        identical=made_pairs(3, process_sd=0.02, rounds=4),
        replayed=[selftests.Replayed(ratio=1.0, red_runs=1, runs=100, red=2, benchmarks=300, promised=0.01)],
    )
)
SELF_PLACES = list(records._places(SELF))


@examples(0.3)
@given(
    place=st.integers(0, len(SELF_PLACES) - 1),
    choice=st.integers(0, 10**6),
    how=st.sampled_from(["alike", "value", "gone"]),
)
def test_a_self_test_that_the_door_accepts_can_be_shown(place, choice, how):
    plain = copy.deepcopy(SELF)

    def new(old):
        values = records.alike(old) if how == "alike" else records.VALUES
        return values[choice % len(values)]

    records.changed(plain, SELF_PLACES[place], how, new)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x" / folders.SELFTEST / "1.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(plain))
        try:
            found = selftests.latest(Path(folder), "x", SELF["key"])
        except selftests.SelfTestError:
            return
    if found is not None:
        assert html_page.render(records.RICH[0], (), found) and json_document.render(records.RICH[0], (), found)


# -- verdicts ---------------------------------------------------------------------------------------------------------

BETTER = {"REGRESSED": 0, "INCONCLUSIVE": 1, "PASS": 2, "IMPROVED": 3, "CHANGED": 4}


def slower(arm, ratio):
    return msgspec.structs.replace(arm, round_seconds=[seconds * ratio for seconds in arm.round_seconds])


def time_verdict(arm, stored, calibrator=True):
    context = Context(KEY, "cpu-x", Stored(timing=stored), Policy(profile="smoke", compare=True))
    (row,) = [row for row in with_stored(a_claim(), [arm], context) if row.metric == SECONDS]
    return row


@examples(2)
@given(
    seed=st.integers(0, 10**6), stored=st.integers(1, 12), start=st.floats(0.3, 3), more=st.floats(1.0, 4),
    noise=st.floats(0.001, 0.2), card=st.booleans(),
)  # fmt: skip
def test_a_slower_run_never_gets_a_better_verdict(seed, stored, start, more, noise, card):
    extra = {"calibrator_seconds": []} if card else {}
    runs = [(str(n), a_run(timed(seed=seed + n, noise=noise, **extra))) for n in range(stored)]
    runs = [
        (name, msgspec.structs.replace(run, id=name, started=f"2026-01-{int(name) + 1:02d}T00:00:00"))
        for name, run in runs
    ]
    arm = slower(timed(seed=seed + 99, noise=noise, **extra), start)
    first, second = time_verdict(arm, runs), time_verdict(slower(arm, more), runs)
    assert BETTER[second.verdict] <= BETTER[first.verdict], (first, second)
    assert second.effect >= first.effect * (1 - 1e-9)


@examples()
@given(seed=st.integers(0, 10**6), start=st.floats(0.5, 3), more=st.floats(1.0, 4), by=st.floats(1.01, 2))
def test_a_slower_treatment_never_makes_a_claim_of_slower_worse(seed, start, more, by):
    rank = {"VIOLATED": 0, "INCONCLUSIVE": 1, "HOLDS": 2}

    def verdict(ratio):
        rng = random.Random(seed)
        rounds = [0.1 * math.exp(rng.gauss(0, 0.05)) for _ in range(20)]
        arms = [
            timed(name="a", round_seconds=rounds[:10], round_index=list(range(10))),
            timed(name="b", round_seconds=[each * ratio for each in rounds[10:]], round_index=list(range(10))),
        ]
        assertion = msgspec.structs.replace(a_claim().assertions[0], treatment="b", reference="a", margin=by)
        run = a_run(*arms, claims=[a_claim(assertions=[assertion])])
        return rejudge(run, None).claims[0].verdict

    assert rank[verdict(start * more)] >= rank[verdict(start)]


@examples(0.5)
@given(
    number=st.integers(0, len(records.RICH) - 1), order=st.randoms(use_true_random=False), among=st.integers(2, 5)
)  # fmt: skip
def test_the_order_of_arms_claims_and_rounds_changes_no_verdict(number, order, among):
    run = records.RICH[number]

    def shuffled(things):
        return order.sample(list(things), len(things))

    def mixed(arm):
        places = shuffled(range(len(arm.round_seconds)))
        if len(arm.round_index) != len(places):
            return arm
        return msgspec.structs.replace(
            arm,
            round_seconds=[arm.round_seconds[place] for place in places],
            round_index=[arm.round_index[place] for place in places],
            curves=shuffled(arm.curves),
        )

    other = msgspec.structs.replace(run, arms=shuffled([mixed(arm) for arm in run.arms]), claims=shuffled(run.claims))
    stored = [(f"s{each}", records.RICH[1]) for each in range(among)]
    found, again = (rejudge(one, Stored(timing=stored, portable=stored)) for one in (run, other))
    assert verdicts(found) == verdicts(again)
    assert found.exit_status == again.exit_status


def verdicts(run):
    return {
        (claim.test, claim.is_control): (
            claim.verdict, sorted((row.arm, row.metric, row.verdict) for row in claim.comparisons)
        )
        for claim in run.claims
    }  # fmt: skip


@examples(0.5)
@given(count=st.integers(2, 4), order=st.randoms(use_true_random=False))
def test_the_order_in_which_files_are_named_changes_nothing(count, order):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        paths = [str(accept(store, make_run(f"r{number}"))) for number in range(count)]
        named = order.sample(paths, count)
        first, second = (store.load(each, machine_class=HERE) for each in (paths, named))
        assert {run.run.id for run in first.timing} == {run.run.id for run in second.timing}
        assert not first.problems and not second.problems


# -- data, texts and arguments ----------------------------------------------------------------------------------------


@examples(2)
@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: b"ImageID\tClassID\n" + text.encode("utf-8", "ignore"))
)
def test_any_annotation_is_read_or_refused(content):
    try:
        for row in annotation.parse(content, "annotation.txt"):
            assert not set(row.image) & set("/\\:\0") and row.image not in (".", "..")
    except DataError as error:
        assert "annotation.txt" in str(error) and "\n" not in str(error)


@examples(2)
@given(data=st.data())
def test_any_pickle_is_unpacked_without_being_run_or_refused(data):
    import pickle

    whole = pickle.dumps({b"labels": [1, 2], b"data": bytes(2 * 3072)}, protocol=2)
    try:
        x, y = cifar_batches.unpack(damaged(whole, data))
        assert len(x) == len(y)
    except cifar_batches.BatchError as error:
        assert "\n" not in str(error)


@examples()
@given(data=st.data())
def test_a_damaged_npz_is_read_or_refused(data):
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mnist.npz"
        blank, labels = np.zeros((2, 8, 8), np.uint8), np.zeros(2, np.int64)
        np.savez(path, x_train=blank, y_train=labels, x_test=blank, y_test=labels)
        path.write_bytes(damaged(path.read_bytes(), data))
        try:
            npz.read(path, (8, 8), "mnist")
        except DataError as error:
            assert "mnist.npz" in str(error) and "\n" not in plaintext.one_line(str(error))


@examples()
@given(data=st.data())
def test_a_damaged_picture_is_read_or_refused(data):
    import io

    from PIL import Image

    file = io.BytesIO()
    kind = data.draw(st.sampled_from(["PNG", "JPEG"]))
    Image.new("RGB", (9, 7), (200, 10, 30)).save(file, kind)
    try:
        assert pictures.decode(damaged(file.getvalue(), data), 8, "x.png").shape == (8, 8, 3)
    except DataError as error:
        assert "x.png" in str(error)


@examples()
@given(data=st.data())
def test_a_damaged_hdf5_file_is_read_or_refused(data):
    import h5py
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.h5"
        with h5py.File(path, "w") as file:
            file["block1_conv1/kernel"] = np.ones((3, 3, 3, 4), np.float32)
            file["block1_conv1/bias"] = np.zeros(4, np.float32)
        path.write_bytes(damaged(path.read_bytes(), data))
        try:
            with h5py.File(path) as file:
                for each in hdf5.datasets(file):
                    hdf5.read(each)
        except (hdf5.StrangeFileError, OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError):
            return  # as `dlcv04.weights` takes them


@examples(4)
@given(text=st.text())
def test_any_text_is_shown_on_one_line_and_drives_nothing(text):
    shown = plaintext.one_line(text)
    assert not set(shown) & {"\n", "\r", "\x1b", "\x9b", "\u202e", "\u200b"} and "##[" not in shown
    assert not shown.lstrip().startswith("::") and shown.encode() is not None and plaintext.one_line(shown) == shown


QUICK = ("accept", "judge", "report", "fetch")
WORDS = [
    "--reason",
    "--force",
    "--format",
    "html",
    "json",
    "markdown",
    "--out",
    "--strict",
    "--against",
    "--retire",
    "--to",
    "--help",
]


@examples()
@given(
    command=st.sampled_from(QUICK), arguments=st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=5),
)  # fmt: skip
def test_any_argument_is_one_answer_without_a_traceback(command, arguments):
    """Commands that read files and compute nothing; `fetch` of names that there are would use the network."""
    assume(not any(word.strip().lower() in ("mnist", "cifar10", "vgg16", "vgg16-top") for word in arguments))
    assert command in {function.__name__ for function in COMMANDS}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        result = CliRunner().invoke(app, [command, *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
    assert result.exit_code in (0, 1, 2)


@examples(4)
@given(selector=st.text(max_size=20))
def test_any_selector_names_runs_or_is_refused(selector):
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "baselines", saved=Path(folder) / "saved")
        try:
            store.load([selector], machine_class=HERE)
        except BaselineError as error:
            assert "`" in str(error)


def test_the_records_fuzzed_are_whole():
    """The untouched records pass the door, and all that is done with them."""
    for plain in records._PLAIN:
        run = decode_run(copy.deepcopy(plain), "x")
        for how in records.USES:
            records.use(run, how)
