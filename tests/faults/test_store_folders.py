"""What may stand in a store's folders besides whole files: each is named and counts as a lost baseline, not as none."""

import json
import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from dlcv04.harness.store import reading, selftests
from dlcv04.harness.store.acceptance import Candidate
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.reading import RunFileError
from dlcv04.harness.store.schema import Commit
from tests.faults.rows import Row
from tests.harness.inner_runs import run_apart, store
from tests.harness.store.records import HERE, THERE, accept, make_document, make_run

KEPT = "every other stored run is compared with"
ROWS = [
    Row("fifo", "a FIFO where a stored run was", "is not a regular file", 1, KEPT),
    Row("zero", "a link to /dev/zero where a stored run was", "is not a regular file", 1, KEPT),
    Row("directory", "a folder where a stored run was", "accepted and is gone", 1, KEPT),
    Row("huge", "a stored run of 65 MiB", "larger than the 64 MiB", 1, KEPT),
    Row("nowhere", "a link to nothing where a stored run was", "can't be opened", 1, KEPT),
    Row("loop", "a link to itself where a stored run was", "can't be opened", 1, KEPT),
    Row("upper", "a stored run whose name ends with .JSON", "files that end with .json, not with .JSON", 1, KEPT),
    Row("up", "a stored run beside the folders", "beside the folders of runs", 1, KEPT),
    Row("down", "a stored run one folder too deep", "a folder too deep", 1, KEPT),
    Row("unmounted", "the machine class's folder is a link to a share that is not mounted", "is not a folder", 1, KEPT),
    Row("file", "a file where the machine class's folder was", "is not a folder", 1, KEPT),
    Row("store-unmounted", "`baselines/` is a link to a share that is not mounted", "can't be read", 1, "the link"),
    Row("store-file", "a file where `baselines/` was", "can't be read", 1, "the file"),
    Row("manifest-fifo", "a FIFO where the manifest was", "is not a regular file", 1, "the stored runs"),
    Row("manifest-nowhere", "the manifest is a link to nothing", "can't be read", 1, "the stored runs"),
    Row("forbidden", "a machine class's folder that may not be read", "can't be read", 1, "every other folder's runs"),
]


def plant(name, root, here):
    """Plant a fault into a store with a run in `here`; unlisted, as far as that can be: no list tells of it."""
    path = root / here / "0001_run.json"
    if name == "fifo":
        path.unlink()
        os.mkfifo(path)
    elif name in ("zero", "nowhere", "loop"):
        path.unlink()
        path.symlink_to({"zero": "/dev/zero", "nowhere": "/nowhere", "loop": path.name}[name])
    elif name == "directory":
        path.unlink()
        path.mkdir()
    elif name == "huge":
        with path.open("r+b") as file:
            file.truncate(65 * 2**20)
    elif name in ("upper", "up", "down"):
        (root / here / "deep").mkdir()
        place = {"upper": path.with_suffix(".JSON"), "up": root / path.name, "down": root / here / "deep" / path.name}
        path.rename(place[name])
        unlist(root)
    elif name in ("unmounted", "file"):
        shutil.rmtree(root / here)
        (root / here).write_text("") if name == "file" else (root / here).symlink_to("/nowhere")
        unlist(root)
    elif name in ("store-unmounted", "store-file"):
        shutil.rmtree(root)
        root.write_text("") if name == "store-file" else root.symlink_to("/nowhere")
    else:
        (root / "manifest.json").unlink()
        if name == "manifest-fifo":
            os.mkfifo(root / "manifest.json")
        else:
            (root / "manifest.json").symlink_to("/nowhere")


def unlist(root):
    """Take every file out of the list, as where a merge lost the line."""
    path = root / "manifest.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"files": {}}))


def in_time(action):
    """What an action gives, which must not wait for ever."""
    got = []
    thread = threading.Thread(target=lambda: got.append(action()), daemon=True)
    thread.start()
    thread.join(20)
    assert got, "it waits"
    return got[0]


PLANTED = [row for row in ROWS if row.name != "forbidden"]


@pytest.mark.parametrize("row", PLANTED, ids=lambda row: row.name)
def test_it_is_named_and_the_others_load(tmp_path, row):
    root = tmp_path / "baselines"
    accept(Store(root), name="run")
    accept(Store(root), make_run("other"), name="run")
    plant(row.name, root, HERE)
    loaded = in_time(lambda: Store(root).load(machine_class=HERE))
    assert any(row.sentence in said for said in loaded.problems), loaded.problems
    if row.name not in ("unmounted", "file", "store-unmounted", "store-file", "manifest-nowhere", "manifest-fifo"):
        assert [stored.run.id for stored in loaded.timing] == ["other"] and len(loaded.problems) == 1


def test_a_folder_that_may_not_be_read():
    """Root may read everything: it steps down for the moment."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "baselines"
        accept(Store(root), part="portable")
        accept(Store(root))
        (root / HERE).chmod(0)
        user = os.geteuid()
        os.seteuid(user or 65534)
        try:
            loaded = Store(root).load(machine_class=HERE)
            elsewhere = Store(root).load(machine_class=THERE)
            (said,) = loaded.problems
            assert "can't be read (Permission denied)" in said and str(root / HERE) in said
            assert len(loaded.portable) == 1 and elsewhere.problems == [], "another machine's folder is its own affair"
        finally:
            os.seteuid(user)
            (root / HERE).chmod(0o755)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A folder with what five processes stored, made once."""
    return tmp_path_factory.mktemp("compared") / "suite"


@pytest.mark.parametrize(
    "row", [pytest.param(row, marks=[] if row.name in ("fifo", "upper") else pytest.mark.nightly) for row in PLANTED],
    ids=lambda row: row.name,
)  # fmt: skip
def test_a_comparison_is_red(suite, compared, row):
    pytester = suite()
    if compared.exists():
        shutil.copytree(compared, pytester.path / "baselines")
    else:
        store(pytester)
        shutil.copytree(pytester.path / "baselines", compared)
    plant(row.name, pytester.path / "baselines", "cpu-fake-2-cores")
    result = run_apart(pytester, "bench", "--benchmark-compare")
    printed = " ".join(result.stdout.str().split())
    assert result.ret == row.exit and row.sentence in printed, printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("content", ["{}", "[1, 2]", '{"other": "tool"}'])
def test_whole_json_of_other_tools_is_left_alone(tmp_path, content):
    """Somebody may have a folder of this name for other things."""
    root = tmp_path / "baselines"
    accept(Store(root))
    for path in (root / "settings.json", root / HERE / "deep" / "settings.json", root / HERE / "OTHER.JSON"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    for name in (".DS_Store", "README.md", "notes.txt"):
        (root / name).write_text("x")
        (root / HERE / name).write_text("x")
    loaded = Store(root).load(machine_class=HERE)
    assert loaded.problems == [] and len(loaded.timing) == 1


def test_a_link_to_a_whole_file_is_read(tmp_path):
    """As git-annex and DVC have them."""
    path = accept(Store(tmp_path / "baselines"))
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    loaded = Store(tmp_path / "baselines").load(machine_class=HERE)
    assert loaded.problems == [] and len(loaded.timing) == 1


def test_every_command_that_reads_a_run_reads_regular_files_alone(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    for read in (reading.read_run, reading.read_stored):
        with pytest.raises(RunFileError, match="is not a regular file"):
            read(tmp_path / "run.json")
    folder = tmp_path / HERE / "selftest"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "x.json")
    with pytest.raises(selftests.SelfTestError, match="is not a regular file"):
        selftests.latest(tmp_path, HERE, {})


def test_a_run_of_two_sides_is_read_while_it_is_accepted(tmp_path):
    """A reader between two steps of an acceptance sees it whole or not at all."""
    root = tmp_path / "baselines"
    accept(Store(root))
    done = threading.Event()
    torn = []

    def read():
        while not done.is_set():
            loaded = Store(root).load(machine_class=HERE)
            counted = [{one.run.id for one in half} - {"run-1"} for half in (loaded.timing, loaded.portable)]
            if counted[0] != counted[1] or loaded.problems:
                torn.append((counted, loaded.problems))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(8):
        document = make_document(make_run(f"both-{number}"))
        both = [Candidate(document, part) for part in ("timing", "portable")]
        Store(root).accept_all(both, reason="x", commit=Commit())
    done.set()
    reader.join()
    assert torn == []
